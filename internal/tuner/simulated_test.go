package tuner

import (
	"math"
	"math/rand/v2"
	"time"
)

// server is a simulated database server under the universal scalability law: n busy connections do
// λn / (1 + α(n-1) + βn(n-1)) transactions a second (Gunther: contention α, coherency β), with noise.
type server struct {
	lambda, alpha, beta float64

	clients int     // of a closed loop, each with a request always; 0: an open one, …
	rate    float64 // … in which so many requests come in a second

	noise  float64 // standard deviation of the throughput of a second, as a part of it
	drift  float64 // of a random walk of the speed, that of a second
	random *rand.Rand

	backlog  float64 // requests in the open loop that are not done
	speed    float64 // logarithm
	now      time.Duration
	done     float64 // transactions
	event    string
	impaired bool
	failing  bool
}

// peaksAt makes n the number of connections that do most.
func (s *server) peaksAt(n float64) { s.beta = (1 - s.alpha) / (n * n) }

// can is what n busy connections do.
func (s *server) can(n float64) float64 {
	return s.lambda * n / (1 + s.alpha*(n-1) + s.beta*n*(n-1))
}

// best is the largest throughput of the sizes up to most.
func (s *server) best(most int) float64 {
	best := 0.0
	for n := range most {
		best = max(best, s.can(float64(n+1)))
	}
	return best
}

// serve goes on for a time with a limit.
func (s *server) serve(limit int, span time.Duration) Observed {
	s.now += span
	seconds := span.Seconds()
	s.speed += s.drift * math.Sqrt(seconds) * s.random.NormFloat64()
	s.speed *= 1 - seconds/60 // it comes back
	factor := max(0.05, 1+s.noise/math.Sqrt(seconds)*s.random.NormFloat64()) * math.Exp(s.speed)
	busy, waiting, done := float64(min(s.clients, limit)), float64(max(0, s.clients-limit)), 0.0
	if s.clients > 0 {
		done = s.can(busy) * factor * seconds
	} else {
		busy, waiting, done = s.open(limit, factor, seconds)
	}
	before := uint64(s.done)
	s.done += done
	completed := uint64(s.done) - before
	held := busy * float64(span) * float64(completed) / max(done, 1e-9)
	return Observed{
		Completed: completed, Held: time.Duration(held), Busy: busy, Waiting: waiting,
		Event: s.event, Impaired: s.impaired, Failing: s.failing,
	}
}

// open is a second of the open loop: as many are busy as it takes to do what comes, if the limit allows it.
func (s *server) open(limit int, factor, seconds float64) (busy, waiting, done float64) {
	arrived := s.rate * seconds * max(0, 1+s.noise*s.random.NormFloat64())
	wanted := s.backlog + arrived
	does := func(n float64) float64 { return s.can(max(1, n)) * min(1, n) * factor * seconds }
	for n := range limit {
		if does(float64(n+1)) >= wanted {
			s.backlog = 0
			low, high := float64(n), float64(n+1)
			for range 10 {
				if middle := (low + high) / 2; does(middle) < wanted {
					low = middle
				} else {
					high = middle
				}
			}
			return high, 0, wanted
		}
	}
	done = min(wanted, s.can(float64(limit))*factor*seconds)
	s.backlog = wanted - done
	return float64(limit), s.backlog, done
}
