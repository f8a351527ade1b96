package loadtest

import (
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/loadtest/crowd"
	"github.com/usher-pg/usher/internal/loadtest/report"
	"github.com/usher-pg/usher/internal/status"
	"github.com/usher-pg/usher/pool"
)

// evening makes readings, one a second: what each lane has acquired until then.
type evening struct {
	h        [pool.Lanes]pool.Histogram
	readings []reading
}

func newEvening() *evening {
	e := &evening{}
	e.look()
	return e
}

func (e *evening) look() {
	r := reading{at: time.Unix(int64(len(e.readings)), 0)}
	for lane := range e.h {
		r.acquisition[lane] = status.BucketsOf(&e.h[lane])
	}
	e.readings = append(e.readings, r)
}

// second has every lane acquire so often a second, each in d.
func (e *evening) second(count int, d time.Duration) *evening {
	for lane := range e.h {
		for range count {
			e.h[lane].Record(d)
		}
	}
	e.look()
	return e
}

func (e *evening) seconds(n, count int, d time.Duration) *evening {
	for range n {
		e.second(count, d)
	}
	return e
}

const (
	fast = 2 * time.Millisecond
	slow = 30 * time.Millisecond
)

func TestTheWorstWindowIsFound(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		e    *evening
		slow bool // the worst window's p99 is slow
		at   time.Duration
	}{
		"all fast": {newEvening().seconds(20, 200, fast), false, 5 * time.Second},
		"five slow seconds of many": {
			newEvening().seconds(100, 200, fast).seconds(5, 200, slow).seconds(100, 200, fast), true, 105 * time.Second,
		},
		"too few slow ones in a window": {
			newEvening().seconds(20, 200, fast).second(5, slow).seconds(20, 200, fast), false, 5 * time.Second,
		},
		"a busy slow second": {
			newEvening().seconds(20, 200, fast).second(20, slow).seconds(20, 200, fast), true, 25 * time.Second,
		},
		"few requests make long windows": {newEvening().seconds(50, 10, fast).seconds(50, 10, slow), true, 100 * time.Second},
		"what is left belongs to the last": {
			newEvening().seconds(10, 200, fast).seconds(2, 20, slow), true, 12 * time.Second,
		},
		"less than a window": {newEvening().seconds(2, 10, slow), true, 2 * time.Second},
		"nothing":            {newEvening().seconds(20, 0, fast), false, 0},
	} {
		m := &measured{readings: tt.e.readings}
		worst, at := m.worstWindow(laneHigh)
		if (worst >= slow) != tt.slow || at != tt.at {
			t.Errorf("%s: %v until %v, want slow %v until %v", name, worst, at, tt.slow, tt.at)
		}
	}
}

// fullLanes are outcomes in which all went well.
func fullLanes() []crowd.LaneOutcome {
	var lanes []crowd.LaneOutcome
	for lane, seats := range seatsOf(10_000) {
		lanes = append(lanes, crowd.LaneOutcome{
			Lane: laneName(lane), Clients: seats, Arrived: 4000, Served: 4000, Began: bucketsOf(fast),
		})
	}
	return lanes
}

func phaseNamed(t *testing.T, name string) phase {
	t.Helper()
	for _, p := range plan(Defaults(), 4000) {
		if p.name == name {
			return p
		}
	}
	t.Fatalf("no phase %s", name)
	return phase{}
}

// overloaded are the outcomes of an incident.
func overloaded() []crowd.LaneOutcome {
	lanes := fullLanes()
	lanes[laneNormal].Served, lanes[laneNormal].Failed = 2000, 2000
	lanes[laneNormal].Failures = []crowd.Failure{{SQLState: "53300", Example: "full", Count: 2000}}
	return lanes
}

// verdictTest is a phase and what stands against it.
type verdictTest struct {
	phase   string
	e       *evening
	lanes   func() []crowd.LaneOutcome
	change  func(*measured)
	against []string     // parts of the verdicts that are not passed
	state   report.State // theirs
}

var (
	quick = newEvening().seconds(20, 200, fast)
	late  = newEvening().seconds(20, 200, slow)
	burst = newEvening().seconds(600, 200, fast).seconds(5, 200, slow)
)

var capacityTests = map[string]verdictTest{
	"a good full house": {phase: phaseFullHouse, e: quick, lanes: fullLanes},
	"a slow one": {
		phase: phaseFullHouse, e: late, lanes: fullLanes,
		against: []string{"p99 acquisition", "the same in the worst window"}, state: report.Failed,
	},
	"slow for five seconds": {
		phase: phaseSaturday, e: burst, lanes: fullLanes,
		against: []string{"the same in the worst window"}, state: report.Failed,
	},
	"felt slow": {
		phase: phaseFullHouse, e: quick, lanes: fullLanes,
		change:  func(m *measured) { m.outcome.Lanes[laneLow].Began = bucketsOf(slow) },
		against: []string{"until PostgreSQL had the request"}, state: report.Failed,
	},
	"clocks that differ": {
		phase: phaseFullHouse, e: quick, lanes: fullLanes,
		change: func(m *measured) { m.outcome.Lanes[laneLow].Began = nil },
	},
	"an error": {
		phase: phaseFullHouse, e: quick, lanes: fullLanes,
		change:  func(m *measured) { m.outcome.Lanes[laneLow].Unsent++ },
		against: []string{"no error in any lane: 1 of"}, state: report.Failed,
	},
	"somebody is missing": {
		phase: phaseFullHouse, e: quick, lanes: fullLanes,
		change:  func(m *measured) { m.outcome.Lanes[laneLow].Clients-- },
		against: []string{"everybody took part: 9999 of 10000"}, state: report.Failed,
	},
	"a late generator": {
		phase: phaseSaturday, e: quick, lanes: fullLanes,
		change:  func(m *measured) { m.outcome.Lateness = bucketsOf(slow) },
		against: []string{"the generator was on time"}, state: report.Invalid,
	},
	"a lane without requests": {
		phase: phaseSaturday, e: newEvening().seconds(20, 0, fast), lanes: fullLanes,
		against: []string{"p99 acquisition"}, state: report.Failed,
	},
	"what is only shown": {
		phase: phaseCold, e: late, lanes: fullLanes,
		against: []string{"p99", "the same", "until PostgreSQL"}, state: report.Shown,
	},
}

var overloadTests = map[string]verdictTest{
	"a good incident": {phase: phaseIncident, e: quick, lanes: overloaded},
	"no overload": {
		phase: phaseIncident, e: quick, lanes: fullLanes,
		against: []string{"there was an overload"}, state: report.Failed,
	},
	"a slow critical": {
		phase: phaseIncident, e: late, lanes: overloaded,
		against: []string{"p99 acquisition of critical"}, state: report.Failed,
	},
	"a critical error": {
		phase: phaseIncident, e: quick, lanes: overloaded,
		change:  func(m *measured) { m.outcome.Lanes[laneCritical].Failed++ },
		against: []string{"no error in lane critical: 1"}, state: report.Failed,
	},
	"somebody was thrown out": {
		phase: phaseIncident, e: quick, lanes: overloaded,
		change: func(m *measured) {
			m.outcome.Lanes[laneLow].Failures = []crowd.Failure{{Example: "connection lost", Count: 1}}
		},
		against: []string{"refused with an SQLSTATE"}, state: report.Failed,
	},
	"everything held": {
		phase: phaseHeld, e: quick, lanes: overloaded, change: func(m *measured) { m.held = 40 },
	},
	"not everything held": {
		phase: phaseHeld, e: quick, lanes: overloaded, change: func(m *measured) { m.held = 39 },
		against: []string{"held throughout"}, state: report.Failed,
	},
	"the reserve is held": {
		phase: phaseHeld, e: quick, lanes: overloaded, change: func(m *measured) { m.held = 48 },
		against: []string{"held throughout"}, state: report.Failed,
	},
}

func TestVerdictsWithinCapacity(t *testing.T) {
	t.Parallel()
	for name, tt := range capacityTests {
		tt.run(t, name)
	}
}

func TestVerdictsBeyondCapacity(t *testing.T) {
	t.Parallel()
	for name, tt := range overloadTests {
		tt.run(t, name)
	}
}

func (tt verdictTest) run(t *testing.T, name string) {
	t.Helper()
	m := &measured{readings: tt.e.readings, outcome: &crowd.Outcome{Lanes: tt.lanes(), Lateness: bucketsOf(0)}}
	if tt.change != nil {
		tt.change(m)
	}
	verdicts := judge(phaseNamed(t, tt.phase), m, Defaults())
	var against []report.Verdict
	for _, v := range verdicts {
		if v.State != report.Passed {
			against = append(against, v)
		}
	}
	if len(against) != len(tt.against) {
		t.Fatalf("%s: against it are %q, want %q", name, against, tt.against)
	}
	for i, want := range tt.against {
		if v := against[i]; v.State != tt.state || !strings.Contains(v.Text, want) {
			t.Errorf("%s: %q, want %s and %q", name, v, tt.state, want)
		}
	}
	side := &report.Side{Phases: []report.Phase{{Verdicts: verdicts}}}
	if got, want := passed(side), tt.against == nil || tt.state == report.Shown; got != want {
		t.Errorf("%s: passed is %v", name, got)
	}
}

func TestTheDoorsAreJudged(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		doors crowd.Doors
		want  string // the states' first letters
	}{
		"all inside":   {crowd.Doors{Inside: 100, Length: time.Second}, "pp"},
		"one given up": {crowd.Doors{Inside: 99, GivenUp: 1, Length: time.Second}, "fp"},
		"a second try": {crowd.Doors{Inside: 100, Length: time.Second, Failures: []crowd.Failure{{Count: 1}}}, "fp"},
		"too slow":     {crowd.Doors{Inside: 100, Length: doorsLimit}, "pf"},
	} {
		got := ""
		for _, v := range judgeDoors(&tt.doors, 100) {
			got += string(v.State[0])
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestTheLastLineSaysWhatAllComesTo(t *testing.T) {
	t.Parallel()
	lane := func(name string, p99, began time.Duration) report.Lane {
		return report.Lane{Name: name, Acquisition: &report.Quantiles{P99: p99}, Began: &report.Quantiles{P99: began}}
	}
	r := &report.Report{Passed: true, Clients: 10_000, Objective: 10 * time.Millisecond, Sides: []report.Side{{
		Phases: []report.Phase{
			{Name: phaseDoors},
			{
				Name: phaseFullHouse, Title: "A full house",
				Lanes: []report.Lane{lane("critical", 0, fast), lane("low", fast, fast)},
			},
			{Name: phaseIncident, Title: "Incident", Lanes: []report.Lane{lane("critical", 3*time.Millisecond, fast)}},
			{Name: phaseHeld, Title: "Everything held", Lanes: []report.Lane{lane("critical", 0, fast)}},
		},
	}}}
	want := "PASS: <10ms connection acquisition under 10K concurrent load: within capacity p99 2.00 ms in the worst " +
		"lane (low, a full house), as clients feel it 2.00 ms; at 2x capacity critical p99 3.00 ms, felt 2.00 ms; with " +
		"everything held critical p99 <0.01 ms, felt 2.00 ms"
	if got := line(r); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r.Passed, r.Clients, r.Objective = false, 400, 1500*time.Microsecond
	r.Sides[0].Phases[2].Verdicts = []report.Verdict{
		{State: report.Passed, Text: "x"}, {State: report.Failed, Text: "too slow"}, {State: report.Invalid, Text: "late"},
	}
	want = "FAIL: <1.5ms connection acquisition under 400 concurrent load: incident, failed: too slow; incident, not " +
		"valid: late"
	if got := line(r); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
