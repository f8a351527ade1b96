package staffing

import (
	"math"
	"sort"
	"time"
)

// What loads are taken for, whatever was measured.
const (
	// MaxConnections is the most server connections that are considered.
	MaxConnections = 10_000
	// maxSpread bounds both spreads: beyond it, it is not the traffic that was measured but an accident.
	maxSpread = 50
	// doubt is by how much the share of late requests may be more than the formulas say: Connections aims that much
	// lower. See the package's comment.
	doubt = 1.5
	// leastArrivalSpread is that of clients who take turns.
	leastArrivalSpread = 0.1
)

// DefaultGoal is what usher promises.
var DefaultGoal = Goal{Utilisation: 0.8, Wait: 10 * time.Millisecond, Share: 0.01}

// Connections is the smallest number of server connections with which the goal is met beyond doubt, at most limit,
// which it is also when even that many do not meet it. No load needs none.
func Connections(load Load, goal Goal, limit int) int {
	load = load.sane()
	limit = min(limit, MaxConnections)
	if load.Offered == 0 || limit <= 0 {
		return 0
	}
	least := 1
	if goal.Utilisation > 0 {
		least = int(min(math.Ceil(load.Offered/goal.Utilisation-1e-9), MaxConnections))
	}
	least = max(least, 1)
	if least >= limit {
		return limit
	}
	// Late falls with every connection, mostly soon: look near before far.
	c, share := load.curve(goal.Wait), goal.Share
	if share < 1 {
		share /= doubt
	}
	if c.late(least) <= share {
		return least
	}
	reach := 1
	for least+reach < limit && c.late(least+reach) > share {
		least, reach = least+reach, 2*reach
	}
	most := min(least+reach, limit) // meets the goal, or is the limit
	return least + 1 + sort.Search(most-least-1, func(i int) bool { return c.late(least+1+i) <= share })
}

// Late is which part of the requests waits longer than that with so many server connections: 1 if they cannot do it.
func Late(load Load, connections int, wait time.Duration) float64 {
	return load.sane().curve(wait).late(min(connections, MaxConnections))
}

// sane is the load with values that can be reckoned with. What is not known has become what is usual.
func (l Load) sane() Load {
	if !(l.Offered > 0) {
		l.Offered = 0
	}
	l.Offered = min(l.Offered, MaxConnections)
	l.Service = max(l.Service, 0)
	l.ArrivalSpread = max(spread(l.ArrivalSpread), leastArrivalSpread)
	l.ServiceSpread = spread(l.ServiceSpread)
	return l
}

// spread is 1 if it is not known.
func spread(x float64) float64 {
	if !(x > 0) {
		return 1
	}
	return min(x, maxSpread)
}

// curve is how the share of late requests falls with the number of connections.
type curve struct {
	offered    float64
	peakedness float64
	drain      float64 // by how much each spare connection shortens waits: a rate, times the wait
}

// curve is that of a load that is sane. Without a service time, who waits is taken to wait too long.
func (l Load) curve(wait time.Duration) curve {
	c := curve{offered: l.Offered, peakedness: l.peakedness()}
	if l.Service > 0 && wait > 0 {
		services := wait.Seconds() / l.Service.Seconds()
		c.drain = 2 * services / (l.ArrivalSpread + l.spreadSeen(services))
	}
	return c
}

// late is which part of the requests is late.
func (c curve) late(connections int) float64 {
	if c.offered == 0 {
		return 0
	}
	spare := float64(connections) - c.offered
	if spare <= 0 {
		return 1
	}
	return busy(c.offered, connections, c.peakedness) * math.Exp(-spare*c.drain)
}

// Fitted to simulations by hand of a program that tried; what they are for is said where they are used.
const (
	mixing      = 0.6
	seenAtOnce  = 0.88
	seenLess    = 0.62
	seenLater   = 0.48
	seenPower   = 1.25
	smoothLeast = 1.4
)

// peakedness is variance over mean of how many connections would be taken if there were no end of them. A batch is
// thinned out while its requests end at different times, the more so the more their lengths differ: with constant
// service times the peakedness is the arrivals' spread, with exponential ones it is halfway from 1 to it. Small loads
// see little of arrivals that are smoother than chance.
func (l Load) peakedness() float64 {
	together := 1 / (1 + math.Pow(l.ServiceSpread, mixing))
	if l.ArrivalSpread < 1 {
		together *= l.Offered / (l.Offered + smoothLeast)
	}
	return 1 + (l.ArrivalSpread-1)*together
}

// spreadSeen is the service spread that a wait of so many services sees: on the way from 1 to all of it.
func (l Load) spreadSeen(services float64) float64 {
	atOnce := seenAtOnce / (1 + seenLess*l.ServiceSpread)
	later := seenLater * math.Pow(services, seenPower)
	return 1 + (l.ServiceSpread-1)*(atOnce+later)/(1+later)
}

// busy is which part of the requests finds all c connections taken, when they keep one for exponential times and
// arrive in batches of geometric sizes, such that z is the peakedness of an endless pool: exact then, Erlang's C for
// z = 1.
//
// In the balance of the flows up and down between n and n+1 taken connections, U(n) = Σ p(k) q^(n−k) over k ≤ n is
// what batches that began at k contribute, with q the chance that a batch goes on. A request of a batch finds those
// there before it and those of its own batch, so that U is also what requests see. From c on, everything is geometric.
// z below 1 makes q negative, which has no meaning but that of the formulas: Engset's loads are such.
func busy(offered float64, c int, z float64) float64 {
	q := (z - 1) / z
	u, sum := 1.0, 1.0
	for n := range c {
		p := offered * (1 - q) * u / float64(n+1)
		u = max(q*u+p, 0)
		sum += p
		if sum > 1e200 {
			u, sum = u/sum, 1
		}
	}
	rest := (1 - q) * (1 - offered/float64(c)) // 1 − the ratio of the geometric part
	sum += offered / float64(c) * (1 - q) * u / rest
	return min(u*(1-q)/rest/sum, 1)
}
