package pool

import "time"

// Sample is what a pool is asked for and has at a moment: what of [Stat] somebody wants who looks every second.
type Sample struct {
	Busy, Waiting, Open, Opening int
	Target, Limit                int
	// ReserveBusy are those taken beyond what ordinary requests may have.
	ReserveBusy int
	// Late is how many of lane critical have waited longer than its SLO, of which mostLate are counted, and OldestWait
	// how long the one of any lane that waits longest has.
	Late       int
	OldestWait time.Duration
	Held, Down bool

	// Counters, of all lanes together.
	Arrived     uint64
	Refused     uint64
	Emergencies uint64
	WaitSum     time.Duration // how long requests have waited that were granted, together
	Served      uint64        // grants that have been released, as Stat.Service counts them,
	ServiceSum  time.Duration // how long they lasted together,
	// ServiceSquares is the sum of their squares in seconds², within 2 %: each is taken as the middle of its bucket.
	ServiceSquares float64
}

// Demand is what requests need now: busy and waiting.
func (s *Sample) Demand() int { return s.Busy + s.Waiting }

// Sample takes one. It copies nothing large.
func (p *Pool[R]) Sample(now time.Duration) Sample {
	p.mu.Lock()
	defer p.mu.Unlock()
	now = p.advance(now)
	s := Sample{
		Busy: p.taken(), Open: p.open(), Opening: p.opening,
		Target: p.floor() - p.config.Reserve, Limit: p.limit(),
		ReserveBusy: max(0, p.taken()-p.ordinary()),
		Late:        p.late(now),
		Held:        p.state != active, Down: p.down(now),
		Served: p.tally.service.Count(), ServiceSum: p.tally.service.Sum(), ServiceSquares: p.tally.service.squares(),
	}
	if w := p.queue.oldest(); w != nil {
		s.OldestWait = now - w.queued
	}
	for l := range p.tally.lanes {
		t := &p.tally.lanes[l]
		s.Waiting += p.queue.waiting[l]
		s.Arrived += t.arrived
		s.Emergencies += t.emergencies
		s.WaitSum += t.acquisition.Sum()
	}
	for _, n := range p.tally.refused {
		s.Refused += n
	}
	return s
}

// mostLate bounds what is looked at under the mutex. Ten late ones call for no other answer than a hundred.
const mostLate = 100

// late is how many critical waiters have waited longer than their SLO.
func (p *Pool[R]) late(now time.Duration) int {
	n := 0
	for w := p.queue.lanes[Critical].first; w != nil && n < mostLate; w = w.links[laneList].next {
		if now < after(w.queued, p.config.SLO[Critical]) {
			break
		}
		n++
	}
	return n
}

// squares is the sum of the squares of what was recorded, in seconds².
func (h *Histogram) squares() float64 {
	sum := 0.0
	for i, n := range h.buckets {
		if n > 0 {
			m := middle(i).Seconds()
			sum += float64(n) * m * m
		}
	}
	return sum
}
