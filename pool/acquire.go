package pool

import "time"

// Outcome is what became of a request.
type Outcome[R any] struct {
	// Resource is the requester's now, until it releases or discards it.
	Resource *Resource[R]
	// Queued: a Grant or a Refusal will come, from any call that returns such, unless the waiter is
	// cancelled.
	Queued bool
	// Err is why the request is refused.
	Err error
	// Open is how many opens the caller must start now.
	Open int
	// Wait is how long a request that is refused would have waited; 0 if nothing is known. For one that waits,
	// ask ExpectedWait.
	Wait time.Duration
}

// Grant is a resource on its way to the owner of a waiter. [Pool.Accept] takes delivery.
type Grant[R any] struct {
	Waiter   *Waiter[R]
	Resource *Resource[R]
	seq      uint64
}

// Acquire takes a resource at once, or queues w, or refuses. since is when the request was read: from there
// its acquisition is measured.
func (p *Pool[R]) Acquire(w *Waiter[R], lane Lane, since, now time.Duration) Outcome[R] {
	checkLane(lane)
	p.lock(w.Direct)
	defer p.mu.Unlock()
	if w.place != outside {
		panic("bug: acquire with a waiter that is " + w.place.String())
	}
	now = p.advance(now)
	p.tally.lanes[lane].arrived++
	w.pool, w.lane, w.since, w.seq = p, lane, since, 0
	if p.state == active && p.queue.total == 0 && !p.shed.has(lane) {
		if r := p.idle.first; r != nil && p.taken() < p.ordinary() {
			p.take(r, w, now, false)
			p.move(r, busy)
			return Outcome[R]{Resource: r}
		}
	}
	return p.queueUp(w, now)
}

// queueUp is Acquire beyond the fast path. Even so w may be served at once: from the reserve, or because
// those before it have no claim on what is idle.
func (p *Pool[R]) queueUp(w *Waiter[R], now time.Duration) Outcome[R] {
	if reason, refuse := p.judge(w, now); refuse {
		p.tally.refusal(reason, w.lane)
		return Outcome[R]{Err: reason.Err(), Wait: p.expectedWait(w.lane, now)}
	}
	p.orders++
	w.order, w.queued, w.deadline = p.orders, now, w.Deadline
	p.queue.insert(w)
	if r := p.idle.first; r != nil {
		if best, emergency := p.choose(p.taken(), now); best == w {
			p.queue.remove(w, outside)
			p.take(r, w, now, emergency)
			p.move(r, busy)
			return Outcome[R]{Resource: r}
		}
	}
	p.wakeFor(w, now)
	return Outcome[R]{Queued: true, Open: p.startOpens(now)}
}

// judge is admission: whether w may not even queue.
func (p *Pool[R]) judge(w *Waiter[R], now time.Duration) (Reason, bool) {
	switch {
	case p.state == closed:
		return ReasonClosed, true
	case p.shed.has(w.lane):
		return ReasonShed, true
	case p.down(now):
		return ReasonDown, true
	case p.queue.waiting[w.lane] >= p.config.QueueLimit[w.lane]:
		return ReasonQueueFull, true
	case p.config.RefuseHopeless && p.state == active:
		return ReasonHopeless, p.hopeless(w, now)
	}
	return 0, false
}

func (p *Pool[R]) hopeless(w *Waiter[R], now time.Duration) bool {
	deadline := w.Deadline
	if deadline == 0 && p.config.QueueTimeout > 0 {
		deadline = after(now, p.config.QueueTimeout)
	}
	if deadline == 0 {
		return false
	}
	wait := p.expectedWait(w.lane, now)
	return wait > 0 && after(now, wait) > deadline
}

// ExpectedWait is how long a request that comes now would wait in the lane, as far as the past tells. 0: nothing is
// known.
func (p *Pool[R]) ExpectedWait(lane Lane, now time.Duration) time.Duration {
	checkLane(lane)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.expectedWait(lane, p.advance(now))
}

// expectedWait is how long the next one to queue in the lane will wait if all goes on as it did: until those before
// it and itself have been served. 0: nothing is known. Two guesses are made of how long that takes: each holds a
// resource for the average time on all that ordinary requests may have, and they are served as fast as others have
// been in the last second or two. The shorter one counts: a few that were held for long, or a stall just now, must not
// make anybody despair. Ageing is left out; but a lane that has had waiters for so long that its own pace is known is
// not expected to go faster than that: higher lanes may leave it little.
func (p *Pool[R]) expectedWait(lane Lane, now time.Duration) time.Duration {
	ahead := 1
	for l := Lane(0); l <= lane; l++ {
		ahead += p.queue.waiting[l]
	}
	wait := time.Duration(0)
	if !p.rested(now) {
		wait = time.Duration(p.service * float64(ahead) / float64(p.attainable()))
	}
	if rate := p.pace.perSecond(now); rate > 0 {
		wait = min(wait, time.Duration(float64(ahead)/rate*float64(time.Second)))
	}
	wait = max(wait, p.waitByLane(lane, now))
	if slo := p.config.SLO[lane]; wait > slo && p.reserveFree() > 0 {
		return slo
	}
	return wait
}

// attainable is how many ordinary requests may have as soon as they are open. Unless something keeps the pool from
// opening more, that takes no time to speak of.
func (p *Pool[R]) attainable() int {
	if p.failures > 0 || p.starved {
		return p.ordinary()
	}
	return p.limit()
}

// rested reports whether nothing has come free for so long that how long resources were held before says nothing about
// those who come now.
func (p *Pool[R]) rested(now time.Duration) bool {
	rest := float64(now - p.freed)
	return rest > float64(2*paceWindow) && rest > p.service
}

// waitByLane is how long the next one to queue in a lane will wait if the lane goes on at its own pace. 0: that is not
// known, for nobody has waited in it for long, or the pool as a whole has not served for long. If nobody of the lane
// was served lately, no more is known than that the first of it still waits.
func (p *Pool[R]) waitByLane(lane Lane, now time.Duration) time.Duration {
	first := p.queue.lanes[lane].first
	if first == nil || now-first.queued < paceWindow || !p.pace.steady(now) {
		return 0
	}
	rate := p.paces[lane].perSecond(now)
	if rate == 0 {
		return now - first.queued
	}
	return time.Duration(float64(p.queue.waiting[lane]+1) / rate * float64(time.Second))
}

// wakeFor makes Tick due when something may have to be done for w, which has just been queued.
func (p *Pool[R]) wakeFor(w *Waiter[R], now time.Duration) {
	if w.deadline != 0 {
		p.wake(w.deadline)
	} else if p.config.QueueTimeout > 0 {
		p.wake(after(w.queued, p.config.QueueTimeout))
	}
	p.wakeForEmergency(now) // those below it will wait longer, too
	if p.barren {
		p.wake(after(p.since, p.config.Grace))
	}
	if p.failures > 0 {
		p.wake(p.retryAt)
	}
}

// choose is who gets a resource that is free while so many others are taken, and whether it is an emergency.
func (p *Pool[R]) choose(taken int, now time.Duration) (w *Waiter[R], emergency bool) {
	if p.state != active || p.queue.total == 0 {
		return nil, false
	}
	if taken < p.ordinary() {
		return p.queue.best(allLanes, p.config.Ageing), false
	}
	if taken >= p.limit()+p.config.Reserve {
		return nil, false
	}
	return p.queue.best(p.emergencies(taken, now), p.config.Ageing), true
}

// take notes that r is w's. The caller moves r.
func (p *Pool[R]) take(r *Resource[R], w *Waiter[R], now time.Duration, emergency bool) {
	r.taken, r.direct = now, w.Direct
	r.uses++
	p.tally.lanes[w.lane].granted++
	if emergency {
		p.tally.lanes[w.lane].emergencies++
	} else {
		p.moved = now
	}
	p.tally.lanes[w.lane].acquisition.Record(now - w.since)
}

// hand gives r, wherever it is, to a queued waiter.
func (p *Pool[R]) hand(r *Resource[R], w *Waiter[R], now time.Duration, emergency bool) Grant[R] {
	p.tally.lanes[w.lane].waited++
	p.paces[w.lane].count(now)
	if w.Direct {
		p.queue.remove(w, outside)
		p.take(r, w, now, emergency)
		if r.place != busy {
			p.move(r, busy)
		}
		return Grant[R]{Waiter: w, Resource: r}
	}
	p.queue.remove(w, granted)
	p.take(r, w, now, emergency)
	p.move(r, handed)
	p.seqs++
	w.seq, w.resource, r.waiter = p.seqs, r, w
	return Grant[R]{Waiter: w, Resource: r, seq: w.seq}
}

// Accept is called by the owner of the waiter when a grant arrives. If it is false, the waiter was cancelled
// meanwhile, or the resource broke: ignore the grant.
func (p *Pool[R]) Accept(g Grant[R]) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := g.Waiter
	if w.pool != p || w.place != granted || w.seq != g.seq {
		return false
	}
	p.deliver(w)
	return true
}

// AcceptRefusal is Accept for a refusal. If it is false, the waiter was cancelled or used again meanwhile:
// ignore it.
func (p *Pool[R]) AcceptRefusal(r Refusal[R]) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := r.Waiter
	if w.pool != p || w.place != outside || w.seq != r.seq {
		return false
	}
	w.seq = 0
	return true
}

// Cancel ends a request. If it had been granted but not accepted, the resource is returned and is the
// caller's now, who releases it. Grants and refusals under way for w become stale. Cancelling a waiter that
// does not wait in this pool does nothing.
func (p *Pool[R]) Cancel(w *Waiter[R], now time.Duration) *Resource[R] {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.pool != p {
		return nil // its place is not ours to read
	}
	p.advance(now)
	switch w.place {
	case queued:
		p.leave(w)
	case granted:
		p.tally.unclaimed++
		return p.deliver(w)
	}
	w.seq = 0
	return nil
}

// Withdraw ends the request of a waiter with Direct set, if it still waits. If not, a grant or a refusal is on
// its way: the owner must take it, and release what it does not need any more.
func (p *Pool[R]) Withdraw(w *Waiter[R], now time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.pool != p || !w.Direct {
		panic("bug: withdrawal of a waiter that is not direct or another pool's")
	}
	p.advance(now)
	if w.place != queued {
		return false
	}
	p.leave(w)
	return true
}

// leave takes a waiter whose request has been cancelled out of the queue.
func (p *Pool[R]) leave(w *Waiter[R]) {
	p.queue.remove(w, outside)
	p.tally.lanes[w.lane].cancelled++
	if p.starved {
		p.wake(p.now) // others need not yield for it any more
	}
}

func (p *Pool[R]) deliver(w *Waiter[R]) *Resource[R] {
	r := w.resource
	w.become(outside)
	w.seq, w.resource, r.waiter = 0, nil, nil
	p.move(r, busy)
	return r
}

// refuse takes a queued waiter out and returns the news for its owner.
func (p *Pool[R]) refuse(w *Waiter[R], reason Reason, now time.Duration) Refusal[R] {
	p.queue.remove(w, outside)
	p.tally.refusal(reason, w.lane)
	p.seqs++
	w.seq = p.seqs
	return Refusal[R]{Waiter: w, Err: reason.Err(), Waited: now - w.queued, seq: w.seq}
}
