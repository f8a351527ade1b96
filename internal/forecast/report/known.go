package report

import (
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/history"
)

// Known looks up what came.
type Known struct{ buckets []history.Bucket }

// NewKnown takes buckets in order that do not overlap.
func NewKnown(buckets []history.Bucket) Known { return Known{buckets} }

// Mean is mean demand from start for width, whether it is a lower bound, and whether it is known: of three quarters of
// the time, without outages.
func (k Known) Mean(start time.Time, width time.Duration) (mean float64, cut, ok bool) {
	end := start.Add(width)
	i, _ := slices.BinarySearchFunc(k.buckets, start, func(b history.Bucket, t time.Time) int {
		if !b.End().After(t) {
			return -1
		}
		return 1
	})
	sum, of := 0.0, 0.0
	for ; i < len(k.buckets) && k.buckets[i].Start.Before(end); i++ {
		b := &k.buckets[i]
		if b.Outage || !(b.Mean >= 0 && b.Mean <= forecast.MostDemand) {
			continue
		}
		from, to := b.Start, b.End()
		if from.Before(start) {
			from = start
		}
		if to.After(end) {
			to = end
		}
		part := to.Sub(from).Seconds()
		sum, of, cut = sum+part*b.Mean, of+part, cut || b.CutOff
	}
	if of < width.Seconds()*3/4 {
		return 0, false, false
	}
	return sum / of, cut, true
}
