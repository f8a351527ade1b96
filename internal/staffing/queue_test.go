package staffing

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// The queue that the formulas are checked against: requests come, the first free server connection takes the one that
// has waited longest. It is simulated request by request, and knows nothing of the formulas.

// arrivals are a stream: how long after the last ones the next come, in mean distances, and how many at once.
type arrivals struct {
	name   string
	spread float64
	next   func(r *rand.Rand) (gap float64, many int)
}

// services are a distribution of mean 1.
type services struct {
	name   string
	spread float64
	next   func(r *rand.Rand) float64
}

func poisson() arrivals {
	return arrivals{"poisson", 1, func(r *rand.Rand) (float64, int) { return r.ExpFloat64(), 1 }}
}

// geometric batches come all at once.
func geometricBatches(spread float64) arrivals {
	mean := (spread + 1) / 2
	return arrivals{fmt.Sprintf("batches/%v", spread), spread, func(r *rand.Rand) (float64, int) {
		many := 1
		for r.Float64() > 1/mean {
			many++
		}
		return r.ExpFloat64() * mean, many
	}}
}

// constant has a spread of next to nothing, because nothing would be: not known.
func constant() services { return services{"constant", 1e-4, func(*rand.Rand) float64 { return 1 }} }

func exponential() services { return services{"exponential", 1, (*rand.Rand).ExpFloat64} }

func lognormal(spread float64) services {
	sigma := math.Sqrt(math.Log(1 + spread))
	return services{fmt.Sprintf("lognormal/%v", spread), spread, func(r *rand.Rand) float64 {
		return math.Exp(sigma*r.NormFloat64() - sigma*sigma/2)
	}}
}

// queue is what is simulated.
type queue struct {
	arrivals    arrivals
	services    services
	offered     float64
	connections int
	service     time.Duration
}

func (q queue) String() string {
	return fmt.Sprintf("%s arrivals, %s service of %v, offered %.4g, %d connections",
		q.arrivals.name, q.services.name, q.service, q.offered, q.connections)
}

func (q queue) load() Load {
	return Load{
		Offered: q.offered, Service: q.service,
		ArrivalSpread: q.arrivals.spread, ServiceSpread: q.services.spread,
	}
}

// late is which part of n requests waits longer than limit, once the queue has settled.
func (q queue) late(limit time.Duration, n int, r *rand.Rand) float64 {
	free := make([]float64, q.connections) // a heap: when each connection is free, in service times
	wait := limit.Seconds() / q.service.Seconds()
	now, late, warm := 0.0, 0, n/10
	for i := 0; i < n+warm; {
		gap, many := q.arrivals.next(r)
		now += gap / q.offered
		for range many {
			start := max(now, free[0])
			if i++; i > warm && start-now > wait {
				late++
			}
			free[0] = start + q.services.next(r)
			sink(free)
		}
	}
	return float64(late) / float64(n)
}

// sink restores the heap whose first element has grown.
func sink(heap []float64) {
	i, x := 0, heap[0]
	for {
		child := 2*i + 1
		if child >= len(heap) {
			break
		}
		if child+1 < len(heap) && heap[child+1] < heap[child] {
			child++
		}
		if heap[child] >= x {
			break
		}
		heap[i] = heap[child]
		i = child
	}
	heap[i] = x
}
