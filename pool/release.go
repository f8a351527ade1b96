package pool

import "time"

// Release gives a resource back. If somebody waits for it, the grant is returned: deliver it to the owner of
// its waiter. Otherwise it becomes idle; or, if it has had its time or is too many, closing: Due is now, and
// Tick or NextClose returns it.
func (p *Pool[R]) Release(r *Resource[R], now time.Duration) (Grant[R], bool) {
	p.lock(r.direct)
	defer p.mu.Unlock()
	if r.pool != p || r.place != busy {
		panic("bug: release of a resource that is " + r.place.String() + " or another pool's")
	}
	now = p.advance(now)
	p.served(now - r.taken)
	return p.put(r, now)
}

// serviceWeight is that of the newest sample in the moving average: it follows a change within some tens of
// requests.
const serviceWeight = 1.0 / 32

func (p *Pool[R]) served(d time.Duration) {
	p.tally.service.Record(d)
	p.pace.count(p.now)
	switch shorter := float64(d) < p.service; {
	case p.service == 0, shorter && p.rested(p.now):
		p.service = float64(d)
	default:
		p.service += (float64(d) - p.service) * serviceWeight
	}
	p.freed = p.now
}

// put finds a released resource its next place.
func (p *Pool[R]) put(r *Resource[R], now time.Duration) (Grant[R], bool) {
	if now >= r.expires && !r.worn {
		p.wearOut(r)
	}
	if reason, must := p.mustClose(r); must {
		p.retire(r, reason)
		return Grant[R]{}, false
	}
	r.idled = now
	if p.queue.total > 0 && p.open() > p.config.Min && p.share.cede() {
		r.ceded = true
		p.retire(r, CloseBudget)
		return Grant[R]{}, false
	}
	if w, emergency := p.choose(p.taken()-1, now); w != nil {
		g := p.hand(r, w, now, emergency)
		p.wakeForEmergency(now) // how long resources are held has changed
		return g, true
	}
	p.rest(r, now)
	return Grant[R]{}, false
}

// rest makes r, which nobody may have now, idle.
func (p *Pool[R]) rest(r *Resource[R], now time.Duration) {
	p.move(r, idle)
	if p.config.IdleTimeout > 0 && p.count[idle] > p.config.Reserve && p.open() > p.need() {
		p.wake(after(now, p.config.IdleTimeout))
	}
	if p.taken() < p.ordinary() {
		p.moved = now
	}
	if p.queue.total > 0 {
		p.wake(p.nextEmergency(now))
	} else if p.share.isHungry() && p.open() > p.config.Min {
		p.wake(now)
	}
}

// mustClose is whether a resource that nobody holds should be closed rather than kept or handed on.
func (p *Pool[R]) mustClose(r *Resource[R]) (CloseReason, bool) {
	switch {
	case p.state == closed:
		return CloseShutdown, true
	case p.state == emptying:
		return CloseHold, true
	case r.epoch != p.epoch:
		return CloseReconnect, true
	case p.open() > p.ceiling():
		return CloseSurplus, true
	case r.worn && p.replaced():
		return CloseLifetime, true
	}
	return 0, false
}

// replaced is whether a worn resource may go: it is not needed, or it stands in the way of its own
// replacement. As long as opening fails, an old one is better than none.
func (p *Pool[R]) replaced() bool {
	if p.open() > p.need() {
		return true
	}
	room := p.ceiling() - p.open() - p.opening
	return p.failures == 0 && p.opening == 0 && (room <= 0 || p.starved)
}

// retire takes an open resource out of the pool, to be closed by the embedder.
func (p *Pool[R]) retire(r *Resource[R], reason CloseReason) {
	p.dropOpen(r)
	r.reason = reason
	p.tally.closed[reason]++
	p.move(r, closing)
	p.wake(p.now)
}

// dropOpen takes r out of the list of open ones. The caller moves it.
func (p *Pool[R]) dropOpen(r *Resource[R]) {
	if r.place == unborn {
		return
	}
	last := len(p.resources) - 1
	p.resources[r.index] = p.resources[last]
	p.resources[r.index].index = r.index
	p.resources[last] = nil
	p.resources = p.resources[:last]
	if r.worn {
		r.worn = false
		p.worn--
	}
}

// NextClose returns a resource to close, or nil. The pool has forgotten it. It is for those who do not want
// to wait for the next Tick.
func (p *Pool[R]) NextClose() *Resource[R] {
	if p.closings.Load() == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nextClose()
}

func (p *Pool[R]) nextClose() *Resource[R] {
	r := p.closing.last
	if r == nil {
		return nil
	}
	p.forget(r)
	return r
}

// forget is the end of r in the pool and in the budget.
func (p *Pool[R]) forget(r *Resource[R]) {
	p.move(r, gone)
	switch {
	case r.ceded:
		r.ceded, r.charged = false, false
		p.share.ceded()
	case r.charged:
		r.charged = false
		p.share.free(1)
	}
}

// Discard takes out a resource that is broken or gone, and says how many opens the caller must start now. It
// is for the holder, or for whoever was to deliver it: a waiter it had been granted to is queued again in its
// old place. One that is closing or closed already is left alone.
func (p *Pool[R]) Discard(r *Resource[R], now time.Duration) (open int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.pool != p {
		panic("bug: discard of another pool's resource")
	}
	return p.discard(r, p.advance(now))
}

// DiscardIdle is Discard for one who does not hold the resource but has learnt that it is gone. If somebody
// else has got it meanwhile nothing is done and ok is false: the holder will find out.
func (p *Pool[R]) DiscardIdle(r *Resource[R], now time.Duration) (open int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.pool != p {
		panic("bug: discard of another pool's resource")
	}
	now = p.advance(now)
	if r.place == busy || r.place == handed {
		return 0, false
	}
	return p.discard(r, now), true
}

func (p *Pool[R]) discard(r *Resource[R], now time.Duration) (open int) {
	switch r.place {
	case gone:
		return 0
	case closing:
		p.forget(r)
		return 0
	case busy:
		p.served(now - r.taken)
	case handed:
		p.requeue(r.waiter)
		r.waiter = nil
	}
	p.dropOpen(r)
	r.reason = CloseBroken
	p.tally.closed[CloseBroken]++
	p.forget(r)
	p.noteBarren(now)
	if p.count[idle] > 0 && p.queue.total > 0 {
		p.wake(now)
	}
	open = p.startOpens(now)
	p.wakeForOpens(now)
	return open
}

func (p *Pool[R]) requeue(w *Waiter[R]) {
	w.seq, w.resource = 0, nil
	p.tally.lanes[w.lane].requeued++
	p.queue.insert(w)
	p.wake(p.now)
}
