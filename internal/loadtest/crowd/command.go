package crowd

import (
	"errors"
	"fmt"
	"time"

	"github.com/usher-pg/usher/internal/status"
	"github.com/usher-pg/usher/pool"
)

// Command is what the crowd is told. Exactly one field is set.
type Command struct {
	Connect *Connect `json:"connect,omitempty"`
	Run     *Run     `json:"run,omitempty"`
	Hold    *Hold    `json:"hold,omitempty"`
	// Release ends the transactions that Hold began.
	Release bool `json:"release,omitempty"`
	// Leave disconnects everybody.
	Leave bool `json:"leave,omitempty"`
}

// Connect brings clients in. They are kept connected until Leave: who is thrown out comes back.
type Connect struct {
	Address  string  `json:"address"` // host:port of the pooler
	User     string  `json:"user"`
	Password string  `json:"password"`
	Database string  `json:"database"`
	Seats    []Seats `json:"seats"`
	// NameLane puts the lane into the startup option that usher reads.
	NameLane bool `json:"name_lane"`
	// Parallel is how many log in at a time.
	Parallel int `json:"parallel"`
	// Patience is how long one login may take.
	Patience time.Duration `json:"patience_ns"`
	// Attempts is how often each client tries.
	Attempts int `json:"attempts"`
}

// Seats are how many clients a lane has.
type Seats struct {
	Lane  string `json:"lane"`
	Count int    `json:"count"`
}

// Run sends requests for a time.
type Run struct {
	Seed     uint64        `json:"seed"`
	Duration time.Duration `json:"duration_ns"`
	Work     Work          `json:"work"`
	Loads    []Load        `json:"loads"`
	// Drain is how long what is under way at the end may take.
	Drain time.Duration `json:"drain_ns"`
}

// Load is what one lane is asked for: a rate, or a number of requests that are always under way.
type Load struct {
	Lane   string  `json:"lane"`
	Rate   []Point `json:"rate,omitempty"`
	Closed int     `json:"closed,omitempty"`
}

// Point is the rate of arrivals at a time since the start. Between two points it changes evenly.
type Point struct {
	At   time.Duration `json:"at_ns"`
	Rate float64       `json:"rate"` // a second
}

// Work is what one request does.
type Work struct {
	SQL string `json:"sql"`
	// Keys is how many there are: the statement's $1 is one of them, from 1 on. 0: it has no parameter.
	Keys int `json:"keys,omitempty"`
	// Simple sends it by the simple protocol instead of Parse, Bind, Describe, Execute and Sync.
	Simple bool `json:"simple,omitempty"`
	// BeganColumn is the column, from 1 on, that says when PostgreSQL received the statement, in microseconds since
	// 1970. 0: none does.
	BeganColumn int `json:"began_column,omitempty"`
}

// Hold has idle clients of a lane begin transactions and keep them open until Release.
type Hold struct {
	Lane  string `json:"lane"`
	Count int    `json:"count"`
	// Patience is how long to wait until all have begun. The others go on trying.
	Patience time.Duration `json:"patience_ns"`
}

// Report is what the crowd says. Error is why a command cannot be carried out; the crowd goes on.
type Report struct {
	Doors   *Doors   `json:"doors,omitempty"`
	Second  *Second  `json:"second,omitempty"`
	Outcome *Outcome `json:"outcome,omitempty"`
	Held    int      `json:"held,omitempty"` // transactions that are held open, or were until Release
	Done    bool     `json:"done,omitempty"`
	Error   string   `json:"error,omitempty"`
}

// Doors says how Connect is going, or went.
type Doors struct {
	Inside   int            `json:"inside"`
	GivenUp  int            `json:"given_up"`
	Length   time.Duration  `json:"length_ns"`
	Logins   status.Buckets `json:"logins"` // how long each took, from the first packet to ReadyForQuery
	Failures []Failure      `json:"failures,omitempty"`
}

// Second is what happened in one second of a run.
type Second struct {
	Number int          `json:"number"` // from 1 on
	Lanes  []LaneSecond `json:"lanes"`
}

// LaneSecond is a lane in a second.
type LaneSecond struct {
	Lane    string         `json:"lane"`
	Arrived uint64         `json:"arrived"`
	Served  uint64         `json:"served"`
	Failed  uint64         `json:"failed"`
	Backlog int            `json:"backlog"` // arrivals that wait for an idle client at its end
	Latency status.Buckets `json:"latency"`
	Began   status.Buckets `json:"began"`
}

// Outcome is what came of a run.
type Outcome struct {
	Lanes []LaneOutcome `json:"lanes"`
	// Lateness is from the time at which a request was intended to the return of its send, for those that found an
	// idle client.
	Lateness status.Buckets `json:"lateness"`
}

// LaneOutcome is what came of a lane. Arrived = Served + Failed + Unfinished + Unsent.
type LaneOutcome struct {
	Lane       string         `json:"lane"`
	Clients    int            `json:"clients"` // that sent a request
	Arrived    uint64         `json:"arrived"`
	Served     uint64         `json:"served"`
	Failed     uint64         `json:"failed"`
	Unfinished uint64         `json:"unfinished"` // no answer until the drain's end
	Unsent     uint64         `json:"unsent"`     // no client was idle until the run's end
	Latency    status.Buckets `json:"latency"`    // of those served, from the intended send
	Began      status.Buckets `json:"began"`      // likewise, to when PostgreSQL had the statement
	Refusal    status.Buckets `json:"refusal"`    // of those that failed, from the intended send
	Failures   []Failure      `json:"failures,omitempty"`
}

// Failure is a kind of error.
type Failure struct {
	SQLState string `json:"sqlstate,omitempty"`
	Example  string `json:"example"` // of its message
	Count    uint64 `json:"count"`
}

// Limits of what a command may ask for; ours.
const (
	maxSeats   = 1 << 20
	maxClosed  = 1 << 16
	maxRunTime = 24 * time.Hour
)

func (c *Connect) check() error {
	total := 0
	for _, s := range c.Seats {
		if _, err := pool.ParseLane(s.Lane); err != nil {
			return err
		}
		if s.Count < 0 {
			return fmt.Errorf("%d clients in lane %s", s.Count, s.Lane)
		}
		total += s.Count
	}
	switch {
	case total < 1 || total > maxSeats:
		return fmt.Errorf("%d clients, want 1 to %d", total, maxSeats)
	case c.Parallel < 1, c.Patience <= 0, c.Attempts < 1:
		return errors.New("logins need parallel, patience and attempts")
	}
	return nil
}

func (r *Run) check() error {
	if r.Duration <= 0 || r.Duration > maxRunTime || r.Drain < 0 || len(r.Loads) == 0 {
		return errors.New("a run needs a duration and loads")
	}
	for _, l := range r.Loads {
		if _, err := pool.ParseLane(l.Lane); err != nil {
			return err
		}
		if l.Closed < 0 || l.Closed > maxClosed || (l.Closed > 0) == (len(l.Rate) > 0) {
			return fmt.Errorf("lane %s: want a rate or requests always under way", l.Lane)
		}
		for i, p := range l.Rate {
			if p.Rate < 0 || i > 0 && p.At <= l.Rate[i-1].At {
				return fmt.Errorf("lane %s: the points of its rate are out of order", l.Lane)
			}
		}
	}
	return nil
}
