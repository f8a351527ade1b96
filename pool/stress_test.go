package pool_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usher-pg/usher/pool"
)

// TestPoolsAreSafeForManyGoroutines is for the race detector: requesters of two pools with one budget on a
// goroutine each, and one that ticks. Every resource has one user at a time, and in the end nothing is
// missing.
func TestPoolsAreSafeForManyGoroutines(t *testing.T) {
	t.Parallel()
	const requesters, requests = 8, 1000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	budget := pool.NewBudget(6)
	var clock atomic.Int64
	var all, ticking sync.WaitGroup
	done := make(chan struct{})
	var houses []*house
	for i := range 2 {
		h := &house{t: t, clock: &clock, random: rand.New(rand.NewPCG(seed, uint64(100+i)))}
		h.Pool = pool.New[*atomic.Int32](pool.Config{
			Min: 1, Max: 3 + i, Reserve: 1, IdleTimeout: time.Millisecond, Lifetime: 20 * time.Millisecond,
			QueueTimeout: 50 * time.Millisecond, RetryMin: time.Microsecond, RetryMax: time.Millisecond,
			Seed: seed,
		}, budget, 0)
		houses = append(houses, h)
		for j := range requesters {
			g := &guest{h: h, random: rand.New(rand.NewPCG(seed, uint64(10*i+j)))}
			g.Owner, g.mail = g, make(chan any, 3*requests)
			g.Direct = j%2 == 1
			all.Go(func() { g.live(requests) })
		}
	}
	ticking.Go(func() {
		for {
			for _, h := range houses {
				h.tick()
			}
			select {
			case <-done:
				return
			default:
				runtime.Gosched()
			}
		}
	})
	all.Wait()
	close(done)
	ticking.Wait()
	for _, h := range houses {
		st := h.Stat(h.now())
		if st.Busy != 0 || st.TotalWaiting() != 0 {
			t.Errorf("%d busy, %d waiting in the end", st.Busy, st.TotalWaiting())
		}
		var arrived, left uint64
		for l := range st.Arrived {
			arrived += st.Arrived[l] + st.Requeued[l]
			left += st.Granted[l] + st.Cancelled[l]
		}
		for _, n := range st.Refused {
			left += n
		}
		if arrived != left || arrived < requesters*requests {
			t.Errorf("%d came, %d left", arrived, left)
		}
		h.Close(h.now(), &h.work)
	}
	if n := budget.InUse(); n != 0 {
		t.Errorf("%d of the budget are missing", n)
	}
}

type house struct {
	*pool.Pool[*atomic.Int32]
	t      *testing.T
	clock  *atomic.Int64
	work   pool.Work[*atomic.Int32]
	random *rand.Rand // the ticker's
}

func (h *house) now() time.Duration { return time.Duration(h.clock.Add(1000)) }

func (h *house) tick() {
	h.Tick(h.now(), &h.work)
	for _, g := range h.work.Grants {
		g.Waiter.Owner.(*guest).mail <- g
	}
	for _, r := range h.work.Refused {
		r.Waiter.Owner.(*guest).mail <- r
	}
	for _, r := range h.work.Close {
		if r.Value.Load() != 0 {
			h.t.Error("a busy one is closed")
		}
	}
	h.open(h.work.Open, h.random)
	switch h.random.IntN(400) {
	case 0:
		h.Reconnect(h.now())
	case 1:
		h.SetTarget(h.random.IntN(5))
	case 2:
		h.Hold(h.now())
		h.Unhold(h.now(), &h.work)
		for _, g := range h.work.Grants {
			g.Waiter.Owner.(*guest).mail <- g
		}
		for _, r := range h.work.Refused {
			r.Waiter.Owner.(*guest).mail <- r
		}
		h.open(h.work.Open, h.random)
	case 3:
		h.Stat(h.now())
	}
}

func (h *house) open(n int, random *rand.Rand) {
	for range n {
		if random.IntN(8) == 0 {
			h.OpenFailed(h.now())
		} else if _, g, ok := h.Opened(new(atomic.Int32), h.now()); ok {
			g.Waiter.Owner.(*guest).mail <- g
		}
	}
}

// guest is a requester.
type guest struct {
	pool.Waiter[*atomic.Int32]
	h      *house
	random *rand.Rand
	mail   chan any
}

func (g *guest) live(requests int) {
	h := g.h
	for range requests {
		g.Deadline = 0
		if g.random.IntN(4) == 0 {
			g.Deadline = h.now() + time.Millisecond
		}
		now := h.now()
		out := h.Acquire(&g.Waiter, pool.Lane(g.random.IntN(pool.Lanes)), now, now)
		h.open(out.Open, g.random)
		r := out.Resource
		if out.Queued {
			r = g.wait()
		}
		if r != nil {
			g.use(r)
		}
	}
}

func (g *guest) wait() *pool.Resource[*atomic.Int32] {
	if g.random.IntN(4) == 0 {
		runtime.Gosched()
		if !g.Direct {
			return g.h.Cancel(&g.Waiter, g.h.now())
		}
		if g.h.Withdraw(&g.Waiter, g.h.now()) {
			return nil
		}
	}
	for {
		switch letter := (<-g.mail).(type) {
		case pool.Grant[*atomic.Int32]:
			if g.Direct || g.h.Accept(letter) {
				return letter.Resource
			}
		case pool.Refusal[*atomic.Int32]:
			if g.Direct || g.h.AcceptRefusal(letter) {
				return nil
			}
		}
	}
}

func (g *guest) use(r *pool.Resource[*atomic.Int32]) {
	h := g.h
	if !r.Value.CompareAndSwap(0, 1) {
		h.t.Error("two have the same resource")
	}
	if g.random.IntN(4) == 0 {
		runtime.Gosched()
	}
	r.Value.Store(0)
	if g.random.IntN(50) == 0 {
		h.open(h.Discard(r, h.now()), g.random)
	} else if next, ok := h.Release(r, h.now()); ok {
		next.Waiter.Owner.(*guest).mail <- next
	}
	if g.random.IntN(20) == 0 {
		for c := h.NextClose(); c != nil; c = h.NextClose() {
			if c.Value.Load() != 0 {
				h.t.Error("a busy one is closed")
			}
		}
	}
}
