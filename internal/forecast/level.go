package forecast

import (
	"math"
	"slices"
	"time"
)

// level is how much there is of everything, by the logarithm, as it could be known at each slot.
type level struct {
	// slow and fast are what is remembered of a week and of a day, before the slot of the index and after the last.
	slow, fast []float64
	// shifted is when the level last moved for good, by a factor.
	shifted time.Time
	factor  float64
}

// Half-lives of the two speeds, in slots.
const (
	halfSlow = 7 * cellsDay
	halfFast = cellsDay
)

const (
	// fastPart is how much of the difference between today and the week is expected of the next moment, and fastLasts
	// after which time a third of that is left.
	fastPart  = 0.5
	fastLasts = 24 * time.Hour
	// hampel is by how many usual deviations a residual may move the level.
	hampel = 3.0
	// shiftDrift and shiftAt are the slack and the threshold of the CUSUM over daily residuals, in usual deviations.
	shiftDrift, shiftAt = 0.5, 5.0
	// leastDaily is the least usual deviation of a day: less is not worth a shift.
	leastDaily = 0.04
)

// quietFrom is the multiple up to which what events bring says nothing against using a slot for the level.
const quietFrom = 1.1

// newLevel follows residuals through time: of slots without events, and, once multiples are learned, of those to which
// events bring little.
func newLevel(g *grid, w *week, multiple []float64) *level {
	n := len(g.value)
	l := &level{slow: make([]float64, n+1), fast: make([]float64, n+1)}
	if n == 0 {
		return l
	}
	f := follower{dev: 0.2, daily: leastDaily * 2}
	keepSlow, keepFast := math.Exp2(-1.0/halfSlow), math.Exp2(-1.0/halfFast)
	var day []float64
	for i, v := range g.value {
		l.slow[i], l.fast[i] = f.slow, f.fast
		if i > 0 && g.cells[i].day() != g.cells[i-1].day() {
			if f.endDay(day) {
				l.shifted, l.factor = (g.first + slot(i)).time(), math.Exp(f.slow-l.slow[i])
			}
			day = day[:0]
		}
		if math.IsNaN(v) || g.still[i] || g.event[i] && (multiple == nil || multiple[i] > quietFrom) {
			continue
		}
		if g.event[i] {
			v /= multiple[i]
		}
		r := w.log(v) - w.log(w.cells[g.cells[i]])
		if g.cut[i] && r < f.fast {
			continue
		}
		day = append(day, r)
		f.step(r, keepSlow, keepFast)
	}
	l.slow[n], l.fast[n] = f.slow, f.fast
	return l
}

// follower is the level's memory on its way.
type follower struct {
	slow, fast float64
	seen       float64 // slots, up to where the half-lives are the slower
	dev        float64 // usual deviation of a residual
	daily      float64 // and of a day's
	up, down   float64 // CUSUM
	recent     []float64
}

func (f *follower) step(r, keepSlow, keepFast float64) {
	f.seen++
	d := r - f.fast
	f.dev += (min(math.Abs(d), 4*f.dev) - f.dev) / min(f.seen+10, halfSlow)
	bound := hampel * 1.25 * max(f.dev, 0.02) // the mean deviation times 1.25 is the standard deviation
	keep := func(k float64) float64 { return min(k, 1-1/f.seen) }
	f.fast += clip(d, bound) * (1 - keep(keepFast))
	f.slow += clip(r-f.slow, bound) * (1 - keep(keepSlow))
}

// endDay looks for a shift, and says whether there was one: then the past says nothing any more.
func (f *follower) endDay(day []float64) bool {
	if len(day) < cellsDay/4 {
		return false
	}
	slices.Sort(day)
	d := day[len(day)/2]
	f.recent = append(f.recent, d)
	if len(f.recent) <= 7 {
		return false
	}
	f.recent = f.recent[len(f.recent)-8:]
	off := d - f.slow
	f.up = max(0, f.up+off/f.daily-shiftDrift)
	f.down = max(0, f.down-off/f.daily-shiftDrift)
	if max(f.up, f.down) < shiftAt {
		f.daily = max(leastDaily, f.daily+(min(math.Abs(off), 3*f.daily)*1.25-f.daily)/14)
		return false
	}
	last := (f.recent[6] + f.recent[7]) / 2
	if math.Abs(last-f.slow) < 2*f.daily {
		f.up, f.down = 0, 0
		return false
	}
	f.slow, f.fast, f.up, f.down = last, last, 0, 0
	f.seen = min(f.seen, 2*cellsDay)
	return true
}

// at is the level that is expected for a time ahead, as known before the slot of the index.
func (l *level) at(i int, ahead time.Duration) float64 {
	return math.Exp(l.slow[i] + fastPart*math.Exp(-ahead.Hours()/fastLasts.Hours())*(l.fast[i]-l.slow[i]))
}

// all are the levels of each slot as they were known to be: what was observed is divided by them.
func (l *level) all() []float64 {
	all := make([]float64, len(l.slow)-1)
	for i := range all {
		// What came just after is known by now, and tells of a shift before it is one.
		all[i] = math.Exp((l.slow[i] + l.slow[min(i+halfFast, len(l.slow)-1)]) / 2)
	}
	return all
}
