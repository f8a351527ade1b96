package usher

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	engine "github.com/usher-pg/usher/pool"
)

// Stat is a snapshot of a pool.
type Stat = engine.Stat

// Pool is a set of connections to one database as one user. It belongs to a [Manager]. Its methods may be
// called by any goroutine.
type Pool struct {
	manager    *Manager
	name       string
	config     PoolConfig // normal
	engine     *engine.Pool[*server]
	budget     *engine.Budget
	neighbours []*Pool // those of the same budget, p included

	failure   atomic.Pointer[error] // why the latest open failed; nil after a success
	nextCheck time.Duration         // of what is idle; the manager's goroutine's

	// mu guards what is below, and is the outermost of the pool's.
	mu      sync.Mutex
	servers map[*server]struct{} // those that are open, for the checks
	target  int                  // as asked by SetTarget
	idlers  int                  // as MinIdle asks
}

func newPool(m *Manager, name string, c PoolConfig, budget *engine.Budget) *Pool {
	return &Pool{
		manager: m, name: name, config: c, budget: budget,
		engine:  engine.New[*server](c.engine(), budget, m.now()),
		servers: map[*server]struct{}{},
	}
}

// Name in the config.
func (p *Pool) Name() string { return p.name }

// Config that server connections are opened with, a copy.
func (p *Pool) Config() *pgx.ConnConfig { return p.config.ConnConfig.Copy() }

// Stat takes a snapshot.
func (p *Pool) Stat() Stat { return p.engine.Stat(p.manager.now()) }

// SetTarget says how many server connections should be open now beside the reserve: they are opened ahead of
// demand and not closed for being idle. It counts as Min if it is less and as Max if it is more.
func (p *Pool) SetTarget(n int) {
	p.mu.Lock()
	p.target = n
	p.engine.SetTarget(max(p.target, p.idlers))
	p.mu.Unlock()
	p.ring()
}

// SetLimit says how many server connections ordinary requests may have at once, at least 1 and at most Max. It
// does not take away any.
func (p *Pool) SetLimit(n int) {
	p.engine.SetLimit(n)
	p.ring()
}

// OpenReserve breaks the glass: for so long, requests of this lane and those above it take from the reserve
// without waiting first. A later call replaces an earlier one; a time of 0 ends it.
func (p *Pool) OpenReserve(lane Lane, duration time.Duration) {
	now := p.manager.now()
	p.engine.OpenReserve(lane, now+min(duration, engine.Forever-now))
	p.ring()
}

// Shed refuses requests of these lanes with ErrShed from now on, also those that wait, and no others'.
func (p *Pool) Shed(lanes ...Lane) {
	p.engine.Shed(lanes...)
	p.ring()
}

// Reconnect replaces all server connections: what is idle is closed at once, what is in use when it is
// released.
func (p *Pool) Reconnect() {
	p.engine.Reconnect(p.manager.now())
	p.ring()
}

// look ticks the engine as long as something is due, checks what is idle when it is time, and says when to look
// again.
func (p *Pool) look(now time.Duration, work *engine.Work[*server]) time.Duration {
	if now >= p.nextCheck {
		p.checkIdle()
		p.nextCheck = now + p.config.CheckPeriod
	}
	for p.engine.Due() <= now {
		p.engine.Tick(now, work)
		p.perform(work)
	}
	return min(p.engine.Due(), p.nextCheck)
}

// perform does what the engine has decided.
func (p *Pool) perform(work *engine.Work[*server]) {
	for _, g := range work.Grants {
		deliver(g)
	}
	for _, r := range work.Refused {
		w := r.Waiter.Owner.(*waiter)
		w.wake(nil, r.Err)
	}
	for _, r := range work.Close {
		p.manager.log.Debug("close server connection", "pool", p.name, "reason", r.CloseReason().String())
		p.bury(r.Value)
	}
	p.open(work.Open)
}

// ring sees to it that the manager's goroutine does not sleep through what has become due.
func (p *Pool) ring() {
	if int64(p.engine.Due()) < p.manager.alarm.Load() {
		p.manager.wake()
	}
}

// ringAll is ring after a call that may have changed the budget.
func (p *Pool) ringAll() {
	for _, q := range p.neighbours {
		q.ring()
	}
}

// checkIdle finds idle server connections that the server has closed, so that their replacements are there
// before somebody needs them. It does not matter if somebody acquires one meanwhile: looking takes nothing out
// of the socket.
func (p *Pool) checkIdle() {
	p.mu.Lock()
	servers := slices.Collect(maps.Keys(p.servers))
	p.mu.Unlock()
	for _, s := range servers {
		r := s.resource.Load()
		if r == nil || s.peek() != gone {
			continue
		}
		n, ok := p.engine.DiscardIdle(r, p.manager.now())
		if !ok {
			continue
		}
		p.manager.log.Debug("server connection was closed by the server", "pool", p.name)
		p.bury(s)
		p.open(n)
	}
	if p.config.MinIdle > 0 {
		p.keepIdle()
	}
}

// keepIdle asks for MinIdle more than are in use.
func (p *Pool) keepIdle() {
	busy := p.Stat().Busy
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idlers = busy + p.config.MinIdle
	p.engine.SetTarget(max(p.target, p.idlers))
}

// AcquireFunc calls f with a server connection, and releases it after.
func (p *Pool) AcquireFunc(ctx context.Context, lane Lane, f func(*Conn) error) error {
	c, err := p.Acquire(ctx, lane)
	if err != nil {
		return err
	}
	defer c.Release()
	return f(c)
}
