package relay

import (
	"context"
	"slices"
	"time"

	engine "github.com/usher-pg/usher/pool"
)

// shedding is whose requests are refused, and why.
type shedding struct {
	why   string
	lanes []engine.Lane
}

// Shed refuses requests of these lanes from now on, and no others'. why is for the clients: a phrase that says what is
// the matter.
func (p *Pool) Shed(why string, lanes ...engine.Lane) {
	p.shedding.Store(&shedding{why, lanes})
	p.engine.Shed(lanes...)
	p.ring()
}

// Sheds reports whether requests of a lane are refused.
func (p *Pool) Sheds(lane engine.Lane) bool {
	s := p.shedding.Load()
	return s != nil && slices.Contains(s.lanes, lane)
}

// OpenReserve lets requests of this lane and those above it take from the reserve at once, until a time of Relay.Now.
// A later call replaces an earlier one.
func (p *Pool) OpenReserve(lane engine.Lane, until time.Duration) {
	p.engine.OpenReserve(lane, until)
	p.ring()
}

// Who wishes for a target; see WishTarget. Others name themselves.
const wishOfLogins = "logins"

// WishTarget says how many server connections somebody wants the pool to have open, 0 if that is not for them to say
// any more. The greatest wish counts, within the pool's Min and Max.
func (p *Pool) WishTarget(who string, n int) {
	p.mutex.Lock()
	if p.wishes == nil {
		p.wishes = map[string]int{}
	}
	p.wishes[who] = n
	greatest := 0
	for _, wish := range p.wishes {
		greatest = max(greatest, wish)
	}
	p.engine.SetTarget(greatest) // under the mutex, or an earlier wish could come out on top
	p.mutex.Unlock()
	p.ring()
}

// Pace is how fast the statements of lane critical are.
type Pace struct {
	Statements uint64 // that ended since the pool was made
	Slow       uint64 // of these, took longer than asked about
	Late       int    // are under way or wait, and have taken longer already
}

// Paces looks at the critical statements of pools, each with the time its statements should take.
func (r *Relay) Paces(ctx context.Context, targets map[*Pool]time.Duration) map[*Pool]Pace {
	paces := map[*Pool]Pace{}
	for _, l := range r.loops {
		l.ask(ctx, func() { l.addPaces(targets, paces) })
	}
	return paces
}

// addPaces adds what a loop knows. Nobody is looked at who is in no pool that has ever had a critical statement.
func (l *loop) addPaces(targets map[*Pool]time.Duration, paces map[*Pool]Pace) {
	found := false
	for p, target := range targets {
		h := l.counters(p).statements[engine.Critical]
		if h == nil {
			continue
		}
		found = true
		pace := paces[p]
		pace.Statements += h.Count()
		pace.Slow += h.Count() - h.Below(target)
		paces[p] = pace
	}
	if !found {
		return
	}
	l.slots.each(func(c *client, _ *server) {
		if c == nil || c.chosen != engine.Critical || c.pool.held.Load() {
			return
		}
		target, ok := targets[c.pool]
		asked, waits := c.asked()
		if ok && waits && l.now-asked > target {
			pace := paces[c.pool]
			pace.Late++
			paces[c.pool] = pace
		}
	})
}

// asked is when the statement that the client waits for was read.
func (c *client) asked() (at time.Duration, waits bool) {
	switch s := c.server; {
	case c.place == clientWaiting:
		return c.since, true
	case s != nil && s.replies.ready > 0:
		return s.asked, true
	}
	return 0, false
}
