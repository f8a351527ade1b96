package loadtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/loadtest/crowd"
	"github.com/usher-pg/usher/internal/loadtest/report"
	"github.com/usher-pg/usher/internal/status"
	"github.com/usher-pg/usher/pool"
)

const (
	// judgedQuantile is the part of acquisitions that must be below the objective.
	judgedQuantile = 0.99
	// windowLength is how long a window is, at least, in which the objective must be met as well; it is longer if
	// fewer than windowSamples requests of a lane are in it, because a p99 of fewer says nothing.
	windowLength  = 5 * time.Second
	windowSamples = 500
	// doorsLimit is how long it may take to let everybody in.
	doorsLimit = 30 * time.Second
	// minOverload is the part of the requests of normal and low that must not be served in an incident: else it was
	// none.
	minOverload = 0.10
)

// measured is what a phase has brought to light.
type measured struct {
	outcome  *crowd.Outcome
	readings []reading // the first from before the phase, the last from after it
	held     int       // transactions that were held at its end
}

// acquisition is what usher recorded for a lane during the phase.
func (m *measured) acquisition(lane int) status.Buckets {
	first, last := m.readings[0], m.readings[len(m.readings)-1]
	return last.acquisition[lane].Since(first.acquisition[lane])
}

func (m *measured) emergencies(lane int) uint64 {
	return m.readings[len(m.readings)-1].emergencies[lane] - m.readings[0].emergencies[lane]
}

// worstWindow is the highest p99 of a lane in any window, and how long after the start that window ended.
func (m *measured) worstWindow(lane int) (worst time.Duration, at time.Duration) {
	start, from := m.readings[0].at, m.readings[0]
	previous := from // where the last whole window began
	look := func(from, to reading) {
		if p99 := to.acquisition[lane].Since(from.acquisition[lane]).Quantile(judgedQuantile); p99 > worst {
			worst, at = p99, to.at.Sub(start)
		}
	}
	for i, to := range m.readings[1:] {
		window := to.acquisition[lane].Since(from.acquisition[lane])
		switch whole := window.Count() >= windowSamples && to.at.Sub(from.at) >= windowLength; {
		case whole:
			look(from, to)
			previous, from = from, to
		case i == len(m.readings)-2: // what is left makes the last window longer
			look(previous, to)
		}
	}
	return worst, at
}

// judge says what a phase has shown. Only usher is judged.
func judge(p phase, m *measured, o Options) []report.Verdict {
	verdicts := []report.Verdict{judgeGenerator(m.outcome, o.Objective)}
	switch p.kind {
	case withinCapacity:
		verdicts = append(verdicts, judgeLanes(p, m, o)...)
		verdicts = append(verdicts, judgeBegan(m.outcome.Lanes, o.Objective)...)
		verdicts = append(verdicts, judgeErrors(m.outcome.Lanes, "no error in any lane"))
	case beyondCapacity:
		verdicts = append(verdicts, judgeCritical(m, o)...)
		verdicts = append(verdicts, judgeOverload(m.outcome)...)
	case everythingHeld:
		verdicts = append(verdicts, judgeHeld(m, o))
		verdicts = append(verdicts, judgeCritical(m, o)...)
	case unjudged:
		for _, v := range append(judgeLanes(p, m, o), judgeBegan(m.outcome.Lanes, o.Objective)...) {
			verdicts = append(verdicts, report.Verdict{State: report.Shown, Text: v.Text})
		}
	}
	if p.everybody {
		verdicts = append(verdicts, judgeEverybody(m.outcome, o.Clients))
	}
	return verdicts
}

func verdict(ok bool, format string, arguments ...any) report.Verdict {
	v := report.Verdict{State: report.Passed, Text: fmt.Sprintf(format, arguments...)}
	if !ok {
		v.State = report.Failed
	}
	return v
}

// judgeGenerator is about the measurement itself: a generator that is late by as much as the objective measures
// something else than was planned.
func judgeGenerator(out *crowd.Outcome, objective time.Duration) report.Verdict {
	limit := objective / 2
	late := out.Lateness.Quantile(judgedQuantile)
	v := verdict(late < limit, "the generator was on time: p99 %s late, may be %s", report.Milliseconds(late),
		report.Milliseconds(limit))
	if v.State == report.Failed {
		v.State = report.Invalid
	}
	return v
}

// judgeLanes is the promise within capacity.
func judgeLanes(p phase, m *measured, o Options) []report.Verdict {
	var whole, windows []string
	wholeOK, windowsOK := true, true
	var all status.Buckets
	for _, load := range p.loads {
		lane, err := pool.ParseLane(load.Lane)
		if err != nil {
			panic("bug: a plan with " + err.Error())
		}
		acquisition := m.acquisition(int(lane))
		all = all.And(acquisition)
		p99 := acquisition.Quantile(judgedQuantile)
		worst, at := m.worstWindow(int(lane))
		wholeOK = wholeOK && p99 < o.Objective && acquisition.Count() > 0
		windowsOK = windowsOK && worst < o.Objective
		whole = append(whole, load.Lane+" "+report.Milliseconds(p99))
		windows = append(windows, fmt.Sprintf("%s %s (until second %.0f)", load.Lane, report.Milliseconds(worst),
			at.Seconds()))
	}
	return []report.Verdict{
		verdict(wholeOK, "p99 acquisition, which must be below %s in every lane: %s; %d of %d requests waited that long",
			report.Milliseconds(o.Objective), strings.Join(whole, ", "), all.Beyond(o.Objective), all.Count()),
		verdict(windowsOK, "the same in the worst window of %v of each: %s", windowLength, strings.Join(windows, ", ")),
	}
}

// judgeBegan is the promise as the client feels it, where the clocks allow to tell.
func judgeBegan(lanes []crowd.LaneOutcome, objective time.Duration) []report.Verdict {
	var parts []string
	ok := true
	for _, l := range lanes {
		if l.Began.Count() == 0 {
			return nil
		}
		p99 := l.Began.Quantile(judgedQuantile)
		ok = ok && p99 < objective
		parts = append(parts, l.Lane+" "+report.Milliseconds(p99))
	}
	return []report.Verdict{
		verdict(ok, "from the intended send until PostgreSQL had the request, p99 below %s too: %s",
			report.Milliseconds(objective), strings.Join(parts, ", ")),
	}
}

// judgeErrors wants none.
func judgeErrors(lanes []crowd.LaneOutcome, text string) report.Verdict {
	errors, requests := uint64(0), uint64(0)
	for _, l := range lanes {
		errors += l.Failed + l.Unfinished + l.Unsent
		requests += l.Arrived
	}
	return verdict(errors == 0 && requests > 0, "%s: %d of %d requests", text, errors, requests)
}

func judgeCritical(m *measured, o Options) []report.Verdict {
	acquisition := m.acquisition(laneCritical)
	worst, at := m.worstWindow(laneCritical)
	p99 := acquisition.Quantile(judgedQuantile)
	verdicts := []report.Verdict{
		verdict(p99 < o.Objective && acquisition.Count() > 0,
			"p99 acquisition of critical below %s: %s, p99.9 %s, the worst window %s (until second %.0f)",
			report.Milliseconds(o.Objective), report.Milliseconds(p99), report.Milliseconds(acquisition.Quantile(0.999)),
			report.Milliseconds(worst), at.Seconds()),
	}
	verdicts = append(verdicts, judgeBegan(criticalOf(m.outcome), o.Objective)...)
	return append(verdicts, judgeErrors(criticalOf(m.outcome), "no error in lane critical"))
}

func criticalOf(out *crowd.Outcome) []crowd.LaneOutcome {
	for _, l := range out.Lanes {
		if l.Lane == pool.Critical.String() {
			return []crowd.LaneOutcome{l}
		}
	}
	return nil
}

// judgeOverload wants that it was one, and that whom it hit was told clearly and stayed connected.
func judgeOverload(out *crowd.Outcome) []report.Verdict {
	var arrived, served, failed, unclear uint64
	for _, l := range out.Lanes {
		if l.Lane == pool.Critical.String() {
			continue
		}
		arrived += l.Arrived
		served += l.Served
		failed += l.Failed
		for _, f := range l.Failures {
			if f.SQLState == "" {
				unclear += f.Count
			}
		}
	}
	return []report.Verdict{
		verdict(float64(arrived-served) >= minOverload*float64(arrived) && arrived > 0,
			"there was an overload: %d of %d requests of the other lanes were served", served, arrived),
		verdict(unclear == 0, "others queued, or were refused with an SQLSTATE and stayed connected: %d of %d refusals "+
			"were not like that", unclear, failed),
	}
}

func judgeHeld(m *measured, o Options) report.Verdict {
	return verdict(m.held == o.Pool, "every ordinary server connection was held throughout, and none of the reserve: "+
		"%d of %d transactions are open", m.held, o.Pool+o.Reserve)
}

func judgeEverybody(out *crowd.Outcome, clients int) report.Verdict {
	took := 0
	for _, l := range out.Lanes {
		took += l.Clients
	}
	return verdict(took == clients, "everybody took part: %d of %d clients sent requests", took, clients)
}

// judgeDoors is about letting everybody in.
func judgeDoors(d *crowd.Doors, clients int) []report.Verdict {
	failures := uint64(0)
	for _, f := range d.Failures {
		failures += f.Count
	}
	return []report.Verdict{
		verdict(d.Inside == clients && failures == 0, "%d of %d clients are logged in, %d logins failed", d.Inside,
			clients, failures),
		verdict(d.Length < doorsLimit, "in %.1f s, may be %.0f s", d.Length.Seconds(), doorsLimit.Seconds()),
	}
}

// passed is whether all verdicts of a side let it pass.
func passed(s *report.Side) bool {
	for _, p := range s.Phases {
		for _, v := range p.Verdicts {
			if v.State == report.Failed || v.State == report.Invalid {
				return false
			}
		}
	}
	return true
}
