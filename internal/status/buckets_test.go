package status

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/usher-pg/usher/pool"
)

func histogramOf(durations []int64) *pool.Histogram {
	h := new(pool.Histogram)
	for _, d := range durations {
		h.Record(time.Duration(d))
	}
	return h
}

// The twin is the histogram itself, which knows what it counted before and after.
func TestBucketsAreSubtractedAndAddedAsHistogramsAre(t *testing.T) {
	t.Parallel()
	durations := rapid.SliceOf(rapid.Int64Range(0, int64(time.Minute)))
	rapid.Check(t, func(t *rapid.T) {
		before, after := durations.Draw(t, "before"), durations.Draw(t, "after")
		sum := histogramOf(append(before[:len(before):len(before)], after...))
		want := BucketsOf(histogramOf(after))
		if diff := cmp.Diff(want, BucketsOf(sum).Since(BucketsOf(histogramOf(before)))); diff != "" {
			t.Fatalf("what happened since:\n%s", diff)
		}
		both := BucketsOf(histogramOf(before)).And(want)
		if diff := cmp.Diff(BucketsOf(sum), both); diff != "" && sum.Count() > 0 { // no buckets: nil or empty
			t.Fatalf("together:\n%s", diff)
		}
		if both.Count() != sum.Count() {
			t.Fatalf("%d together, want %d", both.Count(), sum.Count())
		}
	})
}

func TestAQuantileIsNeverBetterThanItWas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		durations := rapid.SliceOfN(rapid.Int64Range(0, int64(time.Minute)), 1, 100).Draw(t, "durations")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		got := BucketsOf(histogramOf(durations)).Quantile(q)
		below := 0
		for _, d := range durations {
			if time.Duration(d) <= got {
				below++
			}
		}
		if float64(below) < q*float64(len(durations)) {
			t.Fatalf("%d of %d are at most %v, want a part of %v", below, len(durations), got, q)
		}
	})
	if got := (Buckets)(nil).Quantile(0.99); got != 0 {
		t.Errorf("the p99 of nothing is %v", got)
	}
}

func TestWhatMayHaveBeenLongerCountsAsLonger(t *testing.T) {
	t.Parallel()
	b := BucketsOf(histogramOf([]int64{1_000_000, 9_999_999, 10_000_000, 20_000_000}))
	for d, want := range map[time.Duration]uint64{
		0: 4, 2 * time.Millisecond: 3, 10 * time.Millisecond: 3, time.Second: 0,
	} {
		if got := b.Beyond(d); got != want {
			t.Errorf("%d may be %v or longer, want %d: %v", got, d, want, b)
		}
	}
}

func TestBucketsSurviveJSON(t *testing.T) {
	t.Parallel()
	want := BucketsOf(histogramOf([]int64{0, 5_000_000, 5_000_000, 1_000_000_000}))
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Buckets
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{`{}`, `[[5,5,1]]`, `[[1,2,1],[0,1,1]]`, `[[1,2]` /* cut off */, `[[1,-2,3]]`} {
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}
