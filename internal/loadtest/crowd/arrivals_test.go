package crowd

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// all draws the arrivals of a process, up to a number that no test expects.
func all(a *Arrivals) []time.Duration {
	var times []time.Duration
	for len(times) < 1_000_000 {
		at, ok := a.Next()
		if !ok {
			return times
		}
		times = append(times, at)
	}
	panic("bug: a process without end")
}

// expected is the integral of a rate, in arrivals.
func expected(points []Point, from, to time.Duration) float64 {
	const steps = 1000
	sum := 0.0
	for i := range steps {
		at := from + time.Duration((float64(i)+0.5)*float64(to-from)/steps)
		for j := 1; j < len(points); j++ {
			if p, q := points[j-1], points[j]; at >= p.At && at < q.At {
				part := float64(at-p.At) / float64(q.At-p.At)
				sum += (p.Rate + part*(q.Rate-p.Rate)) * (to - from).Seconds() / steps
			}
		}
	}
	return sum
}

func TestArrivalsFollowTheirRate(t *testing.T) {
	t.Parallel()
	for name, points := range map[string][]Point{
		"steady":           {{0, 500}, {40 * time.Second, 500}},
		"a ramp":           {{0, 100}, {40 * time.Second, 1000}},
		"down to nothing":  {{0, 1000}, {40 * time.Second, 0}},
		"a pause, a burst": {{0, 400}, {10 * time.Second, 0}, {20 * time.Second, 0}, {40 * time.Second, 900}},
		"begins later":     {{10 * time.Second, 700}, {40 * time.Second, 700}},
	} {
		times := all(NewArrivals(7, 1, points))
		for from := time.Duration(0); from < 40*time.Second; from += 10 * time.Second {
			to, count := from+10*time.Second, 0
			for _, at := range times {
				if at >= from && at < to {
					count++
				}
			}
			// Five standard deviations of a Poisson distribution: once in two million windows.
			if want := expected(points, from, to); math.Abs(float64(count)-want) > 5*math.Sqrt(want)+1 {
				t.Errorf("%s: %d arrivals from %v to %v, want %.0f", name, count, from, to, want)
			}
		}
	}
}

// TestArrivalsAreIndependent looks at the times between arrivals: those of a Poisson process vary as much as they are
// long, those of a metronome not at all.
func TestArrivalsAreIndependent(t *testing.T) {
	t.Parallel()
	times := all(NewArrivals(11, 0, []Point{{0, 1000}, {60 * time.Second, 1000}}))
	sum, squares := 0.0, 0.0
	for i := 1; i < len(times); i++ {
		gap := (times[i] - times[i-1]).Seconds()
		sum += gap
		squares += gap * gap
	}
	n := float64(len(times) - 1)
	mean := sum / n
	if variation := math.Sqrt(squares/n-mean*mean) / mean; math.Abs(variation-1) > 0.03 {
		t.Errorf("the times between arrivals vary by %.3f of their mean, want 1", variation)
	}
}

func TestTheSeedDecidesArrivals(t *testing.T) {
	t.Parallel()
	points := []Point{{0, 50}, {10 * time.Second, 500}}
	first := all(NewArrivals(1, 2, points))
	if again := all(NewArrivals(1, 2, points)); !slices.Equal(first, again) {
		t.Error("the same seed gives other times")
	}
	for _, other := range []*Arrivals{NewArrivals(2, 2, points), NewArrivals(1, 3, points)} {
		if slices.Equal(first, all(other)) {
			t.Error("another seed or stream gives the same times")
		}
	}
}

func TestArrivalsStayWithinTheirPointsAndInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var points []Point
		at := time.Duration(0)
		for range rapid.IntRange(0, 5).Draw(t, "points") {
			points = append(points, Point{at, rapid.Float64Range(0, 1000).Draw(t, "rate")})
			at += time.Duration(rapid.Int64Range(1, int64(3*time.Second)).Draw(t, "length"))
		}
		last := time.Duration(0)
		for _, at := range all(NewArrivals(rapid.Uint64().Draw(t, "seed"), 0, points)) {
			if at < last || at < points[0].At || at > points[len(points)-1].At {
				t.Fatalf("an arrival at %v, after one at %v, of %v", at, last, points)
			}
			last = at
		}
	})
}
