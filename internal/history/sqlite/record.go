package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/history"
)

// SaveForecast implements history.Store.
func (s *Store) SaveForecast(ctx context.Context, pool string, issued time.Time, forecast []byte) error {
	return s.save(ctx, "save forecast", pool, issued, forecast, "INSERT INTO forecast (pool, at, content) "+
		"VALUES (?1, ?2, ?3) ON CONFLICT (pool, at) DO UPDATE SET content = excluded.content")
}

// SaveDecision implements history.Store.
func (s *Store) SaveDecision(ctx context.Context, pool string, at time.Time, decision []byte) error {
	return s.save(ctx, "save decision", pool, at, decision, "INSERT INTO decision (pool, at, content) "+
		"SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM decision WHERE pool = ?1 AND at = ?2 AND content = ?3)")
}

func (s *Store) save(ctx context.Context, what, pool string, at time.Time, content []byte, statement string) error {
	if err := history.CheckRecord(pool, at, content); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if content == nil {
		content = []byte{} // nil would be NULL
	}
	if _, err := s.db.ExecContext(ctx, statement, pool, at.UnixMicro(), content); err != nil {
		return fmt.Errorf("%s: %w", what, mark(ctx, err))
	}
	return nil
}

// Forecasts implements history.Store.
func (s *Store) Forecasts(ctx context.Context, pool string, from, to time.Time) ([]history.Record, error) {
	return s.records(ctx, "read forecasts", "SELECT at, content FROM forecast WHERE pool = ? AND at >= ? AND at < ? "+
		"ORDER BY at LIMIT ?", pool, from, to, history.MostRecords+1)
}

// Decisions implements history.Store.
func (s *Store) Decisions(ctx context.Context, pool string, from, to time.Time, limit int) ([]history.Record, error) {
	records, err := s.records(ctx, "read decisions", "SELECT at, content FROM decision WHERE pool = ? AND at >= ? "+
		"AND at < ? ORDER BY at DESC, rowid DESC LIMIT ?", pool, from, to, min(max(limit, 0), history.MostRecords))
	slices.Reverse(records)
	return records, err
}

func (s *Store) records(ctx context.Context, what, query, pool string, from, to time.Time, limit int) (
	[]history.Record, error,
) {
	rows, err := s.db.QueryContext(ctx, query, pool, history.Clamp(from).UnixMicro(), history.Clamp(to).UnixMicro(), limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, mark(ctx, err))
	}
	defer func() { _ = rows.Close() }()
	var records []history.Record
	var bytes int
	for rows.Next() {
		var at int64
		var r history.Record
		if err := rows.Scan(&at, &r.Content); err != nil {
			return nil, fmt.Errorf("%s: %w", what, mark(ctx, err))
		}
		r.At = time.UnixMicro(at).UTC()
		records = append(records, r)
		if bytes += len(r.Content); bytes > history.MostRecordBytes || len(records) > history.MostRecords {
			return nil, fmt.Errorf("%s: %w", what, history.ErrTooMuch)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", what, mark(ctx, err))
	}
	return records, nil
}

// Retain implements history.Store.
func (s *Store) Retain(ctx context.Context, now time.Time, keep history.Retention) error {
	if err := keep.Check(); err != nil {
		return fmt.Errorf("retain history: %w", err)
	}
	if err := s.retain(ctx, now, keep); err != nil {
		return fmt.Errorf("retain history: %w", mark(ctx, err))
	}
	return nil
}

func (s *Store) retain(ctx context.Context, now time.Time, keep history.Retention) error {
	for _, old := range []struct {
		days   int
		forget string
		unit   func(time.Time) int64
	}{
		{keep.Full + keep.Coarse, "DELETE FROM day WHERE day < ?", dayOf},
		{keep.Full + keep.Coarse, "DELETE FROM damaged WHERE day < ?", dayOf},
		{keep.Full + keep.Coarse, "DELETE FROM event WHERE day < ?", dayOf},
		{keep.Full + keep.Coarse, "DELETE FROM damaged_event WHERE day < ?", dayOf},
		{keep.Forecasts, "DELETE FROM forecast WHERE at < ?", time.Time.UnixMicro},
		{keep.Decisions, "DELETE FROM decision WHERE at < ?", time.Time.UnixMicro},
	} {
		cut, err := s.cut(ctx, now, old.days)
		if err != nil {
			return err
		}
		if cut.IsZero() {
			continue
		}
		if _, err := s.db.ExecContext(ctx, old.forget, old.unit(cut)); err != nil {
			return err
		}
	}
	cut, err := s.cut(ctx, now, keep.Full)
	if err != nil || cut.IsZero() {
		return err
	}
	for {
		var n int
		if err := s.change(ctx, func(tx *sql.Tx) error {
			n, err = s.coarsen(ctx, tx, dayOf(cut))
			return err
		}); err != nil || n == 0 {
			return err
		}
	}
}

// cut is history.Cut with the days of this store.
func (s *Store) cut(ctx context.Context, now time.Time, days int) (time.Time, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT DISTINCT day FROM day ORDER BY day DESC LIMIT 1 OFFSET ?", days-1)
	if err != nil {
		return time.Time{}, err
	}
	defer func() { _ = rows.Close() }()
	var oldest time.Time
	if rows.Next() {
		var day int64
		if err := rows.Scan(&day); err != nil {
			return time.Time{}, err
		}
		oldest = dayStart(day)
	}
	return history.Cut(now, days, oldest), rows.Err()
}

// coarsen puts some days before a day together and says how many.
func (s *Store) coarsen(ctx context.Context, tx *sql.Tx, before int64) (int, error) {
	type fine struct {
		pool   string
		day    int64
		packed []byte
	}
	var days []fine
	rows, err := tx.QueryContext(ctx, "SELECT pool, day, buckets FROM day WHERE day < ? AND finest < ? LIMIT ?",
		before, int64(history.CoarseWidth/time.Second), coarsenedAtOnce)
	if err != nil {
		return 0, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var f fine
		if err := rows.Scan(&f.pool, &f.day, &f.packed); err != nil {
			return 0, err
		}
		days = append(days, f)
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	for _, f := range days {
		buckets, err := unpack(nil, f.day, f.packed)
		if err != nil {
			err = s.setAside(ctx, tx, f.pool, f.day, err)
		} else {
			err = writeDay(ctx, tx, f.pool, f.day, history.Coarsen(buckets, history.CoarseWidth))
		}
		if err != nil {
			return 0, err
		}
	}
	return len(days), nil
}
