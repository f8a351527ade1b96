package brain

import (
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/config"
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
