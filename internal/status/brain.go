package status

import (
	"time"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/forecast/report"
	"github.com/usher-pg/usher/internal/scaler"
	"github.com/usher-pg/usher/internal/tuner"
)

// What the brain's packages have words for, renderings see by these names.
type (
	Decision   = scaler.Decision
	Shortfall  = scaler.Shortfall
	PlanRow    = scaler.Row
	Horizon    = scaler.Horizon
	Event      = calendar.Event
	CurvePoint = tuner.Point
)

// Forecast is what is expected of a pool, with what is planned for it. It is large: hundreds of points.
type Forecast struct {
	Database string `json:"database"`
	User     string `json:"user"`
	scaler.Outlook
	// Trouble is why the forecast is not renewed.
	Trouble  string           `json:"trouble,omitempty"`
	Accuracy *report.Accuracy `json:"accuracy,omitempty"` // of the last days; nil: not known
}

// Scaling is what was decided about a pool's size last, and why.
type Scaling struct {
	Database string    `json:"database"`
	User     string    `json:"user"`
	Server   string    `json:"server"`
	Decision Decision  `json:"decision"`
	Horizons []Horizon `json:"horizons,omitempty"` // for autoscalers
	// Issued is when the forecast was made, Days how long the history is that it stands on, and Absent why there is none.
	Issued   time.Time        `json:"forecast_issued_at,omitzero"`
	Days     float64          `json:"history_days"`
	Absent   string           `json:"forecast_absent,omitempty"`
	Next     *forecast.Spike  `json:"next_spike,omitempty"`
	Accuracy *report.Accuracy `json:"accuracy,omitempty"`
	Changes  []Count          `json:"changes"` // of the target, by cause
}

// Calendar is a source of events and how it is.
type Calendar struct {
	Name    string    `json:"name"`
	Place   string    `json:"place"`            // without secrets
	Attempt time.Time `json:"attempt,omitzero"` // when it was last fetched
	Success time.Time `json:"success,omitzero"` // when that last worked
	Copy    time.Time `json:"copy,omitzero"`    // when the copy in use was fetched
	// Alarm is what somebody should look at; Error, Doubt and Keeping are what it comes from.
	Alarm    string             `json:"alarm,omitempty"`
	Error    string             `json:"error,omitempty"`
	Doubt    string             `json:"doubt,omitempty"`
	Keeping  string             `json:"keeping,omitempty"`
	Events   int                `json:"events"`
	Problems []calendar.Problem `json:"problems,omitempty"`
	More     int                `json:"more_problems,omitempty"` // than are in Problems
	// Remembered is how many events took place that it no longer lists, and forecasts still learn from.
	Remembered int `json:"remembered,omitempty"`
}

// Age is how old the copy in use is; 0 without one.
func (c *Calendar) Age(now time.Time) time.Duration {
	if c.Copy.IsZero() {
		return 0
	}
	return max(now.Sub(c.Copy), 0)
}

// History is where demand is written down, and how that is.
type History struct {
	Open    bool      `json:"open"`
	Waiting int       `json:"waiting"` // buckets, forecasts, decisions and events to be written
	Written uint64    `json:"written"`
	Dropped uint64    `json:"dropped"`
	Trouble string    `json:"trouble,omitempty"` // why nothing is written
	Since   time.Time `json:"trouble_since,omitzero"`
}

// Tuning is what is known of how many busy connections a database server can use.
type Tuning struct {
	Server string       `json:"server"`
	Mode   string       `json:"mode"`  // off, observe, on
	Limit  int          `json:"limit"` // in force now, all pools together
	Size   int          `json:"size"`  // the best one known
	Found  bool         `json:"found"` // its neighbours are no better
	Why    string       `json:"why,omitempty"`
	Cost   tuner.Cost   `json:"cost"`
	Curve  []CurvePoint `json:"curve,omitempty"`
	Steps  []string     `json:"steps,omitempty"` // the last ones
}
