package brain

import (
	"cmp"
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/tuner"
	"github.com/usher-pg/usher/pool"
)

// tuning is what is known of how many busy connections a database server can use.
type tuning struct {
	mode   config.TuningMode
	clock  time.Duration // that the tuner sees: the time that was looked at
	before map[string]pool.Sample
	state  tuner.State
	most   int // the largest size there may be
	// resumed says that state began with what is remembered, if there is anything.
	resumed bool
	steps   []tuner.Step // the last ones, the newest last
}

// mostSteps is how many steps are remembered to be shown.
const mostSteps = 20

// useful is how many server connections are of use to the pool of a server; 0: as many as there may be, or several
// pools share the server, whose targets the budget divides. While a search is under way it is the best size so far.
func (t *tuning) useful(charges []*charge) int {
	if t.mode != config.TuningOn || len(charges) != 1 || charges[0].inSessions() || t.state.Size >= t.most {
		return 0
	}
	return t.state.Size
}

// inSessions reports whether server connections are kept by clients that do nothing with them: the tuner learns nothing
// from such a pool, and does not limit it.
func (c *charge) inSessions() bool { return c.Options.Mode == config.ModeSession }

// tune lets the tuner learn from the last step, and limits the pools of the server.
func (h *house) tune(charges []*charge, now time.Time) {
	for _, c := range charges {
		if c.inSessions() {
			c.limitTo(0) // it may have had another mode
		}
	}
	budget := budgetOf(charges)
	charges = slices.DeleteFunc(slices.Clone(charges), (*charge).inSessions)
	t := &h.tuning
	mode := h.brain.options.Config().Tuning
	seen, whole := t.observe(h.brain, charges)
	if mode != t.mode {
		t.mode, t.resumed = mode, false
		t.state = tuner.State{}
	}
	rules := tuningRules(mode, charges, budget)
	if !whole || rules.Max < rules.Min {
		return
	}
	t.most = rules.Max
	t.clock += h.brain.passed
	h.resume(rules)
	var steps []tuner.Step
	t.state, steps = tuner.Decide(t.state, rules, seen, t.clock)
	h.tell(steps)
	h.remember(now)
	h.limit(charges)
}

// tell logs and remembers steps.
func (h *house) tell(steps []tuner.Step) {
	t := &h.tuning
	for _, s := range steps {
		h.brain.log.Info("tuner", "server", h.server, "step", s.String(), "reason", s.Reason)
	}
	if t.steps = append(t.steps, steps...); len(t.steps) > mostSteps {
		t.steps = t.steps[len(t.steps)-mostSteps:]
	}
}

// budgetOf is what pools of a server may have at once beside what is kept for their reserves and for sessions. 0: no
// limit.
func budgetOf(charges []*charge) int {
	if len(charges) == 0 {
		return 0
	}
	budget := charges[0].Budget
	for _, c := range charges {
		budget = c.besideReserve(budget)
		if c.inSessions() && budget > 0 {
			budget = max(1, budget-c.Options.Size.Min)
		}
	}
	return budget
}

// tuningRules are what an operator has decided about a server: that of its pools together.
func tuningRules(mode config.TuningMode, charges []*charge, budget int) tuner.Rules {
	least, most := 0, 0
	for _, c := range charges {
		least += max(1, c.Options.Size.Min)
		most += c.Options.Size.Max
	}
	if budget > 0 {
		most = min(most, max(least, budget))
	}
	r := tuner.Standard(min(least, tuner.MostConnections), min(most, tuner.MostConnections))
	r.On = mode != config.TuningOff
	r.Probe = mode == config.TuningOn
	return r
}

// observe is what has happened at the server since the last step. whole is false if something is missing.
func (t *tuning) observe(b *Brain, charges []*charge) (o tuner.Observed, whole bool) {
	now, whole := map[string]pool.Sample{}, true
	for _, c := range charges {
		s := c.sample
		now[c.Name] = s
		last, ok := t.before[c.Name]
		if !ok || s.Served < last.Served || s.ServiceSum < last.ServiceSum || s.WaitSum < last.WaitSum {
			whole = false
			continue
		}
		served := s.Served - last.Served
		o.Completed += served
		o.Held += s.ServiceSum - last.ServiceSum
		busy, waiting := float64(s.Busy), float64(s.Waiting)
		if served >= manyServed { // then time summed up over time is their mean (Little), and a sample is chance
			busy = (s.ServiceSum - last.ServiceSum).Seconds() / b.passed.Seconds()
			waiting = (s.WaitSum - last.WaitSum).Seconds() / b.passed.Seconds()
		}
		o.Busy += busy
		o.Waiting += waiting
		o.Impaired = o.Impaired || c.impaired()
		o.Failing = o.Failing || s.Down || s.Held
		if event := b.eventNear(c.Name); event != "" {
			o.Event = event
		}
	}
	t.before = now
	return o, whole && len(charges) > 0
}

// manyServed is how many requests of a step tell more by their times than a look at one moment.
const manyServed = 20

// limit divides the tuner's limit among the pools of the server by what they ask for. If that is as many as there may
// be, sizes and budget see to it.
func (h *house) limit(charges []*charge) {
	total, most := h.tuning.state.Limit, h.tuning.most
	if h.tuning.mode != config.TuningOn || total == 0 || total == most {
		for _, c := range charges {
			c.limitTo(0)
		}
		return
	}
	demands := make([]float64, len(charges))
	for i, c := range charges {
		demands[i] = float64(c.sample.Demand())
	}
	for i, share := range tuner.Share(total, demands) {
		charges[i].limitTo(max(share, charges[i].Options.Size.Min))
	}
}

// limitTo bounds what ordinary requests of the pool may have at once. 0: by its Max alone.
func (c *charge) limitTo(n int) {
	if n == 0 && c.limit == 0 {
		return // it was never limited
	}
	if n == 0 {
		n = pool.MaxOpen
	}
	if n != c.limit {
		c.Engine.LimitTo(n)
		c.limit = n
	}
}

// eventLead is how long before a spike nothing is tried out.
const eventLead = time.Hour

// eventNear is the spike of a pool that is near or now, or "".
func (b *Brain) eventNear(pool string) string {
	f := b.forecastOf(pool)
	if f == nil {
		return ""
	}
	now := b.options.Clock.Now()
	for i := range f.Spikes {
		if s := &f.Spikes[i]; now.After(s.Start.Add(-eventLead)) && now.Before(s.End) {
			return cmp.Or(s.Why, "a spike")
		}
	}
	return ""
}
