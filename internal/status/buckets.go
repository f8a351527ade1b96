package status

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/usher-pg/usher/pool"
)

// Buckets are the buckets of a pool.Histogram that are not empty, from short to long. Unlike a Distribution they can
// be subtracted: two snapshots tell what happened between them.
type Buckets []pool.Bucket

// Acquisition is how long the requests of a lane have waited for a server connection since usher started.
type Acquisition struct {
	Pool    string  `json:"pool"`
	User    string  `json:"user"`
	Lane    string  `json:"lane"`
	Buckets Buckets `json:"buckets"`
}

// BucketsOf copies them from a histogram.
func BucketsOf(h *pool.Histogram) Buckets { return slices.Collect(h.Buckets()) }

// Since is what b has more than earlier, a former state of the same histogram.
func (b Buckets) Since(earlier Buckets) Buckets {
	var out Buckets
	for _, bucket := range b {
		for len(earlier) > 0 && earlier[0].Low < bucket.Low {
			earlier = earlier[1:]
		}
		if len(earlier) > 0 && earlier[0].Low == bucket.Low {
			bucket.Count -= min(bucket.Count, earlier[0].Count)
		}
		if bucket.Count > 0 {
			out = append(out, bucket)
		}
	}
	return out
}

// And is b and other together.
func (b Buckets) And(other Buckets) Buckets {
	all := slices.Concat(b, other)
	slices.SortFunc(all, func(x, y pool.Bucket) int { return cmp.Compare(x.Low, y.Low) })
	out := all[:0]
	for _, bucket := range all {
		if n := len(out); n > 0 && out[n-1].Low == bucket.Low {
			out[n-1].Count += bucket.Count
		} else {
			out = append(out, bucket)
		}
	}
	return out
}

// Count is how many durations are in them.
func (b Buckets) Count() uint64 {
	n := uint64(0)
	for _, bucket := range b {
		n += bucket.Count
	}
	return n
}

// Quantile is a duration that a part q, 0 to 1, of them does not exceed: the end of the bucket it is in, so that a
// promise is never reported as kept when it may not have been. 0 if there are none.
func (b Buckets) Quantile(q float64) time.Duration {
	rank := max(1, uint64(math.Ceil(max(0, min(q, 1))*float64(b.Count()))))
	seen := uint64(0)
	for _, bucket := range b {
		if seen += bucket.Count; seen >= rank {
			return bucket.High
		}
	}
	return 0
}

// Beyond is how many may have been d or longer.
func (b Buckets) Beyond(d time.Duration) uint64 {
	n := uint64(0)
	for _, bucket := range b {
		if bucket.High > d {
			n += bucket.Count
		}
	}
	return n
}

// MarshalJSON writes each bucket as [low, high, count], the times in nanoseconds.
func (b Buckets) MarshalJSON() ([]byte, error) {
	rows := make([][3]uint64, len(b))
	for i, bucket := range b {
		rows[i] = [3]uint64{uint64(bucket.Low), uint64(bucket.High), bucket.Count}
	}
	return json.Marshal(rows)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (b *Buckets) UnmarshalJSON(text []byte) error {
	var rows [][3]uint64
	if err := json.Unmarshal(text, &rows); err != nil {
		return fmt.Errorf("read buckets: %w", err)
	}
	*b = make(Buckets, len(rows))
	for i, row := range rows {
		if row[0] >= row[1] || row[1] > math.MaxInt64 || i > 0 && time.Duration(row[0]) < (*b)[i-1].High {
			return fmt.Errorf("read buckets: %d to %d is out of order", row[0], row[1])
		}
		(*b)[i] = pool.Bucket{Low: time.Duration(row[0]), High: time.Duration(row[1]), Count: row[2]}
	}
	return nil
}
