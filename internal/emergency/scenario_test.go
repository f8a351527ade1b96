package emergency

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write what happens into the scenarios of testdata")

// TestScenarios plays testdata/*.txt: commands, a line ----, and exactly what happens, with the time. Comments begin
// with #. A pool is looked at once a second, as usher does.
//
//	rules target=50ms share=5% window=10s hold=30s shed=2     what is not said stays as it was
//	pool target=4 max=10                                      the pool's size; the target follows a raise
//	run 10s statements=100 slow=6 late=0                      every second so many statements ended
//	state
func TestScenarios(t *testing.T) {
	t.Parallel()
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

// play returns the scenario with what happens now in place of what the file says.
func play(t *testing.T, text string) string {
	s := &stage{t: t, rules: standard(), target: 4, max: 10}
	var out strings.Builder
	expected := false // reading what the file says happens
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "----":
			out.WriteString("----\n" + s.take())
			expected = true
			continue
		case line == "":
			expected = false
		case expected:
			continue
		case !strings.HasPrefix(line, "#"):
			s.command(line)
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}

// standard is usher's default.
func standard() Rules {
	return Rules{
		Target: 50 * time.Millisecond, SlowShare: 0.05, Window: 10 * time.Second, Hold: 30 * time.Second, Shed: 2,
	}
}

// stage is the world of a scenario.
type stage struct {
	t           *testing.T
	out         strings.Builder
	now         time.Duration
	rules       Rules
	target, max int
	state       State
}

func (s *stage) take() string {
	defer s.out.Reset()
	if s.out.Len() == 0 {
		return "ok\n"
	}
	return s.out.String()
}

func (s *stage) command(line string) {
	words := strings.Fields(line)
	switch words[0] {
	case "rules":
		for name, value := range s.pairs(words[1:]) {
			switch name {
			case "target":
				s.rules.Target = s.duration(value)
			case "window":
				s.rules.Window = s.duration(value)
			case "hold":
				s.rules.Hold = s.duration(value)
			case "share":
				s.rules.SlowShare = float64(s.number(strings.TrimSuffix(value, "%"))) / 100
			case "shed":
				s.rules.Shed = s.number(value)
			default:
				s.t.Fatalf("unknown rule %s", name)
			}
		}
	case "pool":
		pairs := s.pairs(words[1:])
		s.target, s.max = s.number(pairs["target"]), s.number(pairs["max"])
	case "run":
		pairs := s.pairs(words[2:])
		for end := s.now + s.duration(words[1]); s.now < end; {
			s.second(pairs)
		}
	case "state":
		fmt.Fprintf(&s.out, "shed %v, target %d\n", Lanes(s.state.Shed), s.state.Target)
	default:
		s.t.Fatalf("unknown command %q", line)
	}
}

func (s *stage) second(pairs map[string]string) {
	s.now += time.Second
	var steps []Step
	s.state, steps = Decide(s.state, s.rules, Observed{
		Statements: uint64(s.number(pairs["statements"])), Slow: uint64(s.number(pairs["slow"])),
		Late:   s.number(pairs["late"]),
		Target: max(s.target, s.state.Target), Max: s.max,
	}, s.now)
	for _, step := range steps {
		fmt.Fprintf(&s.out, "%v: %v: %s\n", s.now, step, step.Reason)
	}
}

func (s *stage) pairs(words []string) map[string]string {
	pairs := map[string]string{}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			s.t.Fatalf("%q is not name=value", w)
		}
		pairs[name] = value
	}
	return pairs
}

func (s *stage) number(text string) int {
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *stage) duration(text string) time.Duration {
	if text == "0" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}
