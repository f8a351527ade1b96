package relay

import (
	"testing"
	"unsafe"

	"github.com/usher-pg/usher/internal/reactor"
	engine "github.com/usher-pg/usher/pool"
)

// TestWhatIsReadOftenIsCloseTogether: comments say so, and the next field would undo it.
func TestWhatIsReadOftenIsCloseTogether(t *testing.T) {
	t.Parallel()
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the sizes are those of a 64-bit machine")
	}
	if size := unsafe.Sizeof(reply{}); size != cacheLine/2 {
		t.Errorf("a reply has %d bytes", size)
	}
	waiter := unsafe.Offsetof(client{}.waiter) + unsafe.Sizeof(client{}.waiter)
	if waiter != 2*cacheLine {
		t.Errorf("a client's waiter ends at %d", waiter)
	}
}

// TestReadingAheadFindsNotEverythingThere: a server connection for replication is in no pool, one that is idle has no
// replies and no client, and a conn may be gone when its event comes.
func TestReadingAheadFindsNotEverythingThere(t *testing.T) {
	t.Parallel()
	l := &loop{}
	var ready []reactor.Readiness
	sit := func(at seat) {
		token, err := l.slots.reserve()
		if err != nil {
			t.Fatal(err)
		}
		at.token = token
		l.slots.put(at)
		ready = append(ready, reactor.Readiness{Token: token, Event: reactor.Readable})
	}
	c := &client{}
	sit(seat{client: c})
	sit(seat{server: &server{}})
	sit(seat{server: &server{client: c, resource: &engine.Resource[*server]{}, replies: replies{ring: make([]reply, 2)}}})
	sit(seat{watcher: &watcher{}})
	gone := ready[0].Token + tokenOf(0, 1)
	l.warmReady(append(ready, reactor.Readiness{Token: gone}))
	l.chunks.put(make([]byte, chunkSmallest))
	l.warmReady(ready)
}
