package pool_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/pool"
)

func TestLanesHaveNames(t *testing.T) {
	t.Parallel()
	for l := range pool.Lane(pool.Lanes) {
		if got, err := pool.ParseLane(l.String()); err != nil || got != l {
			t.Errorf("%v is parsed as %v, %v", l, got, err)
		}
	}
	for _, name := range []string{"", "Critical", "urgent", "lane(4)"} {
		if l, err := pool.ParseLane(name); err == nil {
			t.Errorf("%q is parsed as %v", name, l)
		}
	}
	if s := pool.Lane(4).String(); s != "lane(4)" {
		t.Errorf("a lane that does not exist is called %q", s)
	}
}

func TestReasonsHaveNamesAndErrors(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for r := range pool.Reason(pool.Reasons) {
		if names[r.String()] || r.String() == "" || r.Err() == nil {
			t.Errorf("reason %d: %q, %v", r, r, r.Err())
		}
		names[r.String()] = true
	}
	if !errors.Is(pool.ReasonShed.Err(), pool.ErrShed) || !errors.Is(pool.ReasonClosed.Err(), pool.ErrClosed) {
		t.Error("reasons and errors are out of step")
	}
	for r := range pool.CloseReason(pool.CloseReasons) {
		if names[r.String()] || r.String() == "" {
			t.Errorf("close reason %d: %q", r, r)
		}
	}
	if pool.CloseBroken.String() != "broken" {
		t.Errorf("CloseBroken is %q", pool.CloseBroken)
	}
}

func TestConfigThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	good := pool.Config{Min: 1, Max: 5, Reserve: 2}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(c *pool.Config){
		"max":             func(c *pool.Config) { c.Max, c.Min = 0, 0 },
		"min":             func(c *pool.Config) { c.Min = -1 },
		"min 6":           func(c *pool.Config) { c.Min = 6 },
		"reserve":         func(c *pool.Config) { c.Reserve = -1 },
		"together":        func(c *pool.Config) { c.Reserve = pool.MaxOpen },
		"exceed 262143":   func(c *pool.Config) { c.Max = math.MaxInt },
		"jitter":          func(c *pool.Config) { c.LifetimeJitter = 1.5 },
		"lifetime jitter": func(c *pool.Config) { c.LifetimeJitter = math.NaN() },
		"parallel":        func(c *pool.Config) { c.OpenParallel = -1 },
		"queue timeout":   func(c *pool.Config) { c.QueueTimeout = -1 },
		"idle timeout":    func(c *pool.Config) { c.IdleTimeout = -1 },
		"lifetime -":      func(c *pool.Config) { c.Lifetime = -1 },
		"grace":           func(c *pool.Config) { c.Grace = -1 },
		"low":             func(c *pool.Config) { c.QueueLimit[pool.Low] = -1 },
	} {
		c := good
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error is %v", name, err)
		}
		mustPanic(t, "pool config", func() { pool.New[int](c, nil, 0) })
	}
}

func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		got := fmt.Sprint(recover())
		if !strings.HasPrefix(got, "bug: ") || !strings.Contains(got, want) {
			t.Errorf("panics with %q, want bug: …%s…", got, want)
		}
	}()
	f()
}

func TestIllegalMovesPanic(t *testing.T) {
	t.Parallel()
	p := filled(t, pool.Config{Max: 1}, 1)
	other := filled(t, pool.Config{Max: 1}, 1)
	var a, b pool.Waiter[int]
	r := p.Acquire(&a, pool.Normal, 0, 0).Resource
	p.Acquire(&b, pool.Normal, 0, 0)
	mustPanic(t, "queued", func() { p.Acquire(&b, pool.Normal, 0, 0) })
	mustPanic(t, "another pool", func() { other.Release(r, 0) })
	mustPanic(t, "another pool", func() { other.Discard(r, 0) })
	mustPanic(t, "another pool", func() { other.DiscardIdle(r, 0) })
	g, _ := p.Release(r, 0)
	mustPanic(t, "handed", func() { p.Release(r, 0) })
	mustPanic(t, "granted", func() { p.Acquire(&b, pool.Normal, 0, 0) })
	p.Accept(g)
	p.Release(r, 0)
	mustPanic(t, "idle", func() { p.Release(r, 0) })
	mustPanic(t, "never started", func() { p.Opened(2, 0) })
	mustPanic(t, "never started", func() { p.OpenFailed(0) })
	mustPanic(t, "lane", func() { p.Acquire(&a, 4, 0, 0) })
	mustPanic(t, "lane", func() { p.Shed(7) })
	mustPanic(t, "lane", func() { p.OpenReserve(4, 0) })
	p.Discard(r, 0)
	mustPanic(t, "gone", func() { p.Release(r, 0) })
}

func TestWaiterOfAnotherPoolIsLeftAlone(t *testing.T) {
	t.Parallel()
	p := filled(t, pool.Config{Max: 1}, 1)
	other := filled(t, pool.Config{Max: 1}, 1)
	var a, b pool.Waiter[int]
	r := p.Acquire(&a, pool.Normal, 0, 0).Resource
	p.Acquire(&b, pool.Normal, 0, 0)
	if other.Cancel(&b, 0) != nil || other.Cancel(new(pool.Waiter[int]), 0) != nil {
		t.Error("a cancel that concerns nobody returns a resource")
	}
	g, ok := p.Release(r, 0)
	if !ok || other.Accept(g) || !p.Accept(g) || p.Accept(g) {
		t.Error("the grant must be accepted once, in its own pool")
	}
	p.Release(r, 0)

	// A refusal of one pool must not end a request in another.
	a.Deadline = 1
	r = p.Acquire(&b, pool.Normal, 0, 0).Resource
	p.Acquire(&a, pool.Normal, 0, 0)
	var work pool.Work[int]
	p.Tick(1, &work)
	held := other.Acquire(&b, pool.Normal, 1, 1).Resource
	other.Acquire(&a, pool.Normal, 1, 1)
	if p.AcceptRefusal(work.Refused[0]) {
		t.Error("a stale refusal is accepted")
	}
	if g, ok := other.Release(held, 1); !ok || g.Waiter != &a {
		t.Error("a does not wait any more")
	}
	p.Release(r, 1)
}

func TestClosingResourcesCanBeFetchedWithoutATick(t *testing.T) {
	t.Parallel()
	budget := pool.NewBudget(10)
	p := pool.New[int](pool.Config{Min: 3, Max: 3}, budget, 0)
	var work pool.Work[int]
	p.Tick(0, &work)
	for i := range work.Open {
		p.Opened(i, 0)
	}
	var w pool.Waiter[int]
	r := p.Acquire(&w, pool.Normal, 0, 0).Resource
	if p.NextClose() != nil {
		t.Fatal("nothing is closing")
	}
	p.Reconnect(0)
	closing := p.NextClose()
	if closing == nil || closing.CloseReason() != pool.CloseReconnect || closing.Epoch() == p.Epoch() {
		t.Fatalf("idle ones of the old epoch are closing, got %+v", closing)
	}
	if st := p.Stat(0); st.Open != 1 || st.Closing != 1 || budget.InUse() != 2 {
		t.Errorf("open %d, closing %d, in use %d", st.Open, st.Closing, budget.InUse())
	}
	p.Release(r, 0)

	// Who learns that a closing one is gone may say so; also when it has been fetched meanwhile.
	if p.Discard(r, 0) != 0 || p.Discard(closing, 0) != 0 {
		t.Error("opens are started by Discard of what is not open")
	}
	if _, ok := p.DiscardIdle(closing, 0); !ok {
		t.Error("somebody is said to have it")
	}
	rest := 0
	for c := p.NextClose(); c != nil; c = p.NextClose() {
		rest++
	}
	if st := p.Stat(0); rest != 1 || st.Closing != 0 || budget.InUse() != 0 {
		t.Errorf("%d fetched, %d closing, %d in use", rest, st.Closing, budget.InUse())
	}
}

func TestResourceTellsItsHolderAboutItself(t *testing.T) {
	t.Parallel()
	p := pool.New[string](pool.Config{Min: 1, Max: 1}, nil, 0)
	var work pool.Work[string]
	p.Tick(0, &work)
	p.Opened("x", time.Second)
	var a, b pool.Waiter[string]
	r := p.Acquire(&a, pool.High, 4*time.Second, 4*time.Second).Resource
	if r.Value != "x" || r.Opened() != time.Second || r.Age(5*time.Second) != 4*time.Second || r.Uses() != 1 {
		t.Errorf("%+v", r)
	}
	if r.Rested() != 3*time.Second {
		t.Errorf("rested %v", r.Rested())
	}
	p.Acquire(&b, pool.High, 4*time.Second, 4*time.Second)
	if g, _ := p.Release(r, 6*time.Second); g.Resource.Rested() != 0 || r.Uses() != 2 {
		t.Errorf("handed over after %v, uses %d", r.Rested(), r.Uses())
	}
}

func TestTimeDoesNotGoBack(t *testing.T) {
	t.Parallel()
	p := filled(t, pool.Config{Max: 1, QueueTimeout: time.Second}, 1)
	var a, b pool.Waiter[int]
	p.Acquire(&a, pool.Normal, time.Minute, time.Minute)
	p.Acquire(&b, pool.Normal, 0, time.Second) // by a thread that read its clock before
	if due := p.Due(); due != time.Minute+time.Second {
		t.Errorf("due %v", due)
	}
	if st := p.Stat(0); st.OldestWait != 0 {
		t.Errorf("waits %v", st.OldestWait)
	}
}

func TestAcquisitionIsMeasuredFromTheRequest(t *testing.T) {
	t.Parallel()
	p := filled(t, pool.Config{Max: 1}, 1)
	var a, b pool.Waiter[int]
	r := p.Acquire(&a, pool.Low, 0, time.Millisecond).Resource
	p.Acquire(&b, pool.High, 2*time.Millisecond, 3*time.Millisecond)
	p.Release(r, 9*time.Millisecond)
	st := p.Stat(9 * time.Millisecond)
	if got := st.Acquisition[pool.Low].Sum(); got != time.Millisecond {
		t.Errorf("low took %v", got)
	}
	if got := st.Acquisition[pool.High].Sum(); got != 7*time.Millisecond {
		t.Errorf("high took %v", got)
	}
	if got := st.Service.Sum(); got != 8*time.Millisecond {
		t.Errorf("service took %v", got)
	}
	if st.TotalWait != 8*time.Millisecond || st.Demand() != 1 || st.TotalWaiting() != 0 {
		t.Errorf("total wait %v, demand %d", st.TotalWait, st.Demand())
	}

	// A snapshot stays as it is.
	p.Accept(pool.Grant[int]{Waiter: &b})
	p.Cancel(&b, 0)
	p.Release(r, time.Hour)
	if st.Service.Count() != 1 {
		t.Error("a later release changed the snapshot")
	}
}

func TestBudgetOfClosedPoolsComesBack(t *testing.T) {
	t.Parallel()
	budget := pool.NewBudget(4)
	var work pool.Work[int]
	for range 100 {
		p := pool.New[int](pool.Config{Min: 4, Max: 4}, budget, 0)
		p.Tick(0, &work)
		if work.Open != 4 {
			t.Fatalf("opens %d: a closed pool still holds its guarantee", work.Open)
		}
		p.Opened(1, 0)
		p.Opened(2, 0)
		p.OpenFailed(0)
		var w pool.Waiter[int]
		r := p.Acquire(&w, pool.Normal, 0, 0).Resource
		p.Close(0, &work)
		p.Close(0, &work)
		p.SetConfig(pool.Config{Min: 1, Max: 4}, 0)
		p.Release(r, 0)
		p.OpenFailed(0)
		p.Tick(0, &work)
		if budget.InUse() != 0 || len(work.Close) != 1 {
			t.Fatalf("%d in use, %d to close", budget.InUse(), len(work.Close))
		}
	}
}

func TestNothingIsAllocatedPerRequest(t *testing.T) {
	p := filled(t, pool.Config{Max: 1, QueueTimeout: time.Second, IdleTimeout: time.Minute}, 1)
	var a, b pool.Waiter[int]
	var work pool.Work[int]
	now := time.Duration(0)
	check := func(what string, f func()) {
		t.Helper()
		f() // so that what grows once has grown
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
	check("acquire and release", func() {
		now += time.Microsecond
		p.Release(p.Acquire(&a, pool.Normal, now, now).Resource, now)
	})
	check("hand-over", func() {
		now += time.Microsecond
		r := p.Acquire(&a, pool.Normal, now, now).Resource
		p.Acquire(&b, pool.Critical, now, now)
		g, _ := p.Release(r, now)
		p.Accept(g)
		p.Release(r, now)
	})
	check("deadline, cancel and timeout", func() {
		now += time.Microsecond
		r := p.Acquire(&a, pool.Normal, now, now).Resource
		b.Deadline = now + time.Microsecond
		p.Acquire(&b, pool.Low, now, now)
		p.Cancel(&b, now)
		p.Acquire(&b, pool.Low, now, now)
		now += time.Second
		p.Tick(now, &work)
		if len(work.Refused) != 1 || !p.AcceptRefusal(work.Refused[0]) {
			t.Fatal("not refused")
		}
		p.Release(r, now)
	})
}

// A wish that ends frees budget without anybody closing anything. Nobody is rung for that; the pools look again.
func TestBudgetThatIsNotWishedForAnyMoreIsFoundInTheEnd(t *testing.T) {
	t.Parallel()
	budget := pool.NewBudget(2)
	var work pool.Work[int]
	a := pool.New[int](pool.Config{Max: 2}, budget, 0)
	b := pool.New[int](pool.Config{Max: 2}, budget, 0)
	var b1, b2, b3 pool.Waiter[int]
	if b.Acquire(&b1, pool.Normal, 0, 0).Open != 1 || b.Acquire(&b2, pool.Normal, 0, 0).Open != 1 {
		t.Fatal("nothing is opened")
	}
	b.Opened(1, 0)
	b.Opened(2, 0)
	b.Tick(0, &work)
	b.Acquire(&b3, pool.Normal, 0, 0) // the wish
	r := b.Cancel(&b1, 0)
	b.Discard(b.Cancel(&b2, 0), 0) // b opens another for b3 ...
	b.OpenFailed(0)                // ... and cannot
	a.SetTarget(1)
	a.Tick(0, &work)
	if work.Open != 1 {
		t.Fatal("what b could not open is a's")
	}
	b.Cancel(&b3, 0)
	b.Release(r, 0)
	b.Discard(b.Acquire(&b1, pool.Normal, 0, 0).Resource, 0)
	a.SetTarget(2)
	for now := time.Duration(0); ; now = a.Due() {
		if now > 2*time.Second {
			t.Fatal("a never looks again")
		}
		a.Tick(now, &work)
		b.Tick(now, &work)
		if budget.InUse() == 2 {
			return
		}
	}
}

func TestWhoHasAClaimOnTheReserveIsNotHopeless(t *testing.T) {
	t.Parallel()
	p := filled(t, pool.Config{Max: 1, Reserve: 1, QueueTimeout: time.Second, RefuseHopeless: true}, 1)
	var a, b, c pool.Waiter[int]
	p.Release(p.Acquire(&a, pool.Normal, 0, 0).Resource, 10*time.Second)
	now := 15 * time.Second // the release is forgotten, how long it took is not
	p.Acquire(&a, pool.Normal, now, now)
	if out := p.Acquire(&b, pool.Critical, now, now); out.Resource == nil {
		t.Errorf("critical does not get the reserve: %+v", out)
	}
	if out := p.Acquire(&c, pool.Normal, now, now); out.Err != pool.ErrHopeless || out.Wait != 10*time.Second {
		t.Errorf("normal is to wait %v: %v", out.Wait, out.Err)
	}
}
