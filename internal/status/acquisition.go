package status

import "time"

// AcquisitionBounds are the upper bounds of the buckets in which acquisition times are reported: fine around the
// promise of 10 ms, coarse up to PgBouncer's default query_wait_timeout of 120 s.
var AcquisitionBounds = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	1 * time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	1 * time.Second, 2500 * time.Millisecond, 5 * time.Second,
	10 * time.Second, 30 * time.Second, 120 * time.Second,
}

// Acquisition is how long requests of one lane took to get a server connection, since usher started.
type Acquisition struct {
	Count uint64        `json:"count"`
	Sum   time.Duration `json:"sum_ns"`
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P99   time.Duration `json:"p99_ns"`
	P999  time.Duration `json:"p999_ns"`
	Max   time.Duration `json:"max_ns"`
	// AtMost[i] is how many took AcquisitionBounds[i] or less.
	AtMost [len(AcquisitionBounds)]uint64 `json:"at_most"`
}
