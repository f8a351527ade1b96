package usher

import (
	"context"
	"time"

	engine "github.com/usher-pg/usher/pool"
)

// resource is the engine's record of a server connection.
type resource = engine.Resource[*server]

// waiter is a goroutine that waits for a server connection. Whoever gets its grant or refusal writes it down
// here and wakes it: exactly once for each request that was queued and not withdrawn. So a waiter can be used
// again, by anybody of the same manager: not by all of the program, because those made in a synctest bubble must
// not leave it.
type waiter struct {
	engine.Waiter[*server]
	woken    chan struct{} // has room for one: waking never blocks
	resource *engine.Resource[*server]
	err      error
}

func newWaiter() any {
	w := &waiter{woken: make(chan struct{}, 1)}
	w.Owner, w.Direct = w, true
	return w
}

func (w *waiter) wake(r *resource, err error) {
	w.resource, w.err = r, err
	w.woken <- struct{}{}
}

// letter is what w was woken for.
func (w *waiter) letter() (*resource, error) {
	r, err := w.resource, w.err
	w.resource, w.err = nil, nil
	return r, err
}

func deliver(g engine.Grant[*server]) { g.Waiter.Owner.(*waiter).wake(g.Resource, nil) }

// Acquire takes a server connection, waiting for it in the lane if need be, until ctx ends. The caller must
// release it. Errors are of type [*AcquireError].
//
// Server connections are opened in the background: one that was opened because of a request whose context has
// ended serves the next.
func (p *Pool) Acquire(ctx context.Context, lane Lane) (*Conn, error) {
	since := p.manager.now()
	now := since
	for range p.config.Max + p.config.Reserve + 1 {
		r, err := p.take(ctx, lane, since, now)
		if err != nil {
			return nil, err
		}
		if ok, err := p.fit(ctx, r); err != nil {
			return nil, p.failed(lane, err, since)
		} else if ok {
			return r.Value.handle(r), nil
		}
		now = p.manager.now()
	}
	return nil, p.failed(lane, ErrUnfit, since)
}

// take is Acquire of whatever the engine gives.
func (p *Pool) take(ctx context.Context, lane Lane, since, now time.Duration) (*resource, error) {
	if err := ctx.Err(); err != nil {
		return nil, p.failed(lane, err, since)
	}
	w := p.manager.waiters.Get().(*waiter)
	w.Deadline = 0
	if p.config.RefuseHopeless {
		w.Deadline = p.deadline(ctx, now)
	}
	out := p.engine.Acquire(&w.Waiter, lane, since, now)
	r, err := out.Resource, out.Err
	if out.Queued {
		p.open(out.Open)
		p.ringAll()
		r, err = p.wait(ctx, w)
	}
	p.manager.waiters.Put(w)
	if err != nil {
		return nil, p.failed(lane, err, since)
	}
	return r, nil
}

// deadline tells the engine how long a request may wait, so that it can say what is hopeless: until its
// context's deadline or for QueueTimeout. 0 is the pool's QueueTimeout.
func (p *Pool) deadline(ctx context.Context, now time.Duration) time.Duration {
	at, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	deadline := max(1, at.Sub(p.manager.origin))
	if p.config.QueueTimeout > 0 {
		deadline = min(deadline, now+p.config.QueueTimeout)
	}
	return deadline
}

// wait is until w gets what it waits for, or its context ends.
func (p *Pool) wait(ctx context.Context, w *waiter) (*resource, error) {
	done := ctx.Done()
	if done == nil {
		<-w.woken
		return w.letter()
	}
	select {
	case <-w.woken:
		r, err := w.letter()
		if at, ok := ctx.Deadline(); ok && err == ErrQueueTimeout && !time.Now().Before(at) {
			err = context.DeadlineExceeded // the engine was quicker than the context
		}
		return r, err
	case <-done:
	}
	if !p.engine.Withdraw(&w.Waiter, p.manager.now()) {
		<-w.woken // somebody is about to wake it
		if r, _ := w.letter(); r != nil {
			p.giveBack(r)
		}
	}
	return nil, ctx.Err()
}

// giveBack lets the next one have r.
func (p *Pool) giveBack(r *resource) {
	if g, ok := p.engine.Release(r, p.manager.now()); ok {
		deliver(g)
	}
	p.ring()
}

func (p *Pool) failed(lane Lane, err error, since time.Duration) *AcquireError {
	now := p.manager.now()
	e := &AcquireError{
		Pool: p.name, Lane: lane, Err: err,
		Waited: now - since, Expected: p.engine.ExpectedWait(lane, now),
	}
	if cause := p.failure.Load(); cause != nil && err == ErrDown {
		e.Cause = *cause
	}
	return e
}
