package simulation

import (
	"math"
	"time"

	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/scaler"
)

// static has always the same.
type static struct{ connections int }

func (s static) begin(int)                             {}
func (s static) decide(time.Time, scaler.Observed) int { return s.connections }
func (s static) record(history.Bucket)                 {}

// oracle knows the demand of the bucket under way and the next.
type oracle struct {
	world *World
	now   int
}

func (o *oracle) begin(bucket int)      { o.now = bucket }
func (o *oracle) record(history.Bucket) {}

func (o *oracle) decide(time.Time, scaler.Observed) int {
	w, most := o.world, 0.0
	for b := o.now; b < min(o.now+2, w.buckets()); b++ {
		most = max(most, w.peak(b))
	}
	return max(least, min(need(most), w.most))
}

// least is every policy's minimum.
const least = 10

// reactive is usher's scaler without a forecast.
type reactive struct {
	pool  scaler.Pool
	state scaler.State
}

func newReactive(w *World, o Options) *reactive {
	r := &reactive{pool: scaler.Pool{Name: "shop", Rules: scaler.Defaults(least, w.most)}}
	r.pool.Rules.Mode, r.pool.Rules.Opens = scaler.Scale, o.Opens
	return r
}

func (r *reactive) begin(int)             {}
func (r *reactive) record(history.Bucket) {}

func (r *reactive) decide(now time.Time, o scaler.Observed) int {
	r.pool.Observed = o
	var decisions []scaler.Decision
	r.state, decisions = scaler.Decide(now, []scaler.Pool{r.pool}, 0, r.state)
	return decisions[0].Target
}

// Forecaster makes forecasts: forecast.Make.
type Forecaster func(forecast.Input) forecast.Forecast

const (
	// remembered is how far back a forecast of the simulation looks, which is enough and makes it quick.
	remembered = 10 * 7 * bucketsADay
	// issueHour is when the day's forecast is made. It is used until the next: usher makes one every hour.
	issueHour = 4
	// looksAhead is how far it reaches.
	looksAhead = 36 * time.Hour
	// wrongBy is how wrong the rules of thumb are, in one direction with even seeds, in the other with odd ones.
	wrongBy = 2.5
)

// ours is usher's scaler with its forecast.
type ours struct {
	reactive
	world    *World
	make     Forecaster
	rules    forecast.Rules
	past     []history.Bucket
	taught   forecast.Calibration
	last     *forecast.Forecast
	issued   int // bucket
	evenings []evening
}

// evening is a Saturday's as it was expected that morning.
type evening struct {
	day      int
	expected float64 // P50 of the most
}

func newOurs(w *World, o Options) *ours {
	p := &ours{reactive: *newReactive(w, o), world: w, make: o.Forecaster, issued: -1}
	p.rules = forecast.Rules{Priors: forecast.DefaultPriors(), Normal: (nightly + daily) / 2, Cap: float64(w.most)}
	for i := range p.rules.Priors {
		rule := &p.rules.Priors[i]
		if w.seed%2 == 0 {
			rule.Multiple *= wrongBy
		} else {
			rule.Multiple /= wrongBy
		}
	}
	return p
}

func (o *ours) record(b history.Bucket) { o.past = append(o.past, b) }

// begin makes the day's forecast, or a new one if the calendar of the day has changed.
func (o *ours) begin(b int) {
	now := o.world.at(b)
	local := now.In(o.world.zone)
	daily := local.Hour() == issueHour && local.Minute() == 0
	hourly := o.last != nil && local.Minute() == 0 && o.world.changed(o.world.at(o.issued), now, now.Add(looksAhead))
	if o.last != nil && !daily && !hourly {
		return
	}
	if o.last != nil {
		o.taught = o.taught.Learn(o.last, o.came, o.last.Issued, now)
	}
	f := o.make(forecast.Input{
		Pool: o.pool.Name, Now: now, Zone: o.world.zone,
		History: o.past[max(0, b-remembered):],
		Events:  o.world.calendar(now, time.Duration(remembered)*history.Step),
		Rules:   o.rules, Calibration: o.taught, Far: looksAhead,
	})
	f.Until = now.Add(25 * time.Hour)
	if daily && local.Weekday() == time.Saturday {
		o.foretell(&f, b)
	}
	o.last, o.issued, o.pool.Forecast = &f, b, &f
}

// came is mean demand as it was recorded: from start for width, whether it is a lower bound, and whether it is known.
func (o *ours) came(start time.Time, width time.Duration) (mean float64, cut, ok bool) {
	first, n := o.world.bucket(start), int(width/history.Step)
	if first < 0 || n == 0 || first+n > len(o.past) {
		return 0, false, false
	}
	for i := range o.past[first : first+n] {
		b := &o.past[first+i]
		if b.Outage {
			return 0, false, false
		}
		mean, cut = mean+b.Mean/float64(n), cut || b.CutOff
	}
	return mean, cut, true
}

// foretell notes what is expected of the evening.
func (o *ours) foretell(f *forecast.Forecast, b int) {
	e := evening{day: b}
	for i := range f.Points {
		p := &f.Points[i]
		if eveningOf(p.Start.In(o.world.zone)) && p.Start.Sub(f.Issued) < 24*time.Hour {
			e.expected = math.Max(e.expected, p.P50)
		}
	}
	o.evenings = append(o.evenings, e)
}

// eveningOf reports whether a time is in the evening of a Saturday.
func eveningOf(local time.Time) bool { return local.Weekday() == time.Saturday && local.Hour() >= 14 }
