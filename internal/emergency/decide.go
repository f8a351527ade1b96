package emergency

import (
	"fmt"
	"time"

	"github.com/usher-pg/usher/pool"
)

const (
	// leastSlow is how many slow statements a sample needs to be slow: one or two are an accident.
	leastSlow = 3
	// exitPart of Rules.SlowShare is what a sample may have and be fine.
	exitPart = 0.5
	// relapsesMax bounds how often the hold is doubled.
	relapsesMax = 4
	// holdMost is how many times as long as Rules.Hold a hold can become.
	holdMost = 1 << relapsesMax
	// raisePart is by which part of itself the target is raised in one step, at least by one.
	raisePart = 2
)

// Sheddable is how many lanes may be shed: never critical, which all this is for, nor high, which is next to it.
const Sheddable = 2

// Rules is what an operator decides.
type Rules struct {
	// Target is how long a critical statement may take. 0: there are no measures.
	Target time.Duration
	// SlowShare is which part of the critical statements may take longer, 0 to 1.
	SlowShare float64
	// Window is how long they must have been slow before a measure begins, Hold how long they must have been fine before
	// one ends.
	Window, Hold time.Duration
	// Shed is how many lanes may be shed, from the lowest up; at most Sheddable.
	Shed int
}

// Observed is what has become of a pool's critical statements since the last time, and what the pool has.
type Observed struct {
	Statements uint64 // that ended
	Slow       uint64 // of these, took longer than Rules.Target
	Late       int    // are under way, and have taken longer already

	Target int // server connections the pool has or should have
	Max    int // and may have
}

// State is what was decided so far. Its zero value is a pool without measures.
type State struct {
	Shed   int // lanes that are shed, from the lowest up
	Target int // server connections the measures ask for; 0: none

	begun    bool          // there has been an observation
	seen     time.Duration // when the last one was made
	sample   sample        // that is not complete yet
	verdict  verdict
	since    time.Duration // when the first sample of the verdict began, or the last step was made
	judged   sample        // what has been judged since
	eased    bool          // the last step ended a measure
	relapses int
}

// sample is some statements.
type sample struct {
	open             bool
	began            time.Duration
	statements, slow uint64
}

type verdict uint8

const (
	fine verdict = iota
	between
	slow
)

// Step is a measure that begins or ends.
type Step struct {
	Measure Measure
	Lane    pool.Lane // of Shed
	Target  int       // of Raise, that begins
	Begins  bool
	Reason  string
}

// Measure is what can be done.
type Measure uint8

// The measures.
const (
	Shed  Measure = iota // requests of a lane are refused
	Raise                // more server connections are kept open
)

func (m Measure) String() string { return [...]string{"shed", "raise"}[m] }

// String is the step as a line of a log.
func (s Step) String() string {
	switch {
	case s.Measure == Shed && s.Begins:
		return fmt.Sprintf("lane %v is shed", s.Lane)
	case s.Measure == Shed:
		return fmt.Sprintf("lane %v is admitted again", s.Lane)
	case s.Begins:
		return fmt.Sprintf("the target is raised to %d", s.Target)
	}
	return "the target is raised no more"
}

// Lanes are the n lowest lanes, the lowest first.
func Lanes(n int) []pool.Lane {
	var lanes []pool.Lane
	for i := range n {
		lanes = append(lanes, laneAt(i))
	}
	return lanes
}

// laneAt is the lane that is shed as number i.
func laneAt(i int) pool.Lane { return pool.Lane(pool.Lanes - 1 - i) }

// InForce reports whether there is a measure.
func (s State) InForce() bool { return s.Shed > 0 || s.Target > 0 }

// Decide is called again and again with what has happened since, and says what is to be done.
func Decide(s State, r Rules, o Observed, now time.Duration) (State, []Step) {
	if r.Shed < 0 || r.Shed > Sheddable {
		panic(fmt.Sprintf("bug: %d lanes to shed", r.Shed))
	}
	if r.Target == 0 {
		return s.endAll()
	}
	var steps []Step
	for s.Shed > r.Shed {
		steps = append(steps, s.admit("emergency.shed has been changed"))
	}
	s.observe(r, o, now)
	switch lasts, hold := now-s.since, r.Hold<<s.relapses; {
	case s.verdict == slow && lasts >= r.Window && s.judged.statements > 0:
		if step, ok := s.escalate(r, o, s.reason(r, now)); ok {
			if s.eased {
				s.relapses = min(s.relapses+1, relapsesMax)
			}
			s.stepped(now, false)
			steps = append(steps, step)
		}
	case s.verdict == fine && lasts >= hold && s.InForce():
		steps = append(steps, s.ease(s.reason(r, now)))
		s.stepped(now, true)
	case s.verdict == fine && lasts >= hold:
		s.eased, s.relapses = false, 0
	}
	return s, steps
}

// stepped begins to observe anew: what was before a step says nothing about it.
func (s *State) stepped(now time.Duration, eased bool) {
	s.since, s.eased = now, eased
	s.sample, s.judged = sample{}, sample{}
}

// observe adds an observation to the sample, and judges the sample when it is complete.
func (s *State) observe(r Rules, o Observed, now time.Duration) {
	if !s.begun {
		s.begun, s.seen, s.since = true, now, now
	}
	last := s.seen
	s.seen = now
	if !s.sample.open {
		s.sample = sample{open: true, began: last}
	}
	s.sample.statements += o.Statements
	s.sample.slow += o.Slow
	whole := s.sample
	whole.statements += uint64(o.Late)
	whole.slow += uint64(o.Late)
	silent := whole.statements == 0
	enough := float64(whole.statements)*r.SlowShare >= leastSlow
	if silent || enough || now-whole.began >= r.Window {
		s.judge(r.verdictOn(whole), whole)
		s.sample = sample{}
	}
}

func (r Rules) verdictOn(x sample) verdict {
	share := float64(x.slow) / float64(max(x.statements, 1))
	switch {
	case x.slow < leastSlow || share <= r.SlowShare*exitPart:
		return fine
	case share > r.SlowShare:
		return slow
	}
	return between
}

func (s *State) judge(v verdict, x sample) {
	if v != s.verdict {
		s.verdict, s.since, s.judged = v, x.began, sample{}
	}
	s.judged.statements += x.statements
	s.judged.slow += x.slow
}

// escalate begins the next measure, if there is one left.
func (s *State) escalate(r Rules, o Observed, reason string) (Step, bool) {
	if s.Shed < r.Shed {
		s.Shed++
		return Step{Measure: Shed, Lane: laneAt(s.Shed - 1), Begins: true, Reason: reason}, true
	}
	have := max(o.Target, s.Target)
	wanted := min(o.Max, have+max(1, have/raisePart))
	if wanted <= have {
		return Step{}, false
	}
	s.Target = wanted
	return Step{Measure: Raise, Target: wanted, Begins: true, Reason: reason}, true
}

// ease ends the last measure.
func (s *State) ease(reason string) Step {
	if s.Target > 0 {
		s.Target = 0
		return Step{Measure: Raise, Reason: reason}
	}
	return s.admit(reason)
}

func (s *State) admit(reason string) Step {
	s.Shed--
	return Step{Measure: Shed, Lane: laneAt(s.Shed), Reason: reason}
}

// endAll ends every measure and forgets what was observed.
func (s State) endAll() (State, []Step) {
	var steps []Step
	for s.InForce() {
		steps = append(steps, s.ease("emergency.statement_target is off"))
	}
	return State{}, steps
}

// reason is why something happens now.
func (s *State) reason(r Rules, now time.Duration) string {
	lasts := (now - s.since).Round(time.Second)
	if s.judged.statements == 0 {
		return fmt.Sprintf("no critical statements for %v", lasts)
	}
	share := 100 * float64(s.judged.slow) / float64(s.judged.statements)
	return fmt.Sprintf("%.1f%% of %d critical statements took longer than %v, for %v",
		share, s.judged.statements, r.Target, lasts)
}
