package forecast

import "time"

// Forecast is what is expected of one pool, as it was seen at Issued.
type Forecast struct {
	Pool   string         `json:"pool"`
	Issued time.Time      `json:"issued_at"`
	Until  time.Time      `json:"valid_until"` // after it, nobody should act on it
	Zone   *time.Location `json:"-"`           // in which its hours of the week are meant

	// Rung is how much it stands on, from RungNothing up, and Days how long the history is.
	Rung Rung    `json:"rung"`
	Days float64 `json:"history_days"`

	// Absent is why there is no forecast. Then there are no points.
	Absent string `json:"absent,omitempty"`
	// Notes are what a reader should know: a feed that is old, gaps, a level that has shifted.
	Notes []string `json:"notes,omitempty"`

	// Points are in order and without gaps: the first 24 hours in steps of history.Step, then by the hour up to 14
	// days.
	Points []Point `json:"points"`
	// Spikes are the times at which demand is more than SpikeEnter times what is usual without events, in order.
	Spikes []Spike `json:"spikes,omitempty"`

	// Calibration is the Input's: whoever makes the next one need not learn it anew.
	Calibration Calibration `json:"calibration"`
}

// Point is a stretch of time and the mean demand expected in it, in server connections.
type Point struct {
	Start time.Time     `json:"t"`
	Width time.Duration `json:"width"`

	// The quantiles. Between P05 and P95 it is nine times of ten.
	P05 float64 `json:"p05"`
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P95 float64 `json:"p95"`

	// Base is what is usual then without events, and Multiplier P50 over it.
	Base       float64 `json:"base"`
	Multiplier float64 `json:"multiplier"`

	// Why is what a person should know: "3 weddings, 410 guests (learned n=14)".
	Why    string   `json:"why,omitempty"`
	Events []string `json:"events,omitempty"` // their IDs
}

// Spike is a stretch of time that is far from usual.
type Spike struct {
	Start time.Time `json:"start"` // demand is beyond the ratio from here
	End   time.Time `json:"end"`
	Peak  time.Time `json:"peak_at"`
	// PeakP90 is demand at the peak in server connections, and Ratio the peak's P50 over what is usual.
	PeakP90 float64 `json:"peak_p90"`
	Ratio   float64 `json:"ratio"`
	Why     string  `json:"why,omitempty"`
}

// Rung is a step of the ladder from knowing nothing to knowing much.
type Rung int

// The rungs. Which one a forecast stands on decides what it is made from.
const (
	RungNothing Rung = iota // no history: the rules of thumb times the configured normal load
	RungLevel               // a day: the level is known
	RungWeek                // a week: the same time last week
	RungWeeks               // two weeks: the usual week, mixed with simpler models
	RungEvents              // three events of a kind: their profile is known

	Rungs int = iota // how many there are
)

var rungNames = [Rungs]string{
	"nothing: rules of thumb", "a day: the level", "a week: the same time last week", "weeks: the usual week",
	"weeks and events",
}

func (r Rung) String() string { return rungNames[r] }
