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

// erlangArrivals come more evenly than by chance.
func erlangArrivals(stages int) arrivals {
	return arrivals{fmt.Sprintf("erlang/%d", stages), 1 / float64(stages), func(r *rand.Rand) (float64, int) {
		return erlang(r, stages), 1
	}}
}

// bursts come one by one, with gaps that are hyperexponential.
func bursts(spread float64) arrivals {
	return arrivals{fmt.Sprintf("bursts/%v", spread), spread, func(r *rand.Rand) (float64, int) {
		return hyper(r, spread), 1
	}}
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

// fixedBatches are all of one size.
func fixedBatches(size int) arrivals {
	return arrivals{fmt.Sprintf("by %d", size), float64(size), func(r *rand.Rand) (float64, int) {
		return r.ExpFloat64() * float64(size), size
	}}
}

// constant has a spread of next to nothing, because nothing would be: not known.
func constant() services { return services{"constant", 1e-4, func(*rand.Rand) float64 { return 1 }} }

func exponential() services { return services{"exponential", 1, (*rand.Rand).ExpFloat64} }

func erlangService(stages int) services {
	return services{fmt.Sprintf("erlang/%d", stages), 1 / float64(stages), func(r *rand.Rand) float64 {
		return erlang(r, stages)
	}}
}

func hyperexponential(spread float64) services {
	return services{fmt.Sprintf("hyper/%v", spread), spread, func(r *rand.Rand) float64 { return hyper(r, spread) }}
}

func lognormal(spread float64) services {
	sigma := math.Sqrt(math.Log(1 + spread))
	return services{fmt.Sprintf("lognormal/%v", spread), spread, func(r *rand.Rand) float64 {
		return math.Exp(sigma*r.NormFloat64() - sigma*sigma/2)
	}}
}

func erlang(r *rand.Rand, stages int) float64 {
	sum := 0.0
	for range stages {
		sum += r.ExpFloat64()
	}
	return sum / float64(stages)
}

// hyper has mean 1 and the two halves of its mean come from few long ones and many short ones.
func hyper(r *rand.Rand, spread float64) float64 {
	p := (1 + math.Sqrt((spread-1)/(spread+1))) / 2
	if r.Float64() < p {
		return r.ExpFloat64() / (2 * p)
	}
	return r.ExpFloat64() / (2 * (1 - p))
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
