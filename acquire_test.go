package usher_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/usher-pg/usher"
)

func TestReleasedConnectionsGoToTheHighestLaneAndThereToTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		manager, p := m.manage(t, usher.PoolConfig{Max: 1})
		defer manager.Close()
		c := acquire(t, p, usher.Normal)
		var order []string
		var all sync.WaitGroup
		for _, lane := range []usher.Lane{usher.Low, usher.Normal, usher.Critical, usher.Normal, usher.High} {
			name := fmt.Sprintf("%v%d", lane, p.Stat().TotalWaiting())
			all.Go(func() {
				c := acquire(t, p, lane)
				order = append(order, name) // one has the connection
				c.Release()
			})
			synctest.Wait()
		}
		c.Release()
		all.Wait()
		if want := []string{"critical2", "high4", "normal1", "normal3", "low0"}; !slices.Equal(order, want) {
			t.Errorf("served %v, want %v", order, want)
		}
		if st := p.Stat(); st.Opens != 1 || st.Waited[usher.Normal] != 3 { // the first one waited for the opening
			t.Errorf("%d opened, %d of lane normal waited; want 1 and 3", st.Opens, st.Waited[usher.Normal])
		}
	})
}

func TestACriticalRequestTakesFromTheReserveWithinTenMilliseconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		manager, p := m.manage(t, usher.PoolConfig{Max: 1, Reserve: 1})
		defer manager.Close()
		c := acquire(t, p, usher.Normal)
		defer c.Release()
		synctest.Wait()
		begin := time.Now()
		emergency := acquire(t, p, usher.Critical)
		defer emergency.Release()
		if waited := time.Since(begin); waited != 5*time.Millisecond { // half of it in vain
			t.Errorf("waited %v", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := p.Acquire(ctx, usher.High)
		refused(t, err, context.DeadlineExceeded, `pool "app"`, "lane high", "waited 1m0s")
		st := p.Stat()
		if st.Emergencies[usher.Critical] != 1 || st.Open != 2 {
			t.Errorf("%d emergencies, %d open; want 1 and 2", st.Emergencies[usher.Critical], st.Open)
		}
	})
}

func TestABrokenGlassLetsOthersTakeFromTheReserve(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		manager, p := m.manage(t, usher.PoolConfig{Max: 1, Reserve: 1})
		defer manager.Close()
		c := acquire(t, p, usher.Normal)
		defer c.Release()
		time.Sleep(time.Second)
		p.OpenReserve(usher.Normal, time.Minute)
		begin := time.Now()
		acquire(t, p, usher.Normal).Release()
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("waited %v", waited)
		}
		p.OpenReserve(usher.Low, 1<<62) // longer than the clock goes
		acquire(t, p, usher.Low).Release()
	})
}

func TestARequestThatIsNotServedInTimeIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		manager, p := m.manage(t, usher.PoolConfig{Max: 1, QueueTimeout: 3 * time.Second, QueueLimit: [4]int{2: 1}})
		defer manager.Close()
		c := acquire(t, p, usher.Normal)
		time.Sleep(2 * time.Second)
		c.Release() // so an average is known
		c = acquire(t, p, usher.Normal)
		var waiting sync.WaitGroup
		waiting.Go(func() {
			_, err := p.Acquire(t.Context(), usher.Normal)
			failure := refused(t, err, usher.ErrQueueTimeout, "waited 3s")
			if failure.Waited != 3*time.Second || failure.Lane != usher.Normal {
				t.Errorf("%+v", failure)
			}
		})
		synctest.Wait()
		_, err := p.Acquire(t.Context(), usher.Normal)
		if failure := refused(t, err, usher.ErrQueueFull, "expected wait 2s"); failure.Expected != 2*time.Second {
			t.Errorf("%+v", failure)
		}
		waiting.Wait()
		c.Release()
	})
}

func TestHopelessRequestsAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		manager, p := m.manage(t, usher.PoolConfig{Max: 1, RefuseHopeless: true, QueueTimeout: time.Minute})
		defer manager.Close()
		c := acquire(t, p, usher.Normal)
		time.Sleep(10 * time.Second)
		c.Release()
		c = acquire(t, p, usher.Normal)
		time.Sleep(3 * time.Second) // how many came free lately says nothing any more
		short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begin := time.Now()
		_, err := p.Acquire(short, usher.Normal)
		refused(t, err, usher.ErrHopeless, "expected wait 10s")
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("waited %v", waited)
		}
		long, cancelLong := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancelLong()
		_, err = p.Acquire(long, usher.Normal)
		refused(t, err, context.DeadlineExceeded, "waited 12s")
		begin = time.Now()
		endless, cancelEndless := context.WithTimeout(t.Context(), time.Hour)
		defer cancelEndless()
		_, err = p.Acquire(endless, usher.Normal)
		refused(t, err, usher.ErrQueueTimeout)
		if waited := time.Since(begin); waited != time.Minute {
			t.Errorf("waited %v, beyond the queue timeout", waited)
		}
		c.Release()
	})
}

func TestShedLanesAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		manager, p := m.manage(t, usher.PoolConfig{Max: 1})
		defer manager.Close()
		c := acquire(t, p, usher.Normal)
		var waiting sync.WaitGroup
		waiting.Go(func() {
			_, err := p.Acquire(t.Context(), usher.Low)
			refused(t, err, usher.ErrShed)
		})
		waiting.Go(func() { acquire(t, p, usher.High).Release() })
		synctest.Wait()
		p.Shed(usher.Low, usher.Normal)
		synctest.Wait()
		_, err := manager.Acquire(t.Context(), "app", usher.Normal)
		refused(t, err, usher.ErrShed)
		c.Release()
		waiting.Wait()
		p.Shed()
		acquire(t, p, usher.Low).Release()
	})
}

func TestACancelledRequestTakesNothingAlong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{slow: time.Second}
		manager, p := m.manage(t, usher.PoolConfig{Max: 1})
		defer manager.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := p.Acquire(ctx, usher.Normal)
		refused(t, err, context.DeadlineExceeded, "waited 100ms")
		begin := time.Now()
		acquire(t, p, usher.Normal).Release() // what was opened for the first one
		if waited := time.Since(begin); waited != 900*time.Millisecond {
			t.Errorf("waited %v", waited)
		}
		_, err = p.Acquire(ctx, usher.Normal)
		refused(t, err, context.DeadlineExceeded)
		if dialled, open := m.numbers(); dialled != 1 || open != 1 {
			t.Errorf("%d dialled, %d open", dialled, open)
		}
	})
}

// TestNothingIsLostInACrowd is for the race detector: requests that are cancelled while they are granted,
// connections that break, pools that are reset. Every connection has one user at a time, and in the end all
// are back.
func TestNothingIsLostInACrowd(t *testing.T) {
	t.Parallel()
	const goroutines, requests = 32, 200
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		manager, p := m.manage(t, usher.PoolConfig{
			Min: 1, Max: 3, Reserve: 1, IdleTimeout: time.Millisecond, Lifetime: 20 * time.Millisecond,
			RetryMin: time.Microsecond, RetryMax: time.Millisecond, PingAfter: 2 * time.Millisecond,
		})
		var users sync.Map // of *pgx.Conn: *atomic.Int32
		var served, cancelled atomic.Int64
		var all sync.WaitGroup
		for i := range goroutines {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			all.Go(func() {
				for range requests {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(300))*time.Microsecond)
					c, err := p.Acquire(ctx, usher.Lane(random.IntN(usher.Lanes)))
					cancel()
					switch {
					case err == nil:
						served.Add(1)
						useAlone(t, &users, c, func() {
							time.Sleep(time.Duration(random.IntN(50)) * time.Microsecond)
							if random.IntN(50) == 0 {
								_ = c.Close(t.Context())
							}
						})
						if random.IntN(10) == 0 {
							c.Release() // once more
						}
					case errors.Is(err, context.DeadlineExceeded):
						cancelled.Add(1)
					default:
						t.Error(err)
					}
					if random.IntN(500) == 0 {
						p.Reconnect()
					}
				}
			})
		}
		all.Wait()
		synctest.Wait() // connections that are not clean are closed in the background
		st := p.Stat()
		if st.Busy != 0 || st.TotalWaiting() != 0 {
			t.Errorf("%d busy, %d waiting in the end", st.Busy, st.TotalWaiting())
		}
		if served.Load() == 0 || cancelled.Load() == 0 {
			t.Errorf("%d served, %d cancelled: nothing to see here", served.Load(), cancelled.Load())
		}
		manager.Close()
		synctest.Wait()
		if _, open := m.numbers(); open != 0 {
			t.Errorf("%d connections are open", open)
		}
	})
}

func useAlone(t *testing.T, users *sync.Map, c *usher.Conn, use func()) {
	count, _ := users.LoadOrStore(c.Conn(), new(atomic.Int32))
	if n := count.(*atomic.Int32).Add(1); n != 1 {
		t.Errorf("%d have the same connection", n)
	}
	use()
	count.(*atomic.Int32).Add(-1)
	c.Release()
}

func TestWhileTheServerIsDownRequestsWaitAndThenHearWhy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("the cable is out")
		m := &memory{refuse: broken}
		manager, p := m.manage(t, usher.PoolConfig{Max: 2, Grace: 3 * time.Second, RetryMax: time.Second})
		defer manager.Close()
		begin := time.Now()
		_, err := p.Acquire(t.Context(), usher.Normal)
		refused(t, err, usher.ErrDown, "the cable is out")
		if !errors.Is(err, broken) {
			t.Error("the cause cannot be asked for")
		}
		if waited := time.Since(begin); waited < 3*time.Second || waited > 4*time.Second {
			t.Errorf("waited %v, want the grace of 3s", waited)
		}
		begin = time.Now()
		_, err = p.Acquire(t.Context(), usher.Critical)
		refused(t, err, usher.ErrDown, "the cable is out")
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("waited %v although it is known to be down", waited)
		}
		if dialled, _ := m.numbers(); dialled < 3 || dialled > 30 {
			t.Errorf("dialled %d times", dialled)
		}
		m.set(func() { m.refuse = nil })
		time.Sleep(time.Second) // the longest pause
		acquire(t, p, usher.Normal).Release()
	})
}

func TestConnectionsThatAreNotFitAreReplaced(t *testing.T) {
	t.Parallel()
	wrong := errors.New("not today")
	for name, test := range map[string]struct {
		prepare func(n int) (bool, error)
		want    error
		dialled int
	}{
		"at the third":   {func(n int) (bool, error) { return n == 3, nil }, nil, 3},
		"never":          {func(int) (bool, error) { return false, nil }, usher.ErrUnfit, 4}, // one more is opened
		"failed, closed": {func(int) (bool, error) { return false, wrong }, wrong, 1},
		"failed, kept":   {func(int) (bool, error) { return true, wrong }, wrong, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m, asked := &memory{}, 0
				manager, p := m.manage(t, usher.PoolConfig{
					Max: 2,
					PrepareConn: func(context.Context, *pgx.Conn) (bool, error) {
						asked++
						return test.prepare(asked)
					},
				})
				defer manager.Close()
				c, err := p.Acquire(t.Context(), usher.Normal)
				if !errors.Is(err, test.want) {
					t.Fatalf("error is %v, want %v", err, test.want)
				}
				if err == nil {
					c.Release()
				}
				synctest.Wait()
				if dialled, _ := m.numbers(); dialled > test.dialled {
					t.Errorf("dialled %d times, want %d at most", dialled, test.dialled)
				}
				if busy := p.Stat().Busy; busy != 0 {
					t.Errorf("%d busy", busy)
				}
			})
		})
	}
}
