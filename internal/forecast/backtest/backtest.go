package backtest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/forecast/report"
	"github.com/usher-pg/usher/internal/history"
)

// Options is how to replay.
type Options struct {
	Zone  *time.Location // nil: UTC
	Rules forecast.Rules
	// Learn is how many days are only learned from, and Warm after how many days days count. Between them forecasts are
	// made, so that quantiles are calibrated by the time they count. 0: the defaults.
	Learn, Warm int
	// Plan is the quantile to prepare for. 0: chosen on the first half of the days that count.
	Plan float64
}

// The defaults of Options.
const (
	LearnDefault = 14
	WarmDefault  = 30
)

// mostDays bounds a replay.
const mostDays = 3 * 366

// Run replays a history. It fails when there is too little of it.
func Run(buckets []history.Bucket, events []calendar.Event, o Options) (*Report, error) {
	o = o.withDefaults()
	if len(buckets) == 0 {
		return nil, errors.New("there is no history")
	}
	buckets = slices.Clone(buckets)
	slices.SortFunc(buckets, func(a, b history.Bucket) int { return a.Start.Compare(b.Start) })
	r := newReplay(buckets, events, o)
	if r.last.Before(report.Midnight(r.first, o.Warm+2)) {
		return nil, fmt.Errorf("history is from %s to %s, but %d days of it are needed before days count, and 2 that do",
			r.first.Format(time.DateOnly), r.last.Format(time.DateOnly), o.Warm)
	}
	for n := o.Learn; ; n++ {
		day := report.Midnight(r.first, n)
		if report.Midnight(day, 1).After(r.last) || n > mostDays {
			break
		}
		r.replay(day, n >= o.Warm)
	}
	return r.report(), nil
}

func (o Options) withDefaults() Options {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Learn <= 0 {
		o.Learn = LearnDefault
	}
	if o.Warm <= 0 {
		o.Warm = WarmDefault
	}
	o.Learn = min(o.Learn, o.Warm)
	return o
}

// replay is a history on its way through time.
type replay struct {
	o           Options
	buckets     []history.Bucket
	events      []calendar.Event
	known       report.Known
	first, last time.Time
	slot        time.Duration
	normal      normal
	calibration forecast.Calibration
	// issued are forecasts whose days nothing has been learned from yet.
	issued []issued
	days   []day
	rung   forecast.Rung
}

// issued is a forecast and the day it was made for.
type issued struct {
	day      time.Time
	forecast forecast.Forecast
}

func newReplay(buckets []history.Bucket, events []calendar.Event, o Options) *replay {
	r := &replay{o: o, buckets: buckets, events: events, known: report.NewKnown(buckets)}
	r.first = report.Midnight(buckets[0].Start.In(o.Zone), 0)
	r.last = buckets[len(buckets)-1].End().In(o.Zone)
	finest := 24 * time.Hour
	for i := range buckets {
		if buckets[i].Width > 0 {
			finest = min(finest, buckets[i].Width)
		}
	}
	r.slot = max(finest, 15*time.Minute)
	r.normal = newNormal(r)
	return r
}

// replay forecasts a day at the midnight with which the day before begins, and compares.
func (r *replay) replay(d time.Time, counts bool) {
	at := report.Midnight(d, -1)
	for len(r.issued) > 0 && !report.Midnight(r.issued[0].day, 1).After(at) {
		i := &r.issued[0]
		r.calibration = r.calibration.Learn(&i.forecast, r.known.Mean, i.day, report.Midnight(i.day, 1))
		r.issued = r.issued[1:]
	}
	n, _ := slices.BinarySearchFunc(r.buckets, at, func(b history.Bucket, t time.Time) int { return b.Start.Compare(t) })
	next := report.Midnight(d, 1)
	f := forecast.Make(forecast.Input{
		Now: at, Zone: r.o.Zone, History: r.buckets[:n], Events: r.events, Rules: r.o.Rules,
		Calibration: r.calibration, Fine: next.Sub(at), Far: next.Sub(at),
	})
	r.issued = append(r.issued, issued{d, f})
	if counts && f.Absent == "" {
		r.rung = f.Rung
		r.days = append(r.days, r.score(d, next, &f))
	}
}
