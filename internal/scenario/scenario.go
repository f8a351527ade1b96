// Package scenario plays text scenarios in tests: files of commands, each block followed by a line ---- and exactly
// what happens. Comments begin with #, and an empty line ends what happens. With -rewrite, what happens now is
// written into the files: review is reading the difference.
package scenario

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write what happens into the scenarios of testdata")

// Run plays each of testdata/*.txt in a test of its own. play returns the text with what happens now in place of what
// the text says.
func Run(t *testing.T, play func(t *testing.T, text string) string) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(text))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(string(text), got); diff != "" {
				t.Errorf("transcript differs (-file +now); go test -rewrite accepts it:\n%s", diff)
			}
		})
	}
}

// A Stage is the world of a scenario.
type Stage interface {
	Do(command string)
	Take() string // what has happened since the last time
}

// Play is play for [Run], line by line.
func Play(s Stage, text string) string {
	var out strings.Builder
	expected := false // reading what the file says happens
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "----":
			out.WriteString("----\n" + s.Take())
			expected = true
			continue
		case line == "":
			expected = false
		case expected:
			continue
		case !strings.HasPrefix(line, "#"):
			s.Do(line)
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}

// Happenings collects what happens, for a Stage to embed.
type Happenings struct{ strings.Builder }

// Say adds a line.
func (h *Happenings) Say(format string, args ...any) { fmt.Fprintf(h, format+"\n", args...) }

// Take returns what has been said, or that it was nothing, and forgets it.
func (h *Happenings) Take() string {
	defer h.Reset()
	if h.Len() == 0 {
		return "ok\n"
	}
	return h.String()
}

// Duration is that of a command; 0 needs no unit.
func Duration(t *testing.T, text string) time.Duration {
	t.Helper()
	if text == "0" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
