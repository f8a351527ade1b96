package pool

import "time"

// Overdue looks at a lane whose waiters may take from the reserve: whether any wait, and whether one has waited for the
// lane's SLO and there is nothing it could take, open or about to be. Only somebody who has a resource can help it
// then.
func (p *Pool[R]) Overdue(lane Lane, now time.Duration) (waiting, overdue bool) {
	checkLane(lane)
	p.mu.Lock()
	defer p.mu.Unlock()
	now = p.advance(now)
	w := p.queue.lanes[lane].first
	if w == nil {
		return false, false
	}
	full := p.taken() >= p.limit()+p.config.Reserve
	empty := p.count[idle] == 0 && p.opening == 0
	return true, p.state == active && (full || empty) && now >= after(w.queued, p.config.SLO[lane])
}
