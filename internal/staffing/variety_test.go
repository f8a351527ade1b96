//go:build integration

package staffing

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// What only the grid has of queues.

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

// fixedBatches are all of one size.
func fixedBatches(size int) arrivals {
	return arrivals{fmt.Sprintf("by %d", size), float64(size), func(r *rand.Rand) (float64, int) {
		return r.ExpFloat64() * float64(size), size
	}}
}

func erlangService(stages int) services {
	return services{fmt.Sprintf("erlang/%d", stages), 1 / float64(stages), func(r *rand.Rand) float64 {
		return erlang(r, stages)
	}}
}

func hyperexponential(spread float64) services {
	return services{fmt.Sprintf("hyper/%v", spread), spread, func(r *rand.Rand) float64 { return hyper(r, spread) }}
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
