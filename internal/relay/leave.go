package relay

import (
	"crypto/tls"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/pgerr"
)

// linger is how long a client that was told why it must go has to read it. Closing at once would let the kernel
// answer unread input with a reset, which may overtake the error.
const linger = time.Second

// gone closes a client that has left: err says how, nil is a Terminate.
func (c *client) gone(err error) {
	if c.place == clientGone {
		return
	}
	if err != nil && !errors.Is(err, errPeerClosed) {
		c.loop.log.Debug("client lost", "client", c.id, "error", err)
	}
	c.part(err == nil)
	c.hangUp()
	c.loop.slots.drop(c.token)
	c.become(clientGone)
	c.names.Clear()
	for _, names := range c.shelved {
		names.Clear()
	}
	c.forgetUnnamed()
	c.loop.relay.left(c)
}

// end closes a client for a reason it is told; nil when a server has told it already.
func (c *client) end(e *pgerr.Error) {
	if c.place == clientGone || c.place == clientClosing {
		return
	}
	if e != nil {
		c.loop.log.Log(c.loop.relay.ctx, e.Row.Level, "client ended",
			"client", c.id, "pool", c.pool.name, "user", c.pool.user, "error", e)
	}
	c.part(false)
	c.loop.chunks.put(c.stash)
	c.stash, c.left, c.pauses = nil, 0, 0
	c.become(clientClosing)
	c.last = c.loop.now
	if e != nil {
		c.tell(e)
	}
	if c.pending() == 0 {
		c.lastWordsSent()
	}
	c.look()
}

func (c *client) lastWordsSent() {
	c.undivert()
	if c.lost != nil || c.pending() > 0 {
		return // comes again when they are drained
	}
	var err error
	if c.secure != nil {
		err = c.secure.tls.CloseWrite()
		if errors.Is(err, tls.AlertError(0)) {
			err = nil
		}
	}
	if err == nil {
		err = unix.Shutdown(c.fd, unix.SHUT_WR)
	}
	if err != nil {
		c.lost = err
	}
}

// part takes the client from its server connection, or from the queue. polite: the client said that it leaves, so
// the statement under way ends as it would without a pooler; otherwise it is cancelled.
func (c *client) part(polite bool) {
	switch {
	case c.server != nil:
		if c.loop.feeding == c { // what was read before this goes out: replies to it are expected
			c.loop.upstream.flush(&c.server.conn)
		}
		c.unlink().abandoned(c, polite)
	case c.coming != nil:
		c.coming = nil // given back when it arrives
	case c.place == clientWaiting:
		if r := c.pool.engine.Cancel(&c.waiter, c.loop.now); r != nil {
			r.Value.giveBack(c.loop)
		}
	}
}

// abandoned brings a server connection whose client has left into a state fit for the next client.
func (s *server) abandoned(c *client, polite bool) {
	if s.fd < 0 {
		return
	}
	s.become(serverResetting)
	s.soiled = c.tracker.Pins() != 0 || c.tracker.Unsettled() || s.probeDue || c.pool.rules().Mode == ModeSession
	s.began, s.probeDue = s.loop.now, false
	switch {
	case s.alone():
		s.write(terminate)
		s.leave(nil)
	case c.left > 0 && !c.dropping, s.batch, s.copying, s.skipping, s.task != taskNone:
		// Half a message, or a batch whose Sync only the client may send: a Sync of ours would commit what it began.
		s.leave(nil)
	case s.replies.ready > 0:
		s.orphan = true
		if !polite {
			s.cancel(nil)
		}
	default:
		s.clean()
	}
}

// clean undoes what the client that left may have left behind.
func (s *server) clean() {
	s.orphan = false
	switch {
	case s.soiled && s.resetQuery() != "":
		s.soiled = false
		s.reset()
	case s.status != idleStatus:
		s.rollback()
	default:
		s.rest()
	}
}

// leaveDirty tells the client e and closes its server connection with it.
func (s *server) leaveDirty(e *pgerr.Error) {
	c := s.client
	s.loop.downstream.flush(&c.conn)
	s.leave(e)
}
