package status

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/usher-pg/usher/pool"
)

// What an operator's emergency is when the order does not say, and how far it may go; ours. Half an hour is a ceremony.
// The lanes down to normal are everybody but those who said that they can wait. A day is the longest busy one.
const (
	DefaultEmergencySpan = 30 * time.Minute
	MinEmergencySpan     = time.Second
	MaxEmergencySpan     = 24 * time.Hour
	DefaultEmergencyLane = pool.Normal
)

// MaxReason bounds what an operator says about an order, in bytes; ours.
const MaxReason = 200

// EmergencyOrder opens the reserve of a pool to more lanes for a time. What it does not say has its default.
type EmergencyOrder struct {
	Pool   string
	Lane   string // the lowest that may take from the reserve at once
	For    string // as "30m"
	By     string // who orders it
	Reason string
}

// Check reads the order's lane and how long it is to last, or refuses them.
func (o *EmergencyOrder) Check() (lane pool.Lane, span time.Duration, err error) {
	lane, span = DefaultEmergencyLane, DefaultEmergencySpan
	if o.Lane != "" {
		if lane, err = pool.ParseLane(strings.ToLower(o.Lane)); err != nil {
			return 0, 0, Refuse(InvalidValue, "there is no such lane: expected critical, high, normal or low")
		}
	}
	if o.For != "" {
		if span, err = time.ParseDuration(o.For); err != nil {
			return 0, 0, Refuse(InvalidValue, "that is no duration: expected one with a unit, such as 30m or 1h30m")
		}
	}
	if span < MinEmergencySpan || span > MaxEmergencySpan {
		return 0, 0, Refuse(InvalidValue, "an emergency lasts from %v to %v", MinEmergencySpan, MaxEmergencySpan)
	}
	return lane, span, checkReason(o.Reason)
}

// checkReason refuses what would not be one line of a log.
func checkReason(reason string) error {
	if len(reason) > MaxReason || !utf8.ValidString(reason) || strings.ContainsFunc(reason, unicode.IsControl) {
		return Refuse(InvalidValue, "a reason is one line of at most %d bytes", MaxReason)
	}
	return nil
}

// EmergencyKind is who began an emergency.
type EmergencyKind string

// The kinds.
const (
	EmergencyByOperator EmergencyKind = "operator"
	EmergencyByItself   EmergencyKind = "automatic" // critical statements were too slow
)

// EmergencyMeasure is what is done.
type EmergencyMeasure string

// The measures.
const (
	MeasureReserve EmergencyMeasure = "reserve" // is open to Lane and those above it
	MeasureShed    EmergencyMeasure = "shed"    // requests of Lane are refused
	MeasureTarget  EmergencyMeasure = "target"  // Target server connections are kept open
)

// Emergency is one measure, in force or ended.
type Emergency struct {
	Database string           `json:"database,omitempty"` // none: all
	User     string           `json:"user,omitempty"`     // none: all
	Kind     EmergencyKind    `json:"kind"`
	Measure  EmergencyMeasure `json:"measure"`
	Lane     string           `json:"lane,omitempty"`
	Target   int              `json:"target,omitempty"`
	Since    time.Time        `json:"since"`
	Until    time.Time        `json:"until,omitzero"` // when it ends by itself; none: when the reason is gone
	By       string           `json:"by"`
	Reason   string           `json:"reason,omitempty"`

	Ended     time.Time `json:"ended,omitzero"` // none: it is in force
	EndedBy   string    `json:"ended_by,omitempty"`
	EndReason string    `json:"end_reason,omitempty"`
}

// InForce reports whether it has not ended.
func (e *Emergency) InForce() bool { return e.Ended.IsZero() }

// ErrNoEmergency refuses to end what is not in force.
var ErrNoEmergency = Refuse(WrongState, "no emergency is in force")
