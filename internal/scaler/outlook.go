package scaler

import (
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/forecast"
)

// Outlook is a forecast with what is planned for it, as the API and the command line show it. Demand and connections
// are kept apart: the quantiles are demand, the targets connections.
type Outlook struct {
	Pool     string    `json:"pool"`
	Issued   time.Time `json:"issued_at"`
	Until    time.Time `json:"valid_until"`
	Timezone string    `json:"timezone"`
	Model    Model     `json:"model"`
	Current  Current   `json:"current"`
	Limits   Limits    `json:"limits"`
	Absent   string    `json:"absent,omitempty"`
	Notes    []string  `json:"notes,omitempty"`
	Points   []Row     `json:"points"`
	Spikes   []Spike   `json:"spikes"`
}

// Model is what a forecast stands on.
type Model struct {
	Rung int     `json:"rung"`
	Days float64 `json:"history_days"`
}

// Current is what a pool has now.
type Current struct {
	Demand float64 `json:"demand"`
	Open   int     `json:"open"`
	Target int     `json:"target"`
}

// Limits are what bounds a pool.
type Limits struct {
	Min    int `json:"min"`
	Max    int `json:"max"`
	Cap    int `json:"cap,omitempty"`
	Budget int `json:"budget,omitempty"`
}

// Row is a point with what is planned for it: Target is what is to be open then, and Needed what the point itself asks
// for.
type Row struct {
	forecast.Point
	Needed int    `json:"needed"`
	Target int    `json:"target"`
	Reason string `json:"reason"`
}

// Spike is one that comes.
type Spike struct {
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	Peak      time.Time `json:"peak_at"`
	PeakP90   float64   `json:"peak_p90"`
	Ratio     float64   `json:"ratio"`
	Prescale  time.Time `json:"prescale_at"`
	Needed    int       `json:"needed"`
	Shortfall int       `json:"shortfall"`
	Why       string    `json:"why,omitempty"`
}

// Plan is what is planned for a pool that now has that target, as if nothing but the forecast asked for connections.
// The plan is not divided by budget, which is only shown.
func Plan(now time.Time, p Pool, target, budget int) Outlook {
	return PlanUntil(now, time.Time{}, p, target, budget)
}

// PlanUntil is what a Plan has of points and spikes that begin before a time, and reckons no more than that takes. A
// zero until is all.
func PlanUntil(now, until time.Time, p Pool, target, budget int) Outlook {
	r := p.Rules
	r.check(p.Name)
	o := Outlook{
		Pool: p.Name, Timezone: "UTC", Points: []Row{}, Spikes: []Spike{},
		Current: Current{p.Observed.Demand, p.Observed.Open, target},
		Limits:  Limits{r.Min, r.Max, r.Cap, budget},
	}
	if f := p.Forecast; f != nil {
		o.Issued, o.Until, o.Notes, o.Model = f.Issued, f.Until, f.Notes, Model{int(f.Rung), f.Days}
		if f.Zone != nil {
			o.Timezone = f.Zone.String()
		}
	}
	if o.Absent = usable(p.Forecast, now); o.Absent != "" {
		return o
	}
	points := p.Forecast.Points[from(p.Forecast, now):]
	if until.IsZero() {
		until = end(&points[len(points)-1])
	}
	o.rows(&p, points, until)
	o.targets(&p, points, target, until)
	o.Limit(until)
	return o
}

// rows shows the points that have to do with what there is until a time: what a point asks for is to be open before it.
func (o *Outlook) rows(p *Pool, points []forecast.Point, until time.Time) {
	r := &p.Rules
	needed := until.Add(r.Lead + leadSlack)
	last, _ := slices.BinarySearchFunc(points, needed.Add(openingMost), func(p forecast.Point, t time.Time) int {
		return p.Start.Compare(t)
	})
	o.Points = make([]Row, last)
	for i := range o.Points {
		row := &o.Points[i]
		row.Point, row.Target = points[i], r.Min
		for _, x := range []*float64{&row.P05, &row.P50, &row.P90, &row.P95, &row.Base, &row.Multiplier} {
			*x = finite(*x)
		}
		if row.Start.Before(needed) {
			row.Needed = p.expects(r.planned(&row.Point))
		}
	}
}

// targets plans for each of the rows, which show the first of the points.
func (o *Outlook) targets(p *Pool, points []forecast.Point, target int, until time.Time) {
	r := &p.Rules
	for i := 0; i < len(o.Points); i++ {
		row := &o.Points[i]
		open := row.Start.Add(-r.Lead - leadSlack)
		if r.begins(&points[i]) {
			s, n := r.spanOf(points[i:])
			a := p.spike(s, max(target, row.Target), open)
			o.Spikes = append(o.Spikes, a)
			o.plan(a.Prescale, s.end.Add(r.Hold), min(a.Needed, r.most()), "spike: "+a.Why)
			i += n - 1
		} else if open.Before(until) {
			o.plan(open, end(&points[i]), min(row.Needed, r.most()), row.Why)
		}
	}
}

// spike is one as it is shown. Its prescaling begins before open by as much as opening takes.
func (p *Pool) spike(s span, target int, open time.Time) Spike {
	needed := p.expects(s.demand)
	seconds := float64(max(0, min(needed, p.Rules.most())-target)) / p.Rules.Opens
	opening := min(time.Duration(seconds*float64(time.Second)), openingMost)
	return Spike{
		Start: s.start, End: s.end, Peak: s.peak.Start, PeakP90: finite(s.peak.P90),
		Ratio:    finite(s.peak.Multiplier),
		Prescale: open.Add(-opening), Needed: needed, Shortfall: max(0, needed-p.Rules.most()), Why: s.peak.Why,
	}
}

// plan raises the targets of rows that meet a stretch of time.
func (o *Outlook) plan(start, until time.Time, target int, why string) {
	first, _ := slices.BinarySearchFunc(o.Points, start, func(row Row, t time.Time) int {
		if end(&row.Point).After(t) {
			return 1
		}
		return -1
	})
	for i := first; i < len(o.Points) && o.Points[i].Start.Before(until); i++ {
		if row := &o.Points[i]; target > row.Target {
			row.Target, row.Reason = target, why
		}
	}
}

// Horizon is the most that is expected from now for Within, at a quantile: as demand and as connections. It is what
// other autoscalers read.
type Horizon struct {
	Within      time.Duration `json:"within"`
	Quantile    float64       `json:"quantile"`
	Demand      float64       `json:"demand"`
	Connections int           `json:"connections"`
}

// The horizons and quantiles of Horizons.
var (
	Withins = []time.Duration{5 * time.Minute, 30 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}

	quantiles = []float64{0.5, 0.9, 0.95}
)

// Horizons are all of a pool, or none without a forecast that can be used.
func Horizons(now time.Time, p Pool) []Horizon {
	if usable(p.Forecast, now) != "" {
		return nil
	}
	var list []Horizon
	points := p.Forecast.Points[from(p.Forecast, now):]
	for _, within := range Withins {
		var most [3]float64
		for i := range points {
			if !points[i].Start.Before(now.Add(within)) {
				break
			}
			for q, demand := range []float64{points[i].P50, points[i].P90, points[i].P95} {
				most[q] = max(most[q], finite(demand))
			}
		}
		for q, demand := range most {
			list = append(list, Horizon{within, quantiles[q], demand, p.expects(demand)})
		}
	}
	return list
}
