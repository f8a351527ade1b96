package brain

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/foresight"
	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/sqlite"
	"github.com/usher-pg/usher/internal/past"
	"github.com/usher-pg/usher/internal/scaler"
)

var noon = time.Date(2026, 6, 18, 12, 0, 0, 0, time.UTC)

// offlineConfig is a configuration with two pools and two calendars, one of which is not there.
func offlineConfig(t *testing.T, folder string) *config.Config {
	t.Helper()
	text := `timezone: UTC
auth: {type: trust}
pools:
  shop: {url: "postgres://app@db/shop", size: {min: 2, max: 40}}
  each: {url: "postgres://db/each", size: {max: 7}}
budgets: {"db:5432": 30}
calendars:
  - {name: weddings, file: ` + folder + `/weddings.csv, kind: wedding, guests: 50, pools: [shop]}
  - {name: lost, file: ` + folder + `/no.csv}
`
	path := filepath.Join(folder, "usher.yaml")
	for name, text := range map[string]string{
		path:                                  text,
		filepath.Join(folder, "weddings.csv"): "start,end\n2026-06-20 16:00,2026-06-20 22:00\n2026-01-20 16:00,?\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOfflineAnswersWithoutARunningUsher(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	c := offlineConfig(t, folder)
	_, err := OpenOffline(t.Context(), c, folder, nil)
	if !errors.Is(err, ErrNoHistory) || !strings.Contains(err.Error(), "usher history import") {
		t.Fatalf("without a history: %v", err)
	}
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: HistoryPath(c.History.Store, folder)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	var buckets []history.Bucket
	for at := noon.AddDate(0, 0, -20); at.Before(noon); at = at.Add(time.Hour) {
		buckets = append(buckets, history.Bucket{
			Start: at, Width: time.Hour, Samples: 3600, Mean: 5, P95: 7, Max: 9, Arrivals: 900, Service: 20 * time.Millisecond,
		})
	}
	calibration := forecast.Calibration{}
	calibration.Logs[0][0][1] = 1.25
	made := forecast.Make(forecast.Input{
		Pool: "shop", Now: noon.AddDate(0, 0, -1), History: buckets, Calibration: calibration,
	})
	text, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(store.Append(t.Context(), "shop", buckets), store.Append(t.Context(), "each/anna", buckets[:2]),
		store.SaveForecast(t.Context(), "shop", made.Issued, text),
		store.SaveForecast(t.Context(), "shop", noon.Add(-time.Hour), []byte("of another version"))); err != nil {
		t.Fatal(err)
	}
	checkOffline(t, c, folder, calibration) // while the other has it open
	o := &Offline{config: c}
	page, err := o.Answer(Question{Pool: "each/anna", Now: noon}, &Known{buckets: buckets[:2]}, &Reading{})
	if err != nil || page.Database != "each" || page.User != "anna" || page.Limits.Max != 7 ||
		!strings.Contains(page.Absent, "1 is needed") {
		t.Errorf("%+v, %v", page, err)
	}
}

func checkOffline(t *testing.T, c *config.Config, folder string, calibration forecast.Calibration) {
	t.Helper()
	offline, err := OpenOffline(t.Context(), c, folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = offline.Close() }()
	reading, err := ReadCalendars(t.Context(), c, folder, 0, noon)
	if err != nil {
		t.Fatal(err)
	}
	known, err := offline.Look(t.Context(), "shop", noon)
	if err != nil {
		t.Fatal(err)
	}
	if got := known.calibration(time.UTC); got != calibration {
		t.Errorf("calibration %+v", got)
	}
	page, err := offline.Answer(Question{Pool: "shop", Now: noon, Horizon: 48 * time.Hour}, known, reading)
	if err != nil {
		t.Fatal(err)
	}
	if page.Absent != "" || page.Limits.Max != 40 || page.Limits.Budget != 30 || page.Accuracy == nil ||
		page.Accuracy.WAPE > 0.01 || page.History.Known < 0.999 || page.Mode != "observe" {
		t.Errorf("%+v", page)
	}
	if len(page.Next) != 1 || page.Next[0].Guests != 50 || page.Next[0].Kind != "wedding" {
		t.Errorf("next %+v", page.Next)
	}
	if last := page.Points[len(page.Points)-1].Start; !last.Before(noon.Add(48 * time.Hour)) {
		t.Errorf("beyond the horizon: %v", last)
	}
	if len(page.Calendars) != 2 || len(page.Calendars[0].Problems) != 1 || page.Calendars[1].Error == "" {
		t.Errorf("calendars %+v", page.Calendars)
	}
	if states, _ := reading.Of("each"); len(states) != 1 || states[0].Name != "lost" {
		t.Errorf("calendars of another pool %+v", states)
	}
}

// TestThePlanBeginsWithWhatWasDecidedLast by a running usher, an operator's orders among it, and knows what its tuner
// found.
func TestThePlanBeginsWithWhatWasDecidedLast(t *testing.T) {
	t.Parallel()
	s, server, stop := started(t, tuned("on"), t.TempDir(), saturday)
	ask := func() *foresight.Page {
		t.Helper()
		s.awaitHistory()
		offline, err := OpenOffline(t.Context(), s.inForce(), s.options.Folder, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = offline.Close() }()
		known, err := offline.Look(t.Context(), "shop", s.time().Add(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		page, err := offline.Answer(Question{Pool: "shop", Now: s.time().Add(time.Second)}, known, &Reading{})
		if err != nil {
			t.Fatal(err)
		}
		return page
	}
	if page := ask(); page.Decided != nil || page.Current.Target != 2 || page.Limits.Cap != 0 {
		t.Errorf("at first: %+v of %+v, %+v", page.Decided, page.Limits, page.Current)
	}
	s.Override("shop", scaler.Override{
		Target: 33, Until: s.time().Add(time.Hour), By: "ann", Reason: "a rehearsal",
	})
	s.pass(5 * time.Second)
	page := ask()
	if d := page.Decided; d == nil || d.Target != 33 || d.Cause != "manual" || d.Mode != "observe" || d.From == 33 ||
		d.Reason != "set to 33 until 2026-06-20 13:00 UTC by ann: a rehearsal" || page.Current.Target != 33 {
		t.Errorf("with an order: %+v, %+v", page.Decided, page.Current)
	}
	for _, want := range []string{
		"→ 33 ", "ago, manual: set to 33 until 2026-06-20 13:00 UTC by ann", "observe: not done",
	} {
		if text := page.Text(s.time()); !strings.Contains(text, want) {
			t.Errorf("want %q in:\n%s", want, text)
		}
	}
	s.pass(4 * time.Minute)
	if page := ask(); page.Limits.Cap != s.Tuning()[0].Size || page.Limits.Cap == 0 ||
		!strings.Contains(page.Text(s.time()), fmt.Sprintf("max 100, %d are of use", page.Limits.Cap)) {
		t.Errorf("after the tuner found %d: %+v\n%s", s.Tuning()[0].Size, page.Limits, page.Text(s.time()))
	}
	for most, want := range map[string]int{"max: 90": s.Tuning()[0].Size, "max: 6": 0} {
		s.reload(strings.Replace(tuned("on"), "max: 100", most, 1))
		s.pools[0].Engine = server
		if page := ask(); page.Limits.Cap != want {
			t.Errorf("with %s: %+v", most, page.Limits)
		}
	}
	s.reload(tuned("on") + `  blog: {url: "postgres://shop@10.0.0.9/blog"}`)
	if page := ask(); page.Limits.Cap != 0 {
		t.Errorf("of two pools: %+v", page.Limits)
	}
	stop()
}

func TestWhatIfShowsWhatItChanges(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	o := &Offline{config: offlineConfig(t, folder)}
	var buckets []history.Bucket
	for at := noon.AddDate(0, 0, -30); at.Before(noon); at = at.Add(time.Hour) {
		buckets = append(buckets, history.Bucket{Start: at, Width: time.Hour, Samples: 3600, Mean: 5, Max: 9})
	}
	q := Question{Pool: "shop", Now: noon, WhatIf: []string{"guests=300 at 2026-06-20T18:00 kind=wedding"}}
	page, err := o.Answer(q, &Known{buckets: buckets}, &Reading{})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Changes) == 0 {
		t.Fatal("nothing would change")
	}
	for _, change := range page.Changes {
		if change.After.P50 <= change.Before.P50 || change.After.Start.Day() < 20 || change.After.Start.Day() > 21 {
			t.Errorf("%+v", change)
		}
	}
	q.WhatIf = []string{"guests=many at noon"}
	_, err = o.Answer(q, &Known{buckets: buckets}, &Reading{})
	if err == nil || !strings.Contains(err.Error(), "expected") {
		t.Errorf("%v", err)
	}
}

// TestWhatIsRememberedIsAsIfItWereListed: the same is expected whether a calendar lists what is over, or it is kept, or
// both.
func TestWhatIsRememberedIsAsIfItWereListed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	o := &Offline{config: offlineConfig(t, folder)}
	var begins []time.Time
	for n := -8; n < 3; n++ {
		begins = append(begins, noon.AddDate(0, 0, 4*n+1))
	}
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(folder, "history.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	fillParties(t, store, begins, noon)
	buckets, err := store.Range(t.Context(), "shop", noon.AddDate(-1, 0, 0), noon)
	if err != nil {
		t.Fatal(err)
	}
	read := func(text string, remembered []history.Event) *Reading {
		write(t, filepath.Join(folder, "weddings.csv"), text)
		reading, err := ReadCalendars(t.Context(), o.config, folder, 0, noon)
		if err != nil {
			t.Fatal(err)
		}
		reading.Remember(remembered, noon)
		return reading
	}
	points := func(r *Reading) []scaler.Row {
		page, err := o.Answer(Question{Pool: "shop", Now: noon}, &Known{buckets: buckets}, r)
		if err != nil {
			t.Fatal(err)
		}
		return page.Points
	}
	all := parties(begins...)
	listed := read(all, nil)
	_, want := listed.Of("shop")
	remembered := past.EventsOf(slices.Values(listed.listed[0][:8]), 0)
	ahead := strings.Replace(all, parties(begins[:8]...), parties(), 1)
	for name, tt := range map[string]struct {
		text      string
		remember  []history.Event
		remembers int
	}{
		"both":               {all, remembered, 0},
		"what comes is":      {ahead, remembered, 8},
		"some of it":         {all, remembered[2:5], 0},
		"with other IDs":     {strings.NewReplacer("\n", "\nx").Replace(strings.TrimSpace(all)), remembered, 0},
		"what has not begun": {all, past.EventsOf(slices.Values(listed.listed[0]), 0), 0},
	} {
		states, got := read(tt.text, tt.remember).Of("shop")
		if states[0].Remembered != tt.remembers {
			t.Errorf("%s: %d remembered", name, states[0].Remembered)
		}
		byStart := cmpopts.SortSlices(func(a, b calendar.Event) bool { return a.Start.Before(b.Start) })
		if diff := cmp.Diff(want, got, byStart, cmpopts.IgnoreFields(calendar.Event{}, "ID")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	expected := points(listed)
	if diff := cmp.Diff(expected, points(read(ahead, remembered))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if cmp.Equal(expected, points(read(ahead, nil))) {
		t.Error("without the past the same is expected")
	}
}
