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

// pools copies what is shown.
func (b *Brain) pools() ([]seen, []status.Tuning) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	list := make([]seen, len(b.shown.pools))
	for i, p := range b.shown.pools {
		list[i].shownPool = p
		if o := b.outlooks[p.Name]; o != nil {
			list[i].outlook = *o
			list[i].scaled.Forecast = &o.forecast
		}
	}
	return list, b.shown.tuning
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
	pools, _ := b.pools()
	now := b.options.Clock.Now()
	var list []status.Forecast
	for i := range pools {
		p := &pools[i]
		list = append(list, status.Forecast{
			Database: p.Database, User: p.User,
			Outlook: scaler.Plan(now, p.scaled, p.decision.Target, p.Budget),
			Trouble: p.outlook.trouble, Accuracy: p.outlook.shownAccuracy(),
		})
	}
	return list
}

// Scaling is what was decided for each pool last.
func (b *Brain) Scaling() []status.Scaling {
	pools, _ := b.pools()
	now := b.options.Clock.Now()
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
	_, tuning := b.pools()
	return tuning
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

// Outlook answers KEDA: what is expected of the pools of a database, the greatest of them where each user has one.
func (b *Brain) Outlook(database string, quantile float64, ahead time.Duration) (keda.Outlook, error) {
	pools, _ := b.pools()
	now := b.options.Clock.Now()
	o, found := keda.Outlook{}, false
	for i := range pools {
		p := &pools[i]
		if p.Name != database && p.Database != database {
			continue
		}
		found = true
		o.Measured += p.demand
		plan := scaler.Plan(now, p.scaled, p.decision.Target, p.Budget)
		if plan.Absent != "" {
			o.Absent = plan.Absent
			continue
		}
		demand, target := 0.0, p.decision.Target
		for k := range plan.Points {
			point := &plan.Points[k]
			if !point.Start.Before(now.Add(ahead)) {
				break
			}
			demand, target = max(demand, point.At(quantile)), max(target, point.Target)
		}
		o.Demand += demand
		o.Target += target
	}
	if !found {
		return o, keda.ErrNoPool
	}
	return o, nil
}

var _ keda.Source = (*Brain)(nil)
