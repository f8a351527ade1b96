package brain

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/forecast/report"
	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/scaler"
)

const (
	// restPart is how many times as long as it took to forecast the brain rests before it does so again as a matter of
	// routine, so that it takes half a percent of a core at most.
	restPart = 200
	// leastRest bounds how often forecasts follow news, and newsPart does where they take long: a tenth of a core at most.
	leastRest = 2 * time.Second
	newsPart  = 10
	// storePatience is how long the history may take to answer.
	storePatience = 10 * time.Second
)

// errNotOpen is that there is no history to read from yet.
var errNotOpen = errors.New("the history is not open")

// outlook is what is expected of a pool.
type outlook struct {
	forecast    forecast.Forecast
	trouble     string // why the last forecast could not be made
	day         string // the last one of which a forecast was kept
	accuracy    report.Accuracy
	calibration forecast.Calibration
	calibrated  string // the last day on which it was learned anew
}

// foresee makes forecasts when there is something new, and as time goes on, until ctx ends.
func (b *Brain) foresee(ctx context.Context) error {
	var rested time.Time // from when on routine forecasts are made
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.over:
			b.remember(ctx)
			continue
		case <-b.news:
		case <-b.routine:
			if time.Now().Before(rested) {
				continue
			}
		}
		b.remember(ctx)
		begun := time.Now()
		b.foreseePools(ctx)
		took := time.Since(begun)
		rested = time.Now().Add(restPart * took)
		rest := time.NewTimer(max(leastRest, newsPart*took))
		select {
		case <-ctx.Done():
			rest.Stop()
			return nil
		case <-rest.C:
		}
	}
}

// foreseePools makes the forecasts of all pools, and forgets those of pools that are gone or need none. What is
// remembered of their servers is read first.
func (b *Brain) foreseePools(ctx context.Context) {
	b.recall(ctx)
	needed := map[string]bool{}
	for _, p := range b.options.Pools() {
		if p.Options.Scaling.Mode != config.ScalingOff {
			needed[p.Name] = true
			b.foreseePool(ctx, &p)
		}
	}
	b.mutex.Lock()
	maps.DeleteFunc(b.outlooks, func(pool string, _ *outlook) bool { return !needed[pool] })
	b.mutex.Unlock()
	b.foreseeShortfalls(b.options.Clock.Now())
}

// foreseePool makes the forecast of a pool. If the history does not answer, the one before stays.
func (b *Brain) foreseePool(ctx context.Context, p *Pool) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	c, now := b.options.Config(), b.options.Clock.Now()
	b.mutex.Lock()
	o := outlook{}
	if before := b.outlooks[p.Name]; before != nil {
		o = *before
	}
	b.mutex.Unlock()

	past, err := b.past(ctx, p.Name, now)
	if err == nil {
		o.trouble = ""
		b.reckon(ctx, c, p, past, now, &o)
	} else {
		if text := err.Error(); text != o.trouble && !errors.Is(err, errNotOpen) {
			b.log.Warn("no new forecast", "pool", p.Name, "error", err)
		}
		o.trouble = err.Error()
		if errors.Is(err, errNotOpen) {
			b.wake() // to try again soon; after other errors it is with the next bucket, because other pools have forecasts
		}
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.outlooks[p.Name] = &o
}

// foreseeShortfalls looks for times at which more is expected to be needed than there is, and tells about new ones.
func (b *Brain) foreseeShortfalls(now time.Time) {
	pools := b.pools()
	budgets, byServer := map[string]int{}, map[string][]scaler.Pool{}
	for i := range pools {
		p := &pools[i]
		if _, known := budgets[p.Server]; !known {
			budgets[p.Server] = p.Budget
		}
		budgets[p.Server] = p.besideReserve(budgets[p.Server])
		byServer[p.Server] = append(byServer[p.Server], p.scaled)
	}
	var all []scaler.Shortfall
	for _, server := range slices.Sorted(maps.Keys(byServer)) {
		all = append(all, scaler.Shortfalls(now, byServer[server], budgets[server])...)
	}
	b.mutex.Lock()
	before := b.shortfalls
	b.shortfalls = all
	b.mutex.Unlock()
	for _, s := range all {
		known := slices.ContainsFunc(before, func(o scaler.Shortfall) bool {
			return o.Pool == s.Pool && o.Start.Before(s.End) && s.Start.Before(o.End)
		})
		if !known {
			b.log.Warn("shortfall ahead", "pool", s.Pool, "from", s.Start, "until", s.End, "missing", s.Missing(),
				"text", s.String())
		}
	}
}

// past is what is known of a pool.
func (b *Brain) past(ctx context.Context, pool string, now time.Time) ([]history.Bucket, error) {
	store, ok := b.keeper.Store()
	if !ok {
		return nil, errNotOpen
	}
	return store.Range(ctx, pool, now.Add(-forecast.Memory), now)
}

// reckon makes the forecast, and once a day learns from those of the past.
func (b *Brain) reckon(
	ctx context.Context, c *config.Config, p *Pool, past []history.Bucket, now time.Time, o *outlook,
) {
	zone := zoneOf(c)
	today := now.In(zone).Format(time.DateOnly)
	if o.calibrated != today {
		if store, ok := b.keeper.Store(); ok {
			if issued, err := issued(ctx, store, p.Name, zone, learnedDays, now); err == nil {
				o.calibration, o.accuracy = calibrate(issued, past, zone, now), judge(issued, past, now)
				o.calibrated = today
			}
		}
	}
	o.forecast = forecast.Make(forecast.Input{
		Pool: p.Name, Now: now, Zone: zone, History: past, Events: b.calendars.events(poolOf(c, p.Database), now),
		Rules: forecastRules(c, p), Calibration: o.calibration,
	})
	if o.day != today && o.forecast.Absent == "" {
		if text, ok := b.asText(p.Name, o.forecast); ok {
			b.keeper.SaveForecast(p.Name, o.forecast.Issued, text)
		}
		o.day = today
	}
}
