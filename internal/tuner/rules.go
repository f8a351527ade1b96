package tuner

import (
	"fmt"
	"math"
	"time"
)

// What usher does unless told otherwise.
const (
	// DefaultStep finds a size from 2 up to 100 or back in two or three steps.
	DefaultStep = 4.0
	// DefaultTolerance is less than what can be told apart on a noisy machine in a reasonable time, and far from the 10 %
	// that the search promises.
	DefaultTolerance = 0.04
	// DefaultLongest is enough for a dozen pairs of a second.
	DefaultLongest = 30 * time.Second
	// DefaultSearch and the trial under way then end within three minutes. Most searches take half of it.
	DefaultSearch = 150 * time.Second
	// DefaultAgain makes what checks cost small: half of some 20 seconds in 10 minutes are spent at a neighbouring size.
	DefaultAgain = 10 * time.Minute
	// DefaultMemory forgets in some days of load, not in a quiet night: only time with load counts.
	DefaultMemory = 6 * time.Hour
)

// MostConnections bounds Rules.Max. PostgreSQL's max_connections is rarely beyond a tenth of it.
const MostConnections = 1 << 14

// Rules is what an operator decides about one database server.
type Rules struct {
	// On: the server is observed and has a limit. Else the limit is Max and all is forgotten.
	On bool
	// Probe: sizes may be tried out. Else the size that was found stays, and the curve shows what load brings by itself.
	Probe bool
	// Min and Max are the safe limits: no other limit is ever asked for. 1 ≤ Min ≤ Max ≤ MostConnections.
	Min, Max int
	// Start is the size to begin with. 0: Max, which is how it was without a tuner.
	Start int
	// Step is how many times as large or as small as the size that holds a trial may be, more than 1. The next size up or
	// down is always possible, and one that has been seen to do more.
	Step float64
	// Tolerance is what four times as many connections must do more to be preferred, as a part; in proportion (to the
	// logarithm) for fewer. More than 0 and less than 1.
	Tolerance float64
	// Longest is how long a trial may take, and Search about how long all of a search: the longer it has lasted, the
	// sooner its trials are decided by what is known, and then it ends with a size whose bounds are near.
	Longest, Search time.Duration
	// Again is how long a found size is trusted before its neighbours are checked. It doubles when nothing has changed.
	Again time.Duration
	// Memory is the time with load after which the curve's knowledge counts half.
	Memory time.Duration
}

// Standard are the default rules within safe limits.
func Standard(least, most int) Rules {
	return Rules{
		On: true, Probe: true, Min: least, Max: most,
		Step: DefaultStep, Tolerance: DefaultTolerance,
		Longest: DefaultLongest, Search: DefaultSearch, Again: DefaultAgain, Memory: DefaultMemory,
	}
}

// check panics if the rules cannot be; who reads them from a file checks them before.
func (r Rules) check() {
	if r.Min < 1 || r.Max < r.Min || r.Max > MostConnections {
		panic(fmt.Sprintf("bug: limits of %d and %d", r.Min, r.Max))
	}
	if !(r.Step > 1) || !(r.Tolerance > 0 && r.Tolerance < 1) ||
		min(r.Longest, r.Search, r.Again, r.Memory) <= 0 {
		panic(fmt.Sprintf("bug: step %v, tolerance %v, times %v, %v, %v and %v",
			r.Step, r.Tolerance, r.Longest, r.Search, r.Again, r.Memory))
	}
}

// clamp is n within the safe limits.
func (r Rules) clamp(n int) int { return max(r.Min, min(n, r.Max)) }

// Observed is what has happened at a database server since the last time, over all its pools.
type Observed struct {
	// Completed are transactions that ended and gave their server connection back.
	Completed uint64
	// Held is for how long these kept it, together.
	Held time.Duration
	// Busy and Waiting are the server connections in use and the requests that wait for one, on average over the time.
	Busy, Waiting float64

	Event    string // a spike that is near or now, for people to read; empty: none
	Impaired bool   // critical work is too slow
	Failing  bool   // the server is down, is held, or answers with errors: what is seen says nothing
}

// sound reports whether the numbers are numbers.
func (o Observed) sound() bool {
	return finite(o.Busy) && finite(o.Waiting) && o.Busy >= 0 && o.Waiting >= 0 && o.Held >= 0
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// fills reports whether requests have what the limit gives and want more. When they do not, a larger size would
// be no different, and a smaller one would only make them wait.
func (o Observed) fills(limit int) bool {
	return o.Busy >= fullShare*float64(limit) && o.Waiting >= leastWaiting
}

const (
	// fullShare of a limit in use is all of it: handing over takes time, and so does opening.
	fullShare = 0.85
	// leastWaiting is less than one who always waits, as there is in a closed loop of one client too many.
	leastWaiting = 0.2
)
