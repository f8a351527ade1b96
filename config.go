package usher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	engine "github.com/usher-pg/usher/pool"
)

// What a zero field of [PoolConfig] means. Where zero has a meaning of its own, the field says so.
const (
	// DefaultMax is the proxy's size.max.
	DefaultMax = 20
	// DefaultIdleTimeout and DefaultLifetime are the proxy's timeouts.server_idle and server_lifetime, which
	// are PgBouncer's.
	DefaultIdleTimeout = 10 * time.Minute
	DefaultLifetime    = time.Hour
	// DefaultPingAfter is how long pgxpool trusts a connection that rests.
	DefaultPingAfter = time.Second
	// DefaultPingTimeout is long for a server that works and short for one that is gone.
	DefaultPingTimeout = 5 * time.Second
	// DefaultOpenTimeout leaves room for hooks and warm-up statements.
	DefaultOpenTimeout = time.Minute
	// DefaultCheckPeriod finds closed connections before most requests do. A look costs one system call for
	// each connection.
	DefaultCheckPeriod = time.Second
)

// Config is what [Open] needs to know.
type Config struct {
	// Pools by the name they are asked for.
	Pools map[string]PoolConfig
	// Budgets bounds what the pools of one database server have open together. The key is the server's
	// host:port as in the pools' connection strings (for a unix socket, its folder and the port). A pool that
	// names several hosts counts for the first. A server connection that is being closed does not count any
	// more.
	Budgets map[string]int
	// Logger gets what happens to server connections; nil: nobody. Failures to open one are warnings, the rest
	// is for debugging.
	Logger *slog.Logger
}

// PoolConfig describes one pool.
type PoolConfig struct {
	// ConnString says where and how to connect, in any form [pgx.ParseConfig] reads.
	ConnString string
	// ConnConfig is used instead, if it is set. It must come from [pgx.ParseConfig].
	ConnConfig *pgx.ConnConfig

	// Min is how many server connections are kept open always; of a budget they are guaranteed.
	Min int
	// Max is how many may be busy with ordinary requests. 0: DefaultMax.
	Max int
	// Reserve is how many more are kept open for emergencies.
	Reserve int
	// MinIdle keeps so many idle beside those in use, as far as Max allows. It is looked at every CheckPeriod.
	MinIdle int

	// SLO is how long a request of the lane waits at most before it may take from the reserve. 0: it has no claim
	// on it, except critical, whose 0 means 10 ms (pool.DefaultSLO). Negative: none, whatever the lane.
	SLO [Lanes]time.Duration
	// QueueTimeout refuses a request that has waited for so long. 0: its context alone bounds it.
	QueueTimeout time.Duration
	// QueueLimit is how many requests may wait in a lane. 0: pool.DefaultQueueLimit.
	QueueLimit [Lanes]int
	// Ageing is how much longer a request must have waited to be equal to one of the lane above. 0:
	// pool.DefaultAgeing. It lifts up to high, never into critical.
	Ageing time.Duration
	// RefuseHopeless refuses a request at once if it is expected to wait beyond its context's deadline or
	// QueueTimeout.
	RefuseHopeless bool

	// IdleTimeout closes what has been idle for so long and is not needed. 0: DefaultIdleTimeout. Negative:
	// never.
	IdleTimeout time.Duration
	// Lifetime is the age at which a server connection is replaced. 0: DefaultLifetime. Negative: never.
	Lifetime time.Duration
	// LifetimeJitter is the part of Lifetime, 0 to 1, by which that of one server connection may be shorter.
	// 0: pool.DefaultLifetimeJitter. Negative: none.
	LifetimeJitter float64

	// Warm is the part of the server connections, 0 to pool.MaxWarm, that should be free: more are opened when
	// fewer are, so that growth is ahead of demand.
	Warm float64
	// OpenParallel is how many may be opened at the same time. 0: pool.DefaultOpenParallel.
	OpenParallel int
	// OpenRate is how many may be opened per second in the long run. 0: as many as OpenParallel lets.
	OpenRate int
	// OpenTimeout bounds opening one, with hooks and warm-up. 0: DefaultOpenTimeout.
	OpenTimeout time.Duration
	// RetryMin and RetryMax bound the pause after a failure to open one; it doubles from one to the other.
	// 0: pool.DefaultRetryMin and pool.DefaultRetryMax.
	RetryMin, RetryMax time.Duration
	// Grace is how long requests wait while nothing is open and nothing can be opened, before they are refused
	// with ErrDown. 0: pool.DefaultGrace.
	Grace time.Duration

	// PingAfter is how long a server connection may rest before it is pinged when it is acquired. 0:
	// DefaultPingAfter. Negative: never. One that the server has closed is found without a ping.
	PingAfter time.Duration
	// PingTimeout bounds such a ping. 0: DefaultPingTimeout.
	PingTimeout time.Duration
	// CheckPeriod is how often idle server connections are looked at. 0: DefaultCheckPeriod.
	CheckPeriod time.Duration

	// WarmUp are statements that each new server connection executes before it is given out.
	WarmUp []string

	// BeforeConnect may change the copy of ConnConfig that a new server connection is opened with.
	BeforeConnect func(context.Context, *pgx.ConnConfig) error
	// AfterConnect is called with a new server connection, before WarmUp.
	AfterConnect func(context.Context, *pgx.Conn) error
	// ShouldPing replaces PingAfter: it says whether to ping before a server connection that has been idle for
	// so long is given out.
	ShouldPing func(ctx context.Context, conn *pgx.Conn, idle time.Duration) bool
	// PrepareConn is called before a server connection is given out. false closes it, and the request goes on
	// with another one unless there is also an error, which ends it. true with an error gives it back and ends
	// the request.
	PrepareConn func(context.Context, *pgx.Conn) (bool, error)
	// AfterRelease is called, on a goroutine of its own, with a server connection that has been given back.
	// false closes it.
	AfterRelease func(*pgx.Conn) bool
	// BeforeClose is called before a server connection is closed.
	BeforeClose func(*pgx.Conn)
}

// normal is c with its defaults in place, ConnConfig parsed or copied.
func (c PoolConfig) normal() (PoolConfig, error) {
	switch {
	case c.ConnConfig != nil && c.ConnString != "":
		return c, errors.New("both ConnString and ConnConfig are set")
	case c.ConnConfig != nil:
		c.ConnConfig = c.ConnConfig.Copy()
	case c.ConnString != "":
		parsed, err := pgx.ParseConfig(c.ConnString)
		if err != nil {
			return c, fmt.Errorf("parse ConnString: %w", err) // pgx leaves the password out
		}
		c.ConnConfig = parsed
	default:
		return c, errors.New("neither ConnString nor ConnConfig is set")
	}
	c.Max = orDefault(c.Max, DefaultMax)
	c.IdleTimeout = max(0, orDefault(c.IdleTimeout, DefaultIdleTimeout))
	c.Lifetime = max(0, orDefault(c.Lifetime, DefaultLifetime))
	c.OpenTimeout = orDefault(c.OpenTimeout, DefaultOpenTimeout)
	c.PingTimeout = orDefault(c.PingTimeout, DefaultPingTimeout)
	c.CheckPeriod = orDefault(c.CheckPeriod, DefaultCheckPeriod)
	c.PingAfter = orDefault(c.PingAfter, DefaultPingAfter)
	if c.PingAfter < 0 {
		c.PingAfter = engine.Forever
	}
	switch {
	case c.MinIdle < 0:
		return c, fmt.Errorf("MinIdle %d must not be negative", c.MinIdle)
	case c.OpenTimeout < 0 || c.PingTimeout < 0 || c.CheckPeriod < 0:
		return c, fmt.Errorf("OpenTimeout %v, PingTimeout %v and CheckPeriod %v must not be negative",
			c.OpenTimeout, c.PingTimeout, c.CheckPeriod)
	}
	return c, c.engine().Validate()
}

// engine is what of c the engine decides by.
func (c PoolConfig) engine() engine.Config {
	return engine.Config{
		Min: c.Min, Max: c.Max, Reserve: c.Reserve,
		SLO: c.SLO, QueueTimeout: c.QueueTimeout, QueueLimit: c.QueueLimit, Ageing: c.Ageing,
		RefuseHopeless: c.RefuseHopeless,
		IdleTimeout:    c.IdleTimeout, Lifetime: c.Lifetime, LifetimeJitter: c.LifetimeJitter,
		Warm: c.Warm, OpenParallel: c.OpenParallel, OpenRate: c.OpenRate,
		RetryMin: c.RetryMin, RetryMax: c.RetryMax, Grace: c.Grace,
		Seed: rand.Uint64(),
	}
}

// server is the key of c's budget.
func (c PoolConfig) server() string {
	return net.JoinHostPort(c.ConnConfig.Host, strconv.Itoa(int(c.ConnConfig.Port)))
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// checkBudgets says what about the budgets cannot be.
func checkBudgets(budgets map[string]int, pools map[string]PoolConfig) error {
	for server, most := range budgets {
		least, users := 0, 0
		for _, c := range pools {
			if c.server() == server {
				users++
				least += c.Min
			}
		}
		switch {
		case users == 0:
			return fmt.Errorf("budget of %q: no pool connects to this server", server)
		case most < 1:
			return fmt.Errorf("budget of %q: %d must be at least 1", server, most)
		case least > most:
			return fmt.Errorf("budget of %q: %d is less than the Min of its pools together, %d", server, most, least)
		}
	}
	return nil
}
