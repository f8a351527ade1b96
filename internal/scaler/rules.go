package scaler

import (
	"fmt"
	"math"
	"time"

	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/staffing"
)

const (
	// shrinkPart of a target is closed at most every shrinkEvery, at least one.
	shrinkPart  = 0.1
	shrinkEvery = 5 * time.Minute
	// measuredFor is how long a measured load counts: that of the half of it before, and that of the one under way.
	measuredFor = 10 * time.Minute
	// emergencyPart of the target is added at a time, at least one, every emergencyPause, and kept for emergencyHold.
	emergencyPart  = 0.5
	emergencyPause = 10 * time.Second
	emergencyHold  = 10 * time.Minute
	// emergencyMost is how many times what demand needs an emergency asks for: then it is not connections that lack.
	emergencyMost = 2
	// dropPart of what demand was lately is a sudden drop. It is waited for dropPatience: then that is how it is.
	dropPart     = 0.5
	dropPatience = 2 * time.Hour
	// dropLeast is the demand from which a drop means something.
	dropLeast = 4
	// smoothing is over which time demand "lately" is taken.
	smoothing = 10 * time.Minute
	// forecastGrace is how long a target stays after the forecast that it rests on has ended.
	forecastGrace = 6 * time.Hour
	// jump is what cannot be between two decisions, unless the clock has jumped or usher slept.
	jump = 10 * time.Minute
	// leadSlack is how much earlier opening begins than it would have to: forecasts know time to a quarter of an hour.
	leadSlack = 15 * time.Minute
	// openingMost bounds how much earlier it begins because many are to be opened.
	openingMost = 2 * time.Hour
)

// Rules is what an operator decides for a pool.
type Rules struct {
	Mode Mode `json:"mode"`
	// Min and Max bound the target. Cap is the most that the tuner finds useful, at least Min if it is less; 0: none.
	Min int `json:"min"`
	Max int `json:"max"`
	Cap int `json:"cap,omitempty"`
	// Priority is whose wishes the budget serves first: the greatest.
	Priority int `json:"priority,omitempty"`

	// Quantile of the forecast is planned for, 0.5 to 0.99.
	Quantile float64 `json:"quantile"`
	// Enter times what is usual is a spike, which ends below Leave times. It is Least connections above it.
	Enter float64 `json:"enter"`
	Leave float64 `json:"leave"`
	Least float64 `json:"least"`
	// Lead is how long before they are needed connections are open, Hold how long after a spike they stay.
	Lead time.Duration `json:"lead"`
	Hold time.Duration `json:"hold"`
	// Reactive is the utilisation beyond which a pool grows whatever is expected.
	Reactive float64       `json:"reactive"`
	Goal     staffing.Goal `json:"goal"`
	// Opens is how many connections a second the target may rise by.
	Opens float64 `json:"opens"`
}

// Defaults are the rules of design and documentation, for a pool of that size.
func Defaults(least, most int) Rules {
	return Rules{
		Mode: Observe, Min: least, Max: most, Quantile: 0.9, Enter: 2, Leave: 1.5, Least: 4,
		Lead: 30 * time.Minute, Hold: 30 * time.Minute, Reactive: 0.7, Goal: staffing.DefaultGoal, Opens: 2,
	}
}

// check panics at rules that cannot be: the configuration has refused them.
func (r Rules) check(pool string) {
	switch {
	case r.Mode > Scale, r.Min < 0, r.Max < r.Min, r.Cap < 0,
		!(r.Quantile >= 0.5 && r.Quantile <= 0.99), !(r.Leave > 1 && r.Enter >= r.Leave), r.Lead < 0, r.Hold < 0,
		!(r.Reactive > 0 && r.Reactive <= 1), !(r.Opens > 0):
		panic(fmt.Sprintf("bug: rules of pool %s: %+v", pool, r))
	}
}

// most is what the pool may have.
func (r Rules) most() int {
	if r.Cap == 0 {
		return r.Max
	}
	return max(r.Min, min(r.Max, r.Cap))
}

// Mode is whether decisions are carried out.
type Mode uint8

// The modes.
const (
	Off Mode = iota
	Observe
	Scale
)

func (m Mode) String() string { return [...]string{"off", "observe", "scale"}[m] }

// MarshalText is String, for JSON.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Cause is what a target comes from.
type Cause uint8

// The causes.
const (
	Least     Cause = iota // the pool's Min
	Measured               // what is asked for
	Predicted              // what is expected
	Held                   // what was opened for a spike that is not over
	Kept                   // nothing asks for it, and it is not the time to lower it
	Falling                // nothing asks for it, and it is being lowered
	Emergency              // critical work is impaired
	Manual                 // an operator's
)

func (c Cause) String() string {
	return [...]string{"minimum", "reactive", "predictive", "hold", "keep", "scale-in", "emergency", "manual"}[c]
}

// MarshalText is String, for JSON.
func (c Cause) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Override is an operator's target. It holds until Until; the zero value is none.
type Override struct {
	Target int       `json:"target"`
	Until  time.Time `json:"until"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

// Observed is what a pool was asked for since the last decision, and what it has.
type Observed struct {
	// Demand is the mean of server connections in use plus requests that wait. Unknown: nobody could look.
	Demand  float64 `json:"demand"`
	Unknown bool    `json:"unknown,omitempty"`
	// Open is how many server connections there are beside the reserve, as targets are.
	Open int `json:"open"`
	// Load is what requests are like; its Offered is not looked at.
	Load staffing.Load `json:"load"`
	// Late is how many critical requests wait longer than their objective, Reserve how many connections of the reserve
	// are in use: either is an emergency.
	Late    int `json:"late,omitempty"`
	Reserve int `json:"reserve,omitempty"`
	// Outage: the database cannot be reached, or requests are held.
	Outage bool `json:"outage,omitempty"`
}

// clean is an observation that can be reckoned with and written down. What is no number was not observed.
func (o Observed) clean() Observed {
	known := func(x float64) bool { return x >= 0 && !math.IsInf(x, 1) }
	if !known(o.Demand) {
		o.Demand, o.Unknown = 0, true
	}
	for _, x := range []*float64{&o.Load.Offered, &o.Load.ArrivalSpread, &o.Load.ServiceSpread} {
		if !known(*x) {
			*x = 0
		}
	}
	return o
}

// Pool is what is known of a pool.
type Pool struct {
	Name     string
	Rules    Rules
	Observed Observed
	Forecast *forecast.Forecast // nil: there is none
	Override Override
}
