package relay

import "time"

// counters are a pool's totals on one loop; only that loop touches them.
type counters struct {
	Assignments  uint64
	Transactions uint64
	Queries      uint64
	Received     uint64 // bytes from clients
	Sent         uint64 // bytes to clients
	InTransact   time.Duration
	InQuery      time.Duration
	Waited       time.Duration
	ClientParses uint64
	ServerParses uint64
	Binds        uint64
	Logins       uint64
	Refused      uint64
	Pinned       uint64
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
