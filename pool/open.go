package pool

import "time"

// startOpens says how many opens to start now and counts them as begun.
func (p *Pool[R]) startOpens(now time.Duration) int {
	n := p.shortfall()
	if n <= 0 {
		p.starved = false
		if p.wishes {
			p.wishes = false
			p.share.claim(0, 0)
		}
		return 0
	}
	parallel := p.config.OpenParallel
	if p.failures > 0 {
		parallel = 1 // a probe
		if now < p.retryAt {
			return 0
		}
	}
	n = min(n, parallel-p.opening)
	if n <= 0 {
		return 0
	}
	if n = min(n, p.ration(now)); n == 0 {
		p.wake(p.nextRation())
		return 0
	}
	got := p.share.claim(n, p.urgent())
	p.spend(got, now)
	p.starved, p.wishes = got < n, got < n
	p.opening += got
	p.tally.opens += uint64(got)
	return got
}

// openGap is the pause between opens that the rate asks for, 0 if there is no rate.
func (p *Pool[R]) openGap() time.Duration {
	if p.config.OpenRate == 0 {
		return 0
	}
	return time.Second / time.Duration(p.config.OpenRate)
}

// ration is how many opens the rate allows to start now: after a rest as many as may be in flight, then one each gap.
func (p *Pool[R]) ration(now time.Duration) int {
	gap := p.openGap()
	if gap == 0 {
		return p.config.OpenParallel
	}
	burst := time.Duration(p.config.OpenParallel) * gap
	ahead := max(0, p.openFrom-now)
	return int(max(0, burst-ahead) / gap)
}

// nextRation is when the rate allows one more.
func (p *Pool[R]) nextRation() time.Duration {
	return p.openFrom - time.Duration(p.config.OpenParallel-1)*p.openGap()
}

func (p *Pool[R]) spend(n int, now time.Duration) {
	p.openFrom = after(max(p.openFrom, now), time.Duration(n)*p.openGap())
}

// shortfall is how many more should be opened, whatever stands against it for now. Worn ones count as closed
// already, so that each is replaced before it goes; but there is never more than the ceiling.
func (p *Pool[R]) shortfall() int {
	if p.state >= emptying {
		return 0
	}
	have := p.open() + p.opening
	return min(p.need()-(have-p.worn), p.ceiling()-have)
}

// urgent is how many of the shortfall are for those who wait; for the rest other pools need not close
// anything.
func (p *Pool[R]) urgent() int {
	if p.state != active {
		return 0 // who waits for the end of a hold needs nothing before
	}
	demand := min(p.taken()+p.queue.total, p.limit())
	return min(p.queue.total, demand+p.config.Reserve-p.open()-p.opening)
}

// wakeForOpens makes Tick due when opens can be started that are not started now.
func (p *Pool[R]) wakeForOpens(now time.Duration) {
	if p.failures > 0 && p.opening == 0 && p.shortfall() > 0 {
		p.wake(max(now, p.retryAt))
	}
}

// Opened adds a resource the caller was told to open. If somebody waits for it, the grant is returned as by
// Release.
func (p *Pool[R]) Opened(v R, now time.Duration) (*Resource[R], Grant[R], bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened(v, p.epoch, now)
}

// OpenedIn is Opened for an open that was begun in the given [Pool.Epoch]: if it is not the present one any
// more, the resource is closing at once.
func (p *Pool[R]) OpenedIn(v R, epoch uint64, now time.Duration) (*Resource[R], Grant[R], bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened(v, epoch, now)
}

func (p *Pool[R]) opened(v R, epoch uint64, now time.Duration) (*Resource[R], Grant[R], bool) {
	now = p.advance(now)
	p.endOpen("opened")
	p.failures = 0
	r := &Resource[R]{
		Value: v, pool: p, epoch: epoch, opened: now, idled: now, taken: now,
		wear: p.random.Float64(), charged: true,
	}
	p.setLifetime(r)
	g, ok := p.settle(r, now)
	p.noteBarren(now)
	return r, g, ok
}

// settle makes a new resource one of the open ones, if it may stay, and finds its place.
func (p *Pool[R]) settle(r *Resource[R], now time.Duration) (Grant[R], bool) {
	if r.epoch != p.epoch || p.state >= emptying || p.open() >= p.ceiling() {
		reason, must := p.mustClose(r)
		if !must {
			reason = CloseSurplus
		}
		p.retire(r, reason)
		return Grant[R]{}, false
	}
	r.index = len(p.resources)
	p.resources = append(p.resources, r)
	p.rest(r, now)
	p.wake(now) // one more is open: idle ones may be too many now, and worn ones replaced
	if w, emergency := p.choose(p.taken(), now); w != nil {
		return p.hand(r, w, now, emergency), true
	}
	return Grant[R]{}, false
}

// OpenFailed ends an open that did not succeed. The next one is started by a Tick after a pause.
func (p *Pool[R]) OpenFailed(now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now = p.advance(now)
	p.endOpen("failed")
	p.share.free(1)
	p.share.resign()
	p.wishes = false
	p.tally.openFailures++
	if p.failures == 0 || now >= p.retryAt { // several in flight that fail together are one failure
		p.failures++
		p.retryAt = after(now, p.backOff())
	}
	p.noteBarren(now)
	p.wakeForOpens(now)
}

func (p *Pool[R]) endOpen(how string) {
	if p.opening == 0 {
		panic("bug: an open " + how + " that was never started")
	}
	p.opening--
}

// backOff doubles with every failure, and is jittered so that pools of one server do not knock together.
func (p *Pool[R]) backOff() time.Duration {
	d := p.config.RetryMin
	for i := 1; i < p.failures && d < p.config.RetryMax; i++ {
		d = after(d, d)
	}
	d = min(d, p.config.RetryMax)
	return d - time.Duration(p.random.Float64()*float64(d)/2)
}

// noteBarren follows whether nothing is open and nothing can be opened.
func (p *Pool[R]) noteBarren(now time.Duration) {
	barren := p.open() == 0 && p.failures > 0
	if barren && !p.barren {
		p.since = now
		p.wake(after(now, p.config.Grace))
	}
	p.barren = barren
}

// down is whether requests are refused because the server cannot be reached.
func (p *Pool[R]) down(now time.Duration) bool {
	return p.barren && p.state == active && now >= after(p.since, p.config.Grace)
}

// setLifetime gives r its time by the present config.
func (p *Pool[R]) setLifetime(r *Resource[R]) {
	r.worn, r.expires = false, Forever
	if p.config.Lifetime > 0 {
		jitter := p.config.LifetimeJitter * r.wear * float64(p.config.Lifetime)
		r.expires = after(r.opened, p.config.Lifetime-time.Duration(jitter))
	}
	p.nextWorn = min(p.nextWorn, r.expires)
	p.wake(r.expires)
}

func (p *Pool[R]) wearOut(r *Resource[R]) {
	r.worn = true
	p.worn++
	p.wake(p.now)
}

// Epoch is what Reconnect counts.
func (p *Pool[R]) Epoch() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.epoch
}

// Reconnect begins a new epoch: what is open is closed, if idle at once, if busy when it is released.
func (p *Pool[R]) Reconnect(now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(now)
	p.epoch++
	p.closeIdle(CloseReconnect)
	p.wake(p.now)
}

func (p *Pool[R]) closeIdle(reason CloseReason) {
	for r := p.idle.last; r != nil; r = p.idle.last {
		p.retire(r, reason)
	}
	p.noteBarren(p.now)
}
