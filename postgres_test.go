//go:build integration

package usher_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/usher-pg/usher"
	"github.com/usher-pg/usher/internal/pgtest"
)

// on is a manager with one pool, "app", on a real server. Its Close, at the end of the test, would hang if a
// connection had been lost.
func on(t *testing.T, url string, c usher.PoolConfig) *usher.Pool {
	t.Helper()
	c.ConnString = url
	manager, err := usher.Open(t.Context(), usher.Config{Pools: map[string]usher.PoolConfig{"app": c}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(manager.Close)
	return manager.Pool("app")
}

// terminate ends server processes from outside and returns when they are gone.
func terminate(t *testing.T, url string, pids ...uint32) {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, pid := range pids {
		// The second argument makes PostgreSQL wait for the end.
		if _, err := conn.Exec(ctx, "select pg_terminate_backend($1, 10000)", pid); err != nil {
			t.Fatal(err)
		}
	}
}

func value(t *testing.T, c *usher.Conn, sql string) (n int) {
	t.Helper()
	if err := c.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Errorf("%s: %v", sql, err)
	}
	return n
}

func TestTerminatedConnectionsAreNotGivenOut(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	for name, address := range map[string]string{
		"tcp": server.URL("postgres"),
		"tls": strings.ReplaceAll(server.URL("postgres"), "sslmode=disable", "sslmode=require"),
		"unix": fmt.Sprintf("postgres:///postgres?user=postgres&host=%s&port=%d",
			url.QueryEscape(server.SocketDir()), server.Port()),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := on(t, address, usher.PoolConfig{Max: 3, CheckPeriod: time.Hour, PingAfter: -1})
			for round := range 10 {
				var pids []uint32
				var held []*usher.Conn
				for range 3 {
					c := acquire(t, p, usher.Normal)
					pids = append(pids, c.PgConn().PID())
					held = append(held, c)
				}
				for _, c := range held {
					c.Release()
				}
				terminate(t, server.URL("postgres"), pids...)
				c := acquire(t, p, usher.Normal)
				if got := value(t, c, "select 42"); got != 42 {
					t.Errorf("round %d: got %d", round, got)
				}
				c.Release()
			}
		})
	}
}

func TestWhatTheServerClosesForBeingIdleIsReplaced(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	if server.Major() < 14 {
		t.Skip("idle_session_timeout came with PostgreSQL 14")
	}
	var impatient atomic.Bool
	impatient.Store(true)
	p := on(t, server.URL("postgres"), usher.PoolConfig{
		Min: 2, Max: 2, CheckPeriod: 10 * time.Millisecond,
		AfterConnect: func(ctx context.Context, c *pgx.Conn) error {
			if !impatient.Load() {
				return nil
			}
			_, err := c.Exec(ctx, "set idle_session_timeout = 50")
			return err
		},
	})
	eventually(t, "two are open", func() bool { return p.Stat().Idle == 2 })
	impatient.Store(false)
	eventually(t, "two others are open", func() bool { st := p.Stat(); return st.Opens >= 4 && st.Idle == 2 })
}

func TestRequestsWaitThroughARestartOfTheServer(t *testing.T) {
	t.Parallel()
	server := pgtest.StartOwn(t, nil)
	c := usher.PoolConfig{Max: 2, Grace: time.Minute, RetryMax: 100 * time.Millisecond}
	patient := on(t, server.URL("postgres"), c)
	c.Grace = time.Millisecond
	hasty := on(t, server.URL("postgres"), c)
	acquire(t, patient, usher.Normal).Release()
	acquire(t, hasty, usher.Normal).Release()
	if err := server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := hasty.Acquire(t.Context(), usher.Normal)
	refused(t, err, usher.ErrDown, "connection refused")
	if _, ok := errors.AsType[*pgconn.ConnectError](err); !ok {
		t.Errorf("the cause cannot be asked for: %v", err)
	}
	var waiting sync.WaitGroup
	for range 5 {
		waiting.Go(func() {
			c, err := patient.Acquire(t.Context(), usher.Normal)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Release()
			value(t, c, "select 1")
		})
	}
	eventually(t, "five wait", func() bool { return patient.Stat().TotalWaiting() == 5 })
	if err := server.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiting.Wait()
	eventually(t, "the other one serves again", func() bool {
		c, err := hasty.Acquire(t.Context(), usher.Normal)
		if err == nil {
			c.Release()
		}
		return err == nil
	})
}

// TestManyUseAFewConnections has everything at once: lanes, cancelled requests and queries, open transactions,
// short lifetimes, resets, terminated processes. Queries come out right, and in the end nothing is missing.
func TestManyUseAFewConnections(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	p := on(t, server.URL("postgres"), usher.PoolConfig{
		Min: 1, Max: 6, Reserve: 2, IdleTimeout: 20 * time.Millisecond, Lifetime: 100 * time.Millisecond,
		CheckPeriod: 10 * time.Millisecond,
	})
	var all sync.WaitGroup
	var right, cancelled atomic.Int64
	for i := range 40 {
		all.Go(func() {
			for j := range 50 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+(i*j)%40)*time.Millisecond)
				use(ctx, t, p, i, j, &right, &cancelled)
				cancel()
			}
		})
	}
	all.Wait()
	st := p.Stat()
	if st.Busy > 6+2 || st.TotalWaiting() != 0 || right.Load() == 0 || cancelled.Load() == 0 {
		t.Errorf("%d busy, %d waiting; %d right, %d cancelled", st.Busy, st.TotalWaiting(), right.Load(), cancelled.Load())
	}
	eventually(t, "all are back", func() bool { return p.Stat().Busy == 0 })
}

// use does one of several things with a connection.
func use(ctx context.Context, t *testing.T, p *usher.Pool, i, j int, right, cancelled *atomic.Int64) {
	c, err := p.Acquire(ctx, usher.Lane(i%usher.Lanes))
	if err == nil {
		defer c.Release()
		switch j % 10 {
		case 7:
			_, err = c.Begin(ctx) // and never ended
		case 8:
			_, err = c.Exec(ctx, "select pg_sleep(1)")
		default:
			var got int
			if err = c.QueryRow(ctx, "select $1::int", i*j).Scan(&got); err == nil && got != i*j {
				t.Errorf("got %d, want %d", got, i*j)
			}
		}
	}
	switch {
	case err == nil:
		right.Add(1)
	case errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err):
		cancelled.Add(1)
	default:
		t.Error(err)
	}
	if i == 0 && j%20 == 19 {
		p.Reconnect()
	}
}

func TestDatabaseSQLWorksOnAPool(t *testing.T) {
	t.Parallel()
	p := on(t, pgtest.Start(t).URL("postgres"), usher.PoolConfig{Max: 3})
	db := usher.OpenDB(p, usher.High)
	ctx := t.Context()
	if err := db.PingContext(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(ctx, "create temporary table seats (n int)"); err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	var level string
	if err := tx.QueryRowContext(ctx, "show transaction_isolation").Scan(&level); err != nil || level != "serializable" {
		t.Errorf("isolation is %q, %v", level, err)
	}
	if busy := p.Stat().Busy; busy != 1 {
		t.Errorf("%d busy in a transaction", busy)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	statement, err := db.PrepareContext(ctx, "select n from generate_series(1, $1::int) n")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		rows, err := statement.QueryContext(ctx, 4)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for rows.Next() {
			var n int
			if err := rows.Scan(&n); err != nil {
				t.Fatal(err)
			}
			sum += n
		}
		if err := rows.Err(); err != nil || sum != 10 {
			t.Errorf("sum is %d, %v", sum, err)
		}
	}
	if err := statement.Close(); err != nil {
		t.Error(err)
	}
	checkRaw(t, db)
	st := p.Stat()
	if st.Granted[usher.High] == 0 || st.Granted[usher.Normal] != 0 || st.Open != 1 {
		t.Errorf("granted by lane %v, %d open", st.Granted, st.Open)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if st := p.Stat(); st.Open != 1 || st.Busy != 0 {
		t.Errorf("closing the DB left %d open, %d busy; want 1 and 0", st.Open, st.Busy)
	}
}

func checkRaw(t *testing.T, db *sql.DB) {
	t.Helper()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		var n int
		return c.(*usher.SQLConn).Conn.Conn().QueryRow(t.Context(), "select 1").Scan(&n)
	})
	if err != nil {
		t.Error(err)
	}
	if db.Driver() != stdlib.GetDefaultDriver() {
		t.Error("the driver is not pgx's")
	}
}

func TestDatabaseSQLNeverSeesADeadConnection(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	p := on(t, server.URL("postgres"), usher.PoolConfig{Max: 1, CheckPeriod: time.Hour, PingAfter: -1})
	db := usher.OpenDB(p, usher.Normal)
	defer db.Close()
	for range 5 {
		var pid uint32
		if err := db.QueryRow("select pg_backend_pid()").Scan(&pid); err != nil {
			t.Fatal(err)
		}
		terminate(t, server.URL("postgres"), pid)
	}
}

func TestTheLibraryWorksThroughTheProxy(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	proxy := pgtest.StartUsher(t, "auth: {type: trust}\npools:\n  postgres: {url: \""+server.URL("postgres")+
		"\", mode: transaction, size: {max: 2}}\n")
	p := on(t, proxy.URL("postgres", "postgres"), usher.PoolConfig{Max: 8})
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for range 20 {
				c, err := p.Acquire(t.Context(), usher.Normal)
				if err != nil {
					t.Error(err)
					return
				}
				var got int
				if err := c.QueryRow(t.Context(), "select $1::int", i).Scan(&got); err != nil || got != i {
					t.Errorf("got %d, %v, want %d", got, err, i)
				}
				c.Release()
			}
		})
	}
	all.Wait()
}
