package pool

import "time"

// Work is what the embedder must do for the pool. Reuse it: it keeps its memory.
type Work[R any] struct {
	Grants  []Grant[R]     // deliver to the owners, who Accept
	Refused []Refusal[R]   // deliver to the owners, who AcceptRefusal
	Close   []*Resource[R] // close: the pool has forgotten them
	Open    int            // start so many opens; each ends with Opened or OpenFailed
	Next    time.Duration  // when Tick must be called again at the latest: what Due returns now
}

func (work *Work[R]) reset() {
	clear(work.Grants)
	clear(work.Refused)
	clear(work.Close)
	work.Grants, work.Refused, work.Close = work.Grants[:0], work.Refused[:0], work.Close[:0]
	work.Open, work.Next = 0, Forever
}

// Tick does what time alone, or another thread, has made due. Calling it early is harmless.
func (p *Pool[R]) Tick(now time.Duration, work *Work[R]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tick(p.advance(now), work)
}

func (p *Pool[R]) tick(now time.Duration, work *Work[R]) {
	work.reset()
	p.share.silence() // before looking: a bell rung from here on counts for the next time
	p.refuseDue(now, work)
	p.wearOutDue(now)
	p.grantDue(now, work)
	p.closeDue(now)
	for r := p.nextClose(); r != nil; r = p.nextClose() {
		work.Close = append(work.Close, r)
	}
	work.Open = p.startOpens(now)
	p.due.Store(int64(p.nextDue(now)))
	work.Next = p.Due()
}

func (p *Pool[R]) refuseDue(now time.Duration, work *Work[R]) {
	for w := p.queue.expired(p.config.QueueTimeout, now); w != nil; {
		work.Refused = append(work.Refused, p.refuse(w, ReasonQueueTimeout, now))
		w = p.queue.expired(p.config.QueueTimeout, now)
	}
	switch {
	case p.state == closed:
		p.refuseLanes(allLanes, ReasonClosed, now, work)
	case p.down(now):
		p.refuseLanes(allLanes, ReasonDown, now, work)
	case p.shed != 0:
		p.refuseLanes(p.shed, ReasonShed, now, work)
	}
}

func (p *Pool[R]) refuseLanes(lanes laneSet, reason Reason, now time.Duration, work *Work[R]) {
	for l := range p.queue.lanes {
		if !lanes.has(Lane(l)) {
			continue
		}
		for w := p.queue.lanes[l].first; w != nil; w = p.queue.lanes[l].first {
			work.Refused = append(work.Refused, p.refuse(w, reason, now))
		}
	}
}

func (p *Pool[R]) wearOutDue(now time.Duration) {
	if now < p.nextWorn {
		return
	}
	p.nextWorn = Forever
	for _, r := range p.resources {
		switch {
		case r.worn:
		case now >= r.expires:
			p.wearOut(r)
		default:
			p.nextWorn = min(p.nextWorn, r.expires)
		}
	}
}

func (p *Pool[R]) grantDue(now time.Duration, work *Work[R]) {
	for r := p.idle.first; r != nil; r = p.idle.first {
		w, emergency := p.choose(p.taken(), now)
		if w == nil {
			return
		}
		work.Grants = append(work.Grants, p.hand(r, w, now, emergency))
	}
}

// closeDue closes idle resources that are too many, too old, or wished for by another pool.
func (p *Pool[R]) closeDue(now time.Duration) {
	for r := p.idle.last; r != nil && p.open() > p.ceiling(); r = p.idle.last {
		p.retire(r, CloseSurplus)
	}
	for now >= p.nextIdle() {
		p.retire(p.idle.last, CloseIdle)
	}
	if p.worn > 0 {
		p.closeWorn()
	}
	if p.queue.total == 0 {
		for range p.share.yield(min(p.count[idle], p.open()-p.config.Min)) {
			p.idle.last.charged = false
			p.retire(p.idle.last, CloseBudget)
		}
	}
	p.noteBarren(now)
}

func (p *Pool[R]) closeWorn() {
	for r := p.idle.last; r != nil; {
		prev := r.prev
		if r.worn && p.replaced() {
			p.retire(r, CloseLifetime)
			p.starved = false // it was the one in the way
		}
		r = prev
	}
}

// nextIdle is when an idle resource must be closed for being idle. The reserve is always idle, so what counts
// is the one that has been idle longest beside it: for so long nobody has needed more than the others.
func (p *Pool[R]) nextIdle() time.Duration {
	if p.config.IdleTimeout == 0 || p.open() <= p.need() || p.count[idle] <= p.config.Reserve {
		return Forever
	}
	r := p.idle.last
	for range p.config.Reserve {
		r = r.prev
	}
	return after(r.idled, p.config.IdleTimeout)
}

// budgetRetry is how often a pool looks for budget that it needs but nobody has to yield.
const budgetRetry = time.Second

// nextDue is when Tick has something to do by time alone. It is later than now.
func (p *Pool[R]) nextDue(now time.Duration) time.Duration {
	next := min(p.queue.nextExpiry(p.config.QueueTimeout), p.nextWorn, p.nextIdle())
	if p.state == active && p.queue.total > 0 && p.count[idle] > 0 {
		next = min(next, p.nextEmergency(now))
	}
	if p.state == active && p.queue.total > 0 && p.barren {
		next = min(next, after(p.since, p.config.Grace))
	}
	if p.shortfall() > 0 {
		switch {
		case p.failures > 0 && now < p.retryAt:
			next = min(next, p.retryAt)
		case p.starved:
			next = min(next, after(now, budgetRetry))
		case p.ration(now) == 0:
			next = min(next, p.nextRation())
		}
	}
	return next
}
