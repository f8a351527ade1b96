package backtest

import (
	"encoding/json"
	"math"
	"time"

	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/forecast/report"
)

// Report is how forecasts did. Half of the days that count are the first half: what was chosen, was chosen on it.
type Report struct {
	Zone  string    `json:"timezone"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	Ahead string    `json:"ahead"`
	// Events is how many began on days that count, and Slot how long a slot is.
	Events int           `json:"events"`
	Slot   time.Duration `json:"slot"`
	Rung   forecast.Rung `json:"rung"` // of the last day
	// Plan is the quantile to prepare for, and Chosen whether it was chosen here.
	Plan   float64 `json:"plan"`
	Chosen bool    `json:"plan_chosen"`

	First  Score `json:"first_half"`
	Second Score `json:"second_half"`
	Whole  Score `json:"whole"`
	Days   []Day `json:"days"`
}

// Score is how forecasts did on some days.
type Score struct {
	Days int `json:"days"`
	// WAPE of the middle forecast over all points, and the shares of them between P05 and P95, and up to P90.
	WAPE     Share `json:"wape"`
	Interval Share `json:"interval_90"`
	BelowP90 Share `json:"below_p90"`
	// Points is how many there are.
	Points int `json:"points"`

	// Window is of the slots in windows, by the middle forecast, and Planned by the quantile to prepare for.
	Window  Window `json:"window"`
	Planned Window `json:"planned"`
	// WindowInterval is the share of points in windows between P05 and P95.
	WindowInterval Share `json:"window_interval_90"`
}

// Window is how a forecast did in windows.
type Window struct {
	Quantile float64 `json:"quantile"`
	WAPE     Share   `json:"wape"`
	Under    Share   `json:"under_volume"`
	Over     Share   `json:"over_volume"`
	Busy     int     `json:"busy"`
	Caught   int     `json:"caught"`
	Share    Share   `json:"caught_share"`
}

// Day is a day that counts.
type Day struct {
	Date    string `json:"date"`
	Events  int    `json:"events"`
	WAPE    Share  `json:"wape"`
	Window  Window `json:"window"`
	Planned Window `json:"planned"`
}

// Share is a fraction, NaN where there was nothing: null in JSON.
type Share float64

// MarshalJSON makes NaN null.
func (s Share) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(s)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(s))
}

// overMost is how much over-volume in windows the quantile to prepare for may cost on the first half of the days. On
// others it may cost more: a fifth there is meant to be a quarter at most.
const overMost = 0.20

func (r *replay) report() *Report {
	half := len(r.days) / 2
	p := &Report{
		Zone: r.o.Zone.String(), From: r.days[0].date, Until: report.Midnight(r.days[len(r.days)-1].date, 1),
		Ahead: "issued at the midnight a day before the day's own", Slot: r.slot, Rung: r.rung, Plan: r.o.Plan,
	}
	if p.Plan == 0 {
		p.Plan, p.Chosen = choose(r.days[:half]), true
	}
	p.First, p.Second, p.Whole = p.score(r.days[:half]), p.score(r.days[half:]), p.score(r.days)
	for i := range r.days {
		d := r.days[i : i+1]
		s := p.score(d)
		p.Events += d[0].events
		p.Days = append(p.Days, Day{d[0].date.Format(time.DateOnly), d[0].events, s.WAPE, s.Window, s.Planned})
	}
	return p
}

// choose is the highest of the quantiles tried that costs no more than it may.
func choose(days []day) float64 {
	best := plans[0]
	for i, q := range plans {
		if w := window(days, i); w.Over <= overMost {
			best = q
		}
	}
	return best
}

func (p *Report) score(days []day) Score {
	var all volume
	var cover, inside covered
	for i := range days {
		all.sum(days[i].all)
		cover.sum(days[i].cover)
		inside.sum(days[i].inside)
	}
	return Score{
		Days: len(days), WAPE: share(all.over+all.under, all.demand), Points: cover.points,
		Interval: share(cover.interval, cover.points), BelowP90: share(cover.below90, cover.points),
		WindowInterval: share(inside.interval, inside.points),
		Window:         window(days, 0), Planned: window(days, planAt(p.Plan)),
	}
}

// planAt is the index of the quantile tried that is nearest.
func planAt(q float64) int {
	best := 0
	for i := range plans {
		if math.Abs(plans[i]-q) < math.Abs(plans[best]-q) {
			best = i
		}
	}
	return best
}

func window(days []day, plan int) Window {
	var v volume
	for i := range days {
		v.sum(days[i].windows[plan])
	}
	return Window{
		Quantile: plans[plan], WAPE: share(v.over+v.under, v.demand), Under: share(v.under, v.demand),
		Over: share(v.over, v.demand), Busy: v.busy, Caught: v.caught, Share: share(v.caught, v.busy),
	}
}

// share is a part of a whole, NaN of nothing.
func share[N int | float64](part, whole N) Share {
	if whole == 0 {
		return Share(math.NaN())
	}
	return Share(float64(part) / float64(whole))
}
