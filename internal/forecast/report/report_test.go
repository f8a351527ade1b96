package report

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/history"
)

var saturday = time.Date(2026, 6, 20, 20, 0, 0, 0, time.UTC)

func zone(t *testing.T) *time.Location {
	t.Helper()
	z, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// nearly compares without what arithmetic rounds.
var nearly = cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })

func TestWhatIf(t *testing.T) {
	t.Parallel()
	berlin := zone(t)
	at := time.Date(2026, 6, 20, 18, 0, 0, 0, berlin)
	for text, want := range map[string]struct {
		guests float64
		length time.Duration
		kind   string
	}{
		"guests=300 at 2026-06-20T18:00":                       {300, WhatIfDuration, ""},
		"guests=300 at 2026-06-20T16:00Z for 90m":              {300, 90 * time.Minute, ""},
		"kind=wedding guests=2.5e2 for 2h at 2026-06-20T18:00": {250, 2 * time.Hour, "wedding"},
		"at 2026-06-20T18:00":                                  {0, WhatIfDuration, ""},
	} {
		e, err := WhatIf(text, berlin)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if !e.Start.Equal(at) || e.End.Sub(e.Start) != want.length || e.Guests != want.guests || e.Kind != want.kind {
			t.Errorf("%s: %+v", text, e)
		}
	}
	for _, text := range []string{
		"", "guests=300", "guests=-1 at 2026-06-20T18:00", "guests=NaN at 2026-06-20T18:00", "at", "at noon",
		"at 2026-06-20T18:00 for -1h", "at 2026-06-20T18:00 for 900h", "guests=300 on 2026-06-20T18:00",
	} {
		if _, err := WhatIf(text, berlin); err == nil || !strings.Contains(err.Error(), "expected guests=300 at") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzWhatIf(f *testing.F) {
	f.Add("guests=300 at 2026-06-20T18:00 for 5h kind=wedding")
	f.Add("at 2026-06-20T18:00Z")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := WhatIf(text, time.UTC)
		if err == nil && (e.End.Before(e.Start) || e.ID == "" || !(e.Guests >= 0)) {
			t.Errorf("%q: %+v", text, e)
		}
	})
}

func TestAccuracyIsOfWhatWasSaidInTime(t *testing.T) {
	t.Parallel()
	began := saturday.Truncate(24 * time.Hour)
	issue := func(hours int, demand float64) forecast.Forecast {
		f := forecast.Forecast{Issued: began.Add(time.Duration(hours) * time.Hour)}
		for i := range 24 {
			p := forecast.Point{
				Start: f.Issued.Add(time.Duration(i) * time.Hour), Width: time.Hour, Base: 10,
				P05: 8, P50: 10, P90: 12, P95: 13, Multiplier: 1,
			}
			if p.Start.Hour() == 18 {
				p.P50, p.P90, p.P95, p.Multiplier = demand, demand*1.2, demand*1.3, demand/10
			}
			f.Points = append(f.Points, p)
		}
		f.Spikes = forecast.Spikes(f.Points, forecast.LeastSpikeDefault)
		return f
	}
	var came []history.Bucket
	for i := range 24 {
		b := history.Bucket{Start: began.Add(time.Duration(i) * time.Hour), Width: time.Hour, Mean: 10}
		if i == 18 {
			b.Mean = 40
		}
		came = append(came, b)
	}
	// The second says it right, but too late: an hour is needed.
	issued := []forecast.Forecast{issue(18, 40), issue(0, 30), issue(12, 10)}
	a := Judge(issued, came, time.Hour, began.Add(24*time.Hour))
	want := Accuracy{
		Points: 23, WAPE: 30.0 / 260, BelowP90: 22.0 / 23, Interval: 22.0 / 23,
		Spikes: 1, Caught: 1, Lead: 18 * time.Hour,
	}
	if diff := cmp.Diff(want, a, nearly); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if none := Judge(nil, came, time.Hour, began); none != (Accuracy{}) {
		t.Errorf("of nothing: %+v", none)
	}
}
