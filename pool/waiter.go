package pool

import "time"

// Waiter is a request queued in a lane. It is embedded in the requester and used for one request after
// another; its zero value is ready. While it is queued or granted it must not be copied or overwritten.
type Waiter[R any] struct {
	// Owner is whatever the embedder needs to find the requester from a [Grant] or [Refusal]. Set it once;
	// the engine never looks at it.
	Owner any
	// Deadline refuses the next request at this time instead of at Config.QueueTimeout. 0: the pool's queue
	// timeout. Set it before Acquire.
	Deadline time.Duration

	// Everything below but Direct is guarded by the mutex of the pool that Acquire was last called on.

	pool  *Pool[R]
	order uint64        // of arrival in the pool: ties between lanes
	since time.Duration // as given to Acquire
	seq   uint64        // of the last grant or refusal; 0 when the owner has moved on

	// With thousands of waiters the one whose turn comes is in no cache. What says whose turn it is, and takes it out of
	// the queue, is 64 bytes, the links among them: they are written when the one before leaves, so they come in time.

	queued   time.Duration
	deadline time.Duration // 0: the pool's queue timeout
	resource *Resource[R]  // in place granted
	links    [2]links[R]   // by list kind
	heap     int32         // index in queue.hasty, when deadline is set
	place    waiterPlace
	lane     Lane

	// Direct is for an owner that is reached at once by whoever gets its grant, as a goroutine is: what it is
	// granted is its own from then on. Grants and refusals need no Accept, and [Pool.Withdraw] takes the place
	// of [Pool.Cancel]. Set it before the first Acquire.
	Direct bool
}

type waiterPlace uint8

const (
	outside waiterPlace = iota
	queued
	granted
)

var waiterPlaces = [...]string{"outside", "queued", "granted"}

func (p waiterPlace) String() string { return waiterPlaces[p] }

// become moves w to another place; nothing else writes w.place.
func (w *Waiter[R]) become(next waiterPlace) {
	legal := false
	switch w.place {
	case outside:
		legal = next == queued
	case queued: // granted; outside: refused, cancelled, or served within Acquire
		legal = next == granted || next == outside
	case granted: // outside: accepted or cancelled; queued: its resource broke before it was accepted
		legal = next == outside || next == queued
	}
	if !legal {
		panic("bug: waiter moves from " + w.place.String() + " to " + next.String())
	}
	w.place = next
}
