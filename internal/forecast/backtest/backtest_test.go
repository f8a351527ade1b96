package backtest

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/history"
)

var began = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// concerts is a history of days with three times the load on every third evening, and its calendar.
func concerts(days int) ([]history.Bucket, []calendar.Event) {
	var buckets []history.Bucket
	var events []calendar.Event
	for d := range days {
		for h := range 24 {
			start := began.AddDate(0, 0, d).Add(time.Duration(h) * time.Hour)
			mean := 10 + 5*math.Sin(float64(h)/24*2*math.Pi) + 0.3*float64((d*7+h*5)%7)
			if d%3 == 0 && h >= 18 && h < 21 {
				mean *= 3
			}
			buckets = append(buckets, history.Bucket{Start: start, Width: time.Hour, Mean: mean})
		}
		if d%3 == 0 {
			start := began.AddDate(0, 0, d).Add(18 * time.Hour)
			events = append(events, calendar.Event{
				ID: start.Format(time.DateOnly), Kind: "concert", Start: start, End: start.Add(3 * time.Hour), Guests: 500,
			})
		}
	}
	return buckets, events
}

// few makes a replay of few days, which is quick.
var few = Options{Learn: 20, Warm: 20}

func TestWhatIsRegularIsForecast(t *testing.T) {
	t.Parallel()
	buckets, events := concerts(25)
	r, err := Run(buckets, events, few)
	if err != nil {
		t.Fatal(err)
	}
	s := r.Whole
	if s.Days != 5 || r.Events != 2 || s.Planned.Busy != 6 || s.Planned.Caught != 6 || !(s.WAPE < 0.2) {
		t.Errorf("%d events, %+v", r.Events, s)
	}
	if !(s.Window.Under+s.Window.Over-s.Window.WAPE < 1e-9) || !(s.Planned.Over >= s.Window.Over) {
		t.Errorf("volumes: %+v and %+v", s.Window, s.Planned)
	}
	text := r.Text()
	for _, want := range []string{"5 days from 2026-03-22 to 2026-03-26 (UTC)", "2 events", "6 of 6, 1.000"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
	blind, err := Run(buckets, nil, few)
	if err != nil {
		t.Fatal(err)
	}
	if blind.Whole.Window.Caught >= 6 || !strings.Contains(blind.Text(), "no events; every slot of 1h0m0s counts") {
		t.Errorf("without a calendar: %s", blind.Text())
	}
}

// TestNoForecastSeesWhatComesLater: what comes after a day changes nothing about how it was forecast.
func TestNoForecastSeesWhatComesLater(t *testing.T) {
	t.Parallel()
	buckets, events := concerts(23)
	whole, err := Run(buckets, events, few)
	if err != nil {
		t.Fatal(err)
	}
	changed := slices.Clone(buckets)
	for i := range changed {
		if !changed[i].Start.Before(began.AddDate(0, 0, 22)) {
			changed[i].Mean = 1000
		}
	}
	other, err := Run(changed, events, few)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 { // days 20 and 21
		if whole.Days[i].WAPE != other.Days[i].WAPE {
			t.Errorf("%s: %v and %v", whole.Days[i].Date, whole.Days[i].WAPE, other.Days[i].WAPE)
		}
	}
	if whole.Days[2].WAPE == other.Days[2].WAPE {
		t.Error("the change is not seen at all")
	}
}

func TestTooLittleHistoryIsAnError(t *testing.T) {
	t.Parallel()
	for name, days := range map[string]int{"none": 0, "a week": 7, "no day counts": 31} {
		buckets, events := concerts(days)
		if _, err := Run(buckets, events, Options{}); err == nil || !strings.Contains(err.Error(), "history") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAShareOfNothingIsNullInJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(Window{WAPE: share(0, 0), Over: 0.5})
	if err != nil || !strings.Contains(string(text), `"wape":null,"under_volume":0,"over_volume":0.5`) {
		t.Errorf("%s, %v", text, err)
	}
}
