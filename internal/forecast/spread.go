package forecast

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Residuals are kept apart by what they are of. A class is a time of day without events, or a multiple of what is
// usual.
const (
	classDay    = 4 // quarters of the day
	classMild   = classDay
	classStrong = classDay + 1
	classes     = classDay + 2
)

// mildFrom and strongFrom are the multiples from which a time is of these classes.
const mildFrom, strongFrom = 1.1, 1.5

func classOf(local time.Time, multiple float64) int {
	switch {
	case multiple >= strongFrom:
		return classStrong
	case multiple >= mildFrom:
		return classMild
	}
	return local.Hour() / (24 / classDay)
}

// Horizons are how far ahead.
const horizons = 3

// horizonEnds are where horizons end, and horizonLags what stands for them when the past is looked at.
var (
	horizonEnds = [horizons - 1]time.Duration{6 * time.Hour, 72 * time.Hour}
	horizonLags = [horizons]time.Duration{2 * time.Hour, 36 * time.Hour, 7 * 24 * time.Hour}
)

func horizonOf(ahead time.Duration) int {
	for i, end := range horizonEnds {
		if ahead < end {
			return i
		}
	}
	return horizons - 1
}

// spread is what was off in the past: sorted logarithms of demand over forecast, by width, horizon and class.
type spread struct {
	small float64
	off   [2][horizons][classes][]float64
	all   [2][horizons][]float64
	// least is the least logarithm of the upper 95% factor: what was seen once was never forecast.
	least float64
	// error is the weighted absolute percentage error without events a day ahead, as a fraction.
	error float64
}

// Residuals are taken from spreadDays; at most spreadMost buckets of them, evenly.
const (
	spreadDays = 56
	spreadMost = 4000
	// eventsTaught is what the forecast of past events owes to having seen them: parameters, in events.
	eventsTaught = 3.0
	// borrow is how many residuals of a class count as much as all others together.
	borrow = 60.0
	// leastSpread is the least logarithm of the upper 95% factor after a week of history. It shrinks with the square of
	// its length.
	leastSpread = 0.3
)

// newSpread forecasts the recent past as it would have been, but for what is usual, which has seen it.
func (m *model) newSpread() *spread {
	s := &spread{small: m.week.small, least: leastSpread / sqr(max(1, m.grid.days()/7))}
	g := m.grid
	oldest := m.in.Now.AddDate(0, 0, -spreadDays)
	from, _ := slices.BinarySearchFunc(g.buckets, oldest, func(o observed, t time.Time) int {
		return cmp.Compare(o.start, t.Unix())
	})
	recent := g.buckets[from:]
	every := 1 + len(recent)/spreadMost
	missed, total := 0.0, 0.0
	for i := range recent {
		if i%every != 0 {
			continue
		}
		b := &recent[i]
		m.residuals(s, 0, b.time(), time.Duration(b.width)*time.Second, b.mean, b.cut, &missed, &total)
	}
	for i := 0; i+4 <= len(g.value); i += 4 {
		start := (g.first + slot(i)).time()
		mean := (g.value[i] + g.value[i+1] + g.value[i+2] + g.value[i+3]) / 4
		if start.Before(oldest) || math.IsNaN(mean) {
			continue
		}
		cut := g.cut[i] || g.cut[i+1] || g.cut[i+2] || g.cut[i+3]
		m.residuals(s, 1, start, time.Hour, mean, cut, &missed, &total)
	}
	for w := range s.off {
		for h := range horizons {
			for c := range classes {
				slices.Sort(s.off[w][h][c])
			}
			slices.Sort(s.all[w][h])
		}
	}
	if total > 0 {
		s.error = missed / total
	}
	return s
}

// residuals of one bucket or hour, for each horizon.
func (m *model) residuals(s *spread, wide int, start time.Time, width time.Duration, demand float64, cut bool,
	missed, total *float64,
) {
	middle := start.Add(width / 2)
	at := int(slotAt(middle) - m.grid.first)
	if at < 0 || at >= len(m.grid.value) || m.grid.still[at] || math.IsNaN(m.grid.value[at]) {
		return
	}
	local := middle.In(m.zone)
	for h, lag := range horizonLags {
		known := max(0, at-int(lag.Seconds()/slotSeconds))
		if known < cellsDay {
			continue
		}
		o := m.mean(start, width, lag, known)
		if cut && demand < o.demand {
			continue
		}
		r := math.Log((demand + s.small) / (o.demand + s.small))
		class := classOf(local, Ratio(o.demand, o.base))
		seen := m.week.seen[m.grid.cells[at]]
		r *= math.Sqrt(1 + 1.57/max(seen, 1)) // the variance of a median of so many
		if class >= classMild && m.grid.event[at] {
			r *= math.Sqrt(1 + eventsTaught/max(float64(m.eventsNear(middle)), 1))
		}
		s.off[wide][h][class] = append(s.off[wide][h][class], r)
		s.all[wide][h] = append(s.all[wide][h], r)
		if h == 1 && !m.grid.event[at] {
			*missed += math.Abs(demand - o.demand)
			*total += demand
		}
	}
}

// eventsNear is how often what happens at a time was seen.
func (m *model) eventsNear(t time.Time) int {
	n := 0
	m.hs.around(slots(t), func(h *happening) { n = max(n, m.hs.parts[h.part].seen) })
	return n
}

// mean is the mean of moments over a stretch of time.
func (m *model) mean(start time.Time, width, ahead time.Duration, known int) moment {
	const step = slotSeconds * time.Second
	if width <= step {
		return m.at(start.Add(width/2), ahead, known)
	}
	n := int(width / step)
	sum := moment{sure: true}
	for i := range n {
		o := m.at(start.Add(time.Duration(i)*step+step/2), ahead, known)
		sum.demand += o.demand / float64(n)
		sum.base += o.base / float64(n)
		sum.sure, sum.bound = sum.sure && o.sure, sum.bound || o.bound
		if i == n/2 {
			sum.prior, sum.seen = o.prior, o.seen
		}
	}
	return sum
}

// Ratio is demand over what is usual: 1 where nothing is usual and nothing comes.
func Ratio(demand, base float64) float64 {
	switch {
	case base > 0:
		return min(demand/base, mostMultiple)
	case demand > 0:
		return mostMultiple
	}
	return 1
}

// factor is by what a forecast is multiplied for a quantile, before the small part is taken off again.
func (s *spread) factor(wide, horizon, class int, q float64) float64 {
	for horizon > 0 && len(s.all[wide][horizon]) < borrow {
		horizon-- // history is too short to have been forecast from so far away
	}
	own, all := s.off[wide][horizon][class], s.all[wide][horizon]
	log := 0.0
	if len(all) > 0 {
		trust := float64(len(own)) / (float64(len(own)) + borrow)
		log = (1 - trust) * quantileOf(all, q)
		if len(own) > 0 {
			log += trust * quantileOf(own, q)
		}
	}
	if least := s.least * math.Erfinv(2*q-1) / math.Erfinv(0.9); q > 0.5 {
		log = max(log, least)
	} else {
		log = min(log, least)
	}
	return math.Exp(log)
}

func quantileOf(sorted []float64, q float64) float64 {
	place := q * float64(len(sorted)-1)
	low := int(place)
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	part := place - float64(low)
	return sorted[low]*(1-part) + sorted[low+1]*part
}
