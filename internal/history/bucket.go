package history

import (
	"errors"
	"fmt"
	"math"
	"time"
)

const (
	// Step is how long a bucket lasts unless it is old.
	Step = 5 * time.Minute
	// Widest is how long one can last at most: a day is the unit stores keep and forget.
	Widest = 24 * time.Hour
	// Rate is how long there is between two samples, if all goes well.
	Rate = time.Second
)

// The times a bucket can begin at. What is outside is a clock that is wrong.
var (
	earliest = time.Unix(0, 0)
	latest   = time.Date(2200, time.January, 1, 0, 0, 0, 0, time.UTC)
)

// ErrInvalid is wrapped by errors about what no store takes, however often it is tried.
var ErrInvalid = errors.New("invalid")

// Bucket is what a pool was asked for from Start for Width. A time for which nothing is known has no bucket; a pool
// that nobody used has one with zeros.
type Bucket struct {
	Start time.Time     `json:"start"` // UTC, a multiple of Width since the Unix epoch
	Width time.Duration `json:"width"` // Step, or a multiple of it where old buckets were put together

	// Samples is how often the pool was looked at, once a second if all went well. Fewer make the rest less certain.
	Samples int `json:"samples"`

	// Mean, P95 and Max are of demand: server connections in use plus requests that waited for one.
	Mean float64 `json:"mean"`
	P95  float64 `json:"p95"`
	Max  float64 `json:"max"`

	// Arrivals is how many requests for a server connection came, and ArrivalSpread how unevenly: variance over mean of
	// their number per second. 1 is Poisson's. 0: not known.
	Arrivals      float64 `json:"arrivals"`
	ArrivalSpread float64 `json:"arrival_spread,omitempty"`

	// Service is how long a server connection was kept on average, and ServiceSpread how unevenly: variance over the
	// mean's square. 0: not known.
	Service       time.Duration `json:"service,omitempty"`
	ServiceSpread float64       `json:"service_spread,omitempty"`

	// CutOff is set when a limit was hit (requests were shed or refused, or the pool was at its most all along), so that
	// true demand was at least this, perhaps more.
	CutOff bool `json:"cut_off,omitempty"`
	// Outage is set when the database could not be reached or usher was held: what was asked for then says nothing of what
	// is usual.
	Outage bool `json:"outage,omitempty"`

	// From and Until are of a part of a bucket: how long after Start its first and its last sample were taken. Both 0: the
	// samples are of all of it.
	From  time.Duration `json:"from,omitempty"`
	Until time.Duration `json:"until,omitempty"`
}

// End is when the bucket ends.
func (b *Bucket) End() time.Time { return b.Start.Add(b.Width) }

// Check says what is wrong with a bucket; the error wraps ErrInvalid.
func (b *Bucket) Check() error {
	switch {
	case b.Width < Step || b.Width%Step != 0 || Widest%b.Width != 0 ||
		CoarseWidth%b.Width != 0 && b.Width%CoarseWidth != 0:
		return b.refuse("its width is %v: expected a multiple of %v that divides an hour, or of an hour that divides a day",
			b.Width, Step)
	case !sane(b.Start):
		return b.refuse("expected a time from %d to %d", earliest.UTC().Year(), latest.Year()-1)
	case !b.Start.Equal(floor(b.Start, b.Width)):
		return b.refuse("its start is no multiple of its width, %v", b.Width)
	case b.Samples < 0 || b.Samples > MostSamples:
		return b.refuse("it has %d samples: expected 0 to %d", b.Samples, MostSamples)
	case b.Service < 0:
		return b.refuse("its service time is %v", b.Service)
	case b.From < 0 || b.Until < b.From || b.Until > b.Width:
		return b.refuse("it is of the part from %v to %v", b.From, b.Until)
	}
	for i, x := range [...]float64{b.Mean, b.P95, b.Max, b.Arrivals, b.ArrivalSpread, b.ServiceSpread} {
		if !(x >= 0 && x <= math.MaxFloat64) {
			name := [...]string{"mean", "p95", "max", "arrivals", "arrival spread", "service spread"}[i]
			return b.refuse("its %s is %v: expected a number of at least 0", name, x)
		}
	}
	return nil
}

func (b *Bucket) refuse(format string, args ...any) error {
	return fmt.Errorf("%w bucket of %s: %s", ErrInvalid, b.Start.UTC().Format(time.RFC3339), fmt.Sprintf(format, args...))
}

// sane reports whether a clock can show a time.
func sane(t time.Time) bool { return !t.Before(earliest) && t.Before(latest) }

// floor is the last multiple of width, counted from the Unix epoch, that is not after a sane time. Width is whole
// seconds.
func floor(t time.Time, width time.Duration) time.Time {
	seconds := int64(width / time.Second)
	return time.Unix(t.Unix()-t.Unix()%seconds, 0).UTC()
}
