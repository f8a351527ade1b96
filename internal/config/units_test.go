package config

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDurations(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, again string // again is how it is written back; empty: it is refused
		want        time.Duration
	}{
		{"0", "0", 0},
		{"0s", "0", 0},
		{"30s", "30s", 30 * time.Second},
		{"90s", "1m30s", 90 * time.Second},
		{"5m", "5m", 5 * time.Minute},
		{"1h", "1h", time.Hour},
		{"1h30m", "1h30m", 90 * time.Minute},
		{"1h0m5s", "1h0m5s", time.Hour + 5*time.Second},
		{"10ms", "10ms", 10 * time.Millisecond},
		{"2d", "2d", 48 * time.Hour},
		{"30", "", 0},
		{"1.5", "", 0},
		{"-5s", "", 0},
		{"-1d", "", 0},
		{"9999999999d", "", 0},
		{"1.5d", "", 0},
		{"d", "", 0},
		{"", "", 0},
		{"soon", "", 0},
	}
	for _, test := range tests {
		got, err := parseDuration(test.text)
		if (err == nil) != (test.again != "") || got != test.want {
			t.Errorf("%q: got %v, error %v", test.text, got, err)
		}
		if err == nil && durationText(got) != test.again {
			t.Errorf("%q is written back as %s, want %s", test.text, durationText(got), test.again)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, again string
		want        int64
	}{
		{"0", "0", 0},
		{"100", "100", 100},
		{"100B", "100", 100},
		{"8kB", "8kB", 8 << 10},
		{"8KB", "8kB", 8 << 10},
		{"1024kB", "1MB", 1 << 20},
		{"16 MB", "16MB", 16 << 20},
		{"1GB", "1GB", 1 << 30},
		{"2TB", "2TB", 2 << 40},
		{"1.5GB", "", 0},
		{"1GiB", "", 0},
		{"-1MB", "", 0},
		{"MB", "", 0},
		{"9999999TB", "", 0},
		{"", "", 0},
	}
	for _, test := range tests {
		got, err := parseSize(test.text)
		if (err == nil) != (test.again != "") || got != test.want {
			t.Errorf("%q: got %v, error %v", test.text, got, err)
		}
		if err == nil && sizeText(got) != test.again {
			t.Errorf("%q is written back as %s, want %s", test.text, sizeText(got), test.again)
		}
	}
}

func TestUnitsAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Min(0).Draw(t, "duration"))
		if got, err := parseDuration(durationText(d)); err != nil || got != d {
			t.Errorf("%v is written %s and read %v, %v", d, durationText(d), got, err)
		}
		n := rapid.Int64Min(0).Draw(t, "size")
		if got, err := parseSize(sizeText(n)); err != nil || got != n {
			t.Errorf("%d is written %s and read %d, %v", n, sizeText(n), got, err)
		}
	})
}

func TestPoolPathsAreTakenApartAsTheyWereMade(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z.*" \\]{1,8}`).Draw(t, "name")
		path := join(poolPath(name), "size.max")
		gotName, gotOption, ok := splitPoolPath(path)
		if !ok || gotName != name || gotOption != "size.max" {
			t.Errorf("%q became %s, taken apart %q %q %v", name, path, gotName, gotOption, ok)
		}
	})
}
