package console

import (
	"math"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/scaler"
	"github.com/usher-pg/usher/internal/status"
)

func TestShowRendersWhatTheBrainKnows(t *testing.T) {
	connected, requested := shownAt(t, "2026-11-21 18:30:05"), shownAt(t, "2026-11-21 18:31:05")
	inAnHour := shownAt(t, "2026-11-21 19:30:05")
	checkShown(t, []struct{ query, want string }{
		{"show forecast", `shop,ann,` + connected + `,4.0,5.2,1.0,7,8,∅,it is planned
			shop,ann,` + inAnHour + `,16.0,17.2,4.0,19,20,prescale 18:50,a wedding
			blog,bob,∅,0.0,0.0,0.0,0,0,∅,there is no forecast: the history is not open`},
		{"show scaling", `shop,ann,scale,12.3,21,24,predictive,a wedding,one; two,` + connected + `,` + connected +
			`,∅,` + inAnHour + `
			blog,bob,observe,0.0,0,0,minimum,the pool's minimum,∅,∅,∅,none was made yet,∅`},
		{"show shortfalls", `shop,` + connected + `,` + inAnHour + `,` + requested + `,40,30,a wedding
			∅,` + connected + `,` + inAnHour + `,` + requested + `,80,60,∅`},
		{"show calendar", connected + `,` + inAnHour + `,Anna & Ben,wedding,120,weddings
			` + connected + `,` + connected + `,∅,∅,0,weddings`},
		{"show calendars", `weddings,https://calendar.example,2,7,` + inAnHour + `,` + connected + `,` + connected +
			`,it has shrunk,404,4,line 12: DTSTART: 2026; expected a date
			holidays,holidays.csv,0,0,∅,∅,∅,∅,∅,0,∅`},
		{"show tuning", `10.0.0.9:5432,on,24,22,1,20.0,1000,20.100,30,0.75,more is slower
			10.0.0.9:5432,on,24,22,1,22.0,∅,∅,10,1.00,more is slower
			10.0.0.10:5432,observe,0,0,0,0.0,0,0.000,0,0.00,∅`},
	})
}

// addBrain adds what the brain knows.
func addBrain(s *status.Snapshot, at time.Time) {
	s.Forecasts, s.Scaling = sampleForecasts(at), sampleScaling(at)
	s.Shortfalls = []status.Shortfall{
		{Pool: "shop", Start: at, End: at.Add(time.Hour), Peak: at.Add(time.Minute), Needed: 40, Have: 30, Why: "a wedding"},
		{Start: at, End: at.Add(time.Hour), Peak: at.Add(time.Minute), Needed: 80, Have: 60},
	}
	s.Events = []status.Event{
		{
			ID: "1", Source: "weddings", Name: "Anna & Ben", Kind: "wedding", Start: at, End: at.Add(time.Hour),
			Guests: 120,
		},
		{ID: "2", Source: "weddings", Start: at, End: at},
	}
	s.Calendars = []status.Calendar{
		{
			Name: "weddings", Place: "https://calendar.example", Attempt: at.Add(time.Hour), Success: at, Copy: at,
			Alarm: "it has shrunk", Error: "404", Events: 2, Remembered: 7, More: 3,
			Problems: []calendar.Problem{{Line: 12, Where: "DTSTART", Message: "2026", Expected: "a date"}},
		},
		{Name: "holidays", Place: "holidays.csv"},
	}
	s.Tuning = []status.Tuning{
		{
			Server: "10.0.0.9:5432", Mode: "on", Limit: 24, Size: 22, Found: true, Why: "more is slower",
			Curve: []status.CurvePoint{
				{Busy: 20, Throughput: 1000.4, Service: 0.0201, Seconds: 30.2, Full: 0.75},
				{Busy: 22, Throughput: math.NaN(), Service: math.Inf(1), Seconds: 10, Full: 1},
			},
		},
		{Server: "10.0.0.10:5432", Mode: "observe"},
	}
}

// sampleForecasts are one with a spike, and one that is absent.
func sampleForecasts(at time.Time) []status.Forecast {
	shop := status.Forecast{Database: "shop", User: "ann"}
	shop.Timezone = "UTC"
	point := func(begins time.Time, p50 float64, why string) status.PlanRow {
		return status.PlanRow{
			Point: forecast.Point{
				Start: begins, Width: time.Hour, P50: p50, P90: p50 + 1.25, Base: 4, Multiplier: p50 / 4, Why: why,
			},
			Needed: int(p50) + 3, Target: int(p50) + 4, Reason: "it is planned",
		}
	}
	shop.Points = []status.PlanRow{point(at, 4, ""), point(at.Add(time.Hour), 16, "a wedding")}
	shop.Spikes = []scaler.Spike{
		{Start: at.Add(time.Hour), End: at.Add(2 * time.Hour), Prescale: at.Add(20 * time.Minute)},
	}
	blog := status.Forecast{Database: "blog", User: "bob", Trouble: "the history is not open"}
	blog.Absent = "there is no forecast"
	return []status.Forecast{shop, blog}
}

// sampleScaling has a pool that is scaled with a spike ahead, and one that is only looked at.
func sampleScaling(at time.Time) []status.Scaling {
	return []status.Scaling{
		{
			Database: "shop", User: "ann", Server: "10.0.0.9:5432",
			Decision: status.Decision{
				At: at, Pool: "shop", Mode: scaler.Scale, Acts: true, From: 20, Target: 24, Changed: true,
				Cause: scaler.Predicted, Reason: "a wedding", Notes: []string{"one", "two"},
				Observed: scaler.Observed{Demand: 12.34, Open: 21},
			},
			Issued: at, Next: &forecast.Spike{Start: at.Add(time.Hour), End: at.Add(2 * time.Hour)},
		},
		{
			Database: "blog", User: "bob", Absent: "none was made yet",
			Decision: status.Decision{Mode: scaler.Observe, Reason: "the pool's minimum"},
		},
	}
}
