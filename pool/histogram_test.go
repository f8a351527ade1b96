package pool_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/usher-pg/usher/pool"
)

func TestHistogramReadsBackWithinThreePerCent(t *testing.T) {
	t.Parallel()
	for d := time.Microsecond * 11 / 10; d <= time.Hour; d += d/97 + 1 {
		var h pool.Histogram
		h.Record(d)
		got := h.Quantile(0.5)
		if off := float64(got-d) / float64(d); off < -0.03 || off > 0.03 {
			t.Fatalf("%v is read back as %v", d, got)
		}
	}
}

func TestHistogramQuantilesAreThoseOfTheSortedValues(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	var h pool.Histogram
	var all []time.Duration
	sum := time.Duration(0)
	for range 10_000 {
		d := time.Duration(random.ExpFloat64() * float64(20*time.Millisecond))
		h.Record(d)
		all = append(all, d)
		sum += d
	}
	slices.Sort(all)
	if h.Count() != 10_000 || h.Sum() != sum || h.Mean() != sum/10_000 {
		t.Errorf("count %d, sum %v, mean %v", h.Count(), h.Sum(), h.Mean())
	}
	for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[max(0, int(q*10_000)-1)]
		got := h.Quantile(q)
		if off := got - want; max(off, -off) > want*3/100+time.Microsecond {
			t.Errorf("seed %d: quantile %v is %v, sorted %v", seed, q, got, want)
		}
	}
}

func TestHistogramBucketsFollowOneAnother(t *testing.T) {
	t.Parallel()
	var h pool.Histogram
	for d := time.Duration(0); d < 80*time.Minute; d += max(1, d/100) {
		h.Record(d)
	}
	count, end := uint64(0), time.Duration(0)
	for b := range h.Buckets() {
		if b.Low != end || b.High <= b.Low || b.Count == 0 {
			t.Fatalf("bucket %v after one that ends at %v", b, end)
		}
		end = b.High
		count += b.Count
	}
	if count != h.Count() || end < time.Hour {
		t.Errorf("%d of %d in buckets up to %v", count, h.Count(), end)
	}
	for range h.Buckets() {
		break // must be possible
	}
}

func TestHistogramTakesWhatIsOutOfRange(t *testing.T) {
	t.Parallel()
	var h pool.Histogram
	if h.Quantile(0.99) != 0 || h.Mean() != 0 {
		t.Error("an empty one has quantiles")
	}
	h.Record(-time.Second)
	h.Record(time.Nanosecond)
	h.Record(1000 * time.Hour)
	if h.Count() != 3 || h.Quantile(0) != 0 || h.Quantile(1) < time.Hour {
		t.Errorf("count %d, from %v to %v", h.Count(), h.Quantile(0), h.Quantile(1))
	}
	if h.Sum() != 1000*time.Hour+time.Nanosecond {
		t.Errorf("sum %v", h.Sum())
	}
}

func TestHistogramsMergeAndSubtract(t *testing.T) {
	t.Parallel()
	var a, b, both pool.Histogram
	for i := range 1000 {
		d := time.Duration(i) * 37 * time.Microsecond
		both.Record(d)
		if i%3 == 0 {
			a.Record(d)
		} else {
			b.Record(d)
		}
	}
	merged := a
	merged.Merge(&b)
	if merged != both {
		t.Error("merged differs from recorded together")
	}
	merged.Sub(&a)
	if merged != b {
		t.Error("what is left after Sub is not what came since")
	}
}

func TestHistogramBelowCountsWhatIsCertainlyLess(t *testing.T) {
	t.Parallel()
	var h pool.Histogram
	for i := range 100 {
		h.Record(time.Duration(i) * time.Millisecond)
	}
	if n := h.Below(10 * time.Millisecond); n < 9 || n > 10 {
		t.Errorf("%d of 0 … 9 ms are below 10 ms", n)
	}
	if n := h.Below(time.Hour); n != 100 {
		t.Errorf("%d of 100 are below an hour", n)
	}
	if n := h.Below(0); n != 0 {
		t.Errorf("%d are below nothing", n)
	}
}
