package relay

import (
	"log/slog"
	"slices"
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
// touches it, except for the numbers of slots.
type loop struct {
	relay   *Relay
	index   int
	reactor *reactor.Loop
	log     *slog.Logger

	now        time.Duration // when the events under way were seen
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
	warmth     byte // see warm.go

	slots slots
	pools []*Pool // that this loop ticks

	grants   []engine.Grant[*server] // to be delivered before the turn ends
	work     engine.Work[*server]
	nextScan time.Duration // when timeouts are looked at, and nextLook those of clients, too
	nextLook time.Duration

	clients [clientPlaces]int
	servers [serverPlaces]int
}

// Ready implements reactor.Handler.
func (l *loop) Ready(ready []reactor.Readiness) {
	for len(ready) > 0 {
		some := ready[:min(len(ready), inboxPieces)]
		l.now = l.reactor.Now()
		l.warmReady(some)
		l.fetch(some)
		for _, r := range some {
			l.meet(r.Token, r.Event)
		}
		ready = ready[len(some):]
	}
}

// meet lets a conn see to what has happened at its descriptor.
func (l *loop) meet(token reactor.Token, event reactor.Event) {
	switch at := l.slots.get(token); {
	case at.client != nil:
		at.client.ready(event)
	case at.server != nil:
		at.server.ready(event)
	case at.watcher != nil:
		at.watcher.ready()
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
	l.warmGranted()
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
