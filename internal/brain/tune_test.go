package brain

import (
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/tuner"
	"github.com/usher-pg/usher/pool"
)

// TestTheTunersLimitIsDivided among the pools of a server: while they fill it together each has its part, and else any
// may have all of it. None has less than its min.
func TestTheTunersLimitIsDivided(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		total int
		mins  []int
		busy  []int
		want  []int
	}{
		"one pool":                       {10, []int{2}, []int{5}, []int{10}},
		"equals":                         {10, []int{1, 1}, []int{9, 9}, []int{5, 5}},
		"who wants little gets it":       {10, []int{1, 1}, []int{20, 2}, []int{8, 2}},
		"they do not fill it":            {12, []int{1, 1}, []int{0, 9}, []int{12, 12}},
		"what does not divide":           {11, []int{1, 1, 1}, []int{9, 9, 9}, []int{4, 4, 3}},
		"less than the mins":             {3, []int{4, 2}, []int{9, 9}, []int{4, 2}},
		"a min of 0 is 1":                {1, []int{0}, []int{9}, []int{1}},
		"a min is more than what is due": {6, []int{4, 0}, []int{9, 9}, []int{4, 3}},
	} {
		h := &house{tuning: tuning{mode: config.TuningOn, state: tuner.State{Limit: test.total}}}
		var charges []*charge
		for i, least := range test.mins {
			c := &charge{Pool: Pool{Engine: &engine{}}, sample: pool.Sample{Busy: test.busy[i]}}
			c.Options.Size.Min = least
			charges = append(charges, c)
		}
		h.limit(charges)
		for i, c := range charges {
			if c.limit != test.want[i] {
				t.Errorf("%s: pool %d may have %d, want %d", name, i, c.limit, test.want[i])
			}
		}
		h.limit(charges)
		for _, c := range charges {
			if n := len(c.Engine.(*engine).limits); n != 1 {
				t.Errorf("%s: told %d times", name, n)
			}
		}
		// When the tuner is turned off, the pool's Max alone bounds it again.
		h.tuning.mode = config.TuningObserve
		h.limit(charges)
		for _, c := range charges {
			if e := c.Engine.(*engine); e.limits[len(e.limits)-1] != pool.MaxOpen {
				t.Errorf("%s: without the tuner still limited: %v", name, e.limits)
			}
		}
	}
}

func TestAPoolThatWasNeverLimitedIsToldNothing(t *testing.T) {
	t.Parallel()
	e := &engine{}
	h := &house{tuning: tuning{mode: config.TuningOff}}
	h.limit([]*charge{{Pool: Pool{Engine: e}}})
	if len(e.limits) > 0 {
		t.Errorf("limited to %v", e.limits)
	}
}

// TestTheTunerSeesWhatPassedBetweenTwoLooks, and nothing where a pool was made anew.
func TestTheTunerSeesWhatPassedBetweenTwoLooks(t *testing.T) {
	t.Parallel()
	s := newStage(t, onePool("scale", ""))
	var seen tuning
	c := &charge{Pool: s.poolsNow()[0]}
	look := func(change func(*pool.Sample)) (tuner.Observed, bool) {
		s.engines["shop"].is(change)
		c.look()
		return seen.observe(s.Brain, []*charge{c})
	}
	if _, whole := look(func(*pool.Sample) {}); whole {
		t.Error("the first look tells something")
	}
	// 50 requests kept a connection for a second together, within a second: one was busy on average, whatever the look
	// itself found. They had waited for three.
	second := func(p *pool.Sample) { p.Waiting, p.WaitSum = 7, 3*time.Second }
	if o, whole := look(second); !whole || o.Completed != 50 || o.Busy != 1 ||
		o.Waiting != 3 || o.Held.Seconds() != 1 || o.Impaired || o.Failing {
		t.Errorf("the second tells %+v, %v", o, whole)
	}
	s.passed = 4 * time.Second // the machine was busy
	waited := func(p *pool.Sample) { p.WaitSum += 2 * time.Second }
	if o, whole := look(waited); !whole || o.Busy != 0.25 || o.Waiting != 0.5 {
		t.Errorf("after a stall: %+v, %v", o, whole)
	}
	if _, whole := look(func(p *pool.Sample) { p.Served, p.ServiceSum = 0, 0 }); whole {
		t.Error("a look after the pool was made anew tells something")
	}
	if o, whole := look(func(p *pool.Sample) { p.Late, p.Down = 1, true }); !whole || !o.Impaired || !o.Failing {
		t.Errorf("somebody late and the database down: %+v, %v", o, whole)
	}
	if _, whole := seen.observe(s.Brain, nil); whole {
		t.Error("no pools tell something")
	}
}

// TestTheTunerSeesTheTimeThatWasLookedAt, not that of looks in which something was missing: throughput would be less.
func TestTheTunerSeesTheTimeThatWasLookedAt(t *testing.T) {
	t.Parallel()
	s, _, stop := started(t, tuned("on"), t.TempDir(), saturday)
	defer stop()
	s.pass(9 * time.Second)
	h := s.houses["10.0.0.9:5432"]
	if h.tuning.clock != 9*time.Second { // the first look has none before it
		t.Errorf("after ten looks its clock is at %v", h.tuning.clock)
	}
	s.mutex.Lock()
	s.pools[0].Engine = &busyServer{limit: 100} // made anew
	s.mutex.Unlock()
	s.pass(2 * time.Second)
	if h.tuning.clock != 10*time.Second {
		t.Errorf("after two more, of which one tells nothing, it is at %v", h.tuning.clock)
	}
	s.passed = 3 * time.Second
	s.pass(time.Second)
	if h.tuning.clock != 13*time.Second {
		t.Errorf("after a late one it is at %v", h.tuning.clock)
	}
}

// TestABudgetIsASafeLimit: what the database server may not have cannot be tried; and while nothing was found, nothing
// is limited, or shared by anybody but the budget.
func TestABudgetIsASafeLimit(t *testing.T) {
	t.Parallel()
	yaml := "budgets: {\"10.0.0.9:5432\": 48}\n" + strings.Replace(tuned("on"), "max: 100", "max: 100, reserve: 4", 1) +
		`  desk: {url: "postgres://desk@10.0.0.9/desk", mode: session, size: {min: 4, max: 9}, scaling: {mode: "off"}}
`
	s := newStage(t, yaml)
	server := &busyServer{limit: 40}
	for i := range s.pools {
		if s.pools[i].Name == "shop" {
			s.pools[i].Engine = server
		}
	}
	s.pass(3 * time.Second)
	h := s.houses["10.0.0.9:5432"]
	if h.tuning.state.Size != 40 || s.charges["shop"].limit != 0 || s.charges["shop"].scaled.Rules.Cap != 0 {
		t.Errorf("at first: size %d, limit %d, %+v", h.tuning.state.Size, s.charges["shop"].limit,
			s.charges["shop"].scaled.Rules)
	}
	s.pass(4 * time.Minute)
	if got := s.Tuning()[0]; !got.Found || got.Size > 12 || server.limited() != got.Size {
		t.Errorf("of a budget of 48, with a reserve of 4 and 4 for sessions: %+v", got)
	}
}

// TestTargetsAreCappedWhileASearchIsUnderWay: connections beyond the limit would be open for nothing.
func TestTargetsAreCappedWhileASearchIsUnderWay(t *testing.T) {
	t.Parallel()
	yaml := strings.Replace(tuned("on"), "{min: 2, max: 100}", "{min: 2, max: 100}, scaling: {mode: scale}", 1)
	s, server, stop := started(t, yaml, t.TempDir(), saturday)
	defer stop()
	s.pass(4 * time.Minute)
	found := s.Tuning()[0]
	server.mutex.Lock()
	server.slow = 3 // other statements
	server.mutex.Unlock()
	for range 60 {
		s.pass(time.Second)
		if now := s.Tuning()[0]; !now.Found {
			if d := s.scaling("shop").Decision; d.Target > max(found.Size, now.Size) {
				t.Fatalf("in a search from %d, now at %d, the target is %d: %v", found.Size, now.Size, d.Target, d.Reason)
			}
		}
	}
	if s.log.count("is searched from anew") != 1 {
		t.Errorf("there was no search:\n%s", s.log)
	}
}

// TestASpikeWithoutAReasonIsAnEventToo.
func TestASpikeWithoutAReasonIsAnEventToo(t *testing.T) {
	t.Parallel()
	s := newStage(t, onePool("scale", ""))
	at := s.time().Add(30 * time.Minute)
	spike := forecast.Spike{Start: at, End: at.Add(time.Hour)}
	s.outlooks["shop"] = &outlook{forecast: forecast.Forecast{Issued: s.time(), Spikes: []forecast.Spike{spike}}}
	if s.eventNear("shop") == "" {
		t.Error("there is none")
	}
	s.outlooks["shop"].forecast.Spikes[0].Why = "a wedding"
	if got := s.eventNear("shop"); got != "a wedding" {
		t.Errorf("%q", got)
	}
	s.jump(2 * time.Hour)
	if got := s.eventNear("shop"); got != "" {
		t.Errorf("after it %q", got)
	}
}
