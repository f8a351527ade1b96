package forecast_test

import (
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/history"
)

// TestEventsOfAQuietHistoryAreNoOutliers: where demand is the same all day and has no noise, all that deviates is what
// events bring. Five of them at four times the usual must be enough to expect the sixth.
func TestEventsOfAQuietHistoryAreNoOutliers(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 20, 16, 0, 0, 0, time.UTC)
	next := now.Add(90 * time.Minute)
	var past []history.Bucket
	var events []calendar.Event
	for n := range 6 {
		begins := next.AddDate(0, 0, -6*n) // not always on the same day of the week
		events = append(events, calendar.Event{
			ID: begins.String(), Kind: "wedding", Start: begins, End: begins.Add(2 * time.Hour), Guests: 100,
		})
	}
	for at := now.AddDate(0, 0, -35); at.Before(now); at = at.Add(history.Step) {
		demand := 4.0
		for _, e := range events {
			if !at.Before(e.Start) && at.Before(e.End) {
				demand = 16
			}
		}
		past = append(past, history.Bucket{Start: at, Width: history.Step, Samples: 300, Mean: demand, Max: demand})
	}
	f := forecast.Make(forecast.Input{Pool: "app", Now: now, History: past, Events: events})
	if len(f.Spikes) != 1 {
		t.Fatalf("spikes are %+v, want the sixth event", f.Spikes)
	}
	s := f.Spikes[0]
	if s.Ratio < 3.4 || s.Ratio > 4.2 || s.Start.Before(next.Add(-30*time.Minute)) || s.Start.After(next) {
		t.Errorf("a spike of %.2f times the usual from %v, want 4 times from %v", s.Ratio, s.Start, next)
	}
}
