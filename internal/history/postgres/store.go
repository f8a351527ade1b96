package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/usher-pg/usher/internal/history"
)

const (
	// mostConnections is how many the history needs: one that writes, one that reads.
	mostConnections = 2
	// atOnce is how many buckets are written in a statement; some 100 bytes each.
	atOnce = 5000
)

// Config says which database.
type Config struct {
	// DSN is a connection string as libpq takes it.
	DSN string
	// Tell is called with what an operator should know and no caller is told by an error. It may be nil.
	Tell func(message string)
}

// Store is a history.Store in a database.
type Store struct {
	pool *pgxpool.Pool
	tell func(string)
}

var _ history.Store = (*Store)(nil)

// Open connects and makes the tables if there are none. Errors do not show a password.
func Open(ctx context.Context, c Config) (*Store, error) {
	config, err := pgxpool.ParseConfig(c.DSN)
	if err != nil {
		return nil, fmt.Errorf("open history: %w", err) // pgx leaves passwords out
	}
	config.MaxConns = mostConnections
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "usher history"
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	s := &Store{pool: pool, tell: c.Tell}
	if s.tell == nil {
		s.tell = func(string) {}
	}
	if err := s.prepare(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open history in database %s: %w", config.ConnConfig.Database, err)
	}
	return s, nil
}

// Close waits for what is under way and disconnects.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

func (s *Store) change(ctx context.Context, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.pool, do)
}

// lock lets writers of a pool take turns: what is stored is read, put together with what is fresh, and written.
func lock(ctx context.Context, tx pgx.Tx, pool string) error {
	_, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('usher history ' || $1, 0))", pool)
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
	fresh := slices.SortedStableFunc(slices.Values(buckets), order)
	if err := s.change(ctx, func(tx pgx.Tx) error {
		if err := lock(ctx, tx, pool); err != nil {
			return err
		}
		for chunk := range slices.Chunk(fresh, atOnce) {
			if err := combine(ctx, tx, pool, chunk); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return fmt.Errorf("append to history: %w", err)
	}
	return nil
}

func order(a, b history.Bucket) int { return a.Start.Compare(b.Start) }

// combine adds buckets to those that are stored in their time.
func combine(ctx context.Context, tx pgx.Tx, pool string, fresh []history.Bucket) error {
	from, to := fresh[0].Start.Add(-history.Widest), fresh[len(fresh)-1].Start.Add(history.Widest)
	stored, err := read(ctx, tx, pool, from, to)
	if err != nil {
		return err
	}
	known := make(map[history.Bucket]bool, len(stored))
	for _, b := range stored {
		known[b] = true
	}
	var changed []history.Bucket
	for _, b := range history.Combine(stored, fresh) {
		if !known[b] {
			changed = append(changed, b)
		}
	}
	return write(ctx, tx, pool, changed)
}

const columns = "start, width, samples, mean, p95, max, arrivals, arrival_spread, service_ns, service_spread, " +
	"cut_off, outage, from_ns, until_ns"

// querier is a transaction or a pool of connections.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func read(ctx context.Context, q querier, pool string, from, to time.Time) ([]history.Bucket, error) {
	rows, err := q.Query(ctx, "SELECT "+columns+" FROM usher_bucket WHERE pool = $1 AND start >= $2 AND start < $3 "+
		"ORDER BY start LIMIT $4", pool, history.Clamp(from), history.Clamp(to).Add(time.Microsecond),
		history.MostBuckets+1)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var buckets []history.Bucket
	var b history.Bucket
	var width int32
	var service, begin, until int64
	for rows.Next() {
		if err := rows.Scan(&b.Start, &width, &b.Samples, &b.Mean, &b.P95, &b.Max, &b.Arrivals, &b.ArrivalSpread,
			&service, &b.ServiceSpread, &b.CutOff, &b.Outage, &begin, &until); err != nil {
			return nil, err
		}
		b.Start, b.Width = b.Start.UTC(), time.Duration(width)*time.Second
		b.Service, b.From, b.Until = time.Duration(service), time.Duration(begin), time.Duration(until)
		if b.Start.Before(from) || !b.Start.Before(to) {
			continue // PostgreSQL has no nanoseconds
		}
		// Anybody can write to a table.
		if err := b.Check(); err != nil {
			return nil, fmt.Errorf("%w: %w", history.ErrCorrupt, err)
		}
		if buckets = append(buckets, b); len(buckets) > history.MostBuckets {
			return nil, fmt.Errorf("%w: there are more than %d buckets", history.ErrTooMuch, history.MostBuckets)
		}
	}
	return buckets, rows.Err()
}

// write writes buckets over those with the same start.
func write(ctx context.Context, tx pgx.Tx, pool string, buckets []history.Bucket) error {
	n := len(buckets)
	if n == 0 {
		return nil
	}
	start, cutOff, outage := make([]time.Time, n), make([]bool, n), make([]bool, n)
	width, samples := make([]int32, n), make([]int32, n)
	mean, p95, most := make([]float64, n), make([]float64, n), make([]float64, n)
	arrivals, arrivalSpread, serviceSpread := make([]float64, n), make([]float64, n), make([]float64, n)
	service, from, until := make([]int64, n), make([]int64, n), make([]int64, n)
	for i, b := range buckets {
		start[i], width[i], samples[i] = b.Start, int32(b.Width/time.Second), int32(b.Samples)
		mean[i], p95[i], most[i] = b.Mean, b.P95, b.Max
		arrivals[i], arrivalSpread[i] = b.Arrivals, b.ArrivalSpread
		service[i], serviceSpread[i] = int64(b.Service), b.ServiceSpread
		cutOff[i], outage[i], from[i], until[i] = b.CutOff, b.Outage, int64(b.From), int64(b.Until)
	}
	_, err := tx.Exec(ctx, "INSERT INTO usher_bucket (pool, "+columns+") SELECT $1, * FROM unnest($2::timestamptz[], "+
		"$3::int[], $4::int[], $5::float8[], $6::float8[], $7::float8[], $8::float8[], $9::float8[], $10::bigint[], "+
		"$11::float8[], $12::bool[], $13::bool[], $14::bigint[], $15::bigint[]) "+
		"ON CONFLICT (pool, start) DO UPDATE SET (width, samples, mean, p95, max, arrivals, arrival_spread, service_ns, "+
		"service_spread, cut_off, outage, from_ns, until_ns) = (excluded.width, excluded.samples, excluded.mean, "+
		"excluded.p95, excluded.max, excluded.arrivals, excluded.arrival_spread, excluded.service_ns, "+
		"excluded.service_spread, excluded.cut_off, excluded.outage, excluded.from_ns, excluded.until_ns)",
		pool, start, width, samples, mean, p95, most, arrivals, arrivalSpread, service, serviceSpread, cutOff, outage,
		from, until)
	return err
}

// Range implements history.Store.
func (s *Store) Range(ctx context.Context, pool string, from, to time.Time) ([]history.Bucket, error) {
	buckets, err := read(ctx, s.pool, pool, from, to)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	return buckets, nil
}

// Pools implements history.Store. It looks for the next name again and again, because PostgreSQL would read all rows to
// find those that differ. COLLATE "C" is the order of Go.
func (s *Store) Pools(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, "WITH RECURSIVE name AS ((SELECT pool FROM usher_bucket ORDER BY pool LIMIT 1) "+
		"UNION ALL SELECT (SELECT b.pool FROM usher_bucket b WHERE b.pool > name.pool ORDER BY b.pool LIMIT 1) "+
		"FROM name WHERE name.pool IS NOT NULL) "+
		"SELECT pool FROM name WHERE pool IS NOT NULL ORDER BY pool COLLATE \"C\" LIMIT $1", history.MostPools)
	if err != nil {
		return nil, fmt.Errorf("list pools of history: %w", err)
	}
	pools, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list pools of history: %w", err)
	}
	return pools, nil
}

// SaveForecast implements history.Store.
func (s *Store) SaveForecast(ctx context.Context, pool string, issued time.Time, forecast []byte) error {
	return s.save(ctx, "save forecast", pool, issued, forecast, "INSERT INTO usher_forecast (pool, at, content) "+
		"VALUES ($1, $2, $3) ON CONFLICT (pool, at) DO UPDATE SET content = excluded.content")
}

// SaveDecision implements history.Store.
func (s *Store) SaveDecision(ctx context.Context, pool string, at time.Time, decision []byte) error {
	return s.save(ctx, "save decision", pool, at, decision, "INSERT INTO usher_decision (pool, at, content) "+
		"SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM usher_decision WHERE pool = $1 AND at = $2 AND content = $3)")
}

func (s *Store) save(ctx context.Context, what, pool string, at time.Time, content []byte, statement string) error {
	if err := history.CheckRecord(pool, at, content); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if content == nil {
		content = []byte{} // nil would be NULL
	}
	err := s.change(ctx, func(tx pgx.Tx) error {
		if err := lock(ctx, tx, pool); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, statement, pool, at.Truncate(time.Microsecond), content)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Forecasts implements history.Store.
func (s *Store) Forecasts(ctx context.Context, pool string, from, to time.Time) ([]history.Record, error) {
	return s.records(ctx, "read forecasts", "SELECT at, content FROM usher_forecast WHERE pool = $1 AND at >= $2 "+
		"AND at < $3 ORDER BY at LIMIT $4", pool, from, to, history.MostRecords+1)
}

// Decisions implements history.Store.
func (s *Store) Decisions(ctx context.Context, pool string, from, to time.Time, limit int) ([]history.Record, error) {
	records, err := s.records(ctx, "read decisions", "SELECT at, content FROM usher_decision WHERE pool = $1 AND "+
		"at >= $2 AND at < $3 ORDER BY at DESC, number DESC LIMIT $4", pool, from, to,
		min(max(limit, 0), history.MostRecords))
	slices.Reverse(records)
	return records, err
}

func (s *Store) records(ctx context.Context, what, query, pool string, from, to time.Time, limit int) (
	[]history.Record, error,
) {
	from, to = history.Clamp(from).Truncate(time.Microsecond), history.Clamp(to).Truncate(time.Microsecond)
	rows, err := s.pool.Query(ctx, query, pool, from, to, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer rows.Close()
	var records []history.Record
	var bytes int
	for rows.Next() {
		var r history.Record
		if err := rows.Scan(&r.At, &r.Content); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		r.At = r.At.UTC()
		records = append(records, r)
		if bytes += len(r.Content); bytes > history.MostRecordBytes || len(records) > history.MostRecords {
			return nil, fmt.Errorf("%s: %w", what, history.ErrTooMuch)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return records, nil
}

// Retain implements history.Store.
func (s *Store) Retain(ctx context.Context, now time.Time, keep history.Retention) error {
	if err := keep.Check(); err != nil {
		return fmt.Errorf("retain history: %w", err)
	}
	if err := s.retain(ctx, now, keep); err != nil {
		return fmt.Errorf("retain history: %w", err)
	}
	return nil
}

func (s *Store) retain(ctx context.Context, now time.Time, keep history.Retention) error {
	for _, old := range []struct {
		days   int
		forget string
	}{
		{keep.Full + keep.Coarse, "DELETE FROM usher_bucket WHERE start < $1"},
		{keep.Full + keep.Coarse, "DELETE FROM usher_event WHERE begins < $1"},
		{keep.Forecasts, "DELETE FROM usher_forecast WHERE at < $1"},
		{keep.Decisions, "DELETE FROM usher_decision WHERE at < $1"},
	} {
		cut, err := s.cut(ctx, now, old.days)
		if err != nil {
			return err
		}
		if cut.IsZero() {
			continue
		}
		if _, err := s.pool.Exec(ctx, old.forget, cut); err != nil {
			return err
		}
	}
	cut, err := s.cut(ctx, now, keep.Full)
	if err != nil || cut.IsZero() {
		return err
	}
	for {
		var pool string
		var oldest time.Time
		err := s.pool.QueryRow(ctx, "SELECT pool, start FROM usher_bucket WHERE start < $1 AND width < $2 "+
			"ORDER BY start LIMIT 1", cut, int(history.CoarseWidth/time.Second)).Scan(&pool, &oldest)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.coarsen(ctx, pool, oldest.UTC().Truncate(history.Widest), cut); err != nil {
			return err
		}
	}
}

// coarsened is how many days of a pool are put together in a transaction.
const coarsened = 30 * history.Widest

// coarsen puts buckets of a pool from a day on together.
func (s *Store) coarsen(ctx context.Context, pool string, from, cut time.Time) error {
	to := from.Add(coarsened)
	if cut.Before(to) {
		to = cut
	}
	return s.change(ctx, func(tx pgx.Tx) error {
		if err := lock(ctx, tx, pool); err != nil {
			return err
		}
		fine, err := read(ctx, tx, pool, from, to)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM usher_bucket WHERE pool = $1 AND start >= $2 AND start < $3 AND width < $4",
			pool, from, to, int(history.CoarseWidth/time.Second)); err != nil {
			return err
		}
		return write(ctx, tx, pool, history.Coarsen(fine, history.CoarseWidth))
	})
}

// cut is history.Cut with the days of this store, which are found from the last one back, one look in the index each.
func (s *Store) cut(ctx context.Context, now time.Time, days int) (time.Time, error) {
	var oldest time.Time
	err := s.pool.QueryRow(ctx, "WITH RECURSIVE day AS (SELECT date_trunc('day', max(start), 'UTC') AS day, 1 AS n "+
		"FROM usher_bucket UNION ALL SELECT date_trunc('day', (SELECT max(start) FROM usher_bucket WHERE start < day.day), "+
		"'UTC'), n + 1 FROM day WHERE day.day IS NOT NULL AND n < $1) SELECT day FROM day WHERE n = $1 AND day IS NOT NULL",
		days).Scan(&oldest)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return time.Time{}, err
	}
	return history.Cut(now, days, oldest), nil
}
