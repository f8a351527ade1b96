package tuner

import (
	"fmt"
	"time"
)

const (
	// longestSpan is how far apart observations may be to be one: a process that was stopped, a clock that jumped.
	longestSpan = 15 * time.Second
	// fullLeast is how long the load must have filled the limit before a trial begins.
	fullLeast = 2 * time.Second
	// pause is how long there is none after one that was given up. It doubles up to pausesMost times while the load
	// allows no result.
	pause      = 10 * time.Second
	pausesMost = 6
	// calmFirst is how soon after a size is found a shift of the level may open the search anew. It doubles up to calmMost
	// when the search has found the same size again.
	calmFirst = 30 * time.Second
	calmMost  = time.Hour
	// trialLeast is what a trial may always take: six pairs of a second.
	trialLeast = 15 * time.Second
	// trialMost ends a trial without a result: with transactions of a second it takes less than half of it.
	trialMost = 3 * time.Minute
	// againMost is how many times Rules.Again can become as long.
	againMost = 8
	// carefulStep is the largest step during an event, and while critical work is slow.
	carefulStep = 2
	// doubtful is how many times Rules.Tolerance more a size must have done in doubtSeconds to get another trial.
	doubtful     = 2
	doubtSeconds = 3
	// nearBy is how far from the size that is found what was not tried may be when the search has no more time: over a
	// factor of two, throughput changes less than the 10 % that are promised, unless it is a cliff.
	nearBy = 2
	// forget is what is left of the curve's weight when other statements come.
	forget = 0.02
)

// State is what was decided so far. Its zero value is a server of which nothing is known.
type State struct {
	// Limit is how many server connections requests may have at once from now on, all pools of the server together.
	Limit int
	// Size is the best one known; Limit differs from it while another one is tried.
	Size int
	// Found says that the search has ended with Size: its neighbours are worse, or no better. It stays while they are
	// checked.
	Found bool
	// Why nothing is tried now, for people to read; empty during a trial.
	Why string
	// Cost is what trials have cost.
	Cost Cost

	begun bool
	seen  time.Duration // when the last observation was made
	least int           // the safe limits Size was found within
	most  int

	// floor and ceiling bound the search: the largest smaller size that is known to be worse, and the smallest larger one
	// that is known to be no better.
	floor, ceiling bound
	down           bool    // where the last step went
	given          float64 // the part of throughput that has been given up for a smaller size so far, a logarithm
	noise          float64 // of pairs, a variance
	trial          trial
	spent          time.Duration // on trials of this search
	full           time.Duration // for which the load has filled the limit
	pauses         int           // trials that were given up because of the load
	from           time.Duration // when the next trial may begin
	before         int           // Size when the search began
	again          time.Duration // how long it is trusted
	checkUp        bool          // which neighbour is checked next
	checking       bool          // only neighbours are tried
	recalled       bool          // Size is remembered, and was not checked since
	doubted        bool          // a size that looked better has had another trial
	foundAt        time.Duration
	calm           time.Duration
	level          level
	curve          curve
}

// bound is a size, and which one it was compared with. Zero: there is none yet.
type bound struct{ size, by int }

// Cost is what trials have cost beside the size that held.
type Cost struct {
	Trials int `json:"trials"`
	// Away is how long candidates' limits were in force.
	Away time.Duration `json:"away_ns"`
	// Lost is how many transactions fewer ended meanwhile than at the size that held; negative: more did.
	Lost float64 `json:"lost"`
}

// Change is what a step changes.
type Change uint8

// The changes.
const (
	Begin  Change = iota // a trial begins
	Move                 // another size holds
	Stay                 // a trial has ended and the size holds
	GiveUp               // a trial has ended without a result
	Found                // the search has ended
	Reopen               // it begins anew
	Recall               // a size is remembered that was found before
	Off                  // the tuner does nothing any more
)

func (c Change) String() string {
	return [...]string{"begin", "move", "stay", "give up", "found", "reopen", "recall", "off"}[c]
}

// Step is something that was decided.
type Step struct {
	Change Change
	Size   int // that holds after it
	Other  int // Begin, Stay, GiveUp: the candidate; Move: the size that held before
	Reason string
}

// String is the step as a line of a log.
func (s Step) String() string {
	switch s.Change {
	case Begin:
		return fmt.Sprintf("size %d is tried beside %d", s.Other, s.Size)
	case Move:
		return fmt.Sprintf("size %d holds instead of %d", s.Size, s.Other)
	case Stay:
		return fmt.Sprintf("size %d stays, not %d", s.Size, s.Other)
	case GiveUp:
		return fmt.Sprintf("the trial of size %d is given up", s.Other)
	case Found:
		return fmt.Sprintf("size %d is found", s.Size)
	case Reopen:
		return fmt.Sprintf("size %d is searched from anew", s.Size)
	case Recall:
		return fmt.Sprintf("size %d is remembered", s.Size)
	}
	return fmt.Sprintf("the limit is %d", s.Size)
}

// decision is what Decide works on.
type decision struct {
	*State
	Rules
	seen  Observed
	now   time.Duration
	span  time.Duration // of the observation
	steps []Step
}

func (d *decision) say(c Change, other int, format string, args ...any) {
	d.steps = append(d.steps, Step{c, d.Size, other, fmt.Sprintf(format, args...)})
}

// Decide is called again and again with what has happened since, and says what the limit is from now on.
func Decide(s State, r Rules, o Observed, now time.Duration) (State, []Step) {
	r.check()
	d := &decision{State: &s, Rules: r, seen: o, now: now}
	if !r.On {
		d.end()
		return s, d.steps
	}
	d.begin()
	d.span, s.seen = now-s.seen, now
	switch why := d.unusable(); {
	case why != "":
		d.full, d.Why = 0, why
		d.giveUp(why)
	case d.trial.on:
		d.conduct()
	default:
		d.rest()
	}
	d.Limit = d.Size
	if d.trial.trying() {
		d.Limit = d.trial.candidate
	}
	return s, d.steps
}

// end forgets everything.
func (d *decision) end() {
	begun, limited := d.begun, d.Size != d.Max
	*d.State = State{Limit: d.Max, Size: d.Max, Why: "it is off"}
	if begun && limited {
		d.say(Off, 0, "the tuner is off")
	}
}

// begin starts with a size, and adapts to other safe limits.
func (d *decision) begin() {
	switch {
	case !d.begun:
		*d.State = State{begun: true, seen: d.now, Size: d.Start, noise: priorNoise * priorNoise, calm: calmFirst}
		if d.Start == 0 {
			d.Size = d.Max
		}
		d.least, d.most, d.Size = d.Min, d.Max, d.clamp(d.Size)
		d.search()
	case d.least != d.Min || d.most != d.Max:
		d.adapt()
	}
}

// adapt goes on within other safe limits. What is known stays as long as they do not matter to it: pools come and go. A
// size that was the largest allowed is so still: it was not the tuner who limited it.
func (d *decision) adapt() {
	size, matter := d.Rules.adapted(d.Size, d.least, d.most)
	d.least, d.most = d.Min, d.Max
	if !matter {
		if d.floor.size < d.Min {
			d.floor = bound{}
		}
		if d.ceiling.size > d.Max {
			d.ceiling = bound{}
		}
		if d.trial.on && d.clamp(d.trial.candidate) != d.trial.candidate {
			d.giveUp("it is not allowed any more")
		}
		return
	}
	d.trial.on = false
	d.Size = size
	d.search()
	d.say(Reopen, 0, "the safe limits are %d and %d now", d.Min, d.Max)
}

// adapted is what becomes of a size that was the best one between other limits, and whether they matter: if it is
// outside of the new ones, or there may be a better one beyond the old ones.
func (r Rules) adapted(size, least, most int) (adapted int, matter bool) {
	switch {
	case size == most && r.Max > most:
		return r.Max, true
	case size == least && r.Min < least:
		return r.clamp(size), true
	}
	return r.clamp(size), r.clamp(size) != size
}

// unusable says why an observation teaches nothing.
func (d *decision) unusable() string {
	switch {
	case d.seen.Failing:
		return "the server fails"
	case !d.seen.sound():
		return "what was observed is no number"
	case d.span <= 0 || d.span > longestSpan:
		return "nothing was observed for a while"
	}
	return ""
}

// forbidden says why no trial may be under way. During an event, and while critical work is too slow, one is needed
// only if the search has not ended and it may be the size that makes requests wait: because larger ones have never
// been tried, or because all there is goes too slowly.
func (d *decision) forbidden() string {
	needed := !d.Found && (d.ceiling.size == 0 && d.Size < d.Max || d.seen.Impaired)
	switch {
	case !d.Probe:
		return "trials are not allowed"
	case d.seen.Event != "" && !needed:
		return "no trials now: " + d.seen.Event
	case d.seen.Impaired && !needed:
		return "no trials while critical work is slow"
	}
	return ""
}

// unfilled is the commonest reason for no trial.
const unfilled = "the load does not fill the limit"

// rest is when there is no trial.
func (d *decision) rest() {
	full := d.seen.fills(d.Size)
	d.curve.learn(d.seen, d.span, d.Memory, full)
	if !full {
		d.full, d.Why = 0, unfilled
		return
	}
	d.full += d.span
	quiet := d.seen.Event != "" && !d.seen.Impaired && !d.recalled
	calm := d.now-d.foundAt < d.calm || quiet || !d.Probe
	if d.Found && d.level.watch(d.seen, d.span) && !calm {
		d.reopen()
	}
	d.Why = d.forbidden()
	if d.Why == "" && d.Found && d.now-d.foundAt < d.again {
		d.Why = "the size is found, and trusted for a while"
	}
	if d.Why == "" && (d.full < fullLeast || d.now < d.from) {
		d.Why = "a trial begins soon"
	}
	if d.Why != "" {
		return
	}
	if d.Found {
		d.check()
	}
	d.next()
}
