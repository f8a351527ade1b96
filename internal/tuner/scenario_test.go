package tuner

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/scenario"
)

// TestScenarios plays testdata/*.txt: commands, a line ----, and exactly what happens, with the time. Comments begin
// with #. There is a simulated server without noise, which is observed four times a second.
//
//	rules min=1 max=100 start=2 probe=off on=off              what is not said stays as it was
//	server rate=1000 peak=8 contention=0.02                   one connection does 1000/s, most is done by 8
//	clients 200                                               of a closed loop
//	arrive 500                                                requests a second, of an open loop
//	event a wedding at six                                    a spike is near; alone: it is over
//	impaired on | off                                         critical work is slow
//	failing on | off                                          the server fails
//	run 30s
//	restart                                                   only the lesson is remembered, and the clock begins anew
//	state
//	curve
func TestScenarios(t *testing.T) {
	t.Parallel()
	scenario.Run(t, func(t *testing.T, text string) string {
		s := &stage{walk: walk{t: t, rules: Standard(1, 100)}}
		s.server = &server{lambda: 1000, alpha: 0.02, clients: 200, random: rand.New(rand.NewPCG(1, 1))}
		s.server.peaksAt(8)
		return scenario.Play(s, text)
	})
}

// stage is the world of a scenario.
type stage struct {
	scenario.Happenings
	walk
}

// Do carries out a command.
func (s *stage) Do(line string) {
	command, rest, _ := strings.Cut(line, " ")
	switch command {
	case "rules":
		s.each(rest, s.rule)
	case "server":
		s.each(rest, func(name, value string) {
			switch x := s.number(value); name {
			case "rate":
				s.server.lambda = x
			case "contention":
				s.server.alpha = x
			case "peak":
				s.server.peaksAt(x)
			default:
				s.t.Fatalf("unknown property %s", name)
			}
		})
	case "clients":
		s.server.clients, s.server.backlog = int(s.number(rest)), 0
	case "arrive":
		s.server.clients, s.server.rate, s.server.backlog = 0, s.number(rest), 0
	case "event":
		s.server.event = rest
	case "impaired":
		s.server.impaired = rest == "on"
	case "failing":
		s.server.failing = rest == "on"
	case "run":
		s.run(scenario.Duration(s.t, rest))
	case "restart":
		s.restart()
	case "state":
		s.Say("limit %d, size %d, found %v: %s", s.state.Limit, s.state.Size, s.state.Found, s.state.Why)
	case "curve":
		s.Say("%s", strings.TrimRight(Table(s.state.Curve()), "\n"))
	default:
		s.t.Fatalf("unknown command %q", line)
	}
}

func (s *stage) restart() {
	text, err := json.Marshal(s.state.Lesson())
	if err != nil {
		s.t.Fatal(err)
	}
	s.Say("%s", text)
	s.server.now = 0
	s.steps = s.steps[:0]
	s.resume(text)
	for _, step := range s.steps {
		s.Say("%v: %v: %s", s.server.now, step, step.Reason)
	}
}

func (s *stage) rule(name, value string) {
	switch name {
	case "on":
		s.rules.On = value == "on"
	case "probe":
		s.rules.Probe = value == "on"
	case "min":
		s.rules.Min = int(s.number(value))
	case "max":
		s.rules.Max = int(s.number(value))
	case "start":
		s.rules.Start = int(s.number(value))
	default:
		s.t.Fatalf("unknown rule %s", name)
	}
}

func (s *stage) run(span time.Duration) {
	for end := s.server.now + span; s.server.now < end; {
		s.steps = s.steps[:0]
		s.tick()
		for _, step := range s.steps {
			s.Say("%v: %v: %s", s.server.now, step, step.Reason)
		}
	}
}

// each goes through words of the form name=value, sorted by their names.
func (s *stage) each(text string, do func(name, value string)) {
	pairs := map[string]string{}
	for _, word := range strings.Fields(text) {
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			s.t.Fatalf("%q is not name=value", word)
		}
		pairs[name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		do(name, pairs[name])
	}
}

func (s *stage) number(text string) float64 {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return x
}
