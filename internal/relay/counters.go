package relay

import (
	"time"

	"github.com/usher-pg/usher/internal/session"
	engine "github.com/usher-pg/usher/pool"
)

// counters are a pool's totals on one loop. Only that loop touches them.
type counters struct {
	Counters
	pinned map[session.PinReason]uint64

	// statements are how long statements took, by lane: from when a request was read to its ReadyForQuery, the wait
	// for a server connection included. Each is made when its lane has its first statement: most pools are of one lane.
	statements [engine.Lanes]*engine.Histogram
}

func (c *client) stats() *counters { return c.loop.counters(c.pool) }

func (l *loop) counters(p *Pool) *counters { return &p.counters[l.index] }

func (t *counters) assigned(wait time.Duration) {
	t.Assignments++
	t.Waited += wait
}

// ended counts a ReadyForQuery.
func (t *counters) ended(s *server) {
	now := s.loop.now
	t.Queries++
	t.InQuery += now - s.began
	t.took(s.client.chosen, now-s.asked)
	if s.status == idleStatus {
		t.Transactions++
		t.InTransact += now - s.entered
	}
}

// took records how long a statement took.
func (t *counters) took(lane engine.Lane, d time.Duration) {
	h := t.statements[lane]
	if h == nil {
		h = new(engine.Histogram)
		t.statements[lane] = h
	}
	h.Record(d)
}

// pin counts a client that has been pinned.
func (t *counters) pin(reasons session.PinReasons) {
	if t.pinned == nil {
		t.pinned = map[session.PinReason]uint64{}
	}
	for _, reason := range session.AllPinReasons() {
		if reasons.Has(reason) {
			t.pinned[reason]++
		}
	}
}

func (t *counters) addTo(v *PoolView) {
	c := &v.Counters
	c.Assignments += t.Assignments
	c.Transactions += t.Transactions
	c.Queries += t.Queries
	c.Received += t.Received
	c.Sent += t.Sent
	c.InTransact += t.InTransact
	c.InQuery += t.InQuery
	c.Waited += t.Waited
	c.ClientParses += t.ClientParses
	c.ServerParses += t.ServerParses
	c.Binds += t.Binds
	c.Logins += t.Logins
	c.LanesLowered += t.LanesLowered
	c.LanesRefused += t.LanesRefused
	c.IdleEnded += t.IdleEnded
	for reason, n := range t.pinned {
		v.Pins[reason.String()] += n
	}
	for lane, h := range t.statements {
		switch {
		case h == nil:
		case v.Statements[lane] == nil:
			v.Statements[lane] = new(*h)
		default:
			v.Statements[lane].Merge(h)
		}
	}
}
