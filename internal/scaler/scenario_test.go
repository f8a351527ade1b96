package scaler

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/scenario"
	"github.com/usher-pg/usher/internal/staffing"
)

// TestScenarios plays testdata/*.txt: commands, a line ----, and exactly what happens, with the time. Comments begin
// with #. It is noon of a Saturday in June. Decisions are made every ten seconds; a line tells when the cause of one
// changes. What is decided is open at once.
//
//	pool shop min=2 max=100            also mode=, cap=, priority=, opens=; what is not said stays as it was
//	budget 120
//	demand shop 10                     also late=, reserve=, outage, unknown: what is observed from now on
//	forecast shop 10                   so much is expected for 14 days, issued now; P90 is a fifth more
//	spike shop 18:00 2h x10 why        after a forecast: so many times as much from then, for so long
//	absent shop why                    there is no forecast
//	override shop 50 1h ann reason
//	run 1h                             decisions are made
//	until 17:30                        the same
//	clock 3h                           the clock jumps
//	show                               all targets, with reasons and notes
//	shortfalls
func TestScenarios(t *testing.T) {
	t.Parallel()
	scenario.Run(t, func(t *testing.T, text string) string {
		return scenario.Play(&stage{t: t, now: noon, causes: map[string]string{}}, text)
	})
}

var noon = time.Date(2026, 6, 20, 12, 0, 0, 0, time.UTC)

// stage is the world of a scenario.
type stage struct {
	scenario.Happenings
	t      *testing.T
	now    time.Time
	pools  []Pool
	budget int
	state  State
	last   []Decision
	causes map[string]string
}

// Do carries out a command.
func (s *stage) Do(line string) {
	words := strings.Fields(line)
	switch words[0] {
	case "budget":
		s.budget = s.number(words[1])
	case "run":
		s.run(s.now.Add(scenario.Duration(s.t, words[1])))
	case "until":
		s.run(s.at(words[1]))
	case "clock":
		s.now = s.now.Add(scenario.Duration(s.t, words[1]))
	case "show":
		for _, d := range s.last {
			s.Say("%s: %d (%v): %s", d.Pool, d.Target, d.Cause, d.Reason)
			for _, note := range d.Notes {
				s.Say("  %s", note)
			}
		}
	case "shortfalls":
		for _, f := range Shortfalls(s.now, s.pools, s.budget) {
			s.Say("%s to %s: %v", f.Start.Format("Mon 15:04"), f.End.Format("Mon 15:04"), f)
		}
	default:
		s.about(s.pool(words[1]), words)
	}
}

// about carries out a command about a pool.
func (s *stage) about(p *Pool, words []string) {
	switch words[0] {
	case "pool":
		s.configure(p, words[2:])
	case "demand":
		s.observe(p, words[2:])
	case "forecast":
		p.Forecast = s.expect(p.Name, float64(s.number(words[2])))
	case "spike":
		s.spike(p.Forecast, words[2:])
	case "absent":
		p.Forecast = &forecast.Forecast{Pool: p.Name, Absent: strings.Join(words[2:], " ")}
	case "override":
		p.Override = Override{
			s.number(words[2]), s.now.Add(scenario.Duration(s.t, words[3])), words[4], strings.Join(words[5:], " "),
		}
	default:
		s.t.Fatalf("unknown command %q", words)
	}
}

func (s *stage) configure(p *Pool, words []string) {
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "min":
			p.Rules.Min = s.number(value)
		case "max":
			p.Rules.Max = s.number(value)
		case "cap":
			p.Rules.Cap = s.number(value)
		case "priority":
			p.Rules.Priority = s.number(value)
		case "opens":
			p.Rules.Opens = float64(s.number(value))
		case "mode":
			p.Rules.Mode = map[string]Mode{"off": Off, "observe": Observe, "scale": Scale}[value]
		default:
			s.t.Fatalf("unknown rule %s", w)
		}
	}
}

func (s *stage) observe(p *Pool, words []string) {
	open := p.Observed.Open
	p.Observed = Observed{Open: open, Load: staffing.Load{Service: 5 * time.Millisecond}}
	for i, w := range words {
		name, value, _ := strings.Cut(w, "=")
		switch {
		case i == 0:
			p.Observed.Demand = float64(s.number(w))
		case name == "late":
			p.Observed.Late = s.number(value)
		case name == "reserve":
			p.Observed.Reserve = s.number(value)
		case name == "outage":
			p.Observed.Outage = true
		case name == "unknown":
			p.Observed.Unknown = true
		default:
			s.t.Fatalf("unknown observation %s", w)
		}
	}
}

// expect is a forecast as forecast.Make gives it: 24 hours in steps of five minutes, then hours.
func (s *stage) expect(pool string, demand float64) *forecast.Forecast {
	f := &forecast.Forecast{Pool: pool, Issued: s.now, Until: s.now.Add(6 * time.Hour), Zone: time.UTC}
	for t := s.now.Truncate(time.Hour); t.Before(s.now.Add(14 * 24 * time.Hour)); {
		width := 5 * time.Minute
		if t.Sub(s.now) >= 24*time.Hour {
			width = time.Hour
		}
		f.Points = append(f.Points, forecast.Point{
			Start: t, Width: width, P05: demand / 1.25, P50: demand, P90: demand * 1.2, P95: demand * 1.25, Base: demand,
			Multiplier: 1,
		})
		t = t.Add(width)
	}
	return f
}

func (s *stage) spike(f *forecast.Forecast, words []string) {
	start := s.at(words[0])
	end := start.Add(scenario.Duration(s.t, words[1]))
	times, err := strconv.ParseFloat(strings.TrimPrefix(words[2], "x"), 64)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range f.Points {
		if p := &f.Points[i]; !p.Start.Before(start) && p.Start.Before(end) {
			p.P05, p.P50, p.P90, p.P95 = times*p.P05, times*p.P50, times*p.P90, times*p.P95
			p.Multiplier, p.Why = times, strings.Join(words[3:], " ")
		}
	}
}

// at is a time of today, or after +1d of tomorrow.
func (s *stage) at(text string) time.Time {
	clock, days, _ := strings.Cut(text, "+")
	t, err := time.Parse("15:04", clock)
	if err != nil {
		s.t.Fatal(err)
	}
	if days != "" {
		t = t.AddDate(0, 0, s.number(strings.TrimSuffix(days, "d")))
	}
	return noon.Truncate(24 * time.Hour).Add(t.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)))
}

func (s *stage) run(end time.Time) {
	for s.now.Before(end) {
		s.now = s.now.Add(10 * time.Second)
		s.state, s.last = Decide(s.now, s.pools, s.budget, s.state)
		for _, d := range s.last {
			if d.Acts {
				s.pool(d.Pool).Observed.Open = d.Target
			}
			line := fmt.Sprint(d.Pool, d.Cause)
			if s.causes[d.Pool] != line {
				s.causes[d.Pool] = line
				s.Say("%s %s: %v from %d: %s", s.now.Format("15:04:05"), d.Pool, d.Cause, d.From, d.Reason)
			}
		}
	}
}

// pool is a pool by its name; a new one scales.
func (s *stage) pool(name string) *Pool {
	for i := range s.pools {
		if s.pools[i].Name == name {
			return &s.pools[i]
		}
	}
	p := Pool{Name: name, Rules: Defaults(2, 100)}
	p.Rules.Mode = Scale
	p.Observed.Load.Service = 5 * time.Millisecond
	s.pools = append(s.pools, p)
	return &s.pools[len(s.pools)-1]
}

func (s *stage) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
