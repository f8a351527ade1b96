package console

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/status"
)

func TestEmergenciesAreOrdered(t *testing.T) {
	tests := []struct{ query, call string }{
		{"EMERGENCY ON", `emergency "" for "" down to "" by "console ann" because ""`},
		{"emergency on shop", `emergency "shop" for "" down to "" by "console ann" because ""`},
		{"EMERGENCY ON FOR 30m", `emergency "" for "30m" down to "" by "console ann" because ""`},
		{
			`EMERGENCY ON shop FOR '1h30m' LANE High REASON 'it''s the cake';`,
			`emergency "shop" for "1h30m" down to "High" by "console ann" because "it's the cake"`,
		},
		{`emergency on reason 'r' lane low for 5s`, `emergency "" for "5s" down to "low" by "console ann" because "r"`},
		{`EMERGENCY ON "for" FOR 5m`, `emergency "for" for "5m" down to "" by "console ann" because ""`},
		{"EMERGENCY OFF", `end emergency "" by "console ann"`},
		{"emergency off shop;", `end emergency "shop" by "console ann"`},
		{`EMERGENCY OFF "lane"`, `end emergency "lane" by "console ann"`},
	}
	c := start(t, Admin)
	conn := c.connect(t)
	var calls []string
	for _, test := range tests {
		if got := outcome(t, conn, test.query); got != "EMERGENCY" {
			t.Errorf("%s answers %q", test.query, got)
		}
		calls = append(calls, test.call)
	}
	if diff := cmp.Diff(calls, c.ctl.called()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestWrongOrdersOfEmergenciesDoNothing(t *testing.T) {
	invalid := func(query string) string { return "42601 invalid command '" + query + "', use SHOW HELP;" }
	tests := map[string]string{
		"EMERGENCY":                          "42601 ON or OFF is required",
		"EMERGENCY ON usher":                 "55000 cannot order an emergency of admin db: usher",
		"EMERGENCY OFF pgbouncer":            "55000 cannot order an emergency of admin db: pgbouncer",
		`EMERGENCY ON ""`:                    "42601 bad arguments",
		"EMERGENCY ON FOR 30":                "22023 that is no duration: expected one with a unit, such as 30m or 1h30m",
		"EMERGENCY ON FOR soon":              "22023 that is no duration: expected one with a unit, such as 30m or 1h30m",
		"EMERGENCY ON FOR 0s":                "22023 an emergency lasts from 1s to 24h0m0s",
		"EMERGENCY ON FOR -5m":               "22023 an emergency lasts from 1s to 24h0m0s",
		"EMERGENCY ON FOR 25h":               "22023 an emergency lasts from 1s to 24h0m0s",
		"EMERGENCY ON LANE urgent":           "22023 there is no such lane: expected critical, high, normal or low",
		"EMERGENCY ON REASON 'two\nlines'":   "22023 a reason is one line of at most 200 bytes",
		"EMERGENCY ON REASON '" + long + "'": "22023 a reason is one line of at most 200 bytes",
		"SHOW EMERGENCIES now":               invalid("SHOW EMERGENCIES now"),
	}
	for _, query := range []string{
		"EMERGENCY shop", "EMERGENCY 'ON'", `EMERGENCY "on"`, "EMERGENCY NOW shop", "EMERGENCY ON FOR",
		"EMERGENCY ON shop other", "EMERGENCY ON 'shop'", "EMERGENCY ON shop FOR 5m FOR 6m", "EMERGENCY ON LANE 'low'",
		"EMERGENCY ON FOR = 5m", "EMERGENCY ON FOR ''", "EMERGENCY ON REASON word", `EMERGENCY ON "shop" "for" 5m`,
		"EMERGENCY OFF shop FOR 5m", "EMERGENCY OFF FOR 5m",
		"EMERGENCY ON shop FOR 5m LANE low REASON 'a' FOR 5m",
	} {
		tests[query] = invalid(query)
	}
	c := start(t, Admin)
	conn := c.connect(t)
	for query, want := range tests {
		if got := outcome(t, conn, query); got != want {
			t.Errorf("%s answers %q, want %q", query, got, want)
		}
	}
	if calls := c.ctl.called(); len(calls) > 0 {
		t.Errorf("the controller was called: %q", calls)
	}
}

var long = strings.Repeat("x", status.MaxReason+1)

func TestWhoOnlyLooksOrdersNoEmergency(t *testing.T) {
	c := start(t, Stats)
	conn := c.connect(t)
	if got := outcome(t, conn, "EMERGENCY ON"); got != "42501 admin access needed" {
		t.Errorf("EMERGENCY ON answers %q", got)
	}
	if got := outcome(t, conn, "SHOW EMERGENCIES"); got != "SHOW" {
		t.Errorf("SHOW EMERGENCIES answers %q", got)
	}
}

func TestEmergenciesAreShown(t *testing.T) {
	c := start(t, Stats)
	at := c.ctl.snapshot.Now
	c.ctl.snapshot.Emergencies = []status.Emergency{
		{
			Database: "shop", Kind: status.EmergencyByOperator, Measure: status.MeasureReserve, Lane: "normal",
			Since: at, Until: at.Add(time.Hour), By: "console ann", Reason: "the cake",
		},
		{
			Database: "shop", User: "bob", Kind: status.EmergencyByItself, Measure: status.MeasureTarget, Target: 12,
			Since: at, By: "usher", Reason: "slow", Ended: at.Add(time.Minute), EndedBy: "usher", EndReason: "fine",
		},
	}
	when := func(d time.Duration) string { return at.Add(d).Local().Format("2006-01-02 15:04:05 MST") }
	want := [][]string{
		{
			"shop", "∅", "operator", "reserve", "normal", "0", "1", when(0), when(time.Hour), "console ann", "the cake",
			"∅", "∅", "∅",
		},
		{
			"shop", "bob", "automatic", "target", "∅", "12", "0", when(0), "∅", "usher", "slow", when(time.Minute),
			"usher", "fine",
		},
	}
	if diff := cmp.Diff(want, show(t, c.connect(t), "SHOW EMERGENCIES")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
