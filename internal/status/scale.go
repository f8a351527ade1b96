package status

import "time"

// How long an operator's target holds when the order does not say, and how far it may go; ours. Who wants it for longer
// than an event's week means the configuration.
const (
	DefaultScaleSpan = time.Hour
	MaxScaleSpan     = 7 * 24 * time.Hour
)

// ScaleOrder gives a database's pools a target for a time.
type ScaleOrder struct {
	Pool   string
	Target int
	For    string // as "30m"
	By     string // who orders it
	Reason string
}

// Check returns how long the order holds, or refuses it.
func (o *ScaleOrder) Check() (time.Duration, error) {
	span := DefaultScaleSpan
	if o.For != "" {
		var err error
		if span, err = time.ParseDuration(o.For); err != nil {
			return 0, Refuse(InvalidValue, "that is no duration: expected one with a unit, such as 30m or 1h30m")
		}
	}
	if span < time.Second || span > MaxScaleSpan {
		return 0, Refuse(InvalidValue, "a target is set for a second up to %v", MaxScaleSpan)
	}
	if o.Target < 0 {
		return 0, Refuse(InvalidValue, "a target is a number of server connections")
	}
	return span, checkReason(o.Reason)
}
