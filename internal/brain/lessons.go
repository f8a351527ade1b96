package brain

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/forecast/report"
	"github.com/usher-pg/usher/internal/history"
)

const (
	// judgedDays is over how many days it is shown how right forecasts were, and learnedDays from how many they learn how
	// sure they may be.
	judgedDays, learnedDays = 7, 45
	// judgedLead is how long before a time it must have been forecast to count.
	judgedLead = time.Hour
	// usualPoints is at least how many points a forecast has, to make room for them at once.
	usualPoints = int(forecast.FineDefault/history.Step + forecast.FarDefault/time.Hour)
)

// issued are the forecasts that were kept, the first of each day, from some days ago until now.
func issued(ctx context.Context, store history.Store, pool string, zone *time.Location, days int, now time.Time) (
	[]forecast.Forecast, error,
) {
	records, err := store.Forecasts(ctx, pool, now.Add(-time.Duration(days)*day), now)
	if err != nil {
		return nil, fmt.Errorf("read past forecasts: %w", err)
	}
	return decode(records, zone), nil
}

// decode reads forecasts, the first of each day.
func decode(records []history.Record, zone *time.Location) []forecast.Forecast {
	var list []forecast.Forecast
	last := ""
	for _, r := range records {
		of := r.At.In(zone).Format(time.DateOnly)
		f := forecast.Forecast{Zone: zone, Points: make([]forecast.Point, 0, usualPoints)}
		if of == last || json.Unmarshal(r.Content, &f) != nil {
			continue // of another version
		}
		list, last = append(list, f), of
	}
	return list
}

// calibrate is what forecasts of the past teach about how sure one may be.
func calibrate(
	issued []forecast.Forecast, past []history.Bucket, zone *time.Location, now time.Time,
) forecast.Calibration {
	var c forecast.Calibration
	came := report.NewKnown(past).Mean
	for i := range issued {
		f := &issued[i]
		for ahead := range 2 { // what it said of the rest of its day, and of the next
			local := f.Issued.In(zone)
			from, until := report.Midnight(local, ahead), report.Midnight(local, ahead+1)
			if !until.After(now) {
				c = c.Learn(f, came, from, until)
			}
		}
	}
	return c
}

// judge is how right forecasts were lately.
func judge(issued []forecast.Forecast, past []history.Bucket, now time.Time) report.Accuracy {
	early, _ := slices.BinarySearchFunc(issued, now.Add(-(judgedDays+1)*day),
		func(f forecast.Forecast, t time.Time) int { return f.Issued.Compare(t) })
	return report.Judge(issued[early:], past, judgedLead, now)
}
