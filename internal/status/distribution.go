package status

import (
	"time"

	"github.com/usher-pg/usher/pool"
)

// Bounds are the upper bounds of the buckets in which times are reported: fine around the promise of 10 ms, coarse
// up to PgBouncer's default query_wait_timeout of 120 s.
var Bounds = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	1 * time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	1 * time.Second, 2500 * time.Millisecond, 5 * time.Second,
	10 * time.Second, 30 * time.Second, 120 * time.Second,
}

// Distribution is how long something took, each time since usher started. Count and Sum are exact, the rest is within
// a bucket of pool.Histogram.
type Distribution struct {
	Count uint64        `json:"count"`
	Sum   time.Duration `json:"sum_ns"`
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P99   time.Duration `json:"p99_ns"`
	P999  time.Duration `json:"p999_ns"`
	Max   time.Duration `json:"max_ns"`
	// AtMost[i] is how many took Bounds[i] or less.
	AtMost [len(Bounds)]uint64 `json:"-"`
}

// DistributionOf summarises a histogram.
func DistributionOf(h *pool.Histogram) Distribution {
	d := Distribution{
		Count: h.Count(), Sum: h.Sum(),
		P50: h.Quantile(0.5), P90: h.Quantile(0.9), P99: h.Quantile(0.99), P999: h.Quantile(0.999), Max: h.Quantile(1),
	}
	// A bucket across a bound counts above it: a promise is never reported as kept when it may not have been.
	next, below := 0, uint64(0)
	for bucket := range h.Buckets() {
		for next < len(Bounds) && bucket.High > Bounds[next] {
			d.AtMost[next] = below
			next++
		}
		below += bucket.Count
	}
	for ; next < len(Bounds); next++ {
		d.AtMost[next] = below
	}
	return d
}
