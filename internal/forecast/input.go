package forecast

import (
	"time"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/history"
)

// Input is what a forecast is a function of.
type Input struct {
	Pool string
	Now  time.Time
	Zone *time.Location // in which hours of the week are meant; nil: UTC

	// History is what was, in any order. What is NaN, negative, beyond MostDemand or ends after Now is passed over.
	History []history.Bucket
	// Events are past and future, in any order. One whose kind is KindHoliday is a day that is like a Sunday.
	Events []calendar.Event
	// Extra are events that somebody imagines: foreseen as if they were in the calendar, but nothing is learned from
	// them.
	Extra []calendar.Event
	Rules Rules
	// Calibration is what forecasts of the past have taught about how sure one may be.
	Calibration Calibration
	// Beside are forecasts by other means of what comes without events, to be mixed in by how well they did.
	Beside []Beside

	// Fine is how far points come in steps of history.Step, and Far how far there are points at all. 0: the defaults.
	Fine, Far time.Duration
}

// How far a forecast reaches, and how long one may act on it.
const (
	FineDefault = 24 * time.Hour
	FarDefault  = 14 * 24 * time.Hour
	ValidFor    = 6 * time.Hour
)

// The limits of what is looked at.
const (
	// MostDemand is more server connections than PostgreSQL can have: max_connections ends at 262,143.
	MostDemand = 1 << 18
	// Memory is how far back history is used: a year, and what is around the same day a year ago.
	Memory = 400 * 24 * time.Hour
	// longestEvent bounds what one event can mask and multiply.
	longestEvent = 7 * 24 * time.Hour
	// mostGuests is how many times the usual guests count, in both directions.
	mostGuests = 20
	// mostFine and mostFar bound the number of points.
	mostFine, mostFar = 72 * time.Hour, 60 * 24 * time.Hour
)

// KindHoliday is the kind of an event that brings no load of its own, but makes its days resemble Sundays.
const KindHoliday = "holiday"

// Rules is what an operator knows.
type Rules struct {
	// Priors are rules of thumb about hours of the week, which evidence overrides.
	Priors []Prior
	// Normal is the usual demand outside the priors' hours, for as long as there is no history. 0: not known.
	Normal float64
	// Cap is the most that is ever forecast. 0: no cap.
	Cap float64
	// LeastSpike is by how many server connections demand must be above what is usual to be a spike. 0:
	// LeastSpikeDefault.
	LeastSpike float64
}

// Prior says that in some hours of the week demand is a multiple of the normal.
type Prior struct {
	Name     string
	Day      time.Weekday
	From, To time.Duration // of the wall clock, since the day's beginning; To may be beyond 24 h: into the next day
	Multiple float64       // more than 0
}

// DefaultPriors are the rules of thumb of a platform for weddings.
func DefaultPriors() []Prior {
	return []Prior{
		{"Friday evening", time.Friday, 17 * time.Hour, 24 * time.Hour, 2},
		{"Saturday morning", time.Saturday, 8 * time.Hour, 14 * time.Hour, 5},
		{"Saturday evening", time.Saturday, 14 * time.Hour, 25 * time.Hour, 10},
		{"Sunday", time.Sunday, 9 * time.Hour, 22 * time.Hour, 3},
	}
}

// Beside is a forecast made by other means, as from the series alone: mean demand without events from Start, in steps.
type Beside struct {
	Name   string
	Start  time.Time
	Step   time.Duration
	Values []float64
	// Error is its weighted absolute percentage error over times held back, as a fraction.
	Error float64
}
