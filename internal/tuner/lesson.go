package tuner

import (
	"math"
	"time"
)

// Lesson is what a search has found, to be remembered when the State ends: at a restart, for one. Whoever begins with
// it need not search from the largest size, with all that this costs, each time.
type Lesson struct {
	Size int `json:"size"` // 0: nothing was found
	// Rate is how many transactions a second Size did while the load filled it; 0: not known.
	Rate float64 `json:"rate,omitempty"`
	// Min and Max are the safe limits it was found within.
	Min int `json:"min"`
	Max int `json:"max"`
}

// Lesson is what has been found so far; its Size is 0 if nothing has.
func (s State) Lesson() Lesson {
	if !s.Found {
		return Lesson{}
	}
	l := Lesson{Size: s.Size, Min: s.least, Max: s.most}
	if s.level.seconds > levelLeast.Seconds() {
		l.Rate = math.Exp(s.level.slow)
	}
	return l
}

// possible reports whether there is anything in a lesson, and it is one.
func (l Lesson) possible() bool {
	return l.Size >= 1 && l.Min <= l.Size && l.Size <= l.Max && l.Max <= MostConnections && finite(l.Rate) && l.Rate >= 0
}

// Resume is the state to begin with when a lesson is remembered. Its size holds at once, but it is a memory: server,
// machine and statements may be others by now. As soon as the load fills it, both neighbours are checked, and from then
// on, or during an event at once, the search begins anew if the same number of connections does much more or less than
// it did. If other safe limits matter to it, it is no more than where a search begins.
func Resume(l Lesson, r Rules, now time.Duration) (State, []Step) {
	r.check()
	if !r.On || !l.possible() {
		return State{}, nil
	}
	size, matter := r.adapted(l.Size, l.Min, l.Max)
	r.Start = size
	s := State{}
	d := &decision{State: &s, Rules: r, now: now}
	d.begin()
	d.Limit = d.Size
	if matter {
		d.say(Recall, 0, "%d was found between %d and %d, and is searched from between %d and %d", l.Size, l.Min, l.Max,
			d.Min, d.Max)
		return s, d.steps
	}
	d.Found, d.recalled, d.foundAt, d.checkUp = true, true, now-d.again, true
	if l.Rate > 0 {
		rate := math.Log(l.Rate)
		d.level = level{quick: rate, slow: rate, seconds: levelSlow.Seconds()}
	}
	d.say(Recall, 0, "it was found before, and is checked as soon as the load fills it")
	return s, d.steps
}
