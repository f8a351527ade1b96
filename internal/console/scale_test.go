package console

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTargetsAreOrdered(t *testing.T) {
	tests := []struct{ query, call string }{
		{"SCALE shop TO 60", `scale {Pool:shop Target:60 For: By:console ann Reason:}`},
		{"scale shop to 0 for 2h;", `scale {Pool:shop Target:0 For:2h By:console ann Reason:}`},
		{
			`SCALE "to" REASON 'it''s a rehearsal' FOR '1h30m' TO 7`,
			`scale {Pool:to Target:7 For:1h30m By:console ann Reason:it's a rehearsal}`,
		},
		{"SCALE shop AUTO", `end scale "shop" by "console ann"`},
		{`scale "auto" auto;`, `end scale "auto" by "console ann"`},
	}
	c := start(t, Admin)
	conn := c.connect(t)
	var calls []string
	for _, test := range tests {
		if got := outcome(t, conn, test.query); got != "SCALE" {
			t.Errorf("%s answers %q", test.query, got)
		}
		calls = append(calls, test.call)
	}
	if diff := cmp.Diff(calls, c.ctl.called()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestWrongTargetsDoNothing(t *testing.T) {
	const (
		noNumber   = "22023 a target is a number of server connections"
		noDuration = "22023 that is no duration: expected one with a unit, such as 30m or 1h30m"
		noSpan     = "22023 a target is set for a second up to 168h0m0s"
		noReason   = "22023 a reason is one line of at most 200 bytes"
		noTarget   = "42601 TO with a number, or AUTO, is required"
	)
	invalid := func(query string) string { return "42601 invalid command '" + query + "', use SHOW HELP;" }
	tests := map[string]string{
		"SCALE":                                  "42601 a database is required",
		"SCALE 'shop' TO 5":                      "42601 a database is required",
		`SCALE "" TO 5`:                          "42601 a database is required",
		"SCALE usher TO 5":                       "55000 cannot scale admin db: usher",
		"SCALE pgbouncer AUTO":                   "55000 cannot scale admin db: pgbouncer",
		"SCALE shop":                             noTarget,
		"SCALE shop FOR 5m":                      noTarget,
		"SCALE shop TO many":                     noNumber,
		"SCALE shop TO 5.5":                      noNumber,
		"SCALE shop TO -1":                       noNumber,
		"SCALE shop TO 99999999999999999999":     noNumber,
		"SCALE shop TO 5 FOR 30":                 noDuration,
		"SCALE shop TO 5 FOR 7d":                 noDuration,
		"SCALE shop TO 5 FOR 0s":                 noSpan,
		"SCALE shop TO 5 FOR -5m":                noSpan,
		"SCALE shop TO 5 FOR 169h":               noSpan,
		"SCALE shop TO 5 REASON 'two\nlines'":    noReason,
		"SCALE shop TO 5 REASON '" + long + "'":  noReason,
		"SCALE " + long + long + long + " TO 5":  "42601 bad arguments",
		"SCALE shop TO 5 FOR 5m REASON 'a' TO 6": "",
		"SCALE shop AUTO now":                    "",
		"SCALE shop AUTO FOR 5m":                 "",
		"SCALE shop TO":                          "",
		"SCALE shop TO '5'":                      "",
		"SCALE shop TO 5 TO 6":                   "",
		"SCALE shop 5":                           "",
		"SCALE shop TO = 5":                      "",
		"SCALE shop TO 5 FOR ''":                 "",
		"SCALE shop TO 5 REASON word":            "",
		`SCALE shop "to" 5`:                      "",
		`SCALE shop "auto"`:                      "",
		"SHOW SCALING now":                       "",
		"SHOW CALENDARS now":                     "",
	}
	c := start(t, Admin)
	conn := c.connect(t)
	for query, want := range tests {
		if want == "" {
			want = invalid(query)
		}
		if got := outcome(t, conn, query); got != want {
			t.Errorf("%s answers %q, want %q", query, got, want)
		}
	}
	if calls := c.ctl.called(); len(calls) > 0 {
		t.Errorf("the controller was called: %q", calls)
	}
}

func TestWhoOnlyLooksSetsNoTarget(t *testing.T) {
	c := start(t, Stats)
	conn := c.connect(t)
	for _, query := range []string{"SCALE shop TO 5", "SCALE shop AUTO", "SCALE"} {
		if got := outcome(t, conn, query); got != "42501 admin access needed" {
			t.Errorf("%s answers %q", query, got)
		}
	}
	if calls := c.ctl.called(); len(calls) > 0 {
		t.Errorf("the controller was called: %q", calls)
	}
	for _, query := range []string{
		"SHOW FORECAST", "SHOW SCALING", "SHOW SHORTFALLS", "SHOW CALENDAR", "SHOW CALENDARS", "SHOW TUNING",
	} {
		if got := outcome(t, conn, query); got != "SHOW" {
			t.Errorf("%s answers %q", query, got)
		}
	}
}
