package brain

import (
	"context"
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/history"
)

// decideEvery is how often targets are decided on. An emergency does not wait for it.
const decideEvery = 5 * time.Second

// leastPassed is the least time between two looks that is reckoned with: after a stall one may follow at once.
const leastPassed = time.Millisecond

// observe looks at the pools, until ctx ends.
func (b *Brain) observe(ctx context.Context) error {
	ticker := time.NewTicker(b.options.Clock.Step)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			b.leave()
			return nil
		case <-ticker.C:
			begun := time.Now() // ticks are late on a busy machine
			b.passed, last = max(begun.Sub(last), leastPassed), begun
			b.look(b.options.Clock.Now())
		}
	}
}

// look is a step: it samples every pool and decides what is due.
func (b *Brain) look(now time.Time) {
	pools := b.options.Pools()
	b.meet(pools)
	houses := map[string][]*charge{}
	for _, p := range pools {
		c := b.charges[p.Name]
		s := c.look()
		b.record(c, record(s), now)
		houses[p.Server] = append(houses[p.Server], c)
	}
	for server, charges := range houses {
		b.house(server).step(charges, now)
	}
	b.show()
}

// meet begins with pools that are new, and leaves those that are gone.
func (b *Brain) meet(pools []Pool) {
	there := make(map[string]bool, len(pools))
	for _, p := range pools {
		there[p.Name] = true
		c := b.charges[p.Name]
		switch {
		case c == nil:
			b.charges[p.Name] = newCharge(p)
			b.wake()
		case c.Engine != p.Engine: // made anew
			again := newCharge(p)
			again.load, again.changes = c.load, c.changes
			b.charges[p.Name] = again
		default:
			c.Pool = p
		}
	}
	for name := range b.charges {
		if !there[name] {
			if bucket, ok := b.recorder.Forget(name); ok {
				b.keep(name, []history.Bucket{bucket})
			}
			delete(b.charges, name)
		}
	}
	for server := range b.houses {
		if !slices.ContainsFunc(pools, func(p Pool) bool { return p.Server == server }) {
			delete(b.houses, server)
		}
	}
}

// record writes a sample down.
func (b *Brain) record(c *charge, s history.Sample, now time.Time) {
	finished, err := b.recorder.Observe(c.Name, s, now)
	if err != nil && !c.unrecorded {
		b.log.Error("samples not recorded", "pool", c.Name, "error", err)
	}
	if c.unrecorded = err != nil; err != nil {
		return
	}
	if len(finished) == 0 {
		return
	}
	for _, bucket := range finished {
		c.learn(bucket)
	}
	b.keep(c.Name, finished)
	signal(b.routine)
}

// leave keeps what is not finished.
func (b *Brain) leave() {
	for _, name := range b.recorder.Pools() {
		if bucket, ok := b.recorder.Forget(name); ok {
			b.keep(name, []history.Bucket{bucket})
		}
	}
}
