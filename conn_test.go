package usher_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/usher-pg/usher"
)

func TestWhatCannotBeGivenBackIsReplaced(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*testing.T, *usher.Conn){
		"in a transaction": func(t *testing.T, c *usher.Conn) { query(t, c, "begin") },
		"closed": func(t *testing.T, c *usher.Conn) {
			if err := c.Close(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"busy": func(t *testing.T, c *usher.Conn) { c.PgConn().Exec(t.Context(), "read me") },
		"lost": func(t *testing.T, c *usher.Conn) { _ = c.PgConn().Exec(t.Context(), "die").Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := &memory{}
				manager, p := m.manage(t, usher.PoolConfig{Max: 1})
				defer manager.Close()
				c := acquire(t, p, usher.Normal)
				spoiled := c.Conn()
				spoil(t, c)
				c.Release()
				next := acquire(t, p, usher.Normal)
				defer next.Release()
				if next.Conn() == spoiled {
					t.Error("it was given out again")
				}
				query(t, next, "a new one")
				synctest.Wait()
				m.mu.Lock()
				defer m.mu.Unlock()
				most := 1
				if name == "lost" {
					most = 2 // pgx sends a cancel request
				}
				if m.dialled != 2 || m.most != most {
					t.Errorf("%d dialled, %d at the same time; want 2 and %d", m.dialled, m.most, most)
				}
			})
		})
	}
}

func TestASecondReleaseTakesNothingFromAnybody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		manager, p := m.manage(t, usher.PoolConfig{Max: 1})
		defer manager.Close()
		old := acquire(t, p, usher.Normal)
		old.Release()
		c := acquire(t, p, usher.Normal)
		old.Release()
		if st := p.Stat(); st.Busy != 1 {
			t.Errorf("%d busy", st.Busy)
		}
		if old.Conn() != nil {
			t.Error("a released handle still leads to the connection")
		}
		query(t, c, "mine")
		c.Release()
	})
}

func TestAHijackedConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		manager, p := m.manage(t, usher.PoolConfig{Max: 1})
		c := acquire(t, p, usher.Normal)
		mine := c.Hijack()
		c.Release()
		acquire(t, p, usher.Normal).Release()
		manager.Close() // does not wait for it
		if err := mine.PgConn().Exec(t.Context(), "mine").Close(); err != nil {
			t.Error(err)
		}
		if err := mine.Close(t.Context()); err != nil {
			t.Error(err)
		}
		defer func() {
			if r := recover(); r == nil {
				t.Error("what has been released was hijacked")
			}
		}()
		c.Hijack()
	})
}

func TestHooksAreCalledInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		exec := func(sql string) func(context.Context, *pgx.Conn) error {
			return func(ctx context.Context, c *pgx.Conn) error { return c.PgConn().Exec(ctx, sql).Close() }
		}
		var user string
		manager, p := m.manage(t, usher.PoolConfig{
			Max:           1,
			BeforeConnect: func(_ context.Context, c *pgx.ConnConfig) error { c.User = "changed"; return nil },
			AfterConnect: func(ctx context.Context, c *pgx.Conn) error {
				user = c.Config().User
				return exec("after connect")(ctx, c)
			},
			WarmUp: []string{"warm up 1", "warm up 2"},
			PrepareConn: func(ctx context.Context, c *pgx.Conn) (bool, error) {
				return true, exec("prepare")(ctx, c)
			},
			AfterRelease: func(c *pgx.Conn) bool { return exec("after release")(context.Background(), c) == nil },
			BeforeClose:  func(c *pgx.Conn) { _ = exec("before close")(context.Background(), c) },
		})
		c := acquire(t, p, usher.Normal)
		query(t, c, "use")
		c.Release()
		acquire(t, p, usher.Normal).Release()
		manager.Close()
		want := "after connect; warm up 1; warm up 2; prepare; use; after release; prepare; after release; before close"
		if got := m.heard(); got != want {
			t.Errorf("heard %s\nwant %s", got, want)
		}
		if user != "changed" || p.Config().User != "app" {
			t.Errorf("connected as %s, the pool's is %s", user, p.Config().User)
		}
	})
}

func TestAfterReleaseCanCloseAConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		var keep atomic.Bool
		manager, p := m.manage(t, usher.PoolConfig{
			Max: 1, AfterRelease: func(*pgx.Conn) bool { return keep.Load() },
		})
		defer manager.Close()
		acquire(t, p, usher.Normal).Release()
		synctest.Wait()
		keep.Store(true)
		acquire(t, p, usher.Normal).Release()
		acquire(t, p, usher.Normal).Release()
		if dialled, _ := m.numbers(); dialled != 2 {
			t.Errorf("dialled %d times, want 2", dialled)
		}
	})
}

func TestWhatFailsWhileOpeningIsSaid(t *testing.T) {
	t.Parallel()
	no := errors.New("no")
	for want, c := range map[string]usher.PoolConfig{
		"before connect: no": {
			BeforeConnect: func(context.Context, *pgx.ConnConfig) error { return no },
		},
		"after connect: no": {
			AfterConnect: func(context.Context, *pgx.Conn) error { return no },
		},
		"warm-up statement 2: ERROR: told to fail": {WarmUp: []string{"fine", "fail"}},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := &memory{}
				c.Grace = 1
				manager, p := m.manage(t, c)
				defer manager.Close()
				_, err := p.Acquire(t.Context(), usher.Normal)
				refused(t, err, usher.ErrDown, want)
				wantOpen(t, m, 0)
			})
		})
	}
}

func TestRestedConnectionsArePinged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		manager, p := m.manage(t, usher.PoolConfig{Max: 1})
		defer manager.Close()
		acquire(t, p, usher.Normal).Release()
		time.Sleep(usher.DefaultPingAfter - 1)
		acquire(t, p, usher.Normal).Release()
		if got := m.heard(); got != "" {
			t.Errorf("heard %s of a connection that has not rested long", got)
		}
		time.Sleep(usher.DefaultPingAfter)
		acquire(t, p, usher.Normal).Release()
		if got := m.heard(); got != "-- ping" {
			t.Errorf("heard %q, want a ping", got)
		}
	})
}

func TestTheProgramCanDecideWhatIsPinged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		var rested time.Duration
		manager, p := m.manage(t, usher.PoolConfig{
			Max:        1,
			ShouldPing: func(_ context.Context, _ *pgx.Conn, idle time.Duration) bool { rested = idle; return idle == 0 },
		})
		defer manager.Close()
		acquire(t, p, usher.Normal).Release()
		time.Sleep(time.Minute)
		acquire(t, p, usher.Normal).Release()
		if got := m.heard(); got != "-- ping" || rested != time.Minute {
			t.Errorf("heard %q, rested %v; want one ping, and a minute", got, rested)
		}
	})
}

func TestAServerThatDoesNotAnswerAPingIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		manager, p := m.manage(t, usher.PoolConfig{Max: 1, PingTimeout: 2 * time.Second})
		defer manager.Close()
		acquire(t, p, usher.Normal).Release()
		time.Sleep(time.Minute)
		silent := make(chan struct{})
		m.set(func() { m.silent = silent })
		begin := time.Now()
		c := acquire(t, p, usher.Normal)
		waited := time.Since(begin)
		close(silent)
		c.Release()
		synctest.Wait()
		if dialled, _ := m.numbers(); dialled != 2 || waited != 2*time.Second {
			t.Errorf("%d dialled after %v, want a second one after the timeout", dialled, waited)
		}
	})
}

func TestARequestThatIsCancelledDuringAPingCostsNoConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		manager, p := m.manage(t, usher.PoolConfig{Max: 1})
		defer manager.Close()
		acquire(t, p, usher.Normal).Release()
		time.Sleep(time.Minute)
		silent := make(chan struct{})
		m.set(func() { m.silent = silent })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := p.Acquire(ctx, usher.Normal)
		refused(t, err, context.DeadlineExceeded, "waited 1s")
		close(silent)
		synctest.Wait()
		acquire(t, p, usher.Normal).Release()
		if dialled, _ := m.numbers(); dialled != 1 || p.Stat().Busy != 0 {
			t.Errorf("%d dialled, %d busy; want 1 and 0", dialled, p.Stat().Busy)
		}
	})
}

func TestConfigsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	const url = "postgres://app:topsecret@db:5433/app"
	parsed, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	one := func(c usher.PoolConfig) map[string]usher.PoolConfig { return map[string]usher.PoolConfig{"app": c} }
	for want, c := range map[string]usher.Config{
		`pool "app": neither`:                 {Pools: one(usher.PoolConfig{})},
		`pool "app": both`:                    {Pools: one(usher.PoolConfig{ConnString: url, ConnConfig: parsed})},
		`pool "app": parse ConnString`:        {Pools: one(usher.PoolConfig{ConnString: url + "?connect_timeout=topsecret"})},
		`pool "app": max -1 must be at least`: {Pools: one(usher.PoolConfig{ConnString: url, Max: -1})},
		`pool "app": min 21 must not exceed`:  {Pools: one(usher.PoolConfig{ConnString: url, Min: 21})},
		`pool "app": MinIdle -1`:              {Pools: one(usher.PoolConfig{ConnString: url, MinIdle: -1})},
		`PingTimeout -1ns`:                    {Pools: one(usher.PoolConfig{ConnString: url, PingTimeout: -1})},
		`budget of "db:5432": no pool`: {
			Pools: one(usher.PoolConfig{ConnString: url}), Budgets: map[string]int{"db:5432": 1},
		},
		`budget of "db:5433": 0 must be`: {
			Pools: one(usher.PoolConfig{ConnString: url}), Budgets: map[string]int{"db:5433": 0},
		},
		`budget of "db:5433": 2 is less than`: {
			Pools: one(usher.PoolConfig{ConnString: url, Min: 3}), Budgets: map[string]int{"db:5433": 2},
		},
	} {
		m, err := usher.Open(t.Context(), c)
		if err == nil {
			m.Close()
			t.Errorf("want error %s", want)
		} else if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "topsecret@") {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}

func TestPoolsAreFoundByName(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		manager, p := m.manage(t, usher.PoolConfig{Max: 1})
		defer manager.Close()
		if names := manager.Names(); len(names) != 1 || names[0] != "app" || p.Name() != "app" {
			t.Errorf("names are %v, the pool is called %s", names, p.Name())
		}
		if manager.Pool("web") != nil {
			t.Error("found a pool that is not there")
		}
		_, err := manager.Acquire(t.Context(), "web", usher.Low)
		refused(t, err, usher.ErrNoPool, `pool "web"`)
		err = p.AcquireFunc(t.Context(), usher.Low, func(c *usher.Conn) error {
			if busy := manager.Stat()["app"].Busy; busy != 1 {
				t.Errorf("%d busy", busy)
			}
			return context.Canceled
		})
		if err != context.Canceled || p.Stat().Busy != 0 {
			t.Errorf("AcquireFunc returns %v, %d busy after it", err, p.Stat().Busy)
		}
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		err = p.AcquireFunc(canceled, usher.Low, func(*usher.Conn) error { t.Error("called"); return nil })
		refused(t, err, context.Canceled)
	})
}

func TestALaneTravelsWithAContext(t *testing.T) {
	t.Parallel()
	ctx := usher.ContextWithLane(t.Context(), usher.Critical)
	if lane := usher.LaneFrom(ctx, usher.Low); lane != usher.Critical {
		t.Errorf("lane is %v", lane)
	}
	if lane := usher.LaneFrom(t.Context(), usher.Low); lane != usher.Low {
		t.Errorf("without one, lane is %v", lane)
	}
	if lane, err := usher.ParseLane("high"); err != nil || lane != usher.High {
		t.Errorf("high is %v, %v", lane, err)
	}
}
