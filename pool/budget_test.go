package pool_test

import (
	"testing"
	"time"

	"github.com/usher-pg/usher/pool"
)

// member is a pool of a budget whose ticks happen when the test says so: an event loop does much between two.
type member struct {
	*pool.Pool[int]
	work pool.Work[int]
}

func newMember(b *pool.Budget, config pool.Config) *member {
	return &member{Pool: pool.New[int](config, b, 0)}
}

// tick ends every open it is asked for at once, and takes delivery of every grant.
func (m *member) tick(now time.Duration) {
	for m.Due() <= now {
		m.Tick(now, &m.work)
		for _, g := range m.work.Grants {
			m.Accept(g)
		}
		m.open(m.work.Open, now)
	}
}

func (m *member) open(n int, now time.Duration) {
	for range n {
		if _, g, ok := m.Opened(0, now); ok {
			m.Accept(g)
		}
	}
}

// take lets n requests come.
func (m *member) take(n int, now time.Duration) (waiters []*pool.Waiter[int], held []*pool.Resource[int]) {
	for range n {
		w := new(pool.Waiter[int])
		out := m.Acquire(w, pool.Normal, now, now)
		if out.Resource != nil {
			held = append(held, out.Resource)
		} else {
			waiters = append(waiters, w)
		}
		m.open(out.Open, now)
	}
	return waiters, held
}

func TestNoMoreIsCededThanOthersNeed(t *testing.T) {
	t.Parallel()
	b := pool.NewBudget(10)
	big, small := newMember(b, pool.Config{Min: 9, Max: 9}), newMember(b, pool.Config{Max: 9})
	big.tick(0)
	_, held := big.take(9, 0)
	big.SetConfig(pool.Config{Max: 9}, 0)
	big.tick(0)
	big.take(9, 0) // these wait
	small.take(2, 0)
	for _, r := range held { // all before the other pool has seen that one came free
		if g, ok := big.Release(r, 0); ok {
			big.Accept(g)
		}
	}
	if closed := big.Stat(0).Closed[pool.CloseBudget]; closed != 1 {
		t.Errorf("%d were ceded for one request", closed)
	}
}

func TestAWishEndsWithWhoWaited(t *testing.T) {
	t.Parallel()
	b := pool.NewBudget(6)
	wisher := newMember(b, pool.Config{Max: 4, Reserve: 1, Lifetime: time.Second, LifetimeJitter: -1})
	other := newMember(b, pool.Config{Max: 4, Min: 3})
	wisher.tick(0) // one, which will be worn first
	other.tick(0)
	other.SetConfig(pool.Config{Max: 4}, 0)
	other.tick(0)

	now := 500 * time.Millisecond
	wisher.SetTarget(3)
	wisher.tick(now)
	wisher.SetTarget(0)
	_, held := wisher.take(2, now)
	waiters, _ := wisher.take(1, now)
	if len(held) != 2 || len(waiters) != 1 {
		t.Fatalf("%d served, %d wait", len(held), len(waiters))
	}

	now = time.Second // the idle one is worn, and nobody waits any more
	wisher.Cancel(waiters[0], now)
	wisher.Release(held[0], now)
	wisher.tick(now)
	if closed := wisher.Stat(now).Closed[pool.CloseLifetime]; closed != 1 {
		t.Fatalf("%d were worn", closed)
	}

	_, held = other.take(3, now)
	other.take(1, now)
	other.tick(now)
	if stat := other.Stat(now); len(held) != 3 || stat.Open != 4 || b.InUse() != 6 {
		t.Errorf("%d open of 4, %d in use of 6: nobody else wants the last one", stat.Open, b.InUse())
	}
}
