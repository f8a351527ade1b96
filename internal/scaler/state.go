package scaler

import (
	"math"
	"time"

	"github.com/usher-pg/usher/internal/staffing"
)

// State is what was decided so far for the pools of a database server. Its zero value is that nothing was.
type State struct {
	At    time.Time            `json:"at"`
	Pools map[string]PoolState `json:"pools"`
}

// PoolState is what was decided so far for a pool.
type PoolState struct {
	Mode   Mode    `json:"mode"`
	Target int     `json:"target"`
	Rise   float64 `json:"rise"` // what of a connection has been earned towards the next

	// Hold is what was opened for a spike, and Emergency what was for critical work.
	Hold      Hold      `json:"hold"`
	Emergency Hold      `json:"emergency"`
	Raised    time.Time `json:"raised"` // when an emergency last raised the target
	Shrunk    time.Time `json:"shrunk"` // when the target last fell, or last could not

	// Before and Latest are the most connections that demand asked for in the last two halves of measuredFor; Half is
	// when Latest began.
	Before int       `json:"before"`
	Latest int       `json:"latest"`
	Half   time.Time `json:"half"`
	now    int       // what demand asked for in this decision

	// Lately is demand, smoothed, and Dropped since when it is suspiciously less; Level is what it was before.
	Lately  float64   `json:"lately"`
	Level   float64   `json:"level"`
	Dropped time.Time `json:"dropped"`

	// Forecast is when there last was a forecast that could be used.
	Forecast time.Time `json:"forecast"`
}

// Hold is a target that stays for a while.
type Hold struct {
	Target int       `json:"target"`
	Start  time.Time `json:"start"` // of what it is held for
	Until  time.Time `json:"until"`
	Why    string    `json:"why,omitempty"`
}

func (h Hold) at(now time.Time) bool { return now.Before(h.Until) }

// began is the state of a pool that is seen for the first time: what is open may be needed.
func began(p *Pool, now time.Time) PoolState {
	return PoolState{
		Mode:   p.Rules.Mode,
		Target: max(p.Rules.Min, min(p.Observed.Open, p.Rules.most())),
		Half:   now, Shrunk: now, Lately: p.Observed.Demand, Level: p.Observed.Demand,
	}
}

// back sees to it that nothing began later than now, when the clock has been set back: what waits for time to pass
// would wait for all of that again.
func (s *PoolState) back(now time.Time) {
	for _, t := range []*time.Time{&s.Raised, &s.Dropped, &s.Forecast} {
		if t.After(now) {
			*t = now
		}
	}
	if until := now.Add(emergencyHold); s.Emergency.Until.After(until) {
		s.Emergency.Until = until
	}
}

// measure notes what was asked for, and how demand has moved since.
func (s *PoolState) measure(p *Pool, now time.Time, passed time.Duration) {
	if half := now.Sub(s.Half); half >= measuredFor/2 || half < 0 {
		s.Before, s.Latest, s.Half = s.Latest, 0, now
	}
	s.now = 0
	if p.Observed.Unknown || p.Observed.Outage {
		return
	}
	demand := p.Observed.Demand
	s.now = p.reactive(demand)
	s.Latest = max(s.Latest, s.now)
	expected := p.leastExpected(now)
	switch {
	case !s.Dropped.IsZero() &&
		(demand >= s.Level*dropPart || demand >= expected || now.Sub(s.Dropped) >= dropPatience):
		s.Dropped = time.Time{}
		s.Lately = demand
	case s.Dropped.IsZero() && s.Lately >= dropLeast && demand < s.Lately*dropPart && demand < expected:
		s.Dropped, s.Level = now, s.Lately
	}
	if s.Dropped.IsZero() {
		weight := min(1, passed.Seconds()/smoothing.Seconds())
		s.Lately += (demand - s.Lately) * weight
	}
}

// reactive is how many connections a demand asks for that is there now.
func (p *Pool) reactive(demand float64) int {
	if demand <= 0 {
		return 0
	}
	goal := p.Rules.Goal
	goal.Utilisation = min(goal.Utilisation, p.Rules.Reactive)
	return p.staff(demand, goal)
}

// expects is how many connections a demand asks for that is expected.
func (p *Pool) expects(demand float64) int { return p.staff(demand, p.Rules.Goal) }

func (p *Pool) staff(demand float64, goal staffing.Goal) int {
	load := p.Observed.Load
	load.Offered = demand
	return staffing.Connections(load, goal, staffing.MaxConnections)
}

// leastExpected is the lower end of what is expected now: without a forecast, anything could be.
func (p *Pool) leastExpected(now time.Time) float64 {
	if usable(p.Forecast, now) != "" {
		return math.Inf(1)
	}
	return finite(p.Forecast.Points[from(p.Forecast, now)].P05)
}
