package history

import "time"

// Step is how long a bucket lasts unless it is old.
const Step = 5 * time.Minute

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
}

// End is when the bucket ends.
func (b *Bucket) End() time.Time { return b.Start.Add(b.Width) }
