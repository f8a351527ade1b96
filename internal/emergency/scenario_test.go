package emergency

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/scenario"
)

// TestScenarios plays testdata/*.txt: commands, a line ----, and exactly what happens, with the time. Comments begin
// with #. A pool is looked at once a second, as usher does.
//
//	rules target=50ms share=5% window=10s hold=30s shed=2     what is not said stays as it was
//	pool target=4 max=10                                      the pool's size; the target follows a raise
//	run 10s statements=100 slow=6 late=0                      every second so many statements ended
//	state
func TestScenarios(t *testing.T) {
	t.Parallel()
	scenario.Run(t, func(t *testing.T, text string) string {
		return scenario.Play(&stage{t: t, rules: standard(), target: 4, max: 10}, text)
	})
}

// standard is usher's default.
func standard() Rules {
	return Rules{
		Target: 50 * time.Millisecond, SlowShare: 0.05, Window: 10 * time.Second, Hold: 30 * time.Second, Shed: 2,
	}
}

// stage is the world of a scenario.
type stage struct {
	scenario.Happenings
	t           *testing.T
	now         time.Duration
	rules       Rules
	target, max int
	state       State
}

// Do carries out a command.
func (s *stage) Do(line string) {
	words := strings.Fields(line)
	switch words[0] {
	case "rules":
		for name, value := range s.pairs(words[1:]) {
			switch name {
			case "target":
				s.rules.Target = scenario.Duration(s.t, value)
			case "window":
				s.rules.Window = scenario.Duration(s.t, value)
			case "hold":
				s.rules.Hold = scenario.Duration(s.t, value)
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
		for end := s.now + scenario.Duration(s.t, words[1]); s.now < end; {
			s.second(pairs)
		}
	case "state":
		s.Say("shed %v, target %d", Lanes(s.state.Shed), s.state.Target)
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
		s.Say("%v: %v: %s", s.now, step, step.Reason)
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
