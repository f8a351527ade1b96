package pool

import (
	"iter"
	"math"
	"math/bits"
	"time"
)

// Histogram counts durations in log-linear buckets: each power of two of nanoseconds is divided into 32 equal
// buckets, so a value read back is within 1.6 % of the one recorded, from 1 µs to more than 1 h. Shorter ones
// count as zero, longer ones as the longest. Its zero value is ready. It is a plain array: copy it, compare
// it, add it; it is not safe for concurrent use. (An exact sketch like HdrHistogram's with three digits would
// be 16 times larger for nothing an operator sees.)
type Histogram struct {
	count   uint64
	sum     time.Duration
	buckets [histogramBuckets]uint64
}

const (
	firstPower       = 10                   // 2^10 ns: 1 µs, the first power of two with buckets of its own
	lastPower        = 41                   // up to 2^42 ns: 73 min
	subBits          = 5                    // 32 buckets each
	subBuckets       = 1 << subBits         //
	histogramMin     = 1 << firstPower      // ns
	histogramMax     = 1<<(lastPower+1) - 1 // ns
	histogramBuckets = 1 + (lastPower-firstPower+1)*subBuckets
)

// Record adds one duration. Negative ones count as zero.
func (h *Histogram) Record(d time.Duration) {
	d = max(d, 0)
	h.count++
	h.sum += d
	h.buckets[bucketOf(d)]++
}

func bucketOf(d time.Duration) int {
	if d < histogramMin {
		return 0
	}
	v := uint64(min(d, histogramMax))
	power := bits.Len64(v) - 1
	sub := int(v>>(power-subBits)) & (subBuckets - 1)
	return 1 + (power-firstPower)*subBuckets + sub
}

// bounds are the first duration in bucket i and the first beyond it.
func bounds(i int) (low, high time.Duration) {
	if i == 0 {
		return 0, histogramMin
	}
	power := firstPower + (i-1)/subBuckets
	sub := (i - 1) % subBuckets
	width := time.Duration(1) << (power - subBits)
	low = time.Duration(subBuckets+sub) * width
	return low, low + width
}

// Merge adds what other has counted.
func (h *Histogram) Merge(other *Histogram) {
	h.count += other.count
	h.sum += other.sum
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
}

// Sub takes away what earlier, a former state of the same histogram, had counted: what is left happened
// since.
func (h *Histogram) Sub(earlier *Histogram) {
	h.count -= earlier.count
	h.sum -= earlier.sum
	for i, n := range earlier.buckets {
		h.buckets[i] -= n
	}
}

// Count is how many durations were recorded.
func (h *Histogram) Count() uint64 { return h.count }

// Sum is what they are together, exactly.
func (h *Histogram) Sum() time.Duration { return h.sum }

// Mean is their average, 0 if there are none.
func (h *Histogram) Mean() time.Duration {
	if h.count == 0 {
		return 0
	}
	return h.sum / time.Duration(h.count)
}

// Quantile is the least duration that a part q, 0 to 1, of them does not exceed; that is, the middle of the
// bucket it is in. 0 if there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	rank := min(h.count, max(1, uint64(math.Ceil(max(0, min(q, 1))*float64(h.count)))))
	seen := uint64(0)
	for i, n := range h.buckets {
		seen += n
		if seen >= rank {
			return middle(i)
		}
	}
	panic("bug: histogram counts more than its buckets hold")
}

func middle(i int) time.Duration {
	if i == 0 {
		return 0
	}
	low, high := bounds(i)
	return low + (high-low)/2
}

// Bucket is a range of durations and how many fell into it.
type Bucket struct {
	Low, High time.Duration // Low ≤ d < High
	Count     uint64
}

// Buckets yields those that are not empty, from short to long.
func (h *Histogram) Buckets() iter.Seq[Bucket] {
	return func(yield func(Bucket) bool) {
		for i, n := range h.buckets {
			if n == 0 {
				continue
			}
			low, high := bounds(i)
			if !yield(Bucket{Low: low, High: high, Count: n}) {
				return
			}
		}
	}
}

// Below is how many are certainly less than d: those in buckets that end at d or before it.
func (h *Histogram) Below(d time.Duration) uint64 {
	seen := uint64(0)
	for b := range h.Buckets() {
		if b.High > d {
			break
		}
		seen += b.Count
	}
	return seen
}
