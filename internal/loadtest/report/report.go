// Package report is what a load test has found out, and its renderings: a table for a terminal, JSON, and one HTML page
// that needs nothing from elsewhere. It measures and judges nothing.
package report

import (
	"time"

	"github.com/usher-pg/usher/internal/status"
)

// Report is a load test.
type Report struct {
	Made      time.Time     `json:"made"`
	Passed    bool          `json:"passed"`
	Line      string        `json:"line"` // what all of it comes to
	Clients   int           `json:"clients"`
	Objective time.Duration `json:"objective_ns"`
	Settings  []Setting     `json:"settings"`
	Sides     []Side        `json:"sides"` // usher first
}

// Setting is a fact about the machine or the configuration.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Side is a pooler.
type Side struct {
	Name     string  `json:"name"`
	Version  string  `json:"version"`
	Judged   bool    `json:"judged"`   // else it is there to compare
	Capacity float64 `json:"capacity"` // transactions a second, measured
	Phases   []Phase `json:"phases"`
}

// Phase is what happened in a phase.
type Phase struct {
	Name     string        `json:"name"`
	Title    string        `json:"title"`
	Story    string        `json:"story"`
	Length   time.Duration `json:"length_ns"`
	Verdicts []Verdict     `json:"verdicts"`
	Lanes    []Lane        `json:"lanes,omitempty"`
	Seconds  []Second      `json:"seconds,omitempty"`
	Lateness Quantiles     `json:"lateness"` // of the generator
	Usage    []Usage       `json:"usage,omitempty"`
	Doors    *Doors        `json:"doors,omitempty"`
	Held     int           `json:"held,omitempty"` // transactions held open
	// MeanWait is how long requests have waited on average, of a pooler that knows no more; MeanWaitKnown that it does.
	MeanWait      time.Duration `json:"mean_wait_ns,omitempty"`
	MeanWaitKnown bool          `json:"mean_wait_known,omitempty"`
}

// State is what a verdict says.
type State string

// The states of a verdict. Invalid is a failure of the measurement, and counts as one.
const (
	Passed  State = "passed"
	Failed  State = "failed"
	Invalid State = "not valid"
	Shown   State = "shown" // not judged
)

// Verdict is one sentence and whether it is so.
type Verdict struct {
	State State  `json:"state"`
	Text  string `json:"text"`
}

// Quantiles of durations.
type Quantiles struct {
	Count uint64        `json:"count"`
	P50   time.Duration `json:"p50_ns"`
	P99   time.Duration `json:"p99_ns"`
	P999  time.Duration `json:"p999_ns"`
	Max   time.Duration `json:"max_ns"`
}

// QuantilesOf reads them from buckets.
func QuantilesOf(b status.Buckets) Quantiles {
	return Quantiles{
		Count: b.Count(), P50: b.Quantile(0.5), P99: b.Quantile(0.99), P999: b.Quantile(0.999), Max: b.Quantile(1),
	}
}

// Lane is a lane in a phase.
type Lane struct {
	Name        string     `json:"name"`
	Clients     int        `json:"clients"` // that took part
	Arrived     uint64     `json:"arrived"`
	Served      uint64     `json:"served"`
	Failed      uint64     `json:"failed"`
	Unfinished  uint64     `json:"unfinished"`
	Unsent      uint64     `json:"unsent"`
	Emergencies uint64     `json:"emergencies"` // served from the reserve
	Acquisition *Quantiles `json:"acquisition"` // by usher's clock; nil: the pooler has none
	Began       *Quantiles `json:"began"`       // from the intended send to PostgreSQL's having it; nil: clocks differ
	Latency     Quantiles  `json:"latency"`     // from the intended send to the answer
	Refusal     Quantiles  `json:"refusal"`     // likewise, of those that failed
	Failures    []Failure  `json:"failures,omitempty"`
}

// Errors is how many requests were not served.
func (l Lane) Errors() uint64 { return l.Failed + l.Unfinished + l.Unsent }

// Failure is a kind of error with an example of its message.
type Failure struct {
	SQLState string `json:"sqlstate,omitempty"`
	Example  string `json:"example"`
	Count    uint64 `json:"count"`
}

// Second is a second of a phase.
type Second struct {
	Lanes       []LaneSecond `json:"lanes"`
	Waiting     int          `json:"waiting"` // in the pooler, of all lanes, at its end
	Open        int          `json:"open"`
	Busy        int          `json:"busy"`
	Opening     int          `json:"opening"`
	ReserveUsed int          `json:"reserve_used"`
	CPU         float64      `json:"cpu"` // part of all cores; 0 where it is not known
}

// LaneSecond is a lane in a second.
type LaneSecond struct {
	Lane        string        `json:"lane"`
	Arrived     uint64        `json:"arrived"`
	Served      uint64        `json:"served"`
	Failed      uint64        `json:"failed"`
	Waiting     int           `json:"waiting"` // in the pooler, at its end
	Backlog     int           `json:"backlog"` // in the generator, at its end
	Acquisition time.Duration `json:"acquisition_p99_ns"`
	Began       time.Duration `json:"began_p99_ns"`
	Latency     time.Duration `json:"latency_p99_ns"`
}

// Usage is the CPU that somebody used during a phase, in cores.
type Usage struct {
	Name  string  `json:"name"`
	Cores float64 `json:"cores"`
}

// Doors is how clients came in.
type Doors struct {
	Inside   int           `json:"inside"`
	Length   time.Duration `json:"length_ns"`
	Parallel int           `json:"parallel"`
	Logins   Quantiles     `json:"logins"`
	Failures []Failure     `json:"failures,omitempty"`
}

// state is the worst of a phase's verdicts.
func (p *Phase) state() State {
	worst := Shown
	for _, state := range []State{Passed, Failed, Invalid} {
		for _, v := range p.Verdicts {
			if v.State == state {
				worst = state
			}
		}
	}
	return worst
}

// Phase finds a phase of a side by its name.
func (s *Side) Phase(name string) *Phase {
	for i := range s.Phases {
		if s.Phases[i].Name == name {
			return &s.Phases[i]
		}
	}
	return nil
}

// Lane finds a lane of a phase by its name.
func (p *Phase) Lane(name string) *Lane {
	for i := range p.Lanes {
		if p.Lanes[i].Name == name {
			return &p.Lanes[i]
		}
	}
	return nil
}
