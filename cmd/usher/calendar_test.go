package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
)

func TestCalendarListsWhatComes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tomorrow := time.Now().UTC().Add(24 * time.Hour).Truncate(time.Minute)
	row := func(days int, rest string) string {
		start := tomorrow.AddDate(0, 0, days)
		return fmt.Sprintf("%s,%s,%s\n", start.Format(time.RFC3339), start.Add(90*time.Minute).Format(time.RFC3339), rest)
	}
	table := file("a.csv", "start,end,guests,name\n"+row(0, "120,Anna & Ben")+row(2, "-5,Cy & Di")+row(20, "7,Later"))
	output, code := execute("calendar", table, "--timezone", "Asia/Tokyo")
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		tomorrow.In(tokyo).Format("Mon 2006-01-02 15:04 JST") + "  1h30m  120           Anna & Ben\n",
		"Cy & Di\n\nproblems: 1\n  line 3: event \"Cy & Di\": \"-5\" is no number of guests",
	} {
		if !strings.Contains(output, want) || code != 0 || strings.Contains(output, "Later") {
			t.Errorf("exit code %d, want %q in:\n%s", code, want, output)
		}
	}
	output, code = execute("calendar", table, "--days", "30", "--json")
	var said struct {
		Events   []calendar.Event
		Problems []calendar.Problem
	}
	if err := json.Unmarshal([]byte(output), &said); err != nil || code != 0 || len(said.Events) != 3 ||
		len(said.Problems) != 1 || !said.Events[0].Start.Equal(tomorrow) {
		t.Errorf("exit code %d, %v:\n%s", code, err, output)
	}
	for name, tt := range map[string]struct {
		args []string
		code int
		says string
	}{
		"nothing":      {[]string{file("empty.ics", "BEGIN:VCALENDAR\nEND:VCALENDAR\n")}, 0, "no events within 14 days"},
		"no file":      {[]string{"/no/such"}, exitFailed, "/no/such: read file: no such file"},
		"no calendar":  {[]string{file("a.ics", "x")}, exitFailed, "is no iCalendar"},
		"no zone":      {[]string{table, "--timezone", "Mordor"}, exitMisused, "--timezone is unknown"},
		"no days":      {[]string{table, "--days", "0"}, exitMisused, "--days is 0"},
		"another kind": {[]string{"ftp://x/geheim"}, exitMisused, "expected https://"},
		"no argument":  {nil, exitMisused, "see usher calendar --help"},
	} {
		output, code := execute(append([]string{"calendar"}, tt.args...)...)
		if code != tt.code || !strings.Contains(output, tt.says) || strings.Contains(output, "geheim") {
			t.Errorf("%s: exit code %d: %s", name, code, output)
		}
	}
}
