package pgxpool

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	upstream "github.com/jackc/pgx/v5/pgxpool"

	"github.com/usher-pg/usher"
)

// ShouldPingParams is what Config.ShouldPing is asked about.
type ShouldPingParams = upstream.ShouldPingParams

// Config describes a pool. [ParseConfig] makes one, which then may be changed. Fields mean what they mean in
// pgx's package unless they say otherwise.
type Config struct {
	ConnConfig *pgx.ConnConfig

	BeforeConnect func(context.Context, *pgx.ConnConfig) error
	AfterConnect  func(context.Context, *pgx.Conn) error
	// BeforeAcquire is PrepareConn without an error, and not called if there is a PrepareConn.
	BeforeAcquire func(context.Context, *pgx.Conn) bool
	PrepareConn   func(context.Context, *pgx.Conn) (bool, error)
	AfterRelease  func(*pgx.Conn) bool
	BeforeClose   func(*pgx.Conn)
	ShouldPing    func(context.Context, ShouldPingParams) bool

	MaxConnLifetime       time.Duration
	MaxConnLifetimeJitter time.Duration
	MaxConnIdleTime       time.Duration
	// PingTimeout of 0 is a minute.
	PingTimeout time.Duration

	// MaxConns does not count the reserve that Tune may ask for.
	MaxConns          int32
	MinConns          int32
	MinIdleConns      int32
	HealthCheckPeriod time.Duration

	// Lane of requests whose context has none. ParseConfig sets Normal.
	Lane usher.Lane
	// Tune may change what the fields above come to, and set what they have no word for.
	Tune func(*usher.PoolConfig)

	parsed bool
}

// ParseConfig reads a connection string with pgx's pool_… variables.
func ParseConfig(connString string) (*Config, error) {
	c, err := upstream.ParseConfig(connString)
	if err != nil {
		return nil, err
	}
	return &Config{
		ConnConfig:      c.ConnConfig,
		MaxConnLifetime: c.MaxConnLifetime, MaxConnLifetimeJitter: c.MaxConnLifetimeJitter,
		MaxConnIdleTime: c.MaxConnIdleTime, PingTimeout: c.PingTimeout,
		MaxConns: c.MaxConns, MinConns: c.MinConns, MinIdleConns: c.MinIdleConns,
		HealthCheckPeriod: c.HealthCheckPeriod,
		Lane:              usher.Normal, parsed: true,
	}, nil
}

// Copy is deep, but for the TLS configuration.
func (c *Config) Copy() *Config {
	copied := *c
	copied.ConnConfig = c.ConnConfig.Copy()
	return &copied
}

// ConnString is what was parsed.
func (c *Config) ConnString() string { return c.ConnConfig.ConnString() }

// longestPing is pgxpool's bound for a ping whose caller has left.
const longestPing = time.Minute

// usher is what c comes to.
func (c *Config) usher() (usher.PoolConfig, error) {
	if !c.parsed {
		return usher.PoolConfig{}, errors.New("the config must be made by ParseConfig")
	}
	pc := usher.PoolConfig{
		ConnConfig: c.ConnConfig,
		Min:        int(min(c.MinConns, c.MaxConns)), Max: int(c.MaxConns), MinIdle: int(c.MinIdleConns),
		IdleTimeout: max(c.MaxConnIdleTime, 1),
		Lifetime:    -1, LifetimeJitter: -1,
		// A request that opens a connection in vain hears of it, as in pgxpool, instead of waiting for a server
		// that may come back.
		Grace:       1,
		PingTimeout: c.PingTimeout, CheckPeriod: c.HealthCheckPeriod,
		BeforeConnect: c.BeforeConnect, AfterConnect: c.AfterConnect, PrepareConn: c.PrepareConn,
		AfterRelease: c.AfterRelease, BeforeClose: c.BeforeClose,
	}
	if pc.PingTimeout <= 0 {
		pc.PingTimeout = longestPing
	}
	if c.MaxConnLifetime > 0 {
		// pgxpool's jitter makes lifetimes longer, the engine's makes them shorter.
		pc.Lifetime = c.MaxConnLifetime + max(0, c.MaxConnLifetimeJitter)
		if c.MaxConnLifetimeJitter > 0 {
			pc.LifetimeJitter = float64(c.MaxConnLifetimeJitter) / float64(pc.Lifetime)
		}
	}
	if before := c.BeforeAcquire; before != nil && pc.PrepareConn == nil {
		pc.PrepareConn = func(ctx context.Context, conn *pgx.Conn) (bool, error) { return before(ctx, conn), nil }
	}
	if should := c.ShouldPing; should != nil {
		pc.ShouldPing = func(ctx context.Context, conn *pgx.Conn, idle time.Duration) bool {
			return should(ctx, ShouldPingParams{Conn: conn, IdleDuration: idle})
		}
	}
	if c.Tune != nil {
		c.Tune(&pc)
	}
	return pc, nil
}
