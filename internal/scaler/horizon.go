package scaler

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/staffing"
)

// ahead is what a forecast asks for: so many connections, for what is expected at At.
type ahead struct {
	connections int
	demand      float64 // at the planned quantile
	point       forecast.Point
	spike       *span
}

// span is a spike by the rules of the pool, which may differ from those the forecast marks.
type span struct {
	start, end time.Time
	demand     float64 // most, at the planned quantile
	peak       forecast.Point
}

// usable is why a forecast cannot be used now, or "".
func usable(f *forecast.Forecast, now time.Time) string {
	switch {
	case f == nil:
		return "there is no forecast"
	case f.Absent != "":
		return "there is no forecast: " + f.Absent
	case now.After(f.Until):
		return fmt.Sprintf("the forecast is too old: it held until %s", clock(f, f.Until, now))
	case len(f.Points) == 0 || now.Before(f.Points[0].Start.Add(-jump)):
		return fmt.Sprintf("the forecast begins later than now: it was made at %s", clock(f, f.Issued, now))
	case !now.Before(end(&f.Points[len(f.Points)-1])):
		return "the forecast has ended"
	}
	return ""
}

func end(p *forecast.Point) time.Time { return p.Start.Add(p.Width) }

// from is the index of the first point that is not over.
func from(f *forecast.Forecast, now time.Time) int {
	i, _ := slices.BinarySearchFunc(f.Points, now, func(p forecast.Point, t time.Time) int {
		if end(&p).After(t) {
			return 1
		}
		return -1
	})
	return i
}

// planned is the demand at the pool's quantile. What is no number is nothing, and what is absurd is bounded by the
// pool's Max later on.
func (r Rules) planned(p *forecast.Point) float64 {
	return finite(p.At(r.Quantile))
}

// finite is a demand that can be reckoned with.
func finite(demand float64) float64 {
	if !(demand > 0) {
		return 0
	}
	return min(demand, staffing.MaxConnections)
}

// begins and goesOn are the two ratios of a spike.
func (r Rules) begins(p *forecast.Point) bool {
	return p.Multiplier >= r.Enter && p.P50-p.Base >= r.Least
}

func (r Rules) goesOn(p *forecast.Point) bool { return p.Multiplier >= r.Leave }

// asked is the greatest of what the forecast asks to be open now: for every point from Lead and the time that opening
// takes before it, for spikes with their peak. What a hold was for, it still is unless the spike is gone.
func (p *Pool) asked(now time.Time, target int, hold Hold) ahead {
	f, r := p.Forecast, p.Rules
	var most ahead
	ask := func(demand float64, point *forecast.Point, s *span, at time.Time) {
		distance := at.Sub(now) - r.Lead - leadSlack
		held := s != nil && hold.at(now) && s.start.Before(hold.Until)
		if demand <= most.demand || !held && !p.due(distance, int(mostPerDemand*demand)+mostPerDemand, target) {
			return
		}
		if c := p.expects(demand); held || p.due(distance, c, target) {
			most = ahead{c, demand, *point, s}
		}
	}
	// What is due for its time alone is asked for once, with the greatest demand.
	var plain *forecast.Point
	plainDemand := 0.0
	points := f.Points[from(f, now):]
	for i := 0; i < len(points); i++ {
		point := &points[i]
		distance := point.Start.Sub(now) - r.Lead - leadSlack
		if distance > openingMost {
			break
		}
		if r.begins(point) || hold.at(now) && point.Start.Before(hold.Until) && r.goesOn(point) {
			s, n := r.spanOf(points[i:])
			ask(s.demand, &s.peak, &s, s.start)
			i += n - 1
			continue
		}
		demand := r.planned(point)
		switch {
		case distance > 0:
			ask(demand, point, nil, point.Start)
		case demand > plainDemand:
			plain, plainDemand = point, demand
		}
	}
	if plain != nil {
		ask(plainDemand, plain, nil, now)
	}
	return most
}

// mostPerDemand is more connections than a connection's demand needs, and more than the least demand does: what cannot
// be due with so many is not reckoned out.
const mostPerDemand = 20

// due reports whether it is time to open for what comes in distance and Lead.
func (p *Pool) due(distance time.Duration, connections, target int) bool {
	opening := float64(min(connections, p.Rules.most())-target) / p.Rules.Opens
	return distance <= min(time.Duration(max(opening, 0)*float64(time.Second)), openingMost)
}

// spanOf is the spike that the points begin with, and how many of them it takes.
func (r Rules) spanOf(points []forecast.Point) (span, int) {
	s := span{start: points[0].Start}
	for i := range points {
		if i > 0 && !r.goesOn(&points[i]) {
			return s, i
		}
		s.end = end(&points[i])
		if demand := r.planned(&points[i]); demand > s.demand {
			s.demand, s.peak = demand, points[i]
		}
	}
	return s, len(points)
}

// why is what a forecast asks for, for a person.
func (a ahead) why(f *forecast.Forecast, r Rules, now time.Time) string {
	var b strings.Builder
	if a.spike != nil {
		fmt.Fprintf(&b, "spike from %s, %.1fx the usual %.3g at %s: ", clock(f, a.spike.start, now),
			a.point.Multiplier, a.point.Base, clock(f, a.point.Start, now))
	} else {
		fmt.Fprintf(&b, "at %s ", clock(f, a.point.Start, now))
	}
	fmt.Fprintf(&b, "%.3g expected (P%.0f) needs %d", a.demand, 100*r.Quantile, a.connections)
	if a.point.Why != "" {
		b.WriteString("; " + a.point.Why)
	}
	return b.String()
}

// clock is a time in the pool's zone, with the day unless it is within half a day.
func clock(f *forecast.Forecast, t, now time.Time) string {
	if f != nil && f.Zone != nil {
		t = t.In(f.Zone)
	} else {
		t = t.UTC()
	}
	if t.Sub(now).Abs() < 12*time.Hour {
		return t.Format("15:04")
	}
	return t.Format("Mon 2 Jan 15:04")
}
