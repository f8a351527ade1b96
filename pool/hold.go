package pool

import "time"

// Hold stops all grants: requests wait, within their limits and timeouts. What is open stays open and is
// refilled, and a server that cannot be reached is no reason to refuse: that is what holds are for.
func (p *Pool[R]) Hold(now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(now)
	p.become(max(p.state, held))
}

// HoldClosing is Hold and closes what is idle, what is released and what arrives; nothing is opened.
func (p *Pool[R]) HoldClosing(now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(now)
	p.become(max(p.state, emptying))
	if p.state == emptying {
		p.closeIdle(CloseHold)
	}
}

// Unhold ends a hold of either kind and does what Tick does.
func (p *Pool[R]) Unhold(now time.Duration, work *Work[R]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now = p.advance(now)
	if p.state != closed {
		p.become(active)
		p.since = now // the grace begins again
	}
	p.tick(now, work)
}

// Drained is whether nothing is busy. During a hold it stays so.
func (p *Pool[R]) Drained() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken() == 0
}

// Close refuses all who wait and all who come, and closes what is idle now and the rest as it is released.
// There is no way back. Tick goes on working for what is still busy.
func (p *Pool[R]) Close(now time.Duration, work *Work[R]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now = p.advance(now)
	if p.state != closed {
		p.become(closed)
		p.closeIdle(CloseShutdown)
		p.share.leave()
	}
	p.tick(now, work)
}

// become changes what the pool does; nothing else writes p.state.
func (p *Pool[R]) become(next state) {
	if p.state == closed && next != closed {
		panic("bug: a closed pool becomes " + next.String())
	}
	p.state = next
	p.wake(p.now)
}
