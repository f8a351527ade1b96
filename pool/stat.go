package pool

import "time"

// tally is everything that only grows.
type tally struct {
	lanes        [Lanes]laneTally
	service      Histogram
	unclaimed    uint64
	refused      [Reasons]uint64
	opens        uint64
	openFailures uint64
	closed       [CloseReasons]uint64
}

// laneTally is what only grows in a lane. What a request changes lies together.
type laneTally struct {
	arrived     uint64
	granted     uint64
	waited      uint64
	emergencies uint64
	cancelled   uint64
	requeued    uint64
	shed        uint64
	acquisition Histogram
}

// refusal counts one.
func (t *tally) refusal(reason Reason, lane Lane) {
	t.refused[reason]++
	if reason == ReasonShed {
		t.lanes[lane].shed++
	}
}

// Stat is a snapshot of a pool: nothing changes it any more.
type Stat struct {
	// The state: active, held, emptying, closed; and whether requests are refused with ErrDown.
	State string
	Down  bool

	// Sizes: as configured and as set; Limit and Target are what counts now.
	Min, Max, Reserve, Target, Limit int

	// Open is Idle + Busy; of the busy ones, Handed are on their way to their waiter. Closing ones are not
	// open any more but wait to be fetched.
	Open, Idle, Busy, Handed, Opening, Closing int
	// ReserveBusy are those taken beyond what ordinary requests may have, ReserveFree those an emergency
	// finds.
	ReserveBusy, ReserveFree int

	// Waiting per lane, and how long the one that waits longest has.
	Waiting    [Lanes]int
	OldestWait time.Duration

	// Counters. At any time, summed over the lanes,
	// Arrived + Requeued = Granted + Cancelled + Refused + Waiting.
	Arrived     [Lanes]uint64 // requests
	Granted     [Lanes]uint64 // resources given to requests, emergencies included
	Waited      [Lanes]uint64 // of these, to requests that had to wait
	Emergencies [Lanes]uint64 // of these, from the reserve
	Cancelled   [Lanes]uint64 // requests cancelled while they waited
	Requeued    [Lanes]uint64 // requests that wait again: what they were granted broke on its way
	Unclaimed   uint64        // grants whose request was cancelled before it accepted
	Refused     [Reasons]uint64
	Shed        [Lanes]uint64 // of the refused ones, those of ReasonShed

	Opens        uint64 // begun
	OpenFailures uint64
	Closed       [CloseReasons]uint64
	Epoch        uint64

	// Acquisition is the time from reading a request to its grant, Service the time from a grant to the
	// release.
	Acquisition *[Lanes]Histogram
	Service     *Histogram
	// TotalWait is the sum of all acquisitions.
	TotalWait time.Duration
}

// Demand is what requests need now: busy and waiting.
func (s Stat) Demand() int { return s.Busy + s.TotalWaiting() }

// TotalWaiting is the sum over the lanes.
func (s Stat) TotalWaiting() int {
	n := 0
	for _, w := range s.Waiting {
		n += w
	}
	return n
}

// Stat takes a snapshot.
func (p *Pool[R]) Stat(now time.Duration) Stat {
	acquisition, service := new([Lanes]Histogram), new(Histogram)
	p.mu.Lock()
	defer p.mu.Unlock()
	now = p.advance(now)
	*service = p.tally.service
	s := Stat{
		State: p.state.String(), Down: p.down(now),
		Min: p.config.Min, Max: p.config.Max, Reserve: p.config.Reserve,
		Target: p.floor() - p.config.Reserve, Limit: p.limit(),
		Open: p.open(), Idle: p.count[idle], Busy: p.taken(), Handed: p.count[handed],
		Opening: p.opening, Closing: p.count[closing],
		ReserveBusy: max(0, p.taken()-p.ordinary()), ReserveFree: p.reserveFree(),
		Waiting:   p.queue.waiting,
		Unclaimed: p.tally.unclaimed, Refused: p.tally.refused,
		Opens: p.tally.opens, OpenFailures: p.tally.openFailures, Closed: p.tally.closed, Epoch: p.epoch,
		Acquisition: acquisition, Service: service,
	}
	if w := p.queue.oldest(); w != nil {
		s.OldestWait = now - w.queued
	}
	for l := range p.tally.lanes {
		t := &p.tally.lanes[l]
		s.Arrived[l], s.Granted[l], s.Waited[l] = t.arrived, t.granted, t.waited
		s.Emergencies[l], s.Cancelled[l], s.Requeued[l] = t.emergencies, t.cancelled, t.requeued
		s.Shed[l] = t.shed
		acquisition[l] = t.acquisition
		s.TotalWait += acquisition[l].Sum()
	}
	return s
}

// reserveFree is how many idle resources only an emergency may take.
func (p *Pool[R]) reserveFree() int {
	beyond := min(p.open(), p.limit()+p.config.Reserve) - max(p.taken(), p.ordinary())
	return min(p.config.Reserve, max(0, beyond))
}
