package foresight

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/forecast/report"
	"github.com/usher-pg/usher/internal/scaler"
	"github.com/usher-pg/usher/internal/status"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	z, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// friday is a page as it is on a Friday before a large Saturday.
func friday(t *testing.T) (*Page, time.Time) {
	zone := berlin(t)
	now := time.Date(2026, 6, 19, 17, 2, 0, 0, zone)
	at := func(day, hour int) time.Time { return time.Date(2026, 6, day, hour, 0, 0, 0, zone) }
	p := &Page{
		Mode: "observe", Stands: "weeks and events",
		History:   History{Days: 61, Known: 0.992, Ends: now.Add(-2 * time.Minute), First: now.AddDate(0, 0, -61)},
		Calendars: []status.Calendar{{Name: "weddings", Copy: now.Add(-3 * time.Minute), Events: 12}},
		Next: []calendar.Event{
			{Name: "Anna & Ben", Kind: "wedding", Guests: 120, Start: at(20, 16)}, {Name: "Fair\x1b[2J", Start: at(21, 9)},
		},
	}
	p.Decided = &Decided{
		At: now.Add(-12 * time.Minute), Mode: "observe", From: 120, Target: 145, Cause: "predictive",
		Reason: "3\x1b weddings",
	}
	p.Outlook = scaler.Outlook{
		Pool: "orders_rw", Timezone: "Europe/Berlin", Issued: at(19, 17), Model: scaler.Model{Rung: 4, Days: 61},
		Limits: scaler.Limits{Min: 5, Max: 600, Budget: 650}, Notes: []string{"history ends 2h0m0s ago"},
		Points: []scaler.Row{
			{Point: forecast.Point{Start: at(19, 17), P50: 84, P90: 101, Multiplier: 2.1, Why: "3 weddings"},
				Needed: 145, Target: 145},
			{Point: forecast.Point{Start: at(20, 19), P50: 402, P90: 480, Multiplier: 9.6,
				Why: "11 weddings, 1720 guests (learned n=14)"}, Needed: 686, Target: 600},
			{Point: forecast.Point{Start: at(21, 4), P50: 3.25, P90: 4, Multiplier: 1}, Needed: 8, Target: 8,
				Reason: "usual"},
		},
		Spikes: []scaler.Spike{{Start: at(20, 14), End: at(20, 23), Prescale: at(20, 13)}},
	}
	p.Accuracy = &report.Accuracy{
		Points: 100, WAPE: 0.11, BelowP90: 0.91, Spikes: 6, Caught: 6, Lead: 31 * time.Minute,
	}
	return p, now
}

func TestThePage(t *testing.T) {
	t.Parallel()
	p, now := friday(t)
	want := `pool orders_rw  tz Europe/Berlin  mode observe  issued 2026-06-19 17:00
stands on weeks and events (61 days of history, rung 5 of 5)
server connections: min 5, max 600, budget of the server 650
note: history ends 2h0m0s ago
TIME (local)  P50  P90  xBASE  TARGET  ACTION          WHY
Fri 19 17:00  84   101  2.1    145                     3 weddings
Sat 20 19:00  402  480  9.6    600!    prescale 13:00  11 weddings, 1720 guests (learned n=14); SHORTFALL 86
Sun 21 04:00  3.2  4.0  1.0    8                       usual
accuracy 7d: WAPE 11%, P90 coverage 91%, spikes 6/6 caught, mean lead 31m, 0 false
next events:
  Sat 20 16:00  Anna & Ben (wedding, 120 guests)
  Sun 21 09:00  Fair?[2J
history: 99.2% of 61 days known, ends 2m ago
calendar weddings: ok, read 3m ago, 12 events
last decision: 120 → 145 12m ago, predictive: 3? weddings (mode observe: not done)
`
	got := p.Text(now)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestThePageSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	p, now := friday(t)
	p.Accuracy, p.Next, p.History, p.Decided, p.Limits.Cap = nil, nil, History{}, nil, 96
	p.Absent, p.Points, p.Spikes = "there is no forecast: 0.5 days of history are known", nil, nil
	p.WhatIf = []string{"guests=3 at noon"}
	p.Calendars = []status.Calendar{
		{Name: "a", Error: "read file: no such file"},
		{Name: "b", Copy: now.Add(-50 * time.Hour), Error: "the server says 500", Events: 2, More: 1},
		{Name: "c", Copy: now, Doubt: "it has 1 event and had 9", Remembered: 41},
	}
	got := p.Text(now)
	for _, want := range []string{
		"\nthere is no forecast: 0.5 days of history are known\n", "\nwhat if guests=3 at noon:\n  nothing would change",
		"\nserver connections: min 5, max 600, 96 are of use (tuner), budget of the server 650\n",
		"\nlast decision: none in the history; the plan begins with min\n", "\naccuracy 7d: not known",
		"\nnext events: none\n", "\nhistory: none\n",
		"\ncalendar a: NOT READ: read file: no such file\n",
		"\ncalendar b: FAILED: the server says 500; the copy in use is 2d old, 2 events, 1 problems\n",
		"\ncalendar c: DOUBTED: it has 1 event and had 9; the copy in use is 0s old, 0 events and 41 remembered\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in:\n%s", want, got)
		}
	}
	p.Calendars = nil
	if got := p.Text(now); !strings.Contains(got, "calendars: none configured for this pool\n") {
		t.Errorf("without calendars:\n%s", got)
	}
}

func TestChangesAreTheRowsThatDiffer(t *testing.T) {
	t.Parallel()
	before, now := friday(t)
	after, _ := friday(t)
	if none := Changes(&before.Outlook, &after.Outlook); len(none) != 0 {
		t.Errorf("of the same: %+v", none)
	}
	row := &after.Points[2]
	row.P50, row.P90, row.Target, row.Why = 30, 36, 60, "1 wedding"
	after.WhatIf = []string{"guests=300 at 2026-06-21T04:00"}
	after.Changes = Changes(&before.Outlook, &after.Outlook)
	want := `what if guests=300 at 2026-06-21T04:00:
TIME (local)  P50       P90       TARGET  WHY
Sun 21 04:00  3.2 → 30  4.0 → 36  8 → 60  1 wedding
`
	if got := after.Text(now); !strings.Contains(got, want) {
		t.Errorf("want %q in:\n%s", want, got)
	}
}
