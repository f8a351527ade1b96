package relay

import (
	"time"

	"github.com/usher-pg/usher/internal/session"
)

// counters are a pool's totals on one loop. Only that loop touches them.
type counters struct {
	Counters
	pinned map[session.PinReason]uint64
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
	if s.status == idleStatus {
		t.Transactions++
		t.InTransact += now - s.entered
	}
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
	for reason, n := range t.pinned {
		v.Pins[reason.String()] += n
	}
}
