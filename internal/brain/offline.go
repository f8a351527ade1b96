package brain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/calendar/feed"
	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/forecast/report"
	"github.com/usher-pg/usher/internal/foresight"
	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/postgres"
	"github.com/usher-pg/usher/internal/history/sqlite"
	"github.com/usher-pg/usher/internal/past"
	"github.com/usher-pg/usher/internal/scaler"
	"github.com/usher-pg/usher/internal/status"
	"github.com/usher-pg/usher/internal/tuner"
)

// Reading is the calendars of a configuration, each read once, and what is remembered of them.
type Reading struct {
	calendars  []config.Calendar
	listed     [][]calendar.Event
	remembered [][]calendar.Event
	states     []status.Calendar
}

// ReadCalendars reads all calendars of a configuration at once, each as a running usher would: one that cannot be read
// is as the copy that usher keeps in the folder. ahead is how far ahead events are read; 0: as far as forecasts need.
// Its error is the context's.
func ReadCalendars(
	ctx context.Context, c *config.Config, folder string, ahead time.Duration, now time.Time,
) (*Reading, error) {
	n := len(c.Calendars)
	r := &Reading{c.Calendars, make([][]calendar.Event, n), make([][]calendar.Event, n), make([]status.Calendar, n)}
	g, ctx := errgroup.WithContext(ctx)
	for i := range c.Calendars {
		g.Go(func() error {
			config := feedConfig(folder, c, &c.Calendars[i])
			if ahead > 0 {
				config.Ahead = ahead
			}
			reading, state, err := feed.Once(ctx, config, now)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil { // the source is none that can be read
				state = feed.State{Name: config.Name, Place: config.Place(), Error: err.Error()}
			}
			r.listed[i], r.states[i] = reading.Events, shownCalendar(&state)
			return nil
		})
	}
	return r, g.Wait()
}

// Remember adds the events that took place and are not listed any more, as [Offline.Remembered] gives them.
func (r *Reading) Remember(events []history.Event, now time.Time) {
	var g sync.WaitGroup
	for i := range r.calendars {
		g.Go(func() {
			own := history.OfSource(events, r.calendars[i].Name)
			if len(own) == 0 {
				return
			}
			gone := past.NotIn(own, slices.Values(r.listed[i]), len(r.listed[i]))
			r.remembered[i] = slices.AppendSeq(make([]calendar.Event, 0, len(gone)), past.Begun(gone, now))
			r.states[i].Remembered = len(r.remembered[i])
		})
	}
	g.Wait()
}

// Of are the calendars that concern a database, "" being any, and their events, the past ones included.
func (r *Reading) Of(database string) ([]status.Calendar, []calendar.Event) {
	states, events := []status.Calendar{}, []calendar.Event{}
	for i := range r.calendars {
		if c := &r.calendars[i]; concerns(c, database) {
			states = append(states, r.states[i])
			events = slices.Grow(events, len(r.listed[i])+len(r.remembered[i]))
			events = appendEvents(events, slices.Values(r.listed[i]), c)
			events = appendEvents(events, slices.Values(r.remembered[i]), c)
		}
	}
	return states, events
}

// Offline answers what a running usher would expect, from its history, which it only reads.
type Offline struct {
	config *config.Config
	store  history.Store
}

// ErrNoHistory is wrapped by errors about a history that is not there.
var ErrNoHistory = errors.New("there is no history yet")

// OpenOffline opens the history that a configuration names, with the folder as in Options. tell is called with what an
// operator should know of it.
func OpenOffline(ctx context.Context, c *config.Config, folder string, tell func(string)) (*Offline, error) {
	where := c.History.Store
	switch {
	case where.URL != "":
		store, err := postgres.Open(ctx, postgres.Config{DSN: string(where.URL), Tell: tell})
		if err != nil {
			return nil, err
		}
		return &Offline{c, store}, nil
	case where.Path == config.HistoryOff:
		return nil, fmt.Errorf("%w: history.store is off, so that usher remembers until it ends only; "+
			"SHOW FORECAST of a running usher shows what it expects", ErrNoHistory)
	}
	path := HistoryPath(where, folder)
	store, err := sqlite.Open(ctx, sqlite.Config{Path: path, ReadOnly: true, Tell: tell})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w at %s: usher serve with this configuration writes it; "+
			"or usher history import brings one from elsewhere (--history %s)", ErrNoHistory, path, path)
	}
	if err != nil {
		return nil, err
	}
	return &Offline{c, store}, nil
}

// Close closes the history.
func (o *Offline) Close() error { return o.store.Close() }

// Pools are those that the history knows.
func (o *Offline) Pools(ctx context.Context) ([]string, error) { return o.store.Pools(ctx) }

// Remembered are the events that took place, of all calendars, as far back as forecasts look.
func (o *Offline) Remembered(ctx context.Context, now time.Time) ([]history.Event, error) {
	return o.store.Events(ctx, now.Add(-past.Reach), now)
}

// Question is what is asked of an Offline.
type Question struct {
	Pool    string
	Now     time.Time
	WhatIf  []string      // events that somebody imagines, see report.WhatIf
	Horizon time.Duration // how far is shown; 0: all
}

// Known is what of the history a forecast stands on.
type Known struct {
	buckets []history.Bucket
	records []history.Record // forecasts of the days that are judged
	decided *foresight.Decided
	lesson  lesson // of the pool's server
}

// Look reads what the history knows of a pool.
func (o *Offline) Look(ctx context.Context, pool string, now time.Time) (*Known, error) {
	var k Known
	var err error
	if k.buckets, err = o.store.Range(ctx, pool, now.Add(-forecast.Memory), now); err != nil {
		return nil, err
	}
	if k.records, err = o.store.Forecasts(ctx, pool, now.Add(-(judgedDays+1)*day), now); err != nil {
		return nil, fmt.Errorf("read past forecasts: %w", err)
	}
	decisions, err := o.store.Decisions(ctx, pool, now.AddDate(-1, 0, 0), now, 1)
	if err != nil {
		return nil, fmt.Errorf("read the last decision: %w", err)
	}
	for _, r := range decisions {
		if d := (foresight.Decided{}); json.Unmarshal(r.Content, &d) == nil { // or it is of another version
			k.decided = &d
		}
	}
	p := o.pool(pool)
	if k.lesson, err = readLesson(ctx, o.store, p.Server, now); err != nil {
		return nil, fmt.Errorf("read what the tuner found: %w", err)
	}
	return &k, nil
}

// useful is how many server connections are of use to a pool, as tuning.useful says it in a running usher. Where each
// user has a pool, there may be several.
func (o *Offline) useful(p *Pool, k *Known) int {
	pools := 0
	for _, configured := range o.config.Pools {
		if configured.Target.Server() == p.Server {
			pools++
			if configured.User == "" {
				pools++
			}
		}
	}
	if o.config.Tuning != config.TuningOn || pools != 1 || p.Options.Mode == config.ModeSession {
		return 0
	}
	rules := tuningRules(o.config.Tuning, []*charge{{Pool: *p}}, p.besideReserve(p.Budget))
	if state, _ := tuner.Resume(k.lesson.Lesson, rules, 0); state.Size < rules.Max {
		return state.Size
	}
	return 0
}

// calibration is that of the newest forecast, so that nothing has to be learned from all of them anew.
func (k *Known) calibration(zone *time.Location) forecast.Calibration {
	for _, r := range slices.Backward(k.records) {
		if newest := decode([]history.Record{r}, zone); len(newest) > 0 {
			return newest[0].Calibration
		}
	}
	return forecast.Calibration{}
}

// Answer is what is expected of a pool. Its error is of what is imagined.
func (o *Offline) Answer(q Question, k *Known, r *Reading) (*foresight.Page, error) {
	zone := zoneOf(o.config)
	imagined := make([]calendar.Event, len(q.WhatIf))
	for i, text := range q.WhatIf {
		var err error
		if imagined[i], err = report.WhatIf(text, zone); err != nil {
			return nil, err
		}
	}
	p := o.pool(q.Pool)
	states, events := r.Of(p.Database)
	in := forecast.Input{
		Pool: p.Name, Now: q.Now, Zone: zone, History: k.buckets, Events: events, Rules: forecastRules(o.config, &p),
		Calibration: k.calibration(zone),
	}
	var expected, usual forecast.Forecast
	var accuracy report.Accuracy
	var g sync.WaitGroup // a person waits, and there is more than one core
	g.Go(func() { accuracy = judge(decode(k.records, zone), k.buckets, q.Now) })
	if len(imagined) > 0 {
		usualIn := in
		g.Go(func() { usual = forecast.Make(usualIn) })
		in.Extra = imagined
	}
	expected = forecast.Make(in)
	g.Wait()
	page := &foresight.Page{
		Mode: string(p.Options.Scaling.Mode), Stands: expected.Rung.String(), History: whole(k.buckets, q.Now),
		Calendars: states, WhatIf: q.WhatIf,
		Next: slices.AppendSeq([]calendar.Event{}, calendar.NewSet(events).Overlapping(q.Now, q.Now.Add(eventsAhead))),
	}
	page.Database, page.User = p.Database, p.User
	page.Decided = k.decided
	page.Outlook = o.plan(&p, &expected, k, q)
	if accuracy.Points > 0 {
		page.Accuracy = &accuracy
	}
	if len(imagined) > 0 {
		before := o.plan(&p, &usual, k, q)
		page.Changes = foresight.Changes(&before, &page.Outlook)
	}
	return page, nil
}

// plan is what a pool would do that has what was decided last, or what it must have.
func (o *Offline) plan(p *Pool, f *forecast.Forecast, k *Known, q Question) scaler.Outlook {
	var c charge
	for _, b := range k.buckets[max(0, len(k.buckets)-int(day/history.Step)):] {
		c.learn(b)
	}
	scaled := scaler.Pool{
		Name: p.Name, Rules: scalingRules(p, o.useful(p, k)), Forecast: f,
		Observed: scaler.Observed{Unknown: true, Load: c.load},
	}
	target := p.Options.Size.Min
	if k.decided != nil {
		target = max(target, min(k.decided.Target, p.Options.Size.Max))
	}
	until := time.Time{}
	if q.Horizon > 0 {
		until = q.Now.Add(q.Horizon)
	}
	return scaler.PlanUntil(q.Now, until, scaled, target, p.Budget)
}

// pool is a pool of the history as the configuration has it. A pool that is not in it any more has the defaults.
func (o *Offline) pool(name string) Pool {
	database, user := name, ""
	p, ok := o.config.Pools[name]
	for i := range name {
		if named := o.config.Pools[name[:i]]; !ok && name[i] == '/' && named != nil && named.User == "" {
			p, ok, database, user = named, true, name[:i], name[i+1:]
		}
	}
	if !ok {
		if p, ok = o.config.Pools[config.Fallback]; ok && p.User == "" {
			database, user, _ = strings.Cut(name, "/")
		}
	}
	made := Pool{Name: name, Database: database, User: user, Options: o.config.PoolDefaults}
	if ok {
		made.Options, made.Server = p.PoolOptions, p.Target.Server()
		made.Budget = o.config.Budgets[made.Server]
	}
	return made
}

// whole is how whole a history is.
func whole(past []history.Bucket, now time.Time) foresight.History {
	if len(past) == 0 {
		return foresight.History{}
	}
	var h foresight.History
	h.First, h.Ends = past[0].Start, past[len(past)-1].End()
	var known time.Duration
	for i := range past {
		known += past[i].Width
	}
	if all := now.Sub(h.First); all > 0 {
		h.Days, h.Known = all.Hours()/24, min(1, float64(known)/float64(all))
	}
	return h
}
