package brain

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/scaler"
	"github.com/usher-pg/usher/pool"
)

func TestWishesAreToldOnceAndTakenBack(t *testing.T) {
	t.Parallel()
	s := newStage(t, onePool("scale", ""))
	e := s.engines["shop"]
	s.pass(20 * time.Second)
	told := e.told()
	if len(told) == 0 || told[0] < 4 || slices.Compact(slices.Clone(told))[0] != told[0] ||
		len(slices.Compact(slices.Clone(told))) != len(told) {
		t.Fatalf("wishes of a pool with a demand of 4: %v", told)
	}
	for _, mode := range []string{"observe", "off"} {
		s.reload(onePool("scale", ""))
		s.pass(5 * time.Second)
		if e.last() < 4 {
			t.Fatalf("before mode %s: %v", mode, e.told())
		}
		s.reload(onePool(mode, ""))
		s.pass(5 * time.Second)
		if e.last() != 0 {
			t.Errorf("mode %s does not take the wish back: %v", mode, e.told())
		}
		n := len(e.told())
		e.is(func(p *pool.Sample) { p.Busy, p.Waiting, p.Open = 30, 9, 30 })
		s.pass(time.Minute)
		if more := e.told()[n:]; len(more) > 0 {
			t.Errorf("in mode %s it wishes for %v", mode, more)
		}
		if got := s.scaling("shop").Decision.Target; mode == "observe" && got < 30 {
			t.Errorf("in mode observe it would have wanted %d", got)
		}
	}
}

// TestAReserveIsNoReasonForATarget: it is open beside the target, so that it would be opened twice, and nobody else of
// the budget had it.
func TestAReserveIsNoReasonForATarget(t *testing.T) {
	t.Parallel()
	const yaml = `
auth: {type: trust}
rush_hours: []
tuning: "off"
budgets: {"10.0.0.9:5432": 30}
pools:
  blog: {url: "postgres://blog@10.0.0.9/blog", size: {min: 2, max: 20, reserve: 4}, scaling: {mode: "off"}}
  shop: {url: "postgres://shop@10.0.0.9/shop", size: {min: 2, max: 20, reserve: 4}, scaling: {mode: scale}}
`
	s := newStage(t, yaml)
	s.engines["blog"].is(func(p *pool.Sample) { p.Busy, p.Open = 0, 6 })
	s.engines["shop"].is(func(p *pool.Sample) { p.Busy, p.Open = 0, 9 })
	s.pass(time.Second)
	if d := s.scaling("shop").Decision; s.engines["shop"].last() != 5 || d.Observed.Open != 5 {
		t.Errorf("of 9 that are open with a reserve of 4 it wishes for %v: %+v", s.engines["shop"].told(), d)
	}
	s.Override("shop", scaler.Override{Target: 20, Until: s.time().Add(time.Hour)})
	s.pass(5 * time.Second)
	if got := s.engines["shop"].last(); got != 20 { // 30 - 2 reserves of 4 - 2 of blog
		t.Errorf("the budget leaves it %d: %+v", got, s.scaling("shop").Decision.Notes)
	}
}

func TestAPoolMadeAnewIsToldAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t, onePool("scale", ""))
	s.pass(10 * time.Second)
	old := s.engines["shop"]
	before := len(old.told())
	if before == 0 {
		t.Fatal("the first one was told nothing")
	}
	delete(s.engines, "shop")
	s.reload(onePool("scale", ""))
	s.pass(10 * time.Second)
	if got := s.engines["shop"].last(); got < 4 {
		t.Errorf("the new one was told %d", got)
	}
	if after := len(old.told()); after != before {
		t.Errorf("the old one was told %v", old.told()[before:])
	}
}

func TestAPoolThatGoesAwayIsForgottenAndItsHistoryKept(t *testing.T) {
	t.Parallel()
	s := newStage(t, onePool("scale", ""))
	stop := s.keeping()
	s.pass(10 * time.Second)
	s.awaitHistory()
	s.foreseePools(t.Context())
	if len(s.outlooks) != 1 || len(s.houses) != 1 {
		t.Fatalf("%d outlooks and %d houses of one pool", len(s.outlooks), len(s.houses))
	}
	s.mutex.Lock()
	s.pools = nil
	s.mutex.Unlock()
	s.pass(time.Second)
	s.foreseePools(t.Context())
	if len(s.charges)+len(s.houses)+len(s.outlooks)+len(s.Scaling())+len(s.Forecasts())+len(s.Tuning()) > 0 {
		t.Errorf("left of a pool that is gone: %v, %v, %v", s.charges, s.houses, s.outlooks)
	}
	stop()
	if b := s.written("shop"); len(b) != 1 || b[0].Samples != 10 || b[0].Mean != 4 {
		t.Errorf("written of ten seconds: %+v", b)
	}
}

func TestAnOverrideHoldsExpiresAndIsTakenBack(t *testing.T) {
	t.Parallel()
	s := newStage(t, onePool("scale", ""))
	e := s.engines["shop"]
	s.pass(10 * time.Second)
	usual := e.last()
	s.Override("shop", scaler.Override{
		Target: 33, Until: s.time().Add(10 * time.Minute), By: "ann", Reason: "a rehearsal",
	})
	s.pass(5 * time.Second)
	if d := s.scaling("shop").Decision; e.last() != 33 || d.Cause != scaler.Manual {
		t.Errorf("with an override of 33: %v because of %v", e.told(), d.Cause)
	}
	s.pass(9 * time.Minute)
	if e.last() != 33 {
		t.Errorf("after nine of ten minutes: %v", e.told())
	}
	s.pass(time.Hour)
	if d := s.scaling("shop").Decision; d.Override != nil || d.Cause == scaler.Manual || e.last() >= 33 {
		t.Errorf("an hour later: %d because of %v, %+v", e.last(), d.Cause, d.Override)
	}
	if s.Override("shop", scaler.Override{}) {
		t.Error("there is one still")
	}

	// Down is at once too, as an operator who says so means it; and no override is of another database.
	s.Override("shop", scaler.Override{Target: 2, Until: s.time().Add(time.Hour)})
	s.Override("blog", scaler.Override{Target: 50, Until: s.time().Add(time.Hour)})
	s.pass(5 * time.Second)
	if e.last() != 2 {
		t.Errorf("with an override of 2: %v", e.told())
	}
	if !s.Override("shop", scaler.Override{}) {
		t.Error("there was none")
	}
	s.pass(time.Minute)
	if e.last() < min(usual, 4) {
		t.Errorf("after it was taken back: %v", e.told())
	}
}

func TestAnEmergencyIsDecidedOnAtOnce(t *testing.T) {
	t.Parallel()
	for name, impair := range map[string]func(*pool.Sample){
		"somebody critical is late": func(p *pool.Sample) { p.Late, p.Waiting = 3, 3 },
		"the reserve is in use":     func(p *pool.Sample) { p.ReserveBusy = 1 },
	} {
		s := newStage(t, onePool("scale", ""))
		e := s.engines["shop"]
		s.pass(6 * time.Second) // it was decided in the first and the sixth
		before := e.last()
		e.is(impair)
		s.pass(time.Second)
		wished := slices.ContainsFunc(s.scaling("shop").Decision.Wishes, func(w scaler.Wish) bool {
			return w.Cause == scaler.Emergency
		})
		if e.last() < before+3 || !wished { // more than the two a second of other causes
			t.Errorf("%s: from %d to %d, %+v", name, before, e.last(), s.scaling("shop").Decision)
		}
	}
	// Without one, nothing is decided before its time.
	s := newStage(t, onePool("scale", ""))
	e := s.engines["shop"]
	s.pass(6 * time.Second)
	n := len(e.told())
	e.is(func(p *pool.Sample) { p.Busy, p.Waiting = 6, 30 })
	s.pass(4 * time.Second)
	if more := e.told()[n:]; len(more) > 0 {
		t.Errorf("in between it wishes for %v", more)
	}
	s.pass(time.Second)
	if more := e.told()[n:]; len(more) != 1 {
		t.Errorf("after five seconds it wishes for %v", more)
	}
}

// TestSessionsAreADemandLikeAnyOther: they are recorded, expected, and decided on, and only not tuned.
func TestSessionsAreADemandLikeAnyOther(t *testing.T) {
	t.Parallel()
	s := newStage(t, `
auth: {type: trust}
timezone: UTC
rush_hours: []
tuning: "on"
pools:
  shop: {url: "postgres://shop@10.0.0.9/shop", mode: session, size: {min: 2, max: 60}, scaling: {mode: scale}}
`)
	fill(t, s.path(), "shop", 20, saturday)
	stop := s.keeping()
	s.awaitHistory()
	e := s.engines["shop"]
	e.is(func(p *pool.Sample) { p.Busy, p.Waiting, p.Open = 20, 4, 20 }) // sessions that are there, and that want to be
	s.pass(time.Second)
	s.foreseePools(t.Context())
	s.jump(23*time.Hour + 30*time.Minute) // the next noon is expected to have ten times as many
	s.foreseePools(t.Context())
	s.pass(time.Minute)
	d := s.scaling("shop").Decision
	wished := func(cause scaler.Cause) bool {
		return slices.ContainsFunc(d.Wishes, func(w scaler.Wish) bool { return w.Cause == cause && w.Connections > 30 })
	}
	if f := s.Forecasts()[0]; f.Absent != "" || f.Points[0].P50 < 1 {
		t.Errorf("expected: %q, %+v", f.Absent, f.Points)
	}
	if !d.Acts || e.last() < 34 || !wished(scaler.Measured) || !wished(scaler.Predicted) {
		t.Errorf("24 sessions are wanted, and 40 soon; decided: %+v", d)
	}
	if len(e.limits) > 0 {
		t.Errorf("limited to %v", e.limits)
	}
	s.leave()
	stop()
	if b := s.written("shop"); b[len(b)-1].Mean != 24 {
		t.Errorf("written: %+v", b[len(b)-1])
	}
}

// TestAClockThatJumps: hours ahead and back, at random. Nothing panics, what is written down can be,
// and no target falls because of it while the demand stays.
func TestAClockThatJumps(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	if text := os.Getenv("USHER_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	random := rand.New(rand.NewPCG(seed, 1))
	s := newStage(t, onePool("scale", ""))
	stop := s.keeping()
	e := s.engines["shop"]
	e.is(func(p *pool.Sample) { p.Busy, p.Open = 20, 30 })
	s.pass(time.Minute)
	for range 60 {
		by := time.Duration(random.Int64N(int64(48*time.Hour))) - 24*time.Hour
		if random.IntN(10) == 0 {
			by *= 1000 // some years
		}
		s.jump(by)
		s.pass(time.Duration(1+random.IntN(20)) * time.Second)
		if e.last() < 20 {
			t.Fatalf("seed %d: after a jump by %v the target is %d at a demand of 20: %v", seed, by, e.last(),
				s.scaling("shop").Decision)
		}
	}
	s.leave()
	stop()
	if k := s.keeper.State(); k.Refused+k.Dropped > 0 || k.Written == 0 || s.log.count("level=ERROR") > 0 {
		t.Errorf("seed %d: %+v\n%s", seed, k, s.log)
	}
	for _, b := range s.written("shop") {
		if b.Mean != 20 || b.Max != 20 || b.Samples < 1 || b.Arrivals < 0 || b.Service < 0 ||
			b.Width != history.Step {
			t.Errorf("seed %d: %+v", seed, b)
		}
	}
}

// TestAYearBeyondAllCalendars cannot be written down. It is told, decisions go on, and nothing takes it for an order.
func TestAYearBeyondAllCalendars(t *testing.T) {
	t.Parallel()
	s := newStage(t, onePool("scale", ""))
	fill(t, s.path(), "shop", 20, saturday)
	stop := s.keeping()
	defer stop()
	s.awaitHistory()
	e := s.engines["shop"]
	s.pass(10 * time.Second)
	for i, year := range []int{12_000, 300_000, -12_000} {
		s.mutex.Lock()
		s.now = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		s.mutex.Unlock()
		want := 20 + 10*i
		e.is(func(p *pool.Sample) { p.Busy = want })
		s.pass(time.Minute)
		s.foreseePools(t.Context())
		if d := s.scaling("shop").Decision; e.last() < want || d.Override != nil {
			t.Errorf("in the year %d a demand of %d has the target %d: %+v", year, want, e.last(), d)
		}
	}
	if s.log.count("not written down") == 0 || s.log.count("level=ERROR") > 60 {
		t.Errorf("logged:\n%s", s.log)
	}
}

func TestSamplesThatCannotBeAreToldAndNotRecorded(t *testing.T) {
	t.Parallel()
	s := newStage(t, onePool("scale", ""))
	e := s.engines["shop"]
	s.pass(5 * time.Second)
	e.is(func(p *pool.Sample) { p.Busy = -7 })
	s.pass(10 * time.Second)
	if told := s.log.count("samples not recorded"); told != 1 {
		t.Errorf("told %d times:\n%s", told, s.log)
	}
	if e.last() < 2 {
		t.Errorf("it wishes for %v", e.told())
	}
	e.is(func(p *pool.Sample) { p.Busy = 4 })
	s.pass(5 * time.Second)
	if b, ok := s.recorder.Open("shop"); !ok || b.Samples != 10 || b.Mean != 4 {
		t.Errorf("recorded: %+v", b)
	}
	e.is(func(p *pool.Sample) { p.Waiting = -1 })
	s.pass(5 * time.Second)
	if told := s.log.count("samples not recorded"); told != 2 {
		t.Errorf("told %d times of two:\n%s", told, s.log)
	}
}
