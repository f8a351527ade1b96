package usher_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/usher-pg/usher"
	"github.com/usher-pg/usher/internal/pgtest"
	engine "github.com/usher-pg/usher/pool"
)

func wantOpen(t *testing.T, m *memory, want int) {
	t.Helper()
	synctest.Wait()
	if _, open := m.numbers(); open != want {
		t.Errorf("%d connections are open, want %d", open, want)
	}
}

func TestAsManyAreOpenAsAreNeeded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		manager, p := m.manage(t, usher.PoolConfig{Min: 1, Max: 5, Reserve: 1, IdleTimeout: time.Minute, PingAfter: -1})
		defer manager.Close()
		wantOpen(t, m, 2)
		var held []*usher.Conn
		for range 3 {
			held = append(held, acquire(t, p, usher.Normal))
		}
		wantOpen(t, m, 4)
		for _, c := range held {
			c.Release()
		}
		time.Sleep(59 * time.Second)
		wantOpen(t, m, 4)
		time.Sleep(2 * time.Second)
		wantOpen(t, m, 2)

		p.SetTarget(4)
		wantOpen(t, m, 5)
		time.Sleep(time.Hour)
		wantOpen(t, m, 5)
		p.SetTarget(0)
		time.Sleep(2 * time.Minute)
		wantOpen(t, m, 2)

		p.SetLimit(1)
		c := acquire(t, p, usher.Normal)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := p.Acquire(ctx, usher.Normal)
		refused(t, err, context.DeadlineExceeded)
		c.Release()
	})
}

func TestSomeAreKeptIdleBesideThoseInUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		manager, p := m.manage(t, usher.PoolConfig{Max: 5, MinIdle: 2, IdleTimeout: time.Minute})
		defer manager.Close()
		time.Sleep(2 * usher.DefaultCheckPeriod)
		wantOpen(t, m, 2)
		var held []*usher.Conn
		for range 3 {
			held = append(held, acquire(t, p, usher.Normal))
			time.Sleep(2 * usher.DefaultCheckPeriod)
		}
		wantOpen(t, m, 5)
		for _, c := range held {
			c.Release()
		}
		time.Sleep(2 * time.Minute)
		wantOpen(t, m, 2)
		p.SetTarget(3)
		wantOpen(t, m, 3)
	})
}

func TestOldOnesAreReplacedBeforeTheyGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{slow: time.Second}
		manager, p := m.manage(t, usher.PoolConfig{Min: 1, Max: 2, Lifetime: time.Hour, LifetimeJitter: -1, IdleTimeout: -1})
		defer manager.Close()
		time.Sleep(time.Hour + 1500*time.Millisecond) // the first took a second to open
		wantOpen(t, m, 1)
		time.Sleep(time.Second)
		synctest.Wait()
		if dialled, open := m.numbers(); dialled != 2 || open != 1 {
			t.Errorf("%d dialled, %d open; want 2 and 1", dialled, open)
		}
		if closed := p.Stat().Closed[engine.CloseLifetime]; closed != 1 {
			t.Errorf("%d closed for their age", closed)
		}
	})
}

func TestReconnectReplacesAllConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		manager, p := m.manage(t, usher.PoolConfig{Min: 2, Max: 2})
		defer manager.Close()
		c := acquire(t, p, usher.Normal)
		synctest.Wait()
		p.Reconnect()
		synctest.Wait()
		query(t, c, "it works still")
		if dialled, open := m.numbers(); dialled != 3 || open != 2 {
			t.Errorf("%d dialled, %d open; want 3 and 2", dialled, open)
		}
		c.Release()
		synctest.Wait()
		if dialled, open := m.numbers(); dialled != 4 || open != 2 {
			t.Errorf("%d dialled, %d open; want 4 and 2", dialled, open)
		}
	})
}

func TestPoolsOfOneServerShareItsBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		manager, err := usher.Open(t.Context(), usher.Config{
			Pools: map[string]usher.PoolConfig{
				"a": {ConnConfig: m.config(t), Max: 3},
				"b": {ConnConfig: m.config(t), Max: 3, Min: 1},
			},
			Budgets: map[string]int{"memory:5432": 3},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer manager.Close()
		a, b := manager.Pool("a"), manager.Pool("b")
		one, two := acquire(t, a, usher.Normal), acquire(t, a, usher.Normal)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = a.Acquire(ctx, usher.Normal)
		refused(t, err, context.DeadlineExceeded) // the third is b's
		one.Release()
		first := acquire(t, b, usher.Normal)
		begin := time.Now()
		second := acquire(t, b, usher.Normal) // a closes what is idle
		if waited := time.Since(begin); waited > time.Millisecond {
			t.Errorf("waited %v for the other pool's idle connection", waited)
		}
		var waiting sync.WaitGroup
		waiting.Go(func() { acquire(t, b, usher.Normal).Release() })
		synctest.Wait()
		two.Release()
		waiting.Wait()
		first.Release()
		second.Release()
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.most > 4 { // one may be on its way out while the next comes in
			t.Errorf("%d were open at the same time", m.most)
		}
	})
}

func TestCloseWaitsForConnectionsAndRefusesRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		manager, p := m.manage(t, usher.PoolConfig{Max: 1, Reserve: 1})
		c := acquire(t, p, usher.Normal)
		var waiting, closing sync.WaitGroup
		waiting.Go(func() {
			_, err := p.Acquire(t.Context(), usher.Normal)
			refused(t, err, usher.ErrClosed)
		})
		synctest.Wait()
		var closed [2]time.Time
		for i := range closed {
			closing.Go(func() {
				manager.Close()
				closed[i] = time.Now()
			})
			synctest.Wait()
		}
		waiting.Wait()
		_, err := p.Acquire(t.Context(), usher.Critical)
		refused(t, err, usher.ErrClosed)
		wantOpen(t, m, 1)
		query(t, c, "it works still")
		time.Sleep(time.Minute)
		released := time.Now()
		c.Release()
		closing.Wait()
		if closed[0] != released || closed[1] != released {
			t.Errorf("released at %v, closed at %v", released, closed)
		}
		wantOpen(t, m, 0)
		manager.Close()
	})
}

func TestCloseDoesNotWaitForServersThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{slow: time.Hour}
		manager, _ := m.manage(t, usher.PoolConfig{Min: 1, Max: 1})
		synctest.Wait()
		begin := time.Now()
		manager.Close()
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestAnOpeningThatTakesTooLongHasFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{slow: time.Hour}
		manager, p := m.manage(t, usher.PoolConfig{Max: 1, OpenTimeout: time.Second, Grace: time.Second})
		defer manager.Close()
		_, err := p.Acquire(t.Context(), usher.Normal)
		refused(t, err, usher.ErrDown, "deadline exceeded")
	})
}

// TestAManagerLeavesNothingBehind is about goroutines, with a real network.
func TestAManagerLeavesNothingBehind(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) }) // runs after fake's
	fake := pgtest.StartFake(t, func(int) []pgtest.Step {
		return []pgtest.Step{pgtest.Login(), pgtest.AnswerQueries()}
	})
	config, err := pgx.ParseConfig("postgres://app@" + fake.Addr + "/app?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	manager, err := usher.Open(t.Context(), usher.Config{Pools: map[string]usher.PoolConfig{
		"a": {ConnConfig: config, Min: 2, Max: 3}, "b": {ConnConfig: config, Max: 1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	c := acquire(t, manager.Pool("b"), usher.Normal)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = manager.Acquire(ctx, "b", usher.Normal)
	refused(t, err, context.DeadlineExceeded)
	c.Release()
	manager.Close()
}
