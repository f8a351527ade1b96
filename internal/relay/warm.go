package relay

import (
	"unsafe"

	"github.com/usher-pg/usher/internal/reactor"
)

// With thousands of clients, what a loop knows of the next one is in no cache, and most of the time that is its own
// goes by while it waits for memory, one cache line after the other. A processor fetches several lines at once, if
// nothing depends on the first. So what will be needed soon is read before it is, for many conns together. Measured
// with 9,000 clients (extended protocol): the share of the CPU that is not the kernel's went from 15.8 to 12.5 %.

// cacheLine is the length of most processors' lines in bytes.
const cacheLine = 64

// touch reads a byte of each cache line of v, if there is one, and returns what makes the compiler believe that it
// matters. What is read is of no interest, which is why another loop may be writing some of it.
//
//go:norace
func touch[T any](v *T) (sum byte) {
	if v == nil {
		return 0
	}
	for at := uintptr(0); at < unsafe.Sizeof(*v); at += cacheLine {
		sum += *(*byte)(unsafe.Add(unsafe.Pointer(v), at))
	}
	return sum
}

// touch reads ahead the replies of a batch of the extended protocol.
func (q *replies) touch() byte {
	if q.first+5 > len(q.ring) {
		return 0
	}
	return touch((*[5]reply)(q.ring[q.first:]))
}

// warmReady reads ahead what is known of conns that are ready, and of the clients whose answers come; and where the
// requests will be kept that have to wait.
func (l *loop) warmReady(ready []reactor.Readiness) {
	if len(ready) < 2 {
		return
	}
	sum := l.warmth
	clients := 0
	for _, r := range ready {
		switch at := l.slots.get(r.Token); {
		case at.client != nil:
			sum += touch(at.client)
			clients++
		case at.server != nil:
			s := at.server
			sum += touch(s) + s.replies.touch() + touch(s.resource) + touch(s.client)
		}
	}
	for _, b := range l.chunks.next(clients) {
		sum += touch((*[chunkSmallest]byte)(b[:chunkSmallest]))
	}
	l.warmth = sum
}

// warmGranted reads ahead what is known of clients that are about to get a server connection, and what they asked.
func (l *loop) warmGranted() {
	if len(l.grants) < 2 {
		return
	}
	sum := l.warmth
	for i := range l.grants {
		if c := l.grants[i].Waiter.Owner.(*client); c.loop == l {
			sum += touch(c)
		}
	}
	for i := range l.grants {
		c := l.grants[i].Waiter.Owner.(*client)
		if c.loop != l {
			continue
		}
		for at := 0; at < len(c.stash) && at < 4*cacheLine; at += cacheLine {
			sum += c.stash[at]
		}
	}
	l.warmth = sum
}
