package report

import (
	"math"
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/history"
)

// Accuracy is how right forecasts were, as they were issued.
type Accuracy struct {
	// Points is how many stretches of time were compared. At 0 the rest means nothing.
	Points int `json:"points"`
	// WAPE is the sum of what P50 was off over the sum of demand, as a fraction.
	WAPE float64 `json:"wape"`
	// BelowP90 and Interval are the shares of points with demand up to P90, and between P05 and P95.
	BelowP90 float64 `json:"p90_coverage"`
	Interval float64 `json:"interval_90_coverage"`
	// Spikes is how many came, Caught how many of these had been forecast, and False how many were forecast and did not
	// come.
	Spikes int `json:"spikes"`
	Caught int `json:"spikes_caught"`
	False  int `json:"spikes_false"`
	// Lead is how long before its start a spike that was caught had been forecast first, on average.
	Lead time.Duration `json:"mean_lead"`
}

// spikeSlack is by how much a spike may come sooner or later than forecast and be caught: those who prepared for it
// half an hour before are prepared.
const spikeSlack = 30 * time.Minute

// Judge compares forecasts with what came, buckets in order, until a time. What counts for a stretch of time is the
// latest forecast that was issued at least so long before, as nobody can prepare for what was said too late.
func Judge(issued []forecast.Forecast, came []history.Bucket, lead time.Duration, until time.Time) Accuracy {
	issued = slices.Clone(issued)
	slices.SortStableFunc(issued, func(a, b forecast.Forecast) int { return a.Issued.Compare(b.Issued) })
	j := judge{known: Known{buckets: came}, lead: lead, until: until}
	missed, demand := 0.0, 0.0
	for i := range issued {
		end := until
		if i+1 < len(issued) {
			end = issued[i+1].Issued.Add(lead)
		}
		j.compare(&issued[i], end, &missed, &demand)
	}
	j.spikes(issued)
	if demand > 0 {
		j.WAPE = missed / demand
	}
	if n := float64(j.Points); n > 0 {
		j.BelowP90 /= n
		j.Interval /= n
	}
	return j.Accuracy
}

// judge is a comparison on its way.
type judge struct {
	Accuracy
	known Known
	lead  time.Duration
	until time.Time
	// said are the points that count, and came the same with demand in place of P50.
	said, came []forecast.Point
}

// compare takes the points of a forecast from lead after it was issued until a time.
func (j *judge) compare(f *forecast.Forecast, end time.Time, missed, total *float64) {
	if end.After(j.until) {
		end = j.until
	}
	from := f.Issued.Add(j.lead)
	for i := range f.Points {
		p := &f.Points[i]
		if p.Start.Before(from) || p.Start.Add(p.Width).After(end) {
			continue
		}
		demand, cut, ok := j.known.Mean(p.Start, p.Width)
		if !ok || cut && demand < p.P50 {
			continue
		}
		j.Points++
		*missed += math.Abs(demand-p.P50) * p.Width.Hours()
		*total += demand * p.Width.Hours()
		if demand <= p.P90 {
			j.BelowP90++
		}
		if demand >= p.P05 && demand <= p.P95 {
			j.Interval++
		}
		is := *p
		is.P50, is.Multiplier = demand, forecast.Ratio(demand, p.Base)
		j.said, j.came = append(j.said, *p), append(j.came, is)
	}
}

// spikes counts which came and which were forecast.
func (j *judge) spikes(issued []forecast.Forecast) {
	came := forecast.Spikes(j.came, forecast.LeastSpikeDefault)
	foreseen := forecast.Spikes(j.said, forecast.LeastSpikeDefault)
	overlap := func(a, b *forecast.Spike) bool {
		return a.Start.Before(b.End.Add(spikeSlack)) && b.Start.Before(a.End.Add(spikeSlack))
	}
	j.Spikes = len(came)
	for i := range foreseen {
		if !slices.ContainsFunc(came, func(s forecast.Spike) bool { return overlap(&s, &foreseen[i]) }) {
			j.False++
		}
	}
	var lead time.Duration
	for i := range came {
		s := &came[i]
		for k := range issued {
			f := &issued[k]
			if f.Issued.Add(j.lead).After(s.Start) {
				break
			}
			if slices.ContainsFunc(f.Spikes, func(x forecast.Spike) bool { return overlap(&x, s) }) {
				j.Caught++
				lead += s.Start.Sub(f.Issued)
				break
			}
		}
	}
	if j.Caught > 0 {
		j.Lead = lead / time.Duration(j.Caught)
	}
}
