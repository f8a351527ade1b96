package scaler

import (
	"fmt"
	"slices"
	"time"
)

// Decision is a pool's target and everything it was made from: a record for the audit.
type Decision struct {
	At   time.Time `json:"at"`
	Pool string    `json:"pool"`
	Mode Mode      `json:"mode"`
	// Acts: the target is to be carried out. From is the one before, and Changed that something is different from it.
	Acts    bool `json:"acts"`
	From    int  `json:"from"`
	Target  int  `json:"target"`
	Changed bool `json:"changed"`
	// Cause and Reason are those of what decided it; Notes what else a person should know.
	Cause  Cause    `json:"cause"`
	Reason string   `json:"reason"`
	Notes  []string `json:"notes,omitempty"`

	// What it was made from. Wanted is what was wished for before bounds, ramps and the budget.
	Wanted   int       `json:"wanted"`
	Wishes   []Wish    `json:"wishes"`
	Rules    Rules     `json:"rules"`
	Observed Observed  `json:"observed"`
	Issued   time.Time `json:"forecast_issued_at,omitzero"`
	Override *Override `json:"override,omitempty"`
}

// Wish is a number of connections that something asks for.
type Wish struct {
	Cause       Cause  `json:"cause"`
	Connections int    `json:"connections"`
	Why         string `json:"why"`
}

// Decide is called every few seconds with all pools of a database server and how many connections their targets may be
// together. It gives a decision for each pool that is not Off, in their order. What was decided for others is
// forgotten.
func Decide(now time.Time, pools []Pool, budget int, s State) (State, []Decision) {
	next := State{At: now, Pools: make(map[string]PoolState, len(pools))}
	passed := now.Sub(s.At)
	jumped := !s.At.IsZero() && (passed < 0 || passed > jump)
	if jumped || s.At.IsZero() {
		passed = 0
	}
	pools = slices.Clone(pools)
	states := make([]PoolState, len(pools))
	decisions := make([]Decision, len(pools))
	for i := range pools {
		p := &pools[i]
		p.Rules.check(p.Name)
		if p.Rules.Mode == Off {
			continue
		}
		p.Observed = p.Observed.clean()
		state, known := s.Pools[p.Name]
		if !known || state.Mode != p.Rules.Mode {
			state = began(p, now)
		}
		states[i] = state
		decisions[i] = states[i].decide(p, now, passed, jumped)
	}
	divide(pools, decisions, budget)
	var given []Decision
	for i := range pools {
		if pools[i].Rules.Mode == Off {
			continue
		}
		d := decisions[i]
		states[i].Target = d.Target
		d.Changed = d.Target != d.From
		next.Pools[d.Pool] = states[i]
		given = append(given, d)
	}
	return next, given
}

// decide is the decision of one pool, before the budget.
func (s *PoolState) decide(p *Pool, now time.Time, passed time.Duration, jumped bool) Decision {
	d := Decision{
		At: now, Pool: p.Name, Mode: p.Rules.Mode, Acts: p.Rules.Mode == Scale, From: s.Target,
		Rules: p.Rules, Observed: p.Observed,
	}
	if jumped {
		s.Shrunk, s.Half = now, now
		s.back(now)
		d.note("the clock has jumped: nothing is lowered for %v", shrinkEvery)
	}
	s.measure(p, now, passed)
	d.Wishes = s.wishes(p, now, &d)
	best := d.best(p, now)
	d.Wanted, d.Cause, d.Reason = best.Connections, best.Cause, best.Why
	bounded := max(p.Rules.Min, min(best.Connections, p.Rules.most()))
	if bounded < best.Connections {
		d.note("%d are wanted, and %s", best.Connections, p.bound())
	}
	switch {
	case bounded > s.Target:
		d.Target = s.rise(p, bounded, d.atOnce(bounded), passed)
		s.Shrunk = now
		if d.Target < bounded {
			d.note("%g a second are opened, until there are %d", p.Rules.Opens, bounded)
		}
	case best.Cause == Manual, s.Target > p.Rules.most():
		d.Target, s.Rise, s.Shrunk = bounded, 0, now
	default:
		d.Target, s.Rise = s.fall(p, bounded, now, &d), 0
	}
	return d
}

// best is the wish that decides: the greatest, or the operator's; and an emergency's if it is greater still.
func (d *Decision) best(p *Pool, now time.Time) Wish {
	best, urgent := Wish{Least, p.Rules.Min, "the pool's minimum"}, Wish{}
	for _, w := range d.Wishes {
		if w.Cause == Emergency {
			urgent = w
		} else if w.Connections > best.Connections {
			best = w
		}
	}
	if p.Override.at(now) {
		d.Override = &p.Override
		best = Wish{Manual, p.Override.Target, p.Override.why()}
		d.Wishes = append(d.Wishes, best)
	}
	if urgent.Connections > best.Connections {
		return urgent
	}
	return best
}

func (d *Decision) note(format string, args ...any) {
	d.Notes = append(d.Notes, fmt.Sprintf(format, args...))
}

// at reports whether there is an override now.
func (o Override) at(now time.Time) bool { return !o.Until.IsZero() && now.Before(o.Until) }

func (o Override) why() string {
	text := fmt.Sprintf("set to %d until %s", o.Target, o.Until.UTC().Format("2006-01-02 15:04 UTC"))
	if o.By != "" {
		text += " by " + o.By
	}
	if o.Reason != "" {
		text += ": " + o.Reason
	}
	return text
}

// bound is what keeps the target down.
func (p *Pool) bound() string {
	if p.Rules.most() < p.Rules.Max {
		return fmt.Sprintf("the tuner found no use for more than %d", p.Rules.most())
	}
	return fmt.Sprintf("size.max is %d", p.Rules.Max)
}

// atOnce is which part of what is wanted does not wait: what an emergency, an operator or the pool's minimum asks for.
func (d *Decision) atOnce(wanted int) int {
	most := d.Rules.Min
	for _, w := range d.Wishes {
		if w.Cause == Emergency || w.Cause == Manual {
			most = max(most, w.Connections)
		}
	}
	return min(most, wanted)
}

// rise is the target on its way up.
func (s *PoolState) rise(p *Pool, wanted, atOnce int, passed time.Duration) int {
	s.Rise += p.Rules.Opens * passed.Seconds()
	steps := min(int(s.Rise), wanted-s.Target)
	s.Rise -= float64(steps)
	target := max(s.Target+steps, atOnce)
	if target == wanted || target == atOnce {
		s.Rise = 0
	}
	return target
}

// fall is the target on its way down, or why it stays.
func (s *PoolState) fall(p *Pool, wanted int, now time.Time, d *Decision) int {
	if wanted == s.Target {
		return wanted
	}
	keep := func(why string) int {
		s.Shrunk = now
		d.Cause, d.Reason = Kept, why
		return s.Target
	}
	switch missing := usable(p.Forecast, now); {
	case p.Observed.Outage:
		return keep("the database is out: everybody comes back at once")
	case p.Observed.Unknown:
		return keep("demand is not known")
	case !s.Dropped.IsZero():
		return keep(fmt.Sprintf("demand fell from %.3g to %.3g at once at %s: an outage ends with everybody coming back",
			s.Level, p.Observed.Demand, clock(p.Forecast, s.Dropped, now)))
	case missing != "" && !s.Forecast.IsZero() && now.Sub(s.Forecast) < forecastGrace:
		return keep(missing + ", and nothing is lowered because of that")
	case missing == "" && p.Observed.Demand < p.leastExpected(now)*dropPart-dropLeast:
		return keep(fmt.Sprintf("demand of %.3g is far below what was expected", p.Observed.Demand))
	}
	if s.Shrunk.After(now) {
		s.Shrunk = now
	}
	if now.Sub(s.Shrunk) < shrinkEvery {
		d.Cause, d.Reason = Falling, fmt.Sprintf("down to %d: %s", wanted, d.Reason)
		return s.Target
	}
	s.Shrunk = now
	step := max(1, int(float64(s.Target)*shrinkPart))
	d.Cause, d.Reason = Falling, fmt.Sprintf("down to %d, at most %.0f%% in %v: %s", wanted, 100*shrinkPart,
		shrinkEvery, d.Reason)
	return max(wanted, s.Target-step)
}
