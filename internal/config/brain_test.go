package config

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const brainPools = `
auth: {type: trust}
pools: {app: {url: "postgres://u@db/app"}, other: {url: "postgres://db/o"}}
`

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

func TestTheExampleOfAWeddingPlatformIsTaken(t *testing.T) {
	t.Parallel()
	c, err := Load("../../examples/weddings.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Calendars) != 2 || c.Calendars[0].Database != "app" || c.Pools["app"].Scaling.Mode != ScalingObserve {
		t.Errorf("%+v, %+v", c.Calendars, c.Pools["app"].Scaling)
	}
	if diff := cmp.Diff(Default().RushHours, c.RushHours); diff != "" {
		t.Errorf("its rush hours are not the defaults (-default +example):\n%s", diff)
	}
}
