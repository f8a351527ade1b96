package history

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

const (
	// MostSamples bounds the samples of a bucket: ten a second for the widest one.
	MostSamples = 10 * int(Widest/time.Second)
	// mostDemands bounds how many demands an open bucket keeps for its 95th percentile: two a second.
	mostDemands = 2 * int(Step/Rate)
	// backwards is how far a clock may be set back without being taken for one that jumped: what NTP does at most in a
	// step between two samples, and a leap second.
	backwards = 2 * time.Second
	// longestGap is Recorder.Gap unless it is set.
	longestGap = 10 * time.Second
	// leastSeconds is how many seconds it takes for the spread of their arrivals to mean something.
	leastSeconds = 30
	// cutOffPart of the samples at the limit, with requests waiting, is "most of the bucket".
	cutOffPart = 0.5
	// outagePart of the samples makes an outage one of the bucket.
	outagePart = 0.1
	// edge is how far from the ends of a bucket its first and last sample may be for it to be whole.
	edge = 2 * Rate
	// mostCount bounds what a sample may count at a moment; more is a mistake.
	mostCount = 1_000_000_000
)

// Sample is what a pool says of itself at a moment.
type Sample struct {
	Busy    int // server connections in use
	Waiting int // requests that wait for one

	// Counters since the pool was made.
	Requests       uint64        // for a server connection
	Services       uint64        // server connections that were given back
	ServiceSum     time.Duration // how long those were kept, together
	ServiceSquares float64       // sum of the squares of that, in seconds²; 0: not known
	Shed, Refused  uint64        // requests that were turned away

	Limit int  // how many server connections the pool may have; 0: not known
	Down  bool // the database cannot be reached
	Held  bool // requests wait because of a PAUSE or a failover
}

func (s *Sample) check(now time.Time) error {
	for name, n := range map[string]int{"busy": s.Busy, "waiting": s.Waiting, "limit": s.Limit} {
		if n < 0 || n > mostCount {
			return fmt.Errorf("%w sample: %s is %d", ErrInvalid, name, n)
		}
	}
	switch {
	case s.ServiceSum < 0:
		return fmt.Errorf("%w sample: the service time is %v", ErrInvalid, s.ServiceSum)
	case !(s.ServiceSquares >= 0 && s.ServiceSquares <= math.MaxFloat64):
		return fmt.Errorf("%w sample: the sum of squares is %v", ErrInvalid, s.ServiceSquares)
	case !sane(now):
		return fmt.Errorf("%w sample: the clock shows the year %d", ErrInvalid, now.Year())
	}
	return nil
}

// restarted reports whether a counter went backwards: the pool was made anew.
func (s *Sample) restarted(last *Sample) bool {
	return s.Requests < last.Requests || s.Services < last.Services || s.ServiceSum < last.ServiceSum ||
		s.ServiceSquares < last.ServiceSquares || s.Shed < last.Shed || s.Refused < last.Refused
}

// Recorder makes buckets of samples. Its zero value has seen none. It is not safe for concurrent use.
//
// It does no more work for a clock that jumps than for one that does not: a bucket ends when a sample belongs to
// another one, wherever that is, and what lies between them was not observed and has no bucket. When the clock is set
// back, the same time is observed again; [Combine] keeps what was seen more of.
type Recorder struct {
	// Gap is how long there may be between two samples for their counters to be compared. 0: ten seconds, which is right
	// for one sample a second. What came in a longer gap is of a time in which nobody looked.
	Gap time.Duration

	pools map[string]*observation
}

// observation is the open bucket of a pool.
type observation struct {
	start  time.Time
	first  time.Time // sample
	last   time.Time // sample, also of the bucket before; zero: there is none to compare with
	sample Sample    // the last one

	samples        int
	sum, max       float64
	demands        []int32
	arrivals       float64
	seconds        int // of which it is known how many requests came
	count, squares float64
	services       float64
	serviceSum     float64 // seconds
	serviceSquares float64 // seconds²
	turnedAway     bool
	full, out      int // samples at the limit, and of an outage
}

// Observe takes a sample of a pool, once a second, and returns the bucket that is finished by it, if one is. A sample
// that cannot be is refused: the error wraps ErrInvalid, and nothing has changed.
func (r *Recorder) Observe(pool string, s Sample, now time.Time) ([]Bucket, error) {
	if err := s.check(now); err != nil {
		return nil, err
	}
	if r.pools == nil {
		r.pools = map[string]*observation{}
	}
	o := r.pools[pool]
	var finished []Bucket
	if o == nil || !o.takes(now) {
		next := &observation{start: floor(now, Step), first: now}
		if o != nil {
			finished = append(finished, o.bucket())
			next.demands = o.demands[:0]
			if now.After(o.last) {
				next.last, next.sample = o.last, o.sample
			}
		}
		o = next
		r.pools[pool] = o
	}
	o.add(s, now, cmp.Or(r.Gap, longestGap))
	return finished, nil
}

// Open is the bucket of a pool that is not finished, as far as it goes, to look at. To keep it, use Forget.
func (r *Recorder) Open(pool string) (Bucket, bool) {
	o := r.pools[pool]
	if o == nil {
		return Bucket{}, false
	}
	return o.bucket(), true
}

// Pools are those with an open bucket, in order.
func (r *Recorder) Pools() []string { return slices.Sorted(maps.Keys(r.pools)) }

// Forget ends the open bucket of a pool that is gone, or of all when usher ends. It is a part then, and is kept like
// any bucket: what comes of the same one after a restart is put together with it by [Combine].
func (r *Recorder) Forget(pool string) (Bucket, bool) {
	b, ok := r.Open(pool)
	delete(r.pools, pool)
	return b, ok
}

// takes reports whether a sample taken now belongs to the bucket.
func (o *observation) takes(now time.Time) bool {
	if now.Before(o.last) {
		return o.last.Sub(now) <= backwards
	}
	return floor(now, Step).Equal(o.start)
}

func (o *observation) add(s Sample, now time.Time, gap time.Duration) {
	o.addCounters(s, now, gap)
	demand := s.Busy + s.Waiting
	o.samples = min(o.samples+1, MostSamples)
	o.sum += float64(demand)
	o.max = max(o.max, float64(demand))
	if len(o.demands) < mostDemands {
		o.demands = append(o.demands, int32(min(demand, math.MaxInt32)))
	}
	if s.Limit > 0 && s.Busy >= s.Limit && s.Waiting > 0 {
		o.full++
	}
	if s.Down || s.Held {
		o.out++
	}
	o.sample = s
	if now.After(o.last) {
		o.last = now
	}
}

// addCounters adds what the counters say has happened since the last sample. Nothing can be said after the first one,
// after a pool was made anew, and when the clock did not go forward by a usual time.
func (o *observation) addCounters(s Sample, now time.Time, gap time.Duration) {
	since := now.Sub(o.last)
	if o.last.IsZero() || since <= 0 || since > gap || s.restarted(&o.sample) {
		return
	}
	came := float64(s.Requests - o.sample.Requests)
	o.arrivals += came
	if since > Rate/2 && since < Rate*3/2 {
		o.seconds++
		o.count += came
		o.squares += came * came
	}
	o.services += float64(s.Services - o.sample.Services)
	o.serviceSum += (s.ServiceSum - o.sample.ServiceSum).Seconds()
	o.serviceSquares += s.ServiceSquares - o.sample.ServiceSquares
	o.turnedAway = o.turnedAway || s.Shed > o.sample.Shed || s.Refused > o.sample.Refused
}

// bucket is what was observed.
func (o *observation) bucket() Bucket {
	n := float64(o.samples)
	b := Bucket{
		Start: o.start, Width: Step, Samples: o.samples,
		Mean: o.sum / n, P95: percentile95(o.demands), Max: o.max,
		Arrivals: o.arrivals,
		CutOff:   o.turnedAway || float64(o.full) > cutOffPart*n,
		Outage:   float64(o.out) >= outagePart*n,
		From:     within(o.first.Sub(o.start)), Until: within(o.last.Sub(o.start)),
	}
	if mean := o.count / float64(o.seconds); o.seconds >= leastSeconds && mean > 0 {
		b.ArrivalSpread = max(0, o.squares/float64(o.seconds)-mean*mean) / mean
	}
	if mean := o.serviceSum / o.services; o.services > 0 && mean > 0 {
		b.Service = nanoseconds(mean)
		b.ServiceSpread = max(0, o.serviceSquares/o.services/(mean*mean)-1)
	}
	b.settlePart()
	return b
}

// nanoseconds is a time in seconds, rounded.
func nanoseconds(seconds float64) time.Duration {
	return time.Duration(min(math.Round(seconds*float64(time.Second)), math.MaxInt64/2))
}

// within is an offset into a bucket, also after a clock was set back a little.
func within(offset time.Duration) time.Duration { return min(max(offset, 0), Step) }

// settlePart makes a part that reaches from edge to edge a whole bucket.
func (b *Bucket) settlePart() {
	b.Until = max(b.Until, b.From)
	if b.From < edge && b.Until > b.Width-edge {
		b.From, b.Until = 0, 0
	}
}

// percentile95 is the smallest that at least 95 % are not above.
func percentile95(demands []int32) float64 {
	if len(demands) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(demands))
	return float64(sorted[(len(sorted)*95+99)/100-1])
}
