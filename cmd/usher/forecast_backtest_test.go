package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/forecast/backtest"
)

func TestForecastBacktest(t *testing.T) {
	t.Parallel()
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var rows, games strings.Builder
	rows.WriteString("ts_local_Berlin,count\n")
	games.WriteString("start_local,end_local,timezone,attendance\n")
	for d := range 33 {
		day := time.Date(2026, 3, 2+d, 0, 0, 0, 0, time.UTC)
		for h := range 24 {
			if d == 27 && h == 2 {
				continue // the clocks change
			}
			v := 10 + h%7
			if d%2 == 0 && h == 20 {
				v *= 4
			}
			fmt.Fprintf(&rows, "%sT%02d:00:00,%d\n", day.Format(time.DateOnly), h, v)
		}
		if d%2 == 0 {
			date := day.Format(time.DateOnly)
			fmt.Fprintf(&games, "%sT20:00:00,%sT21:00:00,Europe/Berlin,%d\n", date, date, 1000)
		}
	}
	past, calendar := file("past.csv", rows.String()), file("games.csv", games.String())
	output, code := execute("forecast", "backtest", "--history", past, "--calendar", calendar, "--timezone",
		"Europe/Berlin", "--json")
	var r backtest.Report
	if err := json.Unmarshal([]byte(output), &r); code != 0 || err != nil {
		t.Fatalf("exit code %d, %v:\n%.500s", code, err, output)
	}
	if r.Zone != "Europe/Berlin" || len(r.Days) != 3 || r.Whole.Window.Busy == 0 {
		t.Errorf("%d days, %+v", len(r.Days), r.Whole)
	}
	for name, tt := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no history":       {nil, exitFailed, "history"},
		"no such file":     {[]string{"--history", "/no/such"}, exitFailed, "read history: open /no/such"},
		"no such zone":     {[]string{"--history", past, "--timezone", "Mars"}, exitMisused, "unknown time zone Mars"},
		"no such quantile": {[]string{"--history", past, "--quantile", "2"}, exitMisused, "0.5 to 0.95"},
		"no demand":        {[]string{"--history", file("a.csv", "time,x\n")}, exitFailed, "expected a column called mean"},
		"no number": {
			[]string{"--history", file("a.csv", "time,count\n2026-03-02T00:00:00,-1\n")}, exitFailed, "line 2",
		},
		"no time":    {[]string{"--history", file("a.csv", "time,count\nnoon,1\n")}, exitFailed, "expected a time"},
		"too little": {[]string{"--history", past, "--warm-up", "90"}, exitFailed, "90 days of it are needed"},
		"a bad event": {
			[]string{
				"--history", past, "--warm-up", "31", "--calendar", file("a.yaml", "- {start: 2026-03-20 20:00}\n"),
			}, 0, "a.yaml: line 1",
		},
		"a bad calendar": {[]string{"--history", past, "--calendar", past}, exitFailed, "expected start and end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			output, code := execute(append([]string{"forecast", "backtest"}, tt.args...)...)
			if code != tt.code || !strings.Contains(output, tt.says) {
				t.Errorf("exit code %d, want %d; output, want %q:\n%s", code, tt.code, tt.says, output)
			}
		})
	}
}
