package lanes

import (
	"strings"
	"testing"

	"github.com/usher-pg/usher/pool"
)

func TestAsked(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", tailMax)
	for sql, want := range map[string]string{
		"/* usher:lane=critical */ SELECT 1":          "critical",
		"\n\t /*usher:lane=low*/SELECT 1":             "low",
		"/* usher:lane=high, by=checkout */ SELECT 1": "high",
		"/* usher:lane=criticality */ SELECT 1":       "",
		"/* usher:lane=urgent */ SELECT 1":            "",
		"/* usher:lane= */ SELECT 1":                  "",
		"/* usher:lane=low":                           "low", // the server will refuse it
		"/* of usher:lane=low */ SELECT 1":            "",
		"/":                                           "",
		"/*":                                          "",
		"SELECT 1 /*lane='critical'*/":                "critical",
		"SELECT 1 /*action='%2Fpay',lane='high',route='a'*/ ; ": "high",
		"SELECT 1 /* lane = 'low' */\n":                         "low",
		"SELECT 1 /*lane=low*/":                                 "",
		"SELECT 1 /*lane='urgent',lane='low'*/":                 "",
		"SELECT 1 /*airplane='low'*/":                           "",
		"SELECT 1 /*lane='*/":                                   "",
		"SELECT '/*lane=''low''*/'":                             "",
		"SELECT 1 */":                                           "",
		"*/":                                                    "",
		"/* usher:lane=low */ SELECT 1 /*lane='high'*/":         "low",
		"SELECT 1 /*lane='low'" + long + "*/":                   "",
		"SELECT '" + long + "' /*lane='low'*/":                  "low",
		"":                                                      "",
	} {
		got := ""
		if lane, ok := Asked([]byte(sql)); ok {
			got = lane.String()
		}
		if got != want {
			t.Errorf("%.60q asks for %q, want %q", sql, got, want)
		}
	}
}

func TestAskedBySet(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"SET usher.lane = critical":               "critical",
		"set usher.lane to 'high';":               "high",
		" SET\nSESSION  Usher.Lane=\"low\" ; ":    "low",
		"SET usher.lane = 'any'":                  "any",
		"SET usher.lane = DEFAULT":                "DEFAULT",
		"SET usher.lane = ''":                     "",
		"SET LOCAL usher.lane = critical":         "",
		"SET usher.lanes = critical":              "",
		"SET usher.lane = critical; SELECT 1":     "",
		"SET usher.lane critical":                 "",
		"SET usher.lane =":                        "",
		"SET usher.lane TO":                       "",
		"SETusher.lane = critical":                "",
		"SET search_path = x":                     "",
		"SELECT set_config('usher.lane','low',f)": "",
		"set": "",
		"":    "",
	} {
		if got, _ := AskedBySet([]byte(sql)); string(got) != want {
			t.Errorf("%q sets %q, want %q", sql, got, want)
		}
	}
}

func FuzzAsked(f *testing.F) {
	f.Add("/* usher:lane=critical */ SELECT 1 /*lane='low'*/;")
	f.Add("SET usher.lane = 'high'")
	f.Fuzz(func(t *testing.T, sql string) {
		if lane, ok := Asked([]byte(sql)); ok && (int(lane) >= pool.Lanes || !strings.Contains(sql, lane.String())) {
			t.Errorf("%q asks for %v", sql, lane)
		}
		if value, ok := AskedBySet([]byte(sql)); ok && !strings.Contains(sql, string(value)) {
			t.Errorf("%q sets %q", sql, value)
		}
	})
}

func TestAskedDoesNotAllocate(t *testing.T) {
	sql := []byte("/* usher:lane=critica */ SELECT 1 /*action='pay',lane='critical'*/")
	if n := testing.AllocsPerRun(100, func() { Asked(sql); AskedBySet(sql) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
