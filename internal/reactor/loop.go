package reactor

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Interest says what a descriptor is watched for. Zero still reports that it is broken.
type Interest uint8

// The interests.
//
// With Once, what is ready is reported when it becomes so, and when Add or Modify find it so: the handler takes all
// there is, or must not count on hearing of the rest. Without, it is reported in each turn for as long as it is, and so
// it is on systems other than Linux either way.
const (
	Read Interest = 1 << iota
	Write
	Once
)

// Event says what a descriptor is ready for.
type Event uint8

// The events.
const (
	Readable Event = 1 << iota
	Writable
	Hangup // the peer sends no more: behind what it has sent is the end
	Broken // nor does it receive: reading tells why
)

// Readiness is what has happened at a descriptor.
type Readiness struct {
	Token Token
	Event Event
}

// Token names a descriptor's owner. The handler chooses it and gets it back; the reactor never looks at it.
type Token uint64

// Handler is what a loop drives. All its methods are called on the loop's goroutine.
type Handler interface {
	// Ready is called with the descriptors that are ready, each of them once in a turn, if there are any. An event may
	// be stale when an earlier one of the same turn removed the descriptor: the token must tell. The slice is the
	// loop's.
	Ready(ready []Readiness)
	// Turn is called after the events and the mailbox of every turn. It returns how long the loop may sleep at most.
	Turn() time.Duration
}

// batch is how many events one system call may return.
const batch = 256

// Loop is an event loop.
type Loop struct {
	poller  poller
	handler Handler

	// mailbox guards letters. Nothing else happens under it.
	mailbox sync.Mutex
	letters []func()
	reading []func() // the mailbox's other half, swapped in by the loop; the loop's own
	rung    atomic.Bool
	ready   [batch]Readiness // of this turn

	// waking guards ended, and that the poller stays open while it is woken, which never waits: the number of a
	// descriptor that is closed is soon somebody else's, who would get what wakes us.
	waking sync.RWMutex
	ended  bool

	start time.Time
}

// New opens the loop's poller. Run closes it.
func New(handler Handler, start time.Time) (*Loop, error) {
	l := &Loop{handler: handler, start: start}
	if err := l.poller.open(); err != nil {
		return nil, fmt.Errorf("open event loop: %w", err)
	}
	return l, nil
}

// Now is the time since the start given to New, on the monotonic clock.
func (l *Loop) Now() time.Duration { return time.Since(l.start) }

// Add begins to watch a descriptor.
func (l *Loop) Add(fd int, token Token, interest Interest) error {
	return l.poller.add(fd, token, interest)
}

// Modify changes what a descriptor is watched for.
func (l *Loop) Modify(fd int, token Token, old, interest Interest) error {
	return l.poller.modify(fd, token, old, interest)
}

// Remove ends the watch; the descriptor stays open.
func (l *Loop) Remove(fd int, old Interest) error { return l.poller.remove(fd, old) }

// Post makes the loop call letter in its next turn. It may be called from any goroutine, also from the loop itself. A
// letter posted after the loop has ended is never called.
func (l *Loop) Post(letter func()) {
	l.mailbox.Lock()
	l.letters = append(l.letters, letter)
	l.mailbox.Unlock()
	if !l.rung.Swap(true) {
		l.wake()
	}
}

func (l *Loop) wake() {
	l.waking.RLock()
	defer l.waking.RUnlock()
	if !l.ended {
		l.poller.wake()
	}
}

func (l *Loop) close() {
	l.waking.Lock()
	defer l.waking.Unlock()
	l.ended = true
	l.poller.close()
}

// Run drives the handler until ctx ends.
func (l *Loop) Run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer l.close()
	defer context.AfterFunc(ctx, func() { l.Post(func() {}) })()

	sleep := time.Duration(0)
	for ctx.Err() == nil {
		n, err := l.poller.wait(sleep)
		if err != nil {
			return fmt.Errorf("wait for events: %w", err)
		}
		ready := l.ready[:0]
		for i := range n {
			if token, event, ok := l.poller.event(i); ok {
				ready = append(ready, Readiness{token, event})
			}
		}
		if len(ready) > 0 {
			l.handler.Ready(ready)
		}
		if l.rung.Load() {
			l.read()
		}
		sleep = l.handler.Turn()
		if l.rung.Load() {
			sleep = 0
		}
	}
	return nil
}

func (l *Loop) read() {
	l.rung.Store(false)
	l.mailbox.Lock()
	l.letters, l.reading = l.reading[:0], l.letters
	l.mailbox.Unlock()
	for i, letter := range l.reading {
		letter()
		l.reading[i] = nil
	}
}
