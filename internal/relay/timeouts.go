package relay

import (
	"time"

	"github.com/usher-pg/usher/internal/pgerr"
)

// Timeouts are a pool's limits in time, with PgBouncer's meanings; 0 is none. They are looked at every longestSleep,
// those of clients every clientLook, so a timeout may come that much late, and costs nothing until then.
type Timeouts struct {
	Query             time.Duration // a statement: the client is told and its server connection closed
	Transaction       time.Duration // a transaction, from its first statement
	IdleInTransaction time.Duration // between two statements of a transaction
	ClientIdle        time.Duration // a client without a request
	Cancel            time.Duration // delivering a cancel request
	Reset             time.Duration // bringing a server connection back into order after its client left
}

// clientLook is how often clients are looked at for what is overdue, which only those are that do nothing. Looking at
// 9,000 of them every longestSleep took 1.5 % of a loop's time.
const clientLook = time.Second

// enforceTimeouts ends whatever is overdue.
func (l *loop) enforceTimeouts() {
	clients := l.now >= l.nextLook
	if clients {
		l.nextLook = l.now + clientLook
	}
	l.slots.each(func(c *client, s *server) {
		switch {
		case s != nil:
			s.enforce()
		case clients:
			c.enforce()
		}
	})
}

func over(limit, since, now time.Duration) bool { return limit > 0 && now-since > limit }

func (c *client) enforce() {
	t, now := c.pool.rules().Timeouts, c.loop.now
	switch c.place {
	case clientClosing:
		if over(linger, c.last, now) {
			c.gone(nil)
		}
	case clientIdle:
		if over(t.ClientIdle, c.last, now) {
			c.end(pgerr.ClientIdle.With())
		}
	}
}

func (s *server) enforce() {
	t, now := s.pool.rules().Timeouts, s.loop.now
	switch s.place {
	case serverResetting:
		if over(t.Reset, s.began, now) {
			s.loop.log.Warn("server connection could not be reset in time", "server", s.id, "pool", s.pool.name)
			s.leave(nil)
		}
	case serverLinked:
		s.enforceLinked(t, now)
	}
}

func (s *server) enforceLinked(t Timeouts, now time.Duration) {
	busy := s.replies.count > 0 || s.task != taskNone
	switch {
	case busy && over(t.Query, s.began, now):
		s.leave(pgerr.QueryTimeout.With())
	case s.status != idleStatus && over(t.Transaction, s.entered, now):
		s.leave(pgerr.TransactionTimeout.With())
	case !busy && s.status != idleStatus && over(t.IdleInTransaction, s.quiet, now):
		s.leave(pgerr.IdleInTransaction.With())
	}
}
