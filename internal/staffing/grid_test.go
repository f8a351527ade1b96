//go:build integration && !race

package staffing

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// gridRequests is how many requests of each queue are simulated.
const gridRequests = 400_000

// Shares that matter: much less is fine, and much more is not, whatever the number.
const leastMeant, mostMeant = 0.005, 0.5

// point is a queue with what became of it.
type point struct {
	queue
	simulated, predicted float64
}

// factor is by how much the prediction is wrong, above 1 if it is too careful.
func (p point) factor() float64 { return max(p.predicted, 1e-9) / p.simulated }

func (p point) String() string {
	return fmt.Sprintf("%v: %.4f are late, predicted %.4f", p.queue, p.simulated, p.predicted)
}

// fixed is always the same: what is compared is close to what is promised, and chance would sometimes be beyond.
func fixed() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// TestGrid: for arrivals in batches the predicted share of late requests is within a factor of 1.5 of the simulated
// one. Hyperexponential gaps have the same spread and are seldom as bad: they are only reported.
func TestGrid(t *testing.T) {
	points := solve(grid(
		[]arrivals{
			poisson(), erlangArrivals(2), geometricBatches(2), geometricBatches(4), fixedBatches(3), bursts(2), bursts(4),
		},
		[]services{constant(), erlangService(2), exponential(), lognormal(2), hyperexponential(4), lognormal(4)},
		[]int{2, 5, 10, 30, 100}, []float64{0.5, 0.65, 0.8},
		[]time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond},
	), fixed())
	for _, a := range []string{
		"poisson", "erlang/2", "batches/2", "batches/4", "by 3", "bursts/2", "bursts/4",
	} {
		report(t, a, points)
	}
}

// report logs a row for arrivals, and fails if more than one in twenty of its points is outside, or one by far.
func report(t *testing.T, name string, points []point) {
	var factors []float64
	outside, worst := 0, point{}
	for _, p := range points {
		if p.arrivals.name != name || p.simulated < leastMeant || p.simulated > mostMeant {
			continue
		}
		f := p.factor()
		factors = append(factors, f)
		if max(f, 1/f) > 1.5 {
			outside++
		}
		if worst.simulated == 0 || math.Abs(math.Log(f)) > math.Abs(math.Log(worst.factor())) {
			worst = p
		}
	}
	slices.Sort(factors)
	at := func(share float64) float64 { return factors[int(share*float64(len(factors)-1))] }
	t.Logf("%-10s %3d points, %2d outside 1.5; factor min %.2f, 5%% %.2f, median %.2f, 95%% %.2f, max %.2f; worst: %v",
		name, len(factors), outside, at(0), at(0.05), at(0.5), at(0.95), at(1), worst)
	if name == "bursts/2" || name == "bursts/4" {
		return
	}
	if outside*20 > len(factors) || at(0) < 0.25 || at(1) > 2.5 {
		t.Errorf("%s: %d of %d points are outside a factor of 1.5", name, outside, len(factors))
	}
}

// TestTheQueueNeedsNoMore: the recommended number is at least the one that the simulated queue needs, less one.
func TestTheQueueNeedsNoMore(t *testing.T) {
	random, over := fixed(), map[int]int{}
	loads := grid(
		[]arrivals{poisson(), erlangArrivals(2), geometricBatches(2), geometricBatches(4), fixedBatches(3), bursts(4)},
		[]services{constant(), exponential(), hyperexponential(2), lognormal(4)},
		[]int{1}, []float64{0.8, 2, 6, 20, 60},
		[]time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond},
	)
	for i := range loads {
		loads[i].connections = Connections(loads[i].load(), DefaultGoal, MaxConnections)
	}
	needed := each(loads, random, func(q queue, r *rand.Rand) int {
		n := gridRequests / 2
		meets := func(c int) bool {
			q.connections = c
			return q.offered/float64(c) <= DefaultGoal.Utilisation+1e-9 &&
				q.late(DefaultGoal.Wait, n, r) <= DefaultGoal.Share
		}
		c := q.connections
		for ; c > 1 && meets(c-1); c-- {
		}
		for ; !meets(c); c++ {
			n = 8 * gridRequests // so many are short that it should not be by chance
		}
		return c
	})
	for i, q := range loads {
		over[q.connections-needed[i]]++
		if q.connections < needed[i]-1 {
			t.Errorf("%v are recommended, the queue needs %d", q, needed[i])
		}
	}
	t.Logf("recommended less needed: how often: %v", over)
}

func grid(as []arrivals, ss []services, cs []int, loads []float64, times []time.Duration) []queue {
	var all []queue
	for _, a := range as {
		for _, s := range ss {
			for _, c := range cs {
				for _, l := range loads {
					for _, d := range times {
						all = append(all, queue{a, s, l * float64(c), c, d})
					}
				}
			}
		}
	}
	return all
}

func solve(queues []queue, random *rand.Rand) []point {
	return each(queues, random, func(q queue, r *rand.Rand) point {
		limit := DefaultGoal.Wait
		return point{q, q.late(limit, gridRequests, r), Late(q.load(), q.connections, limit)}
	})
}

// each does something with all queues, on all processors, with a random source for each.
func each[T any](queues []queue, random *rand.Rand, do func(q queue, r *rand.Rand) T) []T {
	all := make([]T, len(queues))
	var group sync.WaitGroup
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, q := range queues {
		r := rand.New(rand.NewPCG(random.Uint64(), random.Uint64()))
		turns <- struct{}{}
		group.Go(func() {
			all[i] = do(q, r)
			<-turns
		})
	}
	group.Wait()
	return all
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
