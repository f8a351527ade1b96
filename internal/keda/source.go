package keda

import (
	"errors"
	"math"
	"time"
)

// ErrNoPool is what a Source returns, perhaps wrapped, for a pool that does not exist.
var ErrNoPool = errors.New("no such pool")

// Source says what is expected of pools. It answers from memory, at once, and several callers may ask at a time.
type Source interface {
	// Outlook is what is known about a pool, of the forecast at a quantile (0.5, 0.9 or 0.95) from now until ahead later.
	// What is not known does not make an error: the Outlook says why. An error is ErrNoPool, or why nothing can be said at
	// all; KEDA and whoever reads its log see its text.
	Outlook(pool string, quantile float64, ahead time.Duration) (Outlook, error)
}

// Outlook is what is known about a pool, in server connections.
type Outlook struct {
	// Measured is the demand now; Unmeasured, if not empty, says why there is no such number.
	Measured   float64
	Unmeasured string

	// Demand is the greatest demand expected, and Target the greatest target the pool will have for it; Absent, if not
	// empty, says why there is no forecast.
	Demand float64
	Target int
	Absent string
}

// value is what the replicas should be enough for; !ok and why there is no such number.
func (o Outlook) value(m metric) (value float64, ok bool, why string) {
	expected := o.Demand
	if m == metricTarget {
		expected = float64(o.Target)
	}
	absent, unmeasured := missing(o.Absent, "forecast", expected), missing(o.Unmeasured, "measurement", o.Measured)
	switch {
	case absent == "" && unmeasured == "":
		return max(expected, o.Measured), true, ""
	case absent == "":
		return expected, true, ""
	case unmeasured == "":
		return o.Measured, true, ""
	}
	return 0, false, "neither forecast nor measurement: " + absent + "; " + unmeasured
}

// missing says why a number is of no use: it is said to be missing, or it counts nothing.
func missing(why, what string, number float64) string {
	if why == "" && (math.IsNaN(number) || number < 0 || number > maxConnections) {
		return "the " + what + " is not a number of connections"
	}
	return why
}
