package relay

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/usher-pg/usher/internal/reactor"
	engine "github.com/usher-pg/usher/pool"
)

// scratchLen is what a loop reads at once. PgBouncer reads 4 KiB (pkt_buf); 1 MB rows cost half the system calls' share
// with 64 KiB, and beyond that the gain is lost in the cache.
const scratchLen = 64 << 10

// longestSleep bounds how late anything that is due by the clock may happen: timeouts, and a request on another loop.
const longestSleep = 100 * time.Millisecond

// loop is the relay's side of one event loop: the conns that live there, and what they share. Only the loop's goroutine
// touches it, except for slots.
type loop struct {
	relay   *Relay
	index   int
	reactor *reactor.Loop
	log     *slog.Logger

	now        time.Duration // when the event under way was seen
	scratch    []byte
	made       []byte  // messages put together for one write
	feeding    *client // whose input upstream is being made of
	upstream   flow    // what goes to a server
	downstream flow    // what goes to a client
	chunks     chunks
	later      []reactor.Token // of conns that are to be read on
	reading    []reactor.Token // the other half of later, swapped in
	outbox     outbox
	inbox      inbox

	slots slots
	pools []*Pool // that this loop ticks

	grants   []engine.Grant[*server] // to be delivered before the turn ends
	work     engine.Work[*server]
	nextScan time.Duration // when timeouts are looked at, and nextLook those of clients, too
	nextLook time.Duration

	clients [clientPlaces]int
	servers [serverPlaces]int
}

// slots numbers the conns of a loop. A token is a slot and how often it was used, so that an event for a conn that is
// gone finds nobody.
type slots struct {
	// mutex guards all of it: a login takes its slot on its own goroutine, because the cancel key holds it.
	mutex sync.Mutex
	slots []slot
	free  []uint32
}

type slot struct {
	uses    uint32
	client  *client
	server  *server
	watcher *watcher
}

// slotsMax is how many conns a loop may have: what fits the cancel key (see key.go).
const slotsMax = 1 << slotBits

// take reserves a slot.
func (s *slots) take() (reactor.Token, bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var i uint32
	if n := len(s.free); n > 0 {
		i = s.free[n-1]
		s.free = s.free[:n-1]
	} else {
		if len(s.slots) == slotsMax {
			return 0, false
		}
		i = uint32(len(s.slots))
		s.slots = append(s.slots, slot{})
	}
	s.slots[i].uses++
	return tokenOf(i, s.slots[i].uses), true
}

// reserve is take with an error.
func (l *loop) reserve() (reactor.Token, error) {
	token, ok := l.slots.take()
	if !ok {
		return 0, errNoSlot
	}
	return token, nil
}

func tokenOf(slot, uses uint32) reactor.Token { return reactor.Token(uses)<<32 | reactor.Token(slot) }

// put seats a conn in its slot.
func (s *slots) put(token reactor.Token, c *client, v *server) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	i := &s.slots[uint32(token)]
	i.client, i.server = c, v
}

// watch puts a watcher in its slot.
func (s *slots) watch(token reactor.Token, w *watcher) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.slots[uint32(token)].watcher = w
}

// watcherAt is who watches with a token.
func (s *slots) watcherAt(token reactor.Token) *watcher {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if i := &s.slots[uint32(token)]; i.uses == uint32(token>>32) {
		return i.watcher
	}
	return nil
}

func (s *slots) drop(token reactor.Token) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	i := &s.slots[uint32(token)]
	i.client, i.server, i.watcher = nil, nil, nil
	s.free = append(s.free, uint32(token))
}

// get is who sits in a slot; both are nil when the token is stale. Only the loop calls it, and only the loop seats and
// unseats, but a login may be growing the table.
func (s *slots) get(token reactor.Token) (*client, *server) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	i := &s.slots[uint32(token)]
	if i.uses != uint32(token>>32) {
		return nil, nil
	}
	return i.client, i.server
}

// each calls f for every conn. f may close the conn it is given, and others: they may still be met, in the place of
// those that are gone.
func (s *slots) each(f func(*client, *server)) {
	var some [64]slot // copied at once, because there may be thousands
	for from := 0; ; from += len(some) {
		s.mutex.Lock()
		n := copy(some[:], s.slots[min(from, len(s.slots)):])
		s.mutex.Unlock()
		for _, slot := range some[:n] {
			if slot.client != nil || slot.server != nil {
				f(slot.client, slot.server)
			}
		}
		if n < len(some) {
			return
		}
	}
}

// Ready implements reactor.Handler.
func (l *loop) Ready(ready []reactor.Readiness) {
	for len(ready) > 0 {
		some := ready[:min(len(ready), inboxPieces)]
		l.fetch(some)
		for _, r := range some {
			l.meet(r.Token, r.Event)
		}
		ready = ready[len(some):]
	}
}

// meet lets a conn see to what has happened at its descriptor.
func (l *loop) meet(token reactor.Token, event reactor.Event) {
	l.now = l.reactor.Now()
	c, s := l.slots.get(token)
	switch {
	case c != nil:
		c.ready(event)
	case s != nil:
		s.ready(event)
	default:
		if w := l.slots.watcherAt(token); w != nil {
			w.ready()
		}
	}
}

// Turn implements reactor.Handler.
func (l *loop) Turn() time.Duration {
	l.now = l.reactor.Now()
	l.readOn()
	sleep := longestSleep
	for _, p := range l.pools {
		if l.now >= p.engine.Due() {
			p.tick(l)
		}
		sleep = min(sleep, p.engine.Due()-l.now)
	}
	l.pools = slices.DeleteFunc(l.pools, func(p *Pool) bool { return p.removed.Load() && p.empty() })
	l.deliver()
	if l.now >= l.nextScan {
		l.nextScan = l.now + longestSleep
		l.enforceTimeouts()
		l.deliver()
	}
	l.finish()
	if len(l.later) > 0 {
		return 0
	}
	return max(sleep, 0)
}

// readOn lets conns read on that had more than one read takes.
func (l *loop) readOn() {
	l.later, l.reading = l.reading[:0], l.later
	for _, token := range l.reading {
		l.meet(token, reactor.Readable)
	}
}

// deliver hands granted server connections to those who waited for them. It is called at the end of whatever may have
// granted something, never from within, so that one hand-over does not recurse into the next.
func (l *loop) deliver() {
	for i := 0; i < len(l.grants); i++ {
		l.hand(l.grants[i])
	}
	clear(l.grants)
	l.grants = l.grants[:0]
}

func (l *loop) hand(g engine.Grant[*server]) {
	c := g.Waiter.Owner.(*client)
	if c.loop != l {
		c.loop.reactor.Post(func() {
			c.loop.now = c.loop.reactor.Now()
			c.loop.hand(g)
			c.loop.deliver()
		})
		return
	}
	if s := g.Resource.Value; s.loop == l && s.fd < 0 {
		c.pool.open(l, c.pool.engine.Discard(g.Resource, l.now)) // it broke on its way; the client is queued again
		return
	}
	if c.pool.engine.Accept(g) {
		c.granted(g.Resource)
	}
}
