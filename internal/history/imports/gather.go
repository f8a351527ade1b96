package imports

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/history"
)

// value is what a source says of the time from at on. Not a number: the source does not say.
type value struct {
	at                 time.Time
	mean, p95, largest float64
	arrivals           float64
	service            float64 // seconds
	samples            float64
	cutOff, outage     bool
}

// nothing is a value without numbers.
func nothing(at time.Time) value {
	x := math.NaN()
	return value{at: at, mean: x, p95: x, largest: x, arrivals: x, service: x, samples: x}
}

// missing reports whether there is no demand.
func (v *value) missing() bool {
	return math.IsNaN(v.mean) && math.IsNaN(v.p95) && math.IsNaN(v.largest)
}

// complete fills in the next best number: for the mean the smallest that is known, for the others the largest.
func (v *value) complete() {
	if math.IsNaN(v.mean) {
		v.mean = v.p95
	}
	if math.IsNaN(v.mean) {
		v.mean = v.largest
	}
	if math.IsNaN(v.largest) {
		v.largest = v.mean
		if v.p95 > v.mean {
			v.largest = v.p95
		}
	}
	if math.IsNaN(v.p95) {
		v.p95 = v.largest
	}
}

// spacing is how far apart values are most of the time, also those that are missing. One alone is a Step.
func spacing(values []value) time.Duration {
	counts := map[time.Duration]int{}
	for i := 1; i < len(values); i++ {
		if d := values[i].at.Sub(values[i-1].at); d > 0 {
			counts[d]++
		}
	}
	best := history.Step
	for d, n := range counts {
		if m := counts[best]; n > m || n == m && d < best {
			best = d
		}
	}
	return best
}

// gather makes buckets of values that each speak for so long. Values that are closer than a Step are put together.
func gather(values []value, each time.Duration) ([]history.Bucket, error) {
	width := max(each, history.Step)
	if probe := (history.Bucket{Start: time.Unix(0, 0), Width: width}); probe.Check() != nil {
		return nil, fmt.Errorf("a value is of %v: expected at most %v, or a width of buckets: 5, 10, 15, 20 or 30 minutes, "+
			"or 1, 2, 3, 4, 6, 8, 12 or 24 hours", each, history.Step)
	}
	values = slices.SortedStableFunc(slices.Values(values), func(a, b value) int { return a.at.Compare(b.at) })
	seconds := int64(width / time.Second)
	var buckets []history.Bucket
	for i := 0; i < len(values); {
		start := values[i].at.Unix() / seconds
		from := i
		for i < len(values) && values[i].at.Unix()/seconds == start {
			i++
		}
		present := slices.DeleteFunc(slices.Clone(values[from:i]), func(v value) bool { return v.missing() })
		if len(present) == 0 {
			continue
		}
		b := summarize(present, each)
		b.Start, b.Width = time.Unix(start*seconds, 0).UTC(), width
		b.Samples = min(b.Samples, int(seconds))
		if err := b.Check(); err != nil {
			return nil, err
		}
		buckets = append(buckets, b)
	}
	return buckets, nil
}

// summarize is a bucket of all values.
func summarize(values []value, each time.Duration) history.Bucket {
	var b history.Bucket
	var samples, service, served float64
	var p95 []float64
	for _, v := range values {
		v.complete()
		b.Mean += v.mean / float64(len(values))
		b.Max = max(b.Max, v.largest)
		p95 = append(p95, v.p95)
		if !math.IsNaN(v.arrivals) {
			b.Arrivals += v.arrivals
		}
		if !math.IsNaN(v.service) {
			weight := max(v.arrivals, 1) // not a number stays one
			if math.IsNaN(weight) {
				weight = 1
			}
			service += weight * v.service
			served += weight
		}
		if math.IsNaN(v.samples) {
			v.samples = each.Seconds()
		}
		samples += v.samples
		b.CutOff, b.Outage = b.CutOff || v.cutOff, b.Outage || v.outage
	}
	slices.SortFunc(p95, cmp.Compare)
	b.P95 = p95[(len(p95)*95+99)/100-1]
	b.Samples = int(min(max(samples, 1), float64(history.MostSamples)))
	if served > 0 {
		b.Service = time.Duration(min(math.Round(service/served*1e9), math.MaxInt64/2))
	}
	return b
}
