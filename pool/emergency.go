package pool

import "time"

// emergencies are the lanes whose first waiter may take from the reserve now, while so many are taken.
func (p *Pool[R]) emergencies(taken int, now time.Duration) laneSet {
	set := laneSet(0)
	if now < p.glass.until {
		set = p.glass.lanes
	}
	gap, ahead := p.gap(taken), 0
	for l := range p.queue.lanes {
		if p.emergencyAt(Lane(l), ahead, gap) <= now {
			set |= 1 << l
		}
		ahead += p.queue.waiting[l]
	}
	return set
}

// nextEmergency is when the first lane that may not take from the reserve yet will be allowed to, if nothing else
// happens until then.
func (p *Pool[R]) nextEmergency(now time.Duration) time.Duration {
	next := Forever
	gap, ahead := p.gap(p.taken()), 0
	for l := range p.queue.lanes {
		if t := p.emergencyAt(Lane(l), ahead, gap); t > now {
			next = min(next, t)
		}
		ahead += p.queue.waiting[l]
	}
	return next
}

// wakeForEmergency makes Tick due when somebody who waits may take what is idle from the reserve.
func (p *Pool[R]) wakeForEmergency(now time.Duration) {
	switch {
	case p.queue.total == 0 || p.count[idle] == 0:
	case p.emergencies(p.taken(), now) != 0:
		p.wake(now)
	default:
		p.wake(p.nextEmergency(now))
	}
}

// emergencyAt is when the first waiter of a lane may take from the reserve: when it, or the last one behind it, cannot
// be served in time otherwise. So many wait in the lanes above.
func (p *Pool[R]) emergencyAt(l Lane, ahead int, gap time.Duration) time.Duration {
	lane := &p.queue.lanes[l]
	if lane.first == nil || p.config.SLO[l] == Forever {
		return Forever
	}
	first := p.despair(ahead+1, after(lane.first.queued, p.config.SLO[l]), gap)
	if lane.first == lane.last {
		return first
	}
	return min(first, p.despair(ahead+p.queue.waiting[l], after(lane.last.queued, p.config.SLO[l]), gap))
}

// despair is the earliest time at which the n-th in the queue cannot hope any more to get an ordinary resource before
// its deadline. Hope is that one comes free each gap since the last one did; once one is overdue, that the next takes
// as long again as it has taken so far.
func (p *Pool[R]) despair(n int, deadline, gap time.Duration) time.Duration {
	before := time.Duration(min(float64(n-1)*float64(gap), float64(Forever/2)))
	slack := deadline - p.moved - before
	if slack < gap {
		return 0
	}
	return min(deadline, p.moved+max(gap, (slack+1)/2))
}

// gap is how long it takes on average until one of so many resources that are taken comes free.
func (p *Pool[R]) gap(taken int) time.Duration {
	return time.Duration(p.service / float64(max(taken, 1)))
}
