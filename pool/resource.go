package pool

import "time"

// Resource is the engine's record of one open resource.
type Resource[R any] struct {
	// Value is the embedder's: for a pooler, the server connection.
	Value R

	// The rest is guarded by the pool's mutex. The accessors below read what does not change while the
	// resource is busy, so its holder may call them.

	pool    *Pool[R]
	place   place
	reason  CloseReason // in place closing and gone
	index   int         // in Pool.resources, while open
	prev    *Resource[R]
	next    *Resource[R] // idle or closing list
	waiter  *Waiter[R]   // in place granted
	epoch   uint64
	wear    float64 // 0 … 1: how much of the jitter shortens this one's lifetime
	expires time.Duration
	worn    bool // past its lifetime, waits for its replacement
	charged bool // counted by the budget
	ceded   bool // closed for another pool
	opened  time.Duration
	idled   time.Duration // when it last became idle
	taken   time.Duration // when it was last granted
	uses    uint64
}

// Opened is when the resource was opened.
func (r *Resource[R]) Opened() time.Duration { return r.opened }

// Age is how long it has been open.
func (r *Resource[R]) Age(now time.Duration) time.Duration { return now - r.opened }

// Epoch is the pool's epoch it was opened in: see [Pool.Reconnect].
func (r *Resource[R]) Epoch() uint64 { return r.epoch }

// Uses is how often it has been granted.
func (r *Resource[R]) Uses() uint64 { return r.uses }

// Rested is how long it had been idle when it was granted: a holder may want to probe what rested long.
func (r *Resource[R]) Rested() time.Duration { return r.taken - r.idled }

// CloseReason is why it was closed; for one that came from [Work] or [Pool.NextClose].
func (r *Resource[R]) CloseReason() CloseReason { return r.reason }

type place uint8

// The places of a resource. Idle, handed and busy ones are open; a closing one waits for the embedder to
// fetch it.
const (
	unborn place = iota
	idle
	handed // given to a waiter that has not accepted it yet
	busy
	closing
	gone

	places = 6
)

var placeNames = [places]string{"unborn", "idle", "handed", "busy", "closing", "gone"}

func (p place) String() string { return placeNames[p] }

// legal has a bit for each place that may follow.
var legal = [places]uint8{
	unborn:  1<<idle | 1<<handed | 1<<closing,
	idle:    1<<handed | 1<<busy | 1<<closing | 1<<gone,
	handed:  1<<busy | 1<<gone,
	busy:    1<<idle | 1<<handed | 1<<closing | 1<<gone,
	closing: 1 << gone,
	gone:    0,
}

// move takes r from its place to another; nothing else writes r.place, the lists or the counts.
func (p *Pool[R]) move(r *Resource[R], to place) {
	if legal[r.place]>>to&1 == 0 {
		panic("bug: resource moves from " + r.place.String() + " to " + to.String())
	}
	switch r.place {
	case idle:
		p.idle.remove(r)
	case closing:
		p.closing.remove(r)
		p.closings.Add(-1)
	}
	p.count[r.place]--
	p.count[to]++
	r.place = to
	switch to {
	case idle:
		r.idled = p.now
		p.idle.push(r)
	case closing:
		p.closing.push(r)
		p.closings.Add(1)
	}
}

// CloseReason is why a resource was closed.
type CloseReason uint8

// The reasons.
const (
	CloseIdle      CloseReason = iota // idle for IdleTimeout beyond the target
	CloseLifetime                     // older than its lifetime
	CloseSurplus                      // beyond Max + Reserve, after SetConfig
	CloseReconnect                    // of an older epoch
	CloseBudget                       // made room for another pool
	CloseHold                         // HoldClosing
	CloseShutdown                     // Close
	CloseBroken                       // Discard

	// CloseReasons is how many there are.
	CloseReasons = 8
)

var closeReasons = [CloseReasons]string{
	"idle timeout", "lifetime", "surplus", "reconnect", "budget", "hold", "shutdown", "broken",
}

func (r CloseReason) String() string { return closeReasons[r] }

// stack is an intrusive list of resources: push and first are its front.
type stack[R any] struct{ first, last *Resource[R] }

func (s *stack[R]) push(r *Resource[R]) {
	r.prev, r.next = nil, s.first
	if s.first == nil {
		s.last = r
	} else {
		s.first.prev = r
	}
	s.first = r
}

func (s *stack[R]) remove(r *Resource[R]) {
	if r.prev == nil {
		s.first = r.next
	} else {
		r.prev.next = r.next
	}
	if r.next == nil {
		s.last = r.prev
	} else {
		r.next.prev = r.prev
	}
	r.prev, r.next = nil, nil
}
