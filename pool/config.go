package pool

import (
	"fmt"
	"math"
	"time"
)

// What a zero field of [Config] means.
const (
	// DefaultSLO is how long a critical waiter waits before it may take from the reserve: usher's promise of
	// a connection in 10 ms.
	DefaultSLO = 10 * time.Millisecond
	// DefaultQueueLimit bounds the waiters of one lane. Each waiter is a connected client, so this only has
	// to be above the number of clients a node can seat and below what would exhaust memory.
	DefaultQueueLimit = 100_000
	// DefaultAgeing is well above any wait within capacity: ageing matters in overload only.
	DefaultAgeing = 5 * time.Second
	// DefaultLifetimeJitter spreads the ends of lifetimes that began together over a fifth of the lifetime.
	DefaultLifetimeJitter = 0.2
	// DefaultOpenParallel is bounded by the server, which forks and authenticates for each: 16 keep two cores
	// busy.
	DefaultOpenParallel = 16
	// DefaultRetryMin and DefaultRetryMax bound the back-off after a failed open. A restarting PostgreSQL is
	// back within seconds; a longer pause would be felt as an outage of its own.
	DefaultRetryMin = 100 * time.Millisecond
	DefaultRetryMax = 5 * time.Second
	// DefaultGrace lets requests wait through a restart of the server.
	DefaultGrace = 5 * time.Second
)

// MaxWarm bounds Config.Warm: beyond, a pool would hold ten times what it needs.
const MaxWarm = 0.9

// MaxOpen bounds Max + Reserve, so that no arithmetic on sizes overflows. PostgreSQL's own limit of
// max_connections is MAX_BACKENDS, 2^18 - 1 (postmaster.h).
const MaxOpen = 1<<18 - 1

// Forever is a time that never comes: what Due returns when nothing is due.
const Forever = time.Duration(math.MaxInt64)

// Config is what an operator decides about a pool. [Pool.SetConfig] changes it at run time.
type Config struct {
	// Min is how many resources are kept open always; of a [Budget] they are guaranteed.
	Min int
	// Max is how many may be busy with ordinary requests.
	Max int
	// Reserve is how many more are kept open for emergencies.
	Reserve int

	// SLO is how long a waiter of the lane waits at most before it may take from the reserve. 0: the lane has
	// no claim on the reserve, except critical, whose 0 means DefaultSLO. Negative: none, whatever the lane.
	SLO [Lanes]time.Duration

	// QueueTimeout refuses a waiter without a deadline of its own. 0: none.
	QueueTimeout time.Duration
	// QueueLimit is how many may wait in a lane. 0: DefaultQueueLimit.
	QueueLimit [Lanes]int
	// Ageing is how much longer a waiter must have waited to be equal to one of the lane above. 0:
	// DefaultAgeing. It lifts up to high, never into critical.
	Ageing time.Duration
	// RefuseHopeless refuses a request at once if its expected wait exceeds its deadline.
	RefuseHopeless bool

	// IdleTimeout closes what has been idle for so long beyond the target and the reserve. 0: never.
	IdleTimeout time.Duration
	// Lifetime is the age at which a resource is replaced. 0: never.
	Lifetime time.Duration
	// LifetimeJitter is the part of Lifetime, 0 to 1, by which a resource's own may be shorter.
	// 0: DefaultLifetimeJitter. Negative: none.
	LifetimeJitter float64

	// Warm is the part of the resources, 0 to MaxWarm, that should be free: more are opened when fewer are, so
	// that growth is ahead of demand. It is rounded down, so a small pool opens none in vain.
	Warm float64

	// OpenParallel is how many opens may be in flight. 0: DefaultOpenParallel.
	OpenParallel int
	// OpenRate is how many opens may be started per second in the long run; OpenParallel of them may be started at
	// once after a rest. 0: as many as OpenParallel lets.
	OpenRate int
	// RetryMin and RetryMax bound the back-off after a failed open; it doubles from one to the other.
	RetryMin, RetryMax time.Duration
	// Grace is how long requests wait while nothing is open and nothing can be opened. 0: DefaultGrace.
	Grace time.Duration

	// Seed makes the jitter. Give each pool its own.
	Seed uint64
}

// Validate says what about c cannot be.
func (c Config) Validate() error {
	switch {
	case c.Min < 0 || c.Reserve < 0:
		return fmt.Errorf("min %d and reserve %d must not be negative", c.Min, c.Reserve)
	case c.Max < 1:
		return fmt.Errorf("max %d must be at least 1", c.Max)
	case c.Min > c.Max:
		return fmt.Errorf("min %d must not exceed max %d", c.Min, c.Max)
	case c.Max > MaxOpen || c.Reserve > MaxOpen || c.Max+c.Reserve > MaxOpen:
		return fmt.Errorf("max %d and reserve %d must not exceed %d together", c.Max, c.Reserve, MaxOpen)
	case c.LifetimeJitter > 1 || math.IsNaN(c.LifetimeJitter):
		return fmt.Errorf("lifetime jitter %v must not exceed 1", c.LifetimeJitter)
	case !(c.Warm >= 0 && c.Warm <= MaxWarm):
		return fmt.Errorf("warm part %v must be 0 to %v", c.Warm, MaxWarm)
	case c.OpenParallel < 0 || c.OpenRate < 0:
		return fmt.Errorf("parallel opens %d and opens per second %d must not be negative", c.OpenParallel, c.OpenRate)
	}
	times := []struct {
		name  string
		value time.Duration
	}{
		{"queue timeout", c.QueueTimeout}, {"ageing", c.Ageing}, {"idle timeout", c.IdleTimeout},
		{"lifetime", c.Lifetime}, {"shortest retry", c.RetryMin}, {"longest retry", c.RetryMax},
		{"grace", c.Grace},
	}
	for _, t := range times {
		if t.value < 0 {
			return fmt.Errorf("%s %v must not be negative", t.name, t.value)
		}
	}
	for l, limit := range c.QueueLimit {
		if limit < 0 {
			return fmt.Errorf("queue limit %d of lane %v must not be negative", limit, Lane(l))
		}
	}
	return nil
}

// normal is c with its defaults in place. A lane without SLO has Forever.
func (c Config) normal() Config {
	if err := c.Validate(); err != nil {
		panic("bug: pool config: " + err.Error())
	}
	for l := range c.SLO {
		if c.SLO[l] == 0 && Lane(l) == Critical {
			c.SLO[l] = DefaultSLO
		} else if c.SLO[l] <= 0 {
			c.SLO[l] = Forever
		}
		c.QueueLimit[l] = orDefault(c.QueueLimit[l], DefaultQueueLimit)
	}
	c.Ageing = orDefault(c.Ageing, DefaultAgeing)
	c.LifetimeJitter = max(0, orDefault(c.LifetimeJitter, DefaultLifetimeJitter))
	c.OpenParallel = orDefault(c.OpenParallel, DefaultOpenParallel)
	c.RetryMin = orDefault(c.RetryMin, DefaultRetryMin)
	c.RetryMax = max(c.RetryMin, orDefault(c.RetryMax, DefaultRetryMax))
	c.Grace = orDefault(c.Grace, DefaultGrace)
	return c
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// after is t + d without overflow; d may be Forever.
func after(t, d time.Duration) time.Duration {
	if d >= Forever-t {
		return Forever
	}
	return t + d
}
