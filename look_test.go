package usher_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/usher-pg/usher"
	"github.com/usher-pg/usher/internal/pgtest"
)

// manageFake is a manager with one pool, "app", on a scripted server.
func manageFake(t *testing.T, c usher.PoolConfig, script func(n int) []pgtest.Step) (*usher.Manager, *usher.Pool) {
	t.Helper()
	fake := pgtest.StartFake(t, script)
	c.ConnString = "postgres://app@" + fake.Addr + "/app?sslmode=disable"
	manager, err := usher.Open(t.Context(), usher.Config{Pools: map[string]usher.PoolConfig{"app": c}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(manager.Close)
	return manager, manager.Pool("app")
}

// eventually waits for something that others do.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	timeout, tick := time.NewTimer(20*time.Second), time.NewTicker(5*time.Millisecond)
	defer timeout.Stop()
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-timeout.C:
			t.Fatalf("after 20 s still not: %s", what)
		}
	}
}

func TestIdleConnectionsThatTheServerClosesAreReplacedBeforeTheyAreNeeded(t *testing.T) {
	t.Parallel()
	leave := make(chan struct{})
	manager, p := manageFake(t, usher.PoolConfig{Min: 2, Max: 2, CheckPeriod: time.Millisecond},
		func(n int) []pgtest.Step {
			if n <= 2 {
				return []pgtest.Step{
					pgtest.Login(), pgtest.Wait(leave),
					pgtest.Fail("FATAL", "57P01", "terminating connection due to administrator command"), pgtest.Close(),
				}
			}
			return []pgtest.Step{pgtest.Login(), pgtest.AnswerQueries()}
		})
	eventually(t, "two are open", func() bool { return p.Stat().Idle == 2 })
	close(leave)
	eventually(t, "two others are open", func() bool { st := p.Stat(); return st.Opens == 4 && st.Idle == 2 })
	for range 2 {
		c, err := manager.Acquire(t.Context(), "app", usher.Normal)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Release()
		query(t, c, "hello")
	}
}

func TestAConnectionThatTheServerHasClosedIsNotGivenOut(t *testing.T) {
	t.Parallel()
	manager, p := manageFake(t, usher.PoolConfig{Min: 1, Max: 1, CheckPeriod: time.Hour, PingAfter: -1},
		func(n int) []pgtest.Step {
			if n == 1 {
				return []pgtest.Step{pgtest.Login(), pgtest.Close()}
			}
			return []pgtest.Step{pgtest.Login(), pgtest.AnswerQueries()}
		})
	eventually(t, "one is open", func() bool { return p.Stat().Idle == 1 })
	eventually(t, "it is acquired and works", func() bool {
		c, err := manager.Acquire(t.Context(), "app", usher.Normal)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Release()
		if p.Stat().Opens == 1 {
			return false // it has not rested for a glance, or the news that it is closed is not here yet
		}
		query(t, c, "hello")
		return true
	})
}

func TestAConnectionWithSomethingToSayIsAsked(t *testing.T) {
	t.Parallel()
	speak := make(chan struct{})
	manager, p := manageFake(t, usher.PoolConfig{Min: 1, Max: 1, CheckPeriod: time.Hour, PingAfter: -1},
		func(int) []pgtest.Step {
			return []pgtest.Step{
				pgtest.Login(), pgtest.Wait(speak),
				pgtest.Send(&pgproto3.ParameterStatus{Name: "TimeZone", Value: "Europe/Vienna"}), pgtest.AnswerQueries(),
			}
		})
	eventually(t, "one is open", func() bool { return p.Stat().Idle == 1 })
	close(speak)
	eventually(t, "its new time zone is known when it is given out", func() bool {
		c, err := manager.Acquire(t.Context(), "app", usher.Normal)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Release()
		return c.PgConn().ParameterStatus("TimeZone") == "Europe/Vienna"
	})
	if opens := p.Stat().Opens; opens != 1 {
		t.Errorf("%d opened", opens)
	}
}
