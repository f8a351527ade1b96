package calendar

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// seeds are the texts of the scenarios.
func seeds(f *testing.F, names ...string) {
	f.Helper()
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
		if err != nil {
			f.Fatal(err)
		}
		for part := range strings.SplitSeq(string(data), "----\n") {
			_, part, _ = strings.Cut(part, "\n\n")
			f.Add([]byte(part))
			f.Add([]byte("BEGIN:VCALENDAR\n" + part + "END:VCALENDAR\n"))
		}
	}
}

func FuzzICalendar(f *testing.F) {
	seeds(f, "rules", "overrides", "clocks", "zones", "google", "outlook", "apple", "problems")
	f.Fuzz(func(t *testing.T, data []byte) { check(t, ICalendar, data) })
}

func FuzzCSV(f *testing.F) {
	seeds(f, "tables")
	f.Fuzz(func(t *testing.T, data []byte) { check(t, CSV, data) })
}

func FuzzYAML(f *testing.F) {
	seeds(f, "tables")
	f.Fuzz(func(t *testing.T, data []byte) { check(t, YAML, data) })
}

// FuzzRule holds that no rule makes rrule-go panic: checkRule is there for that, and the recover beside it for the
// rest.
func FuzzRule(f *testing.F) {
	f.Add("FREQ=WEEKLY;BYDAY=SA;WKST=SU;INTERVAL=2", int64(0))
	f.Add("FREQ=MONTHLY;BYDAY=-5FR,5MO;BYSETPOS=-1,366;BYHOUR=1,2", int64(1e9))
	f.Add("FREQ=YEARLY;BYWEEKNO=53,-53,1;BYMONTH=12;BYDAY=SU;UNTIL=20300101", int64(1.7e9))
	f.Add("FREQ=YEARLY;BYDAY=53MO,-53SU;BYYEARDAY=366,-366;COUNT=7", int64(1.7e9))
	f.Fuzz(func(t *testing.T, text string, second int64) {
		start := day(1900, 1, 1).Add(time.Duration(uint64(second)%(9e9)) * time.Second)
		parsed, err := parseRule(text)
		if err != nil {
			return
		}
		r := newReader(Options{From: start, To: start.AddDate(5, 0, 0), Limits: Limits{Steps: 20_000}})
		found, err := r.expand(parsed, start, span{start, start.AddDate(5, 0, 0)}, utc)
		if err != nil && strings.Contains(err.Error(), "cannot be expanded") {
			t.Errorf("rrule-go has panicked at %q from %v", text, start)
		}
		for i, w := range found {
			if w.Before(start) || i > 0 && !w.After(found[i-1]) {
				t.Errorf("%q from %v: occurrence %d is at %v", text, start, i, w)
			}
		}
	})
}
