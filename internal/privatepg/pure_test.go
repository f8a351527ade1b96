package privatepg

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHowToInstallFitsThePlatform(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ goos, release, want string }{
		{"linux", "NAME=x\nID=debian\n", "apt-get install postgresql"},
		{"linux", "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "apt-get install postgresql"},
		{"linux", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "dnf install postgresql-server"},
		{"linux", "ID=alpine\n", "apk add postgresql"},
		{"linux", "", "a package named postgresql-server"},
		{"darwin", "", "brew install postgresql"},
		{"freebsd", "", "pkg install"},
		{"plan9", "", "initdb, postgres"},
	} {
		if got := howToInstall(c.goos, c.release); !strings.Contains(got, c.want) {
			t.Errorf("howToInstall(%q, %q) = %q, want %q in it", c.goos, c.release, got, c.want)
		}
	}
}

func TestPlacesAreGoodPatterns(t *testing.T) {
	t.Parallel()
	for _, pattern := range places {
		if _, err := filepath.Match(pattern, "x"); err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

func TestSettingsAreQuotedAndBadOnesRefused(t *testing.T) {
	t.Parallel()
	got, err := renderSettings(map[string]string{"b": `C:\x`, "a": "it's"})
	if err != nil {
		t.Fatal(err)
	}
	_, got2, _ := strings.Cut(string(got), "\n")
	if diff := cmp.Diff("a = 'it''s'\nb = 'C:\\\\x'\n", got2); diff != "" {
		t.Error(diff)
	}
	bad := map[string]string{"x": "a\nfsync = off", "a b": "1", "": "1", "x#": "1", "y": "\x00"}
	for name, value := range bad {
		if text, err := renderSettings(map[string]string{name: value}); err == nil {
			t.Errorf("setting %q = %q was written: %s", name, value, text)
		}
	}
}

func TestTheLogTailKeepsTheLastLinesAndPassesAllOn(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	tail := newLogTail(&all)
	var want []string
	for i := range 2 * maxTailLines {
		line := strings.Repeat(string(rune('a'+i%26)), i+1)
		for _, part := range []string{line[:i/2], line[i/2:] + "\n"} {
			if n, err := tail.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatalf("Write = %d, %v", n, err)
			}
		}
		want = append(want, line)
	}
	_, _ = tail.Write([]byte(strings.Repeat("x", 3*maxTailLine)))
	want = append(want[len(want)-maxTailLines:], strings.Repeat("x", maxTailLine))
	if diff := cmp.Diff(strings.Join(want, "\n"), tail.String()); diff != "" {
		t.Error(diff)
	}
	if all.Len() != 2*maxTailLines*(2*maxTailLines+3)/2+3*maxTailLine {
		t.Errorf("%d bytes were passed on", all.Len())
	}
}

func TestPostmasterPIDReadsItsFirstLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"123\n/data\n": 123, "": 0, "x\n": 0, "-5\n": 0, " 7 ": 7} {
		if got := postmasterPID([]byte(text)); got != want {
			t.Errorf("postmasterPID(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestChildEnvironmentHasNothingThatChangesPostgreSQL(t *testing.T) {
	t.Parallel()
	got := childEnvironment([]string{"PATH=/bin", "PGDATA=/x", "LC_TIME=de", "LANG=de", "HOME=/root"}, "/pg")
	if diff := cmp.Diff([]string{"PATH=/bin", "LC_ALL=C", "HOME=/pg"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestFolderNamesDifferWhereReadableNamesDoNot(t *testing.T) {
	t.Parallel()
	a, b := folderName("/root/a-b"), folderName("/root/a/b")
	if a == b {
		t.Errorf("both are %s", a)
	}
	if long := folderName("/" + strings.Repeat("x", 300)); len(long) > 50 {
		t.Errorf("%d bytes: %s", len(long), long)
	}
}

func TestTheLockIsExclusiveAndNamesItsHolder(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "lock")
	held, err := lockFolder(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockFolder(name); err == nil || !strings.Contains(err.Error(), "held by another usher") {
		t.Errorf("second lock: %v", err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := lockFolder(name)
	if err != nil {
		t.Fatalf("after release: %v", err)
	}
	again.Close()
}
