package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/sqlite"
)

// foreseen is a folder with what usher forecast reads: usher.yaml, usher-history.db and weddings.ics.
type foreseen struct {
	folder, config string
	store          *sqlite.Store
	now            time.Time
}

const foreseenConfig = `timezone: Europe/Berlin
auth: {type: trust}
pools:
  shop: {url: "postgres://app@db/shop", size: {max: 40}}
  new: {url: "postgres://app@db/new"}
calendars:
  - {name: weddings, file: weddings.ics, kind: wedding}
`

func newForeseen(t testing.TB, config string) *foreseen {
	f := &foreseen{folder: t.TempDir(), now: time.Now().Truncate(history.Step)}
	f.config = filepath.Join(f.folder, "usher.yaml")
	config = strings.ReplaceAll(config, "weddings.ics", filepath.Join(f.folder, "weddings.ics"))
	f.write(t, "usher.yaml", config)
	var err error
	if f.store, err = sqlite.Open(t.Context(), sqlite.Config{
		Path: filepath.Join(f.folder, "usher-history.db"),
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *foreseen) write(t testing.TB, name, text string) {
	if err := os.WriteFile(filepath.Join(f.folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// weddings writes that many, equally many on each Saturday from a time until another.
func (f *foreseen) weddings(t testing.TB, n int, from, until time.Time) {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n")
	const stamp = "20060102T150405Z"
	weeks := max(1, int(until.Sub(from)/(7*24*time.Hour)))
	for i := range n {
		day := from.AddDate(0, 0, 7*(i%weeks))
		day = day.AddDate(0, 0, int(time.Saturday-day.Weekday()))
		start := time.Date(day.Year(), day.Month(), day.Day(), 14+i%5, 0, 0, 0, time.UTC)
		fmt.Fprintf(&b, "BEGIN:VEVENT\r\nUID:w%d@example.com\r\nDTSTART:%s\r\nDTEND:%s\r\nSUMMARY:Wedding %d\r\n"+
			"X-EXPECTED-GUESTS:%d\r\nEND:VEVENT\r\n", i, start.Format(stamp), start.Add(5*time.Hour).Format(stamp), i,
			40+(i*37)%200)
	}
	b.WriteString("END:VCALENDAR\r\n")
	f.write(t, "weddings.ics", b.String())
}

// remember writes the history of some days: busy by day, three times that on Saturday evenings.
func (f *foreseen) remember(t testing.TB, days int) {
	random := rand.New(rand.NewPCG(1, uint64(days)))
	var buckets []history.Bucket
	for at := f.now.AddDate(0, 0, -days); at.Before(f.now); at = at.Add(history.Step) {
		mean := 6 + 4*math.Sin(float64(at.UTC().Hour()-8)/24*2*math.Pi)
		if at.UTC().Weekday() == time.Saturday && at.UTC().Hour() >= 14 {
			mean *= 3
		}
		mean *= math.Exp(0.1 * random.NormFloat64())
		buckets = append(buckets, history.Bucket{
			Start: at.UTC(), Width: history.Step, Samples: 300, Mean: mean, P95: 1.3 * mean, Max: 2 * mean,
			Arrivals: 9000, ArrivalSpread: 1, Service: 20 * time.Millisecond, ServiceSpread: 1,
		})
	}
	if err := writeBuckets(t.Context(), f.store, "shop", buckets); err != nil {
		t.Fatal(err)
	}
}

// forecasts writes one for each of the last days, all of them what would be said now, at their times.
func (f *foreseen) forecasts(t testing.TB, days int, events []calendar.Event) {
	past, err := f.store.Range(t.Context(), "shop", time.Time{}, f.now)
	if err != nil {
		t.Fatal(err)
	}
	for d := days; d >= 0; d-- {
		by := time.Duration(-24*d) * time.Hour
		made := forecast.Make(forecast.Input{Pool: "shop", Now: f.now.Add(by), History: past, Events: events})
		text, err := json.Marshal(made)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.store.SaveForecast(t.Context(), "shop", made.Issued, text); err != nil {
			t.Fatal(err)
		}
	}
}

// took writes the events that took place, as a running usher does.
func (f *foreseen) took(t testing.TB, events []calendar.Event) {
	var past []history.Event
	for _, e := range events {
		if e.End.Before(f.now) {
			past = append(past, history.Event{
				Source: "weddings", ID: e.ID, Name: e.Name, Kind: "wedding", Start: e.Start, End: e.End, Guests: e.Guests,
			})
		}
	}
	history.NumberTwins(past)
	if err := f.store.SaveEvents(t.Context(), past); err != nil {
		t.Fatal(err)
	}
}

// read are the events of the calendar within a year.
func (f *foreseen) read(t testing.TB) []calendar.Event {
	reading, err := readCalendar(t.Context(), filepath.Join(f.folder, "weddings.ics"), time.UTC, []history.Bucket{
		{Start: f.now.AddDate(-1, 0, 0)}, {Start: f.now.AddDate(0, 0, 14)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return reading.Events
}

// TestForecastLearnsFromWhatTheCalendarHasDropped: it lists only what is still to come.
func TestForecastLearnsFromWhatTheCalendarHasDropped(t *testing.T) {
	t.Parallel()
	f := newForeseen(t, foreseenConfig)
	f.remember(t, 60)
	f.weddings(t, 30, f.now.AddDate(0, 0, -50), f.now)
	past := f.read(t)
	f.took(t, past)
	f.weddings(t, 9, f.now.AddDate(0, 0, 7), f.now.AddDate(0, 0, 14))
	ahead := len(f.read(t))
	says := fmt.Sprintf("\ncalendar weddings: ok, read 0s ago, %d events and %d remembered\n", ahead, len(past))
	for _, command := range []string{"forecast", "calendar"} {
		output, code := execute(command, "--config", f.config)
		if code != 0 || !strings.Contains(output, says) || ahead == 0 || len(past) < 20 {
			t.Errorf("usher %s: exit code %d, want %q in:\n%s", command, code, says, output)
		}
		if learned := strings.Contains(output, "learned n="); learned != (command == "forecast") {
			t.Errorf("usher %s:\n%s", command, output)
		}
	}
}

// TestTheCalendarIsListedWithoutAHistory, of whatever kind its trouble is.
func TestTheCalendarIsListedWithoutAHistory(t *testing.T) {
	t.Parallel()
	f := newForeseen(t, foreseenConfig)
	f.weddings(t, 40, f.now.AddDate(0, 0, -7), f.now.AddDate(0, 0, 21))
	for store, says := range map[string]string{
		filepath.Join(f.folder, "none.db"): "", "off": "",
		f.config: "without events of the past: open history",
		"postgres://app:geheim@127.0.0.1:1/app?sslmode=disable": "without events of the past: open history",
	} {
		config, err := os.ReadFile(f.config)
		if err != nil {
			t.Fatal(err)
		}
		f.write(t, "other.yaml", fmt.Sprintf("%shistory: {store: %q}\n", config, store))
		output, code := execute("calendar", "--config", filepath.Join(f.folder, "other.yaml"))
		if code != 0 || !strings.Contains(output, "Wedding ") || !strings.Contains(output, says) ||
			(says == "") == strings.Contains(output, "without events") || strings.Contains(output, "geheim") {
			t.Errorf("history.store %s: exit code %d:\n%s", store, code, output)
		}
	}
}

func TestForecastShowsWhatComes(t *testing.T) {
	t.Parallel()
	f := newForeseen(t, foreseenConfig)
	f.remember(t, 21)
	f.weddings(t, 8, f.now.AddDate(0, 0, -14), f.now.AddDate(0, 0, 14))
	f.forecasts(t, 2, nil)
	saturday := f.now.AddDate(0, 0, 7+int(time.Saturday-f.now.Weekday())).UTC().Format(time.DateOnly)
	output, code := execute("forecast", "shop", "--config", f.config, "--what-if", "guests=900 at "+saturday+"T20:00Z")
	for _, want := range []string{
		"pool shop  tz Europe/Berlin  mode observe  issued 20", "\nstands on weeks", "server connections: min 0, max 40\n",
		"\nTIME (local)  P50", "  xBASE  TARGET  ACTION", "\nwhat if guests=900 at ", " → ", "\naccuracy 7d: WAPE ",
		"\nnext events:\n  Sat ", "(wedding, ", "\nhistory: 100.0% of 21 days known, ends ",
		"\ncalendar weddings: ok, read 0s ago, 8 events\n",
	} {
		if !strings.Contains(output, want) || code != 0 {
			t.Errorf("exit code %d, want %q in:\n%s", code, want, output)
		}
	}
	output, code = execute("forecast", "--config", f.config, "--json", "--horizon", "1h")
	var said struct {
		Pools []struct {
			Pool   string
			Mode   string
			Points []struct {
				T      time.Time
				P50    float64
				Target int
			}
			Accuracy *struct{ WAPE float64 }
			Events   []calendar.Event
		}
	}
	if err := json.Unmarshal([]byte(output), &said); err != nil || code != 0 || len(said.Pools) != 1 {
		t.Fatalf("exit code %d, %v:\n%.500s", code, err, output)
	}
	shop := said.Pools[0]
	if n := len(shop.Points); shop.Pool != "shop" || n < 11 || n > 13 || shop.Points[0].P50 <= 0 ||
		shop.Points[0].Target <= 0 || shop.Accuracy == nil || len(shop.Events) == 0 {
		t.Errorf("%d points, %+v", n, shop)
	}
}

func TestForecastIsCalledRightly(t *testing.T) {
	t.Parallel()
	f := newForeseen(t, foreseenConfig)
	empty := []string{"forecast", "--config", f.config}
	if output, code := execute(empty...); code != exitFailed || !strings.Contains(output, "no history yet of any pool") {
		t.Errorf("exit code %d: %s", code, output)
	}
	f.remember(t, 1)
	for name, store := range map[string]string{
		"none.yaml": filepath.Join(f.folder, "none.db"), "off.yaml": "off", "text.yaml": f.config,
	} {
		f.write(t, name, "auth: {type: trust}\nhistory: {store: "+store+"}\n"+
			"pools: {shop: {url: \"postgres://app@db/shop\"}}\n")
	}
	f.write(t, "bad.yaml", "calendars: 1\n")
	with := func(name string) string { return filepath.Join(f.folder, name) }
	for name, tt := range map[string]struct {
		args []string
		code int
		says string
	}{
		"help":                 {nil, 0, "backtest"},
		"no configuration":     {[]string{"shop"}, exitMisused, "expected --config"},
		"no such file":         {[]string{"-c", "/no/such"}, exitMisused, "/no/such"},
		"a bad one":            {[]string{"-c", with("bad.yaml")}, exitMisused, "bad.yaml:1"},
		"no history":           {[]string{"-c", with("none.yaml")}, exitFailed, "usher history import"},
		"history is off":       {[]string{"-c", with("off.yaml")}, exitFailed, "history.store is off"},
		"no such pool":         {[]string{"bar", "-c", f.config}, exitMisused, `pool "bar" is neither in the history`},
		"which there are":      {[]string{"bar", "-c", f.config}, exitMisused, "there are: shop, new"},
		"a pool without":       {[]string{"new", "-c", f.config}, 0, "history: none"},
		"why there is none":    {[]string{"new", "-c", f.config}, 0, "no forecast: 0.0 days of history"},
		"no calendar":          {[]string{"new", "-c", f.config}, 0, "weddings: NOT READ: read file: no such"},
		"what if it":           {[]string{"shop", "-c", f.config, "--what-if", "rain"}, exitMisused, "expected guests="},
		"another horizon":      {[]string{"shop", "-c", f.config, "--horizon", "999h"}, exitMisused, "--horizon is"},
		"two pools":            {[]string{"a", "b", "-c", f.config}, exitMisused, "usher forecast --help"},
		"a file that is other": {[]string{"-c", with("text.yaml")}, exitFailed, "open history"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			output, code := execute(append([]string{"forecast"}, tt.args...)...)
			if code != tt.code || !strings.Contains(output, tt.says) {
				t.Errorf("exit code %d, want %d; output, want %q:\n%s", code, tt.code, tt.says, output)
			}
		})
	}
}

func TestCalendarsOfAConfigurationAreListed(t *testing.T) {
	t.Parallel()
	f := newForeseen(t, foreseenConfig+"  - {name: lost, url: \"http://127.0.0.1:1/geheim.ics\"}\n")
	f.weddings(t, 40, f.now.AddDate(0, 0, -7), f.now.AddDate(0, 0, 21))
	output, code := execute("calendar", "--config", f.config)
	for _, want := range []string{
		"START ", "wedding  Wedding 1", "\ncalendar weddings: ok, read 0s ago", "\ncalendar lost: NOT READ: ",
	} {
		if !strings.Contains(output, want) || code != 0 || strings.Contains(output, "geheim") {
			t.Errorf("exit code %d, want %q in:\n%s", code, want, output)
		}
	}
	output, code = execute("calendar", "--config", f.config, "--json", "--days", "3")
	var said struct {
		Events    []calendar.Event
		Calendars []struct{ Name, Alarm string }
	}
	if err := json.Unmarshal([]byte(output), &said); err != nil || code != 0 || len(said.Calendars) != 2 ||
		said.Calendars[1].Alarm == "" {
		t.Errorf("exit code %d, %v:\n%s", code, err, output)
	}
	if output, code := execute("calendar", "x.ics", "--config", f.config); code != exitMisused {
		t.Errorf("exit code %d: %s", code, output)
	}
}

// BenchmarkForecastYear is the whole command, with its start, for a pool with a year of history, 5,000 events, those
// that are over remembered, and the forecasts of 60 days. The bar is 200 ms.
func BenchmarkForecastYear(b *testing.B) {
	usher := filepath.Join(b.TempDir(), "usher")
	if output, err := exec.Command("go", "build", "-o", usher, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, output)
	}
	for _, whole := range []bool{true, false} {
		b.Run(map[bool]string{true: "detail", false: "retained"}[whole], func(b *testing.B) {
			f := newForeseen(b, foreseenConfig)
			f.remember(b, 365)
			f.weddings(b, 5000, f.now.AddDate(-1, 0, 0), f.now.AddDate(0, 0, 14))
			events := f.read(b)
			if len(events) < 4900 {
				b.Fatalf("%d events", len(events))
			}
			f.took(b, events)
			f.forecasts(b, 60, events)
			if !whole {
				if err := f.store.Retain(b.Context(), f.now, history.DefaultRetention()); err != nil {
					b.Fatal(err)
				}
			}
			var cpu time.Duration
			for b.Loop() {
				c := exec.CommandContext(context.Background(), usher, "forecast", "shop", "--config", f.config)
				output, err := c.CombinedOutput()
				if err != nil || !strings.Contains(string(output), "accuracy 7d: WAPE") {
					b.Fatalf("%v: %s", err, output)
				}
				cpu += c.ProcessState.UserTime() + c.ProcessState.SystemTime()
			}
			b.ReportMetric(float64(cpu.Milliseconds())/float64(b.N), "cpu-ms/op")
		})
	}
}
