package relay

import (
	"time"

	engine "github.com/usher-pg/usher/pool"
)

// acquire asks the pool for a server connection. It reports whether the client has one now; if not, the client
// waits, or its request is refused.
func (c *client) acquire(lane engine.Lane) bool {
	l := c.loop
	c.since, c.chosen = l.now, lane
	c.waiter.Deadline = c.deadline()
	out := c.pool.engine.Acquire(&c.waiter, lane, l.now, l.now)
	c.pool.open(l, out.Open)
	switch {
	case out.Err != nil:
		c.fail(c.pool.explain(out.Err, out.Wait))
		return false
	case out.Queued:
		c.become(clientWaiting)
		c.pool.wake(l)
		if lane == engine.Critical {
			c.pool.attend()
		}
		return false
	}
	return c.granted(out.Resource)
}

// deadline is when the request under way is refused if it still waits. 0: when the pool's queue timeout says so.
func (c *client) deadline() time.Duration {
	if c.patience == 0 {
		return 0
	}
	patience := c.patience
	if timeout := c.pool.rules().Engine.QueueTimeout; timeout > 0 {
		patience = min(patience, timeout)
	}
	return c.loop.now + patience
}

// granted gives the client the server connection the pool has found for it. It reports whether requests can be sent
// now; if the connection lives on another loop it has to come here first.
func (c *client) granted(r *engine.Resource[*server]) bool {
	s := r.Value
	if s.loop != c.loop {
		s.travel(c)
		return false
	}
	c.link(s)
	return s.task == taskNone
}

// link joins a client and a server connection, and makes the session on the server the client's.
func (c *client) link(s *server) {
	waited := c.place == clientWaiting
	c.become(clientLinked)
	s.become(serverLinked)
	c.server, s.client = s, c
	s.unnamed = false
	s.fresh = true
	c.stats().assigned(c.loop.now - c.since)
	if s.settings != c.tracker.Settings() {
		s.replay()
	}
	if waited && s.task == taskNone {
		c.resume()
	}
	s.check()
}

// unlink parts them. The server connection must be fit for the next client, or leave by another way.
func (c *client) unlink() *server {
	s := c.server
	c.server, s.client = nil, nil
	c.portal, c.large, c.awaiting = nil, false, false
	s.unpause(pauseUnsent)
	c.unpause(pauseUnsent | pauseReplies)
	return s
}

// releasable is the one predicate that says whether a server connection may leave its client now:
//
//  1. the last thing read from the server was whole, and so was the last thing sent to it;
//  2. every ReadyForQuery that was asked for has come, and the last one said idle;
//  3. no extended batch is open and no COPY is under way;
//  4. usher itself is not using the connection;
//  5. the client is not pinned to it.
//
// A cancel request in flight does not keep the client: the server connection then waits in serverCancelling.
func (s *server) releasable() bool {
	c := s.client
	return s.left == 0 && len(s.stash) == 0 && c.left == 0 &&
		s.quietNow() &&
		c.tracker.Pins() == 0 && !s.probeDue && !c.replicating && !c.large && c.pool.rules().Mode != ModeSession
}

// quietNow reports whether nothing is under way and no transaction open.
func (s *server) quietNow() bool {
	return s.replies.count == 0 && s.status == idleStatus &&
		!s.batch && !s.skipping && !s.copying && s.task == taskNone
}

// release takes the server connection from its client and gives it back to the pool.
func (s *server) release() {
	c := s.client
	c.unlink()
	c.become(clientIdle)
	c.last = c.loop.now
	s.rest()
	if len(c.stash) > 0 {
		c.resume()
	}
}

// rest puts a clean server connection where it belongs between clients.
func (s *server) rest() {
	if s.dying {
		if s.place == serverLinked {
			s.become(serverResetting)
		}
		s.leave(nil)
		return
	}
	if s.cancels > 0 {
		s.become(serverCancelling)
		return
	}
	s.become(serverIdle)
	s.giveBack(s.loop)
}

// giveBack returns a server connection to the engine, from any loop.
func (s *server) giveBack(l *loop) {
	if grant, ok := s.pool.engine.Release(s.resource, l.now); ok {
		l.grants = append(l.grants, grant)
	}
}
