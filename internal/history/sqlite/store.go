package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/usher-pg/usher/internal/history"
)

// coarsenedAtOnce is how many days are put together in a transaction: some 50 ms, which another writer can wait for.
const coarsenedAtOnce = 200

// Store is a history.Store in a file.
type Store struct {
	db      *sql.DB
	version int // of the schema
	tell    func(string)

	// mutex guards told.
	mutex sync.Mutex
	told  map[string]bool // damaged rows, bounded by mostTold
}

// mostTold bounds how many damaged rows are told of one by one.
const mostTold = 100

var _ history.Store = (*Store)(nil)

// Close ends what is under way and closes the file.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close history: %w", err)
	}
	return nil
}

// change runs a transaction that writes.
func (s *Store) change(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, ended(tx.Rollback()))
	}
	return tx.Commit()
}

// ended is an error of a rollback, unless the context has rolled back already.
func ended(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// Append implements history.Store.
func (s *Store) Append(ctx context.Context, pool string, buckets []history.Bucket) error {
	if err := history.CheckAppend(pool, buckets); err != nil {
		return fmt.Errorf("append to history: %w", err)
	}
	if len(buckets) == 0 {
		return nil
	}
	days := map[int64][]history.Bucket{}
	for _, b := range buckets {
		days[dayOf(b.Start)] = append(days[dayOf(b.Start)], b)
	}
	err := s.change(ctx, func(tx *sql.Tx) error {
		for _, day := range slices.Sorted(maps.Keys(days)) {
			if err := s.addToDay(ctx, tx, pool, day, days[day]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("append to history: %w", mark(ctx, err))
	}
	return nil
}

func (s *Store) addToDay(ctx context.Context, tx *sql.Tx, pool string, day int64, fresh []history.Bucket) error {
	var packed []byte
	err := tx.QueryRowContext(ctx, "SELECT buckets FROM day WHERE pool = ? AND day = ?", pool, day).Scan(&packed)
	var stored []history.Bucket
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return err
	default:
		if stored, err = unpack(nil, day, packed); err != nil {
			if err := s.setAside(ctx, tx, pool, day, err); err != nil {
				return err
			}
			stored = nil
		}
	}
	return writeDay(ctx, tx, pool, day, history.Combine(stored, fresh))
}

func writeDay(ctx context.Context, tx *sql.Tx, pool string, day int64, buckets []history.Bucket) error {
	finest := history.Widest
	for i := range buckets {
		finest = min(finest, buckets[i].Width)
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO day (pool, day, finest, buckets) VALUES (?, ?, ?, ?) "+
		"ON CONFLICT (pool, day) DO UPDATE SET finest = excluded.finest, buckets = excluded.buckets",
		pool, day, int64(finest/time.Second), pack(day, buckets))
	return err
}

// setAside moves a row that cannot be read into the table damaged.
func (s *Store) setAside(ctx context.Context, tx *sql.Tx, pool string, day int64, why error) error {
	s.tellDay(pool, day, why)
	if _, err := tx.ExecContext(ctx, "INSERT INTO damaged (pool, day, buckets, found) "+
		"SELECT pool, day, buckets, ? FROM day WHERE pool = ? AND day = ?",
		time.Now().UnixMicro(), pool, day); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM day WHERE pool = ? AND day = ?", pool, day)
	return err
}

func (s *Store) tellDay(pool string, day int64, why error) {
	s.tellOnce(fmt.Sprintf("history of pool %s on %s is damaged and left out: %v", pool,
		dayStart(day).Format(time.DateOnly), why))
}

func (s *Store) tellOnce(text string) {
	s.mutex.Lock()
	tell := !s.told[text] && len(s.told) < mostTold
	if tell {
		s.told[text] = true
	}
	s.mutex.Unlock()
	if tell {
		s.tell(text)
	}
}

// Range implements history.Store. A day that is damaged is left out and told.
func (s *Store) Range(ctx context.Context, pool string, from, to time.Time) ([]history.Bucket, error) {
	from, to = history.Clamp(from), history.Clamp(to)
	if !from.Before(to) {
		return nil, nil
	}
	// How much room to make; length needs not read what it measures.
	var bytes int
	if err := s.db.QueryRowContext(ctx, "SELECT coalesce(sum(length(buckets)), 0) FROM day "+
		"WHERE pool = ? AND day BETWEEN ? AND ?", pool, dayOf(from), dayOf(to)).Scan(&bytes); err != nil {
		return nil, fmt.Errorf("read history: %w", mark(ctx, err))
	}
	rows, err := s.db.QueryContext(ctx, "SELECT day, buckets FROM day WHERE pool = ? AND day BETWEEN ? AND ? "+
		"ORDER BY day", pool, dayOf(from), dayOf(to))
	if err != nil {
		return nil, fmt.Errorf("read history: %w", mark(ctx, err))
	}
	defer func() { _ = rows.Close() }()
	buckets := make([]history.Bucket, 0, min(bytes/leastPacked, history.MostBuckets))
	for rows.Next() {
		var day int64
		var packed sql.RawBytes
		if err := rows.Scan(&day, &packed); err != nil {
			return nil, fmt.Errorf("read history: %w", mark(ctx, err))
		}
		more, err := unpack(buckets, day, packed)
		if err != nil {
			s.tellDay(pool, day, err)
			continue
		}
		if buckets = more; len(buckets) > history.MostBuckets {
			return nil, fmt.Errorf("read history: %w: there are more than %d buckets", history.ErrTooMuch, history.MostBuckets)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read history: %w", mark(ctx, err))
	}
	first, _ := slices.BinarySearchFunc(buckets, from, byStart)
	end, _ := slices.BinarySearchFunc(buckets, to, byStart)
	return buckets[first:end:end], nil
}

func byStart(b history.Bucket, t time.Time) int { return b.Start.Compare(t) }

// Pools implements history.Store.
func (s *Store) Pools(ctx context.Context) ([]string, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT DISTINCT pool FROM day ORDER BY pool LIMIT ?", history.MostPools)
	if err != nil {
		return nil, fmt.Errorf("list pools of history: %w", mark(ctx, err))
	}
	defer func() { _ = rows.Close() }()
	var pools []string
	for rows.Next() {
		var pool string
		if err := rows.Scan(&pool); err != nil {
			return nil, fmt.Errorf("list pools of history: %w", mark(ctx, err))
		}
		pools = append(pools, pool)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list pools of history: %w", mark(ctx, err))
	}
	return pools, nil
}
