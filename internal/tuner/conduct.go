package tuner

import (
	"math"
	"time"
)

// conduct goes on with a trial.
func (d *decision) conduct() {
	t := &d.trial
	if why := d.forbidden(); why != "" {
		d.giveUp(why)
		return
	}
	trying := t.trying()
	if trying {
		d.spend()
	}
	if d.now-d.span < t.settle {
		return
	}
	full := d.seen.fills(d.limit(trying))
	d.curve.learn(d.seen, d.span, d.Memory, full)
	if !trying && !full {
		if t.loose += d.span; t.loose > loosePatience {
			d.pauses = min(d.pauses+1, pausesMost)
			d.giveUp(unfilled)
		}
		return
	}
	seen := count{d.span, float64(d.seen.Completed), d.seen.Held}
	paired := t.measure(seen, d.Size)
	if next := t.trying(); next != trying {
		d.settle(next)
	}
	if d.now-t.began > trialMost {
		d.pauses = min(d.pauses+1, pausesMost)
		d.giveUp("it took too long")
		return
	}
	if !paired {
		return
	}
	last := t.pairs == pairsMost || t.pairs >= pairsLeast && d.now-t.began >= d.patience()
	if v := t.judge(d.noise, d.allowed(), last); v != open {
		d.conclude(v)
	}
}

// patience is how long this trial may take: a third of what is left for the search, but long enough for some pairs.
func (d *decision) patience() time.Duration {
	return max(min(trialLeast, d.Longest), min(d.Longest, (d.Search-d.spent)/3))
}

// limit is the one that is in force.
func (d *decision) limit(trying bool) int {
	if trying {
		return d.trial.candidate
	}
	return d.Size
}

// spend counts what the candidate's limit costs.
func (d *decision) spend() {
	d.Cost.Away += d.span
	if d.trial.own.time > 0 {
		d.Cost.Lost += d.trial.own.rate()*d.span.Seconds() - float64(d.seen.Completed)
	}
}

// settle says from when on the limit that has just been changed is measured: not in the observation in which
// it is changed, and not before what goes on has ended.
func (d *decision) settle(trying bool) {
	wait := time.Duration(1)
	if d.seen.Completed > 0 {
		wait = max(wait, min(d.seen.Held/time.Duration(d.seen.Completed), blockMost/2))
	}
	if trying && d.trial.blocks == 1 && d.trial.candidate > d.Size {
		wait = max(wait, settleUp)
	}
	d.trial.settle = d.now + wait
}

// allowed is what the larger size must do more than the smaller one to be preferred, a logarithm: Rules.Tolerance for
// four times as many connections, and in proportion for fewer. What has been given up for a smaller size already is not
// given up again.
func (d *decision) allowed() float64 {
	tolerance := math.Log1p(d.Tolerance)
	allowed := tolerance * math.Abs(math.Log2(float64(d.trial.candidate)/float64(d.Size))) / 2
	if d.trial.candidate < d.Size {
		return max(0, min(allowed, tolerance-d.given))
	}
	return allowed
}

// conclude ends a trial with a verdict.
func (d *decision) conclude(v verdict) {
	t := &d.trial
	result := t.result(d.Size, d.noise)
	mean, _, variance := t.estimate(d.noise)
	d.noise = variance
	d.spent += d.now - t.began
	t.on, d.pauses = false, 0
	old, candidate := d.Size, t.candidate
	switch up := candidate > old; {
	case up && v == larger:
		d.floor, d.ceiling, d.Size, d.down, d.given = bound{old, candidate}, d.opened(d.ceiling), candidate, false, 0
	case !up && v == smaller:
		d.floor, d.ceiling, d.Size, d.down = d.opened(d.floor), bound{old, candidate}, candidate, true
		d.given += max(0, mean)
	case up:
		d.given = max(d.given, mean)
		if d.ceiling.size == 0 || candidate <= d.ceiling.size {
			d.ceiling = bound{candidate, old}
		}
	case candidate >= d.floor.size:
		d.floor = bound{candidate, old}
	}
	if d.Size == old {
		d.say(Stay, candidate, "%s", result)
	} else {
		d.level, d.Found = level{}, false
		d.say(Move, old, "%s", result)
	}
	d.next()
}

// opened is a bound of the search after a step towards it. If the step has reached it, it was wrong; if it is a check
// that has made the step, it comes from long ago: the search goes on.
func (d *decision) opened(b bound) bound {
	reached := (b.size < d.Size) != (b.size < d.trial.candidate) || b.size == d.trial.candidate
	if d.checking || reached {
		d.checking = false
		return bound{}
	}
	return b
}

// giveUp ends a trial without a verdict.
func (d *decision) giveUp(why string) {
	if !d.trial.on {
		return
	}
	d.trial.on, d.full, d.from, d.Why = false, 0, d.now+pause<<d.pauses, why
	if d.checking {
		d.foundAt, d.checking = d.now, false
	}
	d.say(GiveUp, d.trial.candidate, "%s", why)
}
