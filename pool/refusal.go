package pool

import (
	"errors"
	"time"
)

// Why a request is refused. The requester may try again; the pool remembers nothing about it.
var (
	ErrQueueFull    = errors.New("pool: too many requests wait in this lane")
	ErrQueueTimeout = errors.New("pool: no resource came free before the queue timeout")
	ErrHopeless     = errors.New("pool: no resource can come free before the deadline")
	ErrShed         = errors.New("pool: requests of this lane are being shed")
	ErrDown         = errors.New("pool: no resource can be opened")
	ErrClosed       = errors.New("pool: closed")
)

// Reason counts refusals in [Stat].
type Reason uint8

// One reason for each error.
const (
	ReasonQueueFull Reason = iota
	ReasonQueueTimeout
	ReasonHopeless
	ReasonShed
	ReasonDown
	ReasonClosed

	// Reasons is how many there are.
	Reasons = 6
)

var reasons = [Reasons]struct {
	name string
	err  error
}{
	{"queue full", ErrQueueFull},
	{"queue timeout", ErrQueueTimeout},
	{"hopeless", ErrHopeless},
	{"shed", ErrShed},
	{"down", ErrDown},
	{"closed", ErrClosed},
}

func (r Reason) String() string { return reasons[r].name }

// Err is the error a requester gets for r.
func (r Reason) Err() error { return reasons[r].err }

// Refusal tells the owner of a waiter that its request has been refused. [Pool.AcceptRefusal] takes delivery.
type Refusal[R any] struct {
	Waiter *Waiter[R]
	Err    error
	// Waited is how long the waiter was in the queue.
	Waited time.Duration
	seq    uint64
}
