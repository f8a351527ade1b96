package loadtest

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/loadtest/report"
	"github.com/usher-pg/usher/pool"
)

// line is what all of it comes to, in one line.
func line(r *report.Report) string {
	promise := fmt.Sprintf("<%s connection acquisition under %s concurrent load", short(r.Objective),
		thousands(r.Clients))
	usher := &r.Sides[0]
	if !r.Passed {
		return "FAIL: " + promise + ": " + strings.Join(failures(usher), "; ")
	}
	var parts []string
	if p99, where := worstWithin(usher); where != "" {
		parts = append(parts, fmt.Sprintf("within capacity p99 %s in the worst lane (%s)", report.Milliseconds(p99), where))
		if felt := feltWithin(usher); felt > 0 {
			parts[0] += ", as clients feel it " + report.Milliseconds(felt)
		}
	}
	for _, c := range []struct{ phase, text string }{
		{phaseIncident, fmt.Sprintf("at %gx capacity critical p99 ", incidentLoad)},
		{phaseHeld, "with everything held critical p99 "},
	} {
		p := usher.Phase(c.phase)
		if p == nil {
			continue
		}
		critical := p.Lane(pool.Critical.String())
		part := c.text + report.Milliseconds(critical.Acquisition.P99)
		if critical.Began != nil {
			part += ", felt " + report.Milliseconds(critical.Began.P99)
		}
		parts = append(parts, part)
	}
	return "PASS: " + promise + ": " + strings.Join(parts, "; ")
}

// failures are the verdicts against a side.
func failures(s *report.Side) []string {
	var out []string
	for _, p := range s.Phases {
		for _, v := range p.Verdicts {
			if v.State == report.Failed || v.State == report.Invalid {
				out = append(out, fmt.Sprintf("%s, %s: %s", strings.ToLower(p.Title), v.State, v.Text))
			}
		}
	}
	return out
}

// worstWithin is the highest p99 acquisition of the phases within capacity.
func worstWithin(s *report.Side) (worst time.Duration, where string) {
	for _, p := range phasesWithin(s) {
		for _, l := range p.Lanes {
			if l.Acquisition.P99 >= worst {
				worst, where = l.Acquisition.P99, l.Name+", "+strings.ToLower(p.Title)
			}
		}
	}
	return worst, where
}

// feltWithin is the highest p99 until PostgreSQL had a request, in the same phases; 0 if that is not known.
func feltWithin(s *report.Side) time.Duration {
	worst := time.Duration(0)
	for _, p := range phasesWithin(s) {
		for _, l := range p.Lanes {
			if l.Began != nil {
				worst = max(worst, l.Began.P99)
			}
		}
	}
	return worst
}

func phasesWithin(s *report.Side) []*report.Phase {
	var phases []*report.Phase
	for _, name := range []string{phaseFullHouse, phaseSaturday, phaseStroke} {
		if p := s.Phase(name); p != nil {
			phases = append(phases, p)
		}
	}
	return phases
}

func short(d time.Duration) string {
	if d%time.Millisecond == 0 {
		return strconv.Itoa(int(d/time.Millisecond)) + "ms"
	}
	return d.String()
}

func thousands(n int) string {
	if n%1000 == 0 {
		return strconv.Itoa(n/1000) + "K"
	}
	return strconv.Itoa(n)
}

func machineText() string {
	return fmt.Sprintf("%d cores, %s, %s; clients, pooler and PostgreSQL share it", runtime.NumCPU(), processor(),
		platform())
}

func clientsText(clients int) string {
	var parts []string
	for lane, n := range seatsOf(clients) {
		parts = append(parts, fmt.Sprintf("%d %s", n, pool.Lane(lane)))
	}
	return fmt.Sprintf("%d connections over TCP, in a process apart: %s; SCRAM-SHA-256 with keys that are derived once",
		clients, strings.Join(parts, ", "))
}
