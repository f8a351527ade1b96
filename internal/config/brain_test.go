package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const brainPools = "auth: {type: trust}\n" +
	"pools: {app: {url: \"postgres://u@db/app\"}, other: {url: \"postgres://db/o\"}}\n"

func TestDiffSeesListsOfSections(t *testing.T) {
	t.Parallel()
	before := parse(t, brainPools+`
calendars:
  - {name: weddings, url: "https://calendar.example/secret-key.ics", kind: wedding}
rush_hours: [{days: [sat], from: "14:00", to: "24:00", times: 10}]
`)
	after := parse(t, brainPools+`
calendars:
  - {name: weddings, url: "https://calendar.example/another-key.ics", kind: wedding, guests: 80, pools: [app]}
  - {name: trips, query: "SELECT 1", database: app, poll: 1m}
rush_hours: []
timezone: Europe/Berlin
tuning: "on"
pool_defaults: {scaling: {mode: scale}}
`)
	want := []Change{
		{"timezone", before.Timezone, "Europe/Berlin", true},
		{
			"calendars", "[{name: weddings, url: ***, kind: wedding}]",
			"[{name: weddings, url: ***, kind: wedding, guests: 80, pools: [app]}, " +
				"{name: trips, query: SELECT 1, database: app, poll: 1m}]", true,
		},
		{"rush_hours", `[{days: [sat], from: "14:00", to: "24:00", times: 10}]`, "[]", true},
		{"tuning", string(before.Tuning), "on", true},
		{"pool_defaults.scaling.mode", "observe", "scale", true},
	}
	if diff := cmp.Diff(want, Diff(before, after)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if same := Diff(after, after.Clone()); same != nil {
		t.Errorf("a clone differs: %v", same)
	}
	// A key of a feed alone is a change too, which shows no key.
	other := after.Clone()
	other.Calendars[0].URL = "https://calendar.example/third-key.ics"
	changes := Diff(after, other)
	if len(changes) != 1 || changes[0].Path != "calendars" || strings.Contains(changes[0].New, "third-key") {
		t.Errorf("another key: %v", changes)
	}
	for _, r := range after.Rows() {
		if strings.Contains(r.Value+r.Default, "another-key") {
			t.Errorf("SHOW CONFIG shows the key: %v", r)
		}
	}
}

func TestAReloadTakesListsOfSectionsAndSharesNone(t *testing.T) {
	t.Parallel()
	inForce := parse(t, brainPools)
	loaded := parse(t, brainPools+`
history: {store: /elsewhere.db, detail: 20d}
calendars: [{name: weddings, file: a.ics, pools: [app]}]
rush_hours: [{days: [sat], from: "14:00", to: "24:00", times: 10}]
`)
	got := Reloaded(inForce, loaded)
	if got.History != inForce.History {
		t.Errorf("the history became %+v without a restart", got.History)
	}
	if diff := cmp.Diff(loaded.Calendars, got.Calendars); diff != "" {
		t.Errorf("calendars (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(loaded.RushHours, got.RushHours); diff != "" {
		t.Errorf("rush hours (-want +got):\n%s", diff)
	}
	got.Calendars[0].Name, got.RushHours[0].Times = "changed", 3
	if loaded.Calendars[0].Name == "changed" || loaded.RushHours[0].Times == 3 {
		t.Error("the result shares its lists")
	}
}

// TestAddressesOfCalendarsAreThoseThatCanBeFetched: whoever fetches them finds nothing more to refuse.
func TestAddressesOfCalendarsAreThoseThatCanBeFetched(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{
		"https://cal.example/a.ics": true, "http://10.0.0.7:8080/a?key=x": true, "webcal://cal.example/a.ics": true,
		"webcals://cal.example": true, "HTTPS://cal.example/a": true, "https://[::1]/a": true,
		"https://": false, "https:///a.ics": false, "https:cal.example": false, "https://[::1/a": false,
		"https://cal.example:port/": false, "https://cal .example/": false, "//cal.example/a": false, "cal.example/a": false,
		"file:///etc/passwd": false, "https://u:p@:443/": false,
	} {
		_, err := Parse("usher.yaml", []byte(brainPools+fmt.Sprintf("calendars: [{name: a, url: %q}]\n", url)))
		if (err == nil) != want {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// TestRushHoursAreWrittenAsPeopleDo: to the end of a day, and of fractions.
func TestRushHoursAreWrittenAsPeopleDo(t *testing.T) {
	t.Parallel()
	c := parse(t, brainPools+`
rush_hours:
  - {days: [fri], from: 17:00, to: 24:00, times: 2.5}
  - {days: [sat], from: "0:00", to: "24:00", times: 1}
  - {days: [sun], from: 9:30, to: 22:00, times: 1000.0}
`)
	want := []RushHour{
		{Days: []string{"fri"}, From: 17 * 60, To: 24 * 60, Times: 2.5},
		{Days: []string{"sat"}, From: 0, To: 24 * 60, Times: 1},
		{Days: []string{"sun"}, From: 9*60 + 30, To: 22 * 60, Times: 1000},
	}
	if diff := cmp.Diff(want, c.RushHours); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, r := range c.Rows() {
		if again := `{days: [fri], from: "17:00", to: "24:00", times: 2.5}`; r.Key == "rush_hours" &&
			!strings.Contains(r.Value, again) {
			t.Errorf("shown: %s, without %s", r.Value, again)
		}
	}
	for _, times := range []string{
		"0", "0.99", "-2", "1000.1", "1e3", "0x2", "NaN", "Inf", "+2", "2x", "2,5", "1_0", ".", "2.5.1", "[2]", `""`,
	} {
		_, err := Parse("usher.yaml", []byte(brainPools+
			"rush_hours: [{days: [sat], from: \"1:00\", to: \"2:00\", times: "+times+"}]\n"))
		if err == nil || !strings.Contains(err.Error(), "times") {
			t.Errorf("times: %s: %v", times, err)
		}
	}
}

func TestSetOfWhatTheBrainGoesBy(t *testing.T) {
	t.Parallel()
	c := parse(t, brainPools+"calendars: [{name: weddings, file: a.ics}]\n")
	for key, value := range map[string]string{
		"timezone": "Europe/Berlin", "tuning": "observe", "pools.app.scaling.mode": "scale",
		"pools.app.scaling.lead": "45m", "pool_defaults.scaling.quantile": "p95", "pools.app.scaling.reactive": "60%",
	} {
		if _, err := c.Set(key, value); err != nil {
			t.Errorf("SET %s = %s: %v", key, value, err)
		}
	}
	changed, err := c.Set("pool_defaults.scaling.lead", "1h")
	if err != nil || changed.Pools["app"].Scaling.Lead != time.Hour || len(changed.Calendars) != 1 {
		t.Errorf("SET of a default: %v, %+v", err, changed)
	}
	for key, want := range map[string]error{
		"calendars": ErrOnlyInFile, "rush_hours": ErrOnlyInFile, "calendars[0].guests": ErrNoSuchOption,
		"history.store": ErrNeedsRestart, "history.keep": ErrNeedsRestart, "history.detail": ErrNeedsRestart,
	} {
		if _, err := c.Set(key, "1"); !errors.Is(err, want) {
			t.Errorf("SET %s: %v, want %v", key, err, want)
		}
	}
	for key, value := range map[string]string{
		"timezone": "../etc/passwd", "tuning": "maybe", "pools.app.scaling.mode": "always", "pools.app.scaling.lead": "7h",
		"pools.app.scaling.quantile": "p99", "pools.app.scaling.reactive": "0%", "pools.app.scaling.priority": "-1",
	} {
		if _, err := c.Set(key, value); err == nil {
			t.Errorf("SET %s = %s is taken", key, value)
		}
	}
}
