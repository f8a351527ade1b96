package status

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/usher-pg/usher/pool"
)

func TestADistributionOfNothingIsZero(t *testing.T) {
	t.Parallel()
	if got := DistributionOf(new(pool.Histogram)); got != (Distribution{}) {
		t.Errorf("got %+v", got)
	}
}

func TestADistributionHasTheHistogramsQuantilesAndCumulativeBuckets(t *testing.T) {
	t.Parallel()
	var h pool.Histogram
	for range 90 {
		h.Record(50 * time.Microsecond)
	}
	for range 9 {
		h.Record(3 * time.Millisecond)
	}
	h.Record(10 * time.Minute)
	d := DistributionOf(&h)
	if d.Count != 100 || d.Sum != 90*50*time.Microsecond+27*time.Millisecond+10*time.Minute {
		t.Errorf("count %d, sum %v", d.Count, d.Sum)
	}
	for i, bound := range Bounds {
		want := uint64(90)
		if bound >= 5*time.Millisecond {
			want = 99
		}
		if d.AtMost[i] != want {
			t.Errorf("at most %v: %d, want %d", bound, d.AtMost[i], want)
		}
	}
	if d.P50 > 60*time.Microsecond || d.P99 > 4*time.Millisecond || d.Max < 9*time.Minute || d.P90 > 4*time.Millisecond {
		t.Errorf("p50 %v, p90 %v, p99 %v, max %v", d.P50, d.P90, d.P99, d.Max)
	}
}

// The dumb twin: count the durations themselves. A bucket may be 1/32 of a power of two wide.
func TestAtMostNeverCountsTooMuchAndLittleTooFew(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		durations := rapid.SliceOf(rapid.Int64Range(0, int64(200*time.Second))).Draw(t, "durations")
		var h pool.Histogram
		for _, d := range durations {
			h.Record(time.Duration(d))
		}
		got := DistributionOf(&h)
		for i, bound := range Bounds {
			most, least := uint64(0), uint64(0)
			for _, d := range durations {
				if time.Duration(d) <= bound {
					most++
				}
				if float64(d) <= float64(bound)*(1-1.0/16) {
					least++
				}
			}
			if got.AtMost[i] > most || got.AtMost[i] < least {
				t.Fatalf("at most %v: %d, want %d to %d", bound, got.AtMost[i], least, most)
			}
		}
	})
}
