package relay

import (
	"cmp"
	"context"
	"time"

	"github.com/usher-pg/usher/internal/pgerr"
)

// cancelTimeout bounds how long a cancel request is tried to be delivered when the pool sets no limit; it is
// PgBouncer's default cancel_wait_timeout.
const cancelTimeout = 10 * time.Second

// Cancel cancels what the client with this key is doing, if there is one and it does something. It returns when the
// request has been delivered, or cannot be.
func (r *Relay) Cancel(ctx context.Context, processID uint32, secret []byte) {
	index, slot, ok := r.keys.where(processID)
	if !ok || index >= len(r.loops) {
		return
	}
	l := r.loops[index]
	done := make(chan struct{})
	l.reactor.Post(func() {
		l.now = l.reactor.Now()
		c := l.slots.client(slot)
		if c == nil || !r.keys.fits(processID, c.token, c.version, secret) {
			close(done)
			return
		}
		c.cancel(func() { close(done) })
		l.deliver()
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// cancel cancels what the client is doing and calls done when that has been delivered.
func (c *client) cancel(done func()) {
	s := c.server
	switch {
	case c.place == clientWaiting, s != nil && s.task == taskReplay && len(c.stash) > 0:
		if s == nil {
			c.part(false)
			c.become(clientIdle)
		}
		c.fail(pgerr.Cancelled.With())
		c.resume()
		done()
	case s != nil && s.replies.count > 0:
		s.cancel(done)
	default:
		done()
	}
}

// cancel sends the server a cancel request. Until it has been delivered, the connection goes to no other client: the
// server closes the connection a cancel request came on after it has signalled the backend.
func (s *server) cancel(done func()) {
	if done != nil {
		s.cancelled = append(s.cancelled, done)
	}
	if s.cancels > 0 {
		return // one is on its way, and hits the same statement or none
	}
	s.cancels++
	l, r := s.loop, s.loop.relay
	r.background(func(ctx context.Context) {
		ctx, stop := context.WithTimeout(ctx, cmp.Or(s.pool.rules().Timeouts.Cancel, cancelTimeout))
		defer stop()
		err := s.handle.Cancel(ctx)
		l.reactor.Post(func() {
			l.now = l.reactor.Now()
			s.cancelOver(err)
			l.deliver()
		})
	})
}

func (s *server) cancelOver(err error) {
	s.cancels--
	for _, done := range s.cancelled {
		done()
	}
	s.cancelled = nil
	if err != nil {
		s.loop.log.Warn("cancel request not delivered", "server", s.id, "pool", s.pool.name, "error", err)
	}
	if s.fd < 0 || s.place != serverCancelling {
		return
	}
	if err != nil {
		s.leave(nil) // it may still arrive, and must then find nobody
		return
	}
	s.rest()
}
