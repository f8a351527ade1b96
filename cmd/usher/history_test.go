package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/usher-pg/usher/internal/history"
)

func TestAHistoryIsImportedAndShown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, csv := filepath.Join(dir, "history.db"), filepath.Join(dir, "demand.csv")
	text := "time,demand,max\n2026-06-20T18:00:00,3,5\n2026-06-20T18:05:00,,\n2026-06-20T18:10:00,4,9\n"
	if err := os.WriteFile(csv, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // twice is once
		output, code := execute("history", "import", "csv", csv, "--history", db, "--pool", "app",
			"--timezone", "Europe/Berlin")
		if code != 0 || !strings.Contains(output, "pool app: 2 buckets of 5m0s from 2026-06-20T16:00:00Z") ||
			!strings.Contains(output, "3 rows of 5m0s, 1 without demand") {
			t.Fatalf("exit code %d: %s", code, output)
		}
	}
	output, code := execute("history", "show", "app", "--history", db)
	if code != 0 || strings.Count(output, "\n") != 3 || !strings.Contains(output, "2026-06-20 16:10Z") {
		t.Errorf("exit code %d:\n%s", code, output)
	}
	output, code = execute("history", "show", "app", "--history", db, "--json", "--from", "2026-06-20T16:05:00Z")
	var got struct {
		Pool    string
		Buckets []history.Bucket
	}
	if err := json.Unmarshal([]byte(output), &got); err != nil || code != 0 || got.Pool != "app" ||
		len(got.Buckets) != 1 || got.Buckets[0].Max != 9 {
		t.Errorf("exit code %d, %v: %s", code, err, output)
	}
	if output, code := execute("history", "show", "--history", db); code != 0 || output != "app\n" {
		t.Errorf("exit code %d: %s", code, output)
	}
}

func TestSavedSamplesOfPgBouncerAreImported(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, csv := filepath.Join(dir, "history.db"), filepath.Join(dir, "samples.csv")
	if err := os.WriteFile(csv, []byte("time,database,sv_active\n2026-06-20T18:00:00Z,app,3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	output, code := execute("history", "import", "pgbouncer", csv, "--history", db, "--pool", "app=shop")
	if code != 0 || !strings.Contains(output, "pool shop: 1 buckets") {
		t.Errorf("exit code %d: %s", code, output)
	}
}

func TestHistoryIsCalledRightly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "x.csv")
	if err := os.WriteFile(text, []byte("time,demand\n2026-06-20T18:00:00Z,3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(dir, "x.db")
	for name, tt := range map[string]struct {
		args []string
		code int
		says string
	}{
		"help":             {[]string{"history"}, 0, "import"},
		"no history":       {[]string{"history", "show", "app"}, exitMisused, "--history"},
		"no pool":          {[]string{"history", "import", "csv", text, "--history", db}, exitMisused, "--pool"},
		"no file":          {[]string{"history", "import", "csv"}, exitMisused, "--help"},
		"too many files":   {[]string{"history", "import", "pgbouncer", "a", "b"}, exitMisused, "--help"},
		"file and console": {[]string{"history", "import", "pgbouncer", "a", "--dsn", "b"}, exitMisused, "either"},
		"no zone": {
			[]string{"history", "import", "csv", text, "--pool", "a", "--history", db, "--timezone", "Mars"},
			exitMisused, "Mars",
		},
		"no such history": {[]string{"history", "show", "app", "--history", db}, exitFailed, "no such file"},
		"a CSV file as the history": {
			[]string{"history", "import", "csv", text, "--pool", "a", "--history", text}, exitFailed, "not a database",
		},
		"time back to front": {
			[]string{"history", "show", "a", "--history", db, "--from", "2026-02-01", "--to", "2026-01-01"},
			exitMisused, "before",
		},
		"no query": {[]string{"history", "import", "prometheus", "--history", db}, exitMisused, "--query"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if output, code := execute(tt.args...); code != tt.code || !strings.Contains(output, tt.says) {
				t.Errorf("exit code %d, want %d; output, want %q:\n%s", code, tt.code, tt.says, output)
			}
		})
	}
}
