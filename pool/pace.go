package pool

import "time"

// paceWindow is how long a lane must have had waiters for its pace to say what it can do.
const paceWindow = time.Second

// pace is how often something has happened lately: in the second under way, and in the one before.
type pace struct {
	second       int64
	this, before float64
	since        time.Duration // since when there was no second without
}

func (c *pace) advance(now time.Duration) {
	second := int64(now / time.Second)
	switch second - c.second {
	case 0:
	case 1:
		c.before, c.this = c.this, 0
	default:
		c.before, c.this = 0, 0
	}
	c.second = second
}

func (c *pace) count(now time.Duration) {
	c.advance(now)
	if c.this+c.before == 0 {
		c.since = now
	}
	c.this++
}

// steady reports whether it has gone on for so long that its pace says what can be done.
func (c *pace) steady(now time.Duration) bool {
	c.advance(now)
	return c.this+c.before > 0 && now-c.since >= paceWindow
}

// perSecond weighs the second before by what of it lies within the last one. 0: nothing happened.
func (c *pace) perSecond(now time.Duration) float64 {
	c.advance(now)
	return c.this + c.before*(1-float64(now%time.Second)/float64(time.Second))
}
