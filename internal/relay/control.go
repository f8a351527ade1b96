package relay

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/usher-pg/usher/internal/pgerr"
	engine "github.com/usher-pg/usher/pool"
)

// waitStep is how often what an operator waits for is looked at.
const waitStep = 20 * time.Millisecond

// until returns when done reports true, or with ctx's error.
func until(ctx context.Context, done func() bool) error {
	ticker := time.NewTicker(waitStep)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
	return nil
}

// Pause lets what runs finish, holds what begins, and closes the server connections as they come free. It returns when
// none is left; if ctx ends first the pause stays in force.
func (p *Pool) Pause(ctx context.Context) error {
	p.held.Store(true)
	p.engine.HoldClosing(p.relay.Now())
	p.ring()
	return until(ctx, func() bool { return p.Stat().Open == 0 })
}

// Hold holds what begins and lets what runs go on, and keeps the server connections.
func (p *Pool) Hold() {
	p.held.Store(true)
	p.engine.Hold(p.relay.Now())
}

// Resume ends Pause and Hold.
func (p *Pool) Resume() {
	p.held.Store(false)
	p.home.reactor.Post(func() {
		l := p.home
		l.now = l.reactor.Now()
		p.engine.Unhold(l.now, &l.work)
		p.carryOut(l, &l.work)
		l.deliver()
	})
}

// Reconnect replaces every server connection that is open now as soon as it is free.
func (p *Pool) Reconnect() {
	p.engine.Reconnect(p.relay.Now())
	p.ring()
}

// WaitClosed returns when no server connection is left that Reconnect has marked.
func (p *Pool) WaitClosed(ctx context.Context) error {
	epoch := p.engine.Epoch()
	return until(ctx, func() bool {
		old := false
		p.relay.survey(ctx, func(_ *client, s *server) {
			old = old || s != nil && s.pool == p && s.resource != nil && s.resource.Epoch() < epoch
		})
		return !old
	})
}

// Kill drops every client and server connection of the pool, which stays paused.
func (p *Pool) Kill(ctx context.Context) error {
	p.held.Store(true)
	p.engine.HoldClosing(p.relay.Now())
	p.relay.order(ctx, func(c *client, s *server) {
		switch {
		case c != nil && c.pool == p:
			c.end(pgerr.Killed.With())
		case s != nil && s.pool == p && s.client == nil && s.place != serverIdle:
			s.leave(nil)
		}
	})
	p.ring()
	return until(ctx, func() bool { return p.Stat().Open == 0 })
}

// Remove takes the pool out: its clients are told e, its server connections close.
func (p *Pool) Remove(ctx context.Context, e *pgerr.Row) {
	r := p.relay
	p.removed.Store(true)
	p.home.reactor.Post(func() {
		l := p.home
		l.now = l.reactor.Now()
		p.engine.Close(l.now, &l.work)
		p.carryOut(l, &l.work)
		l.deliver()
	})
	r.mutex.Lock()
	r.pools = slices.DeleteFunc(r.pools, func(other *Pool) bool { return other == p })
	r.mutex.Unlock()
	r.order(ctx, func(c *client, _ *server) {
		if c != nil && c.pool == p {
			c.end(e.With(p.name))
		}
	})
}

// KillClient drops one client. It reports whether there was one.
func (r *Relay) KillClient(ctx context.Context, id uint64) bool {
	var found atomic.Bool
	r.order(ctx, func(c *client, _ *server) {
		if c != nil && c.id == id && c.place != clientGone && c.place != clientClosing {
			found.Store(true)
			c.end(pgerr.Killed.With())
		}
	})
	return found.Load()
}

// EndIdle tells every client that has no transaction under way that usher stops, and returns how many clients are left.
func (r *Relay) EndIdle(ctx context.Context) int {
	var left atomic.Int64
	r.order(ctx, func(c *client, _ *server) {
		if c == nil || c.place == clientClosing {
			return
		}
		if c.place == clientIdle && len(c.stash) == 0 {
			c.end(pgerr.ShuttingDown.With())
			return
		}
		left.Add(1)
	})
	return int(left.Load())
}

// Suspend stops reading from every socket; Unsuspend goes on.
func (r *Relay) Suspend(ctx context.Context) error {
	return until(ctx, func() bool {
		var pending atomic.Int64
		r.order(ctx, func(c *client, s *server) {
			if c != nil {
				c.pause(pauseSuspended)
				pending.Add(int64(c.pending()))
			} else {
				s.pause(pauseSuspended)
				pending.Add(int64(s.pending()))
			}
		})
		return pending.Load() == 0
	})
}

// Unsuspend ends Suspend.
func (r *Relay) Unsuspend(ctx context.Context) {
	r.order(ctx, func(c *client, s *server) {
		if c != nil {
			c.unpause(pauseSuspended)
		} else {
			s.unpause(pauseSuspended)
		}
	})
}

// survey calls f for every conn, on its loop, one loop after the other, and returns when it has been called for all, or
// when the relay or ctx has ended. Then f is called no more.
func (r *Relay) survey(ctx context.Context, f func(*client, *server)) {
	for _, l := range r.loops {
		l.ask(ctx, func() { l.slots.each(f) })
	}
}

// order is survey for what must be done even if nobody waits for it any more: f may still be called when order has
// returned because ctx has ended.
func (r *Relay) order(ctx context.Context, f func(*client, *server)) {
	for _, l := range r.loops {
		l.await(ctx, l.send(func() { l.slots.each(f) }))
	}
}

// ask calls f on the loop and returns when it has been called, or when the relay or ctx has ended. Then f is called no
// more.
func (l *loop) ask(ctx context.Context, f func()) {
	var begun atomic.Bool // or given up
	done := l.send(func() {
		if begun.CompareAndSwap(false, true) {
			f()
		}
	})
	l.await(ctx, done)
	if !begun.CompareAndSwap(false, true) {
		<-done // it is being called, or has been
	}
}

// send calls f on the loop, and closes done behind it.
func (l *loop) send(f func()) (done <-chan struct{}) {
	called := make(chan struct{})
	l.reactor.Post(func() {
		defer close(called)
		l.now = l.reactor.Now()
		f()
		l.deliver()
	})
	return called
}

// await waits until done is closed, or the relay or ctx has ended.
func (l *loop) await(ctx context.Context, done <-chan struct{}) {
	select {
	case <-done:
	case <-ctx.Done():
	case <-l.relay.ctx.Done():
	}
}

// Stat is a snapshot of the pool's engine.
func (p *Pool) Stat() engine.Stat { return p.engine.Stat(p.relay.Now()) }

// Sample is what of Stat somebody wants who looks every second.
func (p *Pool) Sample() engine.Sample { return p.engine.Sample(p.relay.Now()) }

// LimitTo bounds how many server connections ordinary requests may have at once: at least 1, at most the pool's Max.
func (p *Pool) LimitTo(n int) {
	p.engine.SetLimit(n)
	p.ring()
}
