package relay

import (
	"context"
	"fmt"
	"time"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/reactor"
	engine "github.com/usher-pg/usher/pool"
)

// The last resort (Rules.EndIdle): a critical request has waited for its lane's SLO, the reserve is used up, and
// somebody of a lower lane sits idle in a transaction. While critical requests wait, and only then, a goroutine looks
// now and then whether it has come to that; so it costs nothing else anything. It ends one client at a time, and the
// next only when that one's server connection is back.

// rescueStep is how often is looked: about the wait that critical requests are promised. Going through 10,000
// connections was measured to take 55 µs, half a percent of that.
const rescueStep = 10 * time.Millisecond

// attend sees to it that somebody looks after the critical requests that wait.
func (p *Pool) attend() {
	if p.rules().EndIdle > 0 && p.attended.CompareAndSwap(false, true) {
		p.relay.background(p.rescue)
	}
}

// rescue returns when no critical request waits.
func (p *Pool) rescue(ctx context.Context) {
	ticker := time.NewTicker(rescueStep)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		waiting, overdue := p.engine.Overdue(engine.Critical, p.relay.Now())
		switch limit := p.rules().EndIdle; {
		case limit == 0 || !waiting:
			p.attended.Store(false)
			// One may have come meanwhile that found itself attended.
			waiting, _ = p.engine.Overdue(engine.Critical, p.relay.Now())
			if limit == 0 || !waiting || !p.attended.CompareAndSwap(false, true) {
				return
			}
		case overdue:
			p.endIdlest(ctx, limit)
		}
	}
}

// idler is a server connection whose client is idle in a transaction. The connection must not be touched but on its
// loop, where its token tells whether it is still there.
type idler struct {
	loop  *loop
	token reactor.Token
	quiet time.Duration
}

// endIdlest ends the client of a lower lane that has been idle in a transaction longest, and at least so long. It does
// nothing while a server connection is on its way back already.
func (p *Pool) endIdlest(ctx context.Context, limit time.Duration) {
	var best idler
	coming := false
	p.relay.survey(ctx, func(_ *client, s *server) {
		switch {
		case s == nil || s.pool != p || s.alone():
		case s.place == serverResetting:
			coming = true
		case s.idles(limit) && (best.loop == nil || s.quiet < best.quiet):
			best = idler{s.loop, s.token, s.quiet}
		}
	})
	if coming || best.loop == nil {
		return
	}
	best.loop.ask(ctx, func() {
		// While everybody was looked at, the one that was coming may have come.
		if _, overdue := p.engine.Overdue(engine.Critical, p.relay.Now()); !overdue {
			return
		}
		if s := best.loop.slots.get(best.token).server; s != nil && s.idles(limit) {
			s.client.stats().IdleEnded++
			idle := (s.loop.now - s.quiet).Round(time.Millisecond)
			s.client.end(pgerr.EndedForCritical.With().WithDetail("The transaction had been idle for %v.", idle).
				Because(fmt.Errorf("lane %v, idle for %v", s.client.chosen, idle)))
		}
	})
}

// idles reports whether the linked client may be ended for a critical request: it is of a lower lane and has been idle
// in a transaction for so long.
func (s *server) idles(limit time.Duration) bool {
	c := s.client
	return s.place == serverLinked && c.chosen > engine.Critical && s.status != idleStatus &&
		s.replies.count == 0 && s.task == taskNone && !s.batch && !s.copying && c.left == 0 && len(c.stash) == 0 &&
		s.loop.now-s.quiet >= limit
}
