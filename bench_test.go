package usher_test

import (
	"context"
	"database/sql"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	upstream "github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jackc/puddle/v2"

	"github.com/usher-pg/usher"
	"github.com/usher-pg/usher/internal/pgtest"
	"github.com/usher-pg/usher/pgxpool"
)

// The benchmarks acquire and release, beside others who do. `make libbench` runs them and compares. All
// connect to the same scripted server, which is not talked to while the time is taken, so that only acquiring
// and releasing is measured. puddle, on which pgxpool is built, shares numbers.

const (
	seats = 8
	crowd = 64
)

// contender is one of those who are compared. use acquires, calls hold and releases.
type contender struct {
	name string
	open func(b *testing.B, url string) (use func(ctx context.Context, hold func()) error)
}

var contenders = []contender{
	{"pgxpool", openUpstream},
	{"usher", openUsher},
	{"usher-pgxpool", openDropIn},
	{"puddle", openPuddle},
	{"database-sql", openSQL},
	{"pgxpool-database-sql", openUpstreamSQL},
	{"usher-database-sql", openUsherSQL},
}

func openUpstreamPool(b *testing.B, url string) *upstream.Pool {
	config, err := upstream.ParseConfig(url)
	check(b, err)
	config.MaxConns, config.MinConns = seats, seats
	p, err := upstream.NewWithConfig(b.Context(), config)
	check(b, err)
	b.Cleanup(p.Close)
	return p
}

func openUpstream(b *testing.B, url string) func(context.Context, func()) error {
	p := openUpstreamPool(b, url)
	return func(ctx context.Context, hold func()) error {
		c, err := p.Acquire(ctx)
		if err != nil {
			return err
		}
		hold()
		c.Release()
		return nil
	}
}

func openUpstreamSQL(b *testing.B, url string) func(context.Context, func()) error {
	db := stdlib.OpenDBFromPool(openUpstreamPool(b, url))
	b.Cleanup(func() { check(b, db.Close()) })
	return useSQL(db)
}

func openManager(b *testing.B, url string) *usher.Manager {
	m, err := usher.Open(b.Context(), usher.Config{Pools: map[string]usher.PoolConfig{
		"app": {ConnString: url, Min: seats, Max: seats},
	}})
	check(b, err)
	b.Cleanup(m.Close)
	return m
}

func openUsher(b *testing.B, url string) func(context.Context, func()) error {
	p := openManager(b, url).Pool("app")
	return func(ctx context.Context, hold func()) error {
		c, err := p.Acquire(ctx, usher.Normal)
		if err != nil {
			return err
		}
		hold()
		c.Release()
		return nil
	}
}

func openDropIn(b *testing.B, url string) func(context.Context, func()) error {
	config, err := pgxpool.ParseConfig(url)
	check(b, err)
	config.MaxConns, config.MinConns = seats, seats
	p, err := pgxpool.NewWithConfig(b.Context(), config)
	check(b, err)
	b.Cleanup(p.Close)
	return func(ctx context.Context, hold func()) error {
		c, err := p.Acquire(ctx)
		if err != nil {
			return err
		}
		hold()
		c.Release()
		return nil
	}
}

func openPuddle(b *testing.B, _ string) func(context.Context, func()) error {
	var made atomic.Int64
	p, err := puddle.NewPool(&puddle.Config[int64]{
		Constructor: func(context.Context) (int64, error) { return made.Add(1), nil },
		Destructor:  func(int64) {},
		MaxSize:     seats,
	})
	check(b, err)
	b.Cleanup(p.Close)
	return func(ctx context.Context, hold func()) error {
		r, err := p.Acquire(ctx)
		if err != nil {
			return err
		}
		hold()
		r.Release()
		return nil
	}
}

func useSQL(db *sql.DB) func(context.Context, func()) error {
	return func(ctx context.Context, hold func()) error {
		c, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		hold()
		return c.Close()
	}
}

func openSQL(b *testing.B, url string) func(context.Context, func()) error {
	config, err := pgx.ParseConfig(url)
	check(b, err)
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(seats)
	db.SetMaxIdleConns(seats)
	b.Cleanup(func() { check(b, db.Close()) })
	return useSQL(db)
}

func openUsherSQL(b *testing.B, url string) func(context.Context, func()) error {
	db := usher.OpenDB(openManager(b, url).Pool("app"), usher.Normal)
	b.Cleanup(func() { check(b, db.Close()) })
	return useSQL(db)
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// compete runs a benchmark for each contender, with its connections open.
func compete(b *testing.B, run func(b *testing.B, use func(context.Context, func()) error)) {
	fake := pgtest.StartFake(b, func(int) []pgtest.Step {
		return []pgtest.Step{pgtest.Login(), pgtest.AnswerQueries()}
	})
	url := "postgres://app@" + fake.Addr + "/app?sslmode=disable"
	for _, c := range contenders {
		b.Run("pool="+c.name, func(b *testing.B) {
			use := c.open(b, url)
			fill(b, use)
			b.ReportAllocs()
			b.ResetTimer()
			run(b, use)
		})
	}
}

// fill opens all connections by holding them at the same time.
func fill(b *testing.B, use func(context.Context, func()) error) {
	b.Helper()
	taken, free, done := make(chan struct{}), make(chan struct{}), make(chan error)
	for range seats {
		go func() {
			done <- use(b.Context(), func() {
				taken <- struct{}{}
				<-free
			})
		}()
	}
	for range seats {
		<-taken
	}
	close(free)
	for range seats {
		check(b, <-done)
	}
}

func BenchmarkUncontended(b *testing.B) {
	compete(b, func(b *testing.B, use func(context.Context, func()) error) {
		ctx := context.Background()
		for b.Loop() {
			if err := use(ctx, func() {}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// contend is about 64 goroutines that want 8 connections, each with a context from derive.
func contend(b *testing.B, hold func(), derive func(context.Context) (context.Context, context.CancelFunc)) {
	compete(b, func(b *testing.B, use func(context.Context, func()) error) {
		b.SetParallelism(crowd / runtime.GOMAXPROCS(0))
		b.RunParallel(func(pb *testing.PB) {
			ctx, cancel := derive(context.Background())
			defer cancel()
			for pb.Next() {
				if err := use(ctx, hold); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

func endless(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} }

func BenchmarkContended(b *testing.B) { contend(b, func() {}, endless) }

func BenchmarkContendedCancellable(b *testing.B) { contend(b, func() {}, context.WithCancel) }

// While it has the connection, the goroutine lets others run, as it does when it waits for an answer.
func BenchmarkContendedYielding(b *testing.B) { contend(b, runtime.Gosched, endless) }
