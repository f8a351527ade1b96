package crowd

import (
	"math"
	"math/rand/v2"
	"time"
)

// Arrivals is a Poisson process whose rate changes along points: the times between arrivals are drawn, not chosen, as
// those of independent people are. The same seed gives the same times.
type Arrivals struct {
	random *rand.Rand
	points []Point
	at     time.Duration // of the last arrival
}

// NewArrivals is a process that has not begun. Before the first point and behind the last there are none.
func NewArrivals(seed, stream uint64, points []Point) *Arrivals {
	a := &Arrivals{random: rand.New(rand.NewPCG(seed, stream)), points: points}
	if len(points) > 0 {
		a.at = points[0].At
	}
	return a
}

// Next is the time of the next arrival; ok is false when there are no more.
//
// The number of arrivals until t is a Poisson process of rate 1 in the integral of the rate until t, so the next one
// comes when the integral has grown by an exponentially distributed amount.
func (a *Arrivals) Next() (at time.Duration, ok bool) {
	amount := a.random.ExpFloat64()
	for len(a.points) > 1 {
		from, to := a.points[0], a.points[1]
		length := (to.At - from.At).Seconds()
		slope := (to.Rate - from.Rate) / length
		done := (a.at - from.At).Seconds()
		rate := from.Rate + slope*done
		if left := (rate + to.Rate) / 2 * (length - done); amount >= left {
			amount -= left
			a.at, a.points = to.At, a.points[1:]
			continue
		}
		// The root of slope/2·x² + rate·x = amount, in the form that holds for a slope of zero too.
		x := 2 * amount / (rate + math.Sqrt(max(0, rate*rate+2*slope*amount)))
		a.at = min(to.At, a.at+time.Duration(x*float64(time.Second)))
		return a.at, true
	}
	return 0, false
}
