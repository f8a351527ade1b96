package brain

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/calendar/feed"
	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/forecast/report"
	"github.com/usher-pg/usher/internal/keda"
	"github.com/usher-pg/usher/internal/scaler"
	"github.com/usher-pg/usher/internal/status"
)

// shown is what others may see of the observing goroutine's work. It is replaced at each step, never changed.
type shown struct {
	pools  []shownPool
	tuning []status.Tuning
}

// shownPool is a pool as it was decided about last.
type shownPool struct {
	Pool
	scaled   scaler.Pool
	decision scaler.Decision
	demand   float64 // in the last step
	changes  []status.Count
}

// show publishes what was decided.
func (b *Brain) show() {
	var s shown
	for _, c := range b.charges {
		p := shownPool{Pool: c.Pool, scaled: c.scaled, decision: c.decision, demand: float64(c.sample.Demand())}
		for _, cause := range slices.Sorted(maps.Keys(c.changes)) {
			p.changes = append(p.changes, status.Count{Reason: cause.String(), Count: c.changes[cause]})
		}
		s.pools = append(s.pools, p)
	}
	slices.SortFunc(s.pools, func(a, b shownPool) int { return strings.Compare(a.Name, b.Name) })
	for _, h := range b.houses {
		s.tuning = append(s.tuning, h.tuning.view(h.server))
	}
	slices.SortFunc(s.tuning, func(a, b status.Tuning) int { return strings.Compare(a.Server, b.Server) })
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.shown = s
}

func (t *tuning) view(server string) status.Tuning {
	v := status.Tuning{
		Server: server, Mode: string(t.mode), Limit: t.state.Limit, Size: t.state.Size, Found: t.state.Found,
		Why: t.state.Why, Cost: t.state.Cost, Curve: t.state.Curve(),
	}
	for _, s := range t.steps {
		v.Steps = append(v.Steps, s.String()+": "+s.Reason)
	}
	return v
}

// seen is a pool with what is expected of it.
type seen struct {
	shownPool
	outlook outlook
}

// pools copies what is shown of all pools.
func (b *Brain) pools() []seen { return b.poolsThat(func(*shownPool) bool { return true }) }

// poolsThat copies what is shown of some.
func (b *Brain) poolsThat(wanted func(*shownPool) bool) []seen {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	var list []seen
	for i := range b.shown.pools {
		p := &b.shown.pools[i]
		if !wanted(p) {
			continue
		}
		s := seen{shownPool: *p}
		if o := b.outlooks[p.Name]; o != nil {
			s.outlook, s.scaled.Forecast = *o, &o.forecast
		}
		list = append(list, s)
	}
	return list
}

// shownAccuracy is that of the last days, if there were any.
func (o *outlook) shownAccuracy() *report.Accuracy {
	if o.accuracy.Points == 0 {
		return nil
	}
	a := o.accuracy
	return &a
}

// Forecasts are those of all pools, with what is planned.
func (b *Brain) Forecasts() []status.Forecast {
	pools, now := b.pools(), b.Now()
	var list []status.Forecast
	for i := range pools {
		list = append(list, pools[i].forecast(now, time.Time{}))
	}
	return list
}

// ForecastOf is what is expected of the pool of a database until ahead from now. Where each user has a pool it is the
// first one's, unless a user is named. false: there is no such pool.
func (b *Brain) ForecastOf(database, user string, ahead time.Duration) (status.Forecast, bool) {
	pools := b.poolsThat(func(p *shownPool) bool { return p.Database == database && (user == "" || p.User == user) })
	if len(pools) == 0 {
		return status.Forecast{}, false
	}
	now := b.Now()
	return pools[0].forecast(now, now.Add(ahead)), true
}

// forecast is what is expected of a pool until a time; zero: all.
func (p *seen) forecast(now, until time.Time) status.Forecast {
	return status.Forecast{
		Database: p.Database, User: p.User,
		Outlook: scaler.PlanUntil(now, until, p.scaled, p.decision.Target, p.Budget),
		Trouble: p.outlook.trouble, Accuracy: p.outlook.shownAccuracy(),
	}
}

// Scaling is what was decided for each pool last.
func (b *Brain) Scaling() []status.Scaling {
	pools, now := b.pools(), b.Now()
	var list []status.Scaling
	for i := range pools {
		p := &pools[i]
		s := status.Scaling{
			Database: p.Database, User: p.User, Server: p.Server, Decision: p.decision,
			Horizons: scaler.Horizons(now, p.scaled), Accuracy: p.outlook.shownAccuracy(),
			Issued: p.outlook.forecast.Issued, Days: p.outlook.forecast.Days, Absent: p.outlook.forecast.Absent,
			Changes: p.changes,
		}
		if s.Issued.IsZero() {
			s.Absent = "none was made yet"
		}
		for _, spike := range p.outlook.forecast.Spikes {
			if spike.End.After(now) {
				s.Next = &spike
				break
			}
		}
		list = append(list, s)
	}
	return list
}

// Shortfalls are those of the next 14 days.
func (b *Brain) Shortfalls() []scaler.Shortfall {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.shortfalls
}

// Tuning is what is known of the database servers.
func (b *Brain) Tuning() []status.Tuning {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.shown.tuning
}

// History is how the history is.
func (b *Brain) History() *status.History {
	s := b.keeper.State()
	return &status.History{
		Open: s.Open, Waiting: s.Buckets + s.Records, Written: s.Written, Dropped: s.Dropped + s.Refused,
		Trouble: s.Trouble, Since: s.Since,
	}
}

// eventsAhead is how far ahead events are shown: as far as there are forecasts.
const eventsAhead = forecast.FarDefault

// Calendars are the sources of events, and the events that are under way or come.
func (b *Brain) Calendars() ([]status.Calendar, []calendar.Event) {
	now := b.options.Clock.Now()
	events := slices.Collect(calendar.NewSet(b.calendars.events("", now)).Overlapping(now, now.Add(eventsAhead)))
	return b.calendars.states(now), events
}

func shownCalendar(s *feed.State) status.Calendar {
	return status.Calendar{
		Name: s.Name, Place: s.Place, Attempt: s.Attempt, Success: s.Success, Copy: s.Copy, Alarm: s.Alarm(),
		Error: s.Error, Doubt: s.Doubt, Keeping: s.Keeping, Events: s.Events, Problems: s.Problems, More: s.More,
	}
}

// Outlook answers KEDA: what is expected of the pools of a database together, where each user has one. Of one without a
// forecast it is what is measured, unless none has one.
func (b *Brain) Outlook(database string, quantile float64, ahead time.Duration) (keda.Outlook, error) {
	pools := b.poolsThat(func(p *shownPool) bool { return p.Name == database || p.Database == database })
	if len(pools) == 0 {
		return keda.Outlook{}, keda.ErrNoPool
	}
	now := b.Now()
	var o keda.Outlook
	absent := 0
	for i := range pools {
		p := &pools[i]
		o.Measured += p.demand
		plan := scaler.PlanUntil(now, now.Add(ahead), p.scaled, p.decision.Target, p.Budget)
		demand, target := 0.0, p.decision.Target
		if plan.Absent != "" {
			absent++
			demand, o.Absent = p.demand, plan.Absent
		}
		for k := range plan.Points {
			point := &plan.Points[k]
			demand, target = max(demand, point.At(quantile)), max(target, point.Target)
		}
		o.Demand += demand
		o.Target += target
	}
	if absent < len(pools) {
		o.Absent = ""
	}
	return o, nil
}

var _ keda.Source = (*Brain)(nil)
