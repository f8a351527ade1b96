package config

import (
	"maps"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/config/source"
)

// Fallback is the name of the pool that serves every database without a pool of its own.
const Fallback = "*"

// Mode is how long a client keeps its server connection.
type Mode string

// The modes of a pool, with PgBouncer's names.
const (
	ModeSession     Mode = "session"
	ModeTransaction Mode = "transaction"
	ModeStatement   Mode = "statement"
)

// Pool is a named set of server connections to one database with one identity.
type Pool struct {
	// Name is the database name clients ask for, or Fallback.
	Name string

	// Target is where the server connections go. The file writes it as a URL.
	Target Target

	// User is who logs in to the server for every client. When it is empty, each client's own user does.
	User string

	// Password is User's.
	Password Secret

	PoolOptions

	// explicit has the paths of the options this pool chose itself, relative to the pool.
	explicit map[string]bool
}

// Secret is a text that fmt, log/slog and encoders print masked. Convert it to a string to use it.
type Secret string

// String masks the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return source.Mask
}

// GoString masks the secret, for %#v.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// MarshalText masks the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Target is a database on a database server.
type Target struct {
	Host     string // a name, an address, or the directory of a Unix socket
	Port     int
	Database string // empty only in Fallback: the database the client asked for
}

// Network returns what to dial.
func (t Target) Network() (network, address string) {
	if strings.HasPrefix(t.Host, "/") {
		return "unix", path.Join(t.Host, ".s.PGSQL."+strconv.Itoa(t.Port))
	}
	return "tcp", t.Server()
}

// Server names the database server, as budgets do: host:port, or directory:port for a Unix socket.
func (t Target) Server() string {
	if strings.HasPrefix(t.Host, "/") {
		return t.Host + ":" + strconv.Itoa(t.Port)
	}
	return net.JoinHostPort(t.Host, strconv.Itoa(t.Port))
}

// PoolOptions are the options of a pool that can also be set for all pools at once, in pool_defaults.
type PoolOptions struct {
	Mode               Mode
	Size               Size
	Lanes              Lanes
	Emergency          Emergency
	Scaling            Scaling
	PreparedStatements int
	ResetQuery         string
	WarmUp             []string
	ApplicationName    string
	ServerOptions      string
	TLS                ServerTLS
	Timeouts           PoolTimeouts
}

// Size is how many server connections a pool has.
type Size struct {
	Min         int
	Max         int
	Reserve     int
	Warm        int // percent
	Opening     int
	OpeningRate int // per second
}

// Lanes are the waiting requests of a pool.
type Lanes struct {
	AcquireSLO time.Duration // of critical
	MaxWaiting int           // of a lane that does not say
	Ageing     time.Duration
	Hopeless   Hopeless
	High       LaneLimits
	Normal     LaneLimits
	Low        LaneLimits
}

// LaneLimits are a lane's own.
type LaneLimits struct {
	AcquireSLO time.Duration // 0: none
	MaxWaiting int           // 0: Lanes.MaxWaiting
}

// Hopeless is what becomes of a request that cannot be served in time.
type Hopeless string

// What becomes of it.
const (
	HopelessRefuse Hopeless = "refuse"
	HopelessWait   Hopeless = "wait"
)

// Negotiation is libpq's sslnegotiation.
type Negotiation string

// How TLS with a server begins.
const (
	NegotiatePostgres Negotiation = "postgres"
	NegotiateDirect   Negotiation = "direct"
)

// SystemCA as the name of a root certificate file means the certificates the operating system trusts.
const SystemCA = "system"

// ServerTLS is TLS towards a database server, with libpq's meanings.
type ServerTLS struct {
	SSLMode     SSLMode
	Negotiation Negotiation
	CA          string
	Cert        string
	Key         string
}

// PoolTimeouts are the timeouts of a pool, with PgBouncer's meanings. Zero is off.
type PoolTimeouts struct {
	Query                time.Duration
	QueryWait            time.Duration
	Transaction          time.Duration
	IdleInTransaction    time.Duration
	ClientIdle           time.Duration
	CancelWait           time.Duration
	ServerIdle           time.Duration
	ServerLifetime       time.Duration
	ServerLifetimeJitter int // percent
	ServerConnect        time.Duration
	ServerLoginRetry     time.Duration
	ServerGrace          time.Duration
}

func defaultPoolOptions() PoolOptions {
	return PoolOptions{
		Mode: ModeTransaction,
		Size: Size{Min: 0, Max: 20, Reserve: 0, Warm: 20, Opening: 16, OpeningRate: 500},
		Lanes: Lanes{
			AcquireSLO: 10 * time.Millisecond, MaxWaiting: 100_000, Ageing: 5 * time.Second, Hopeless: HopelessRefuse,
		},
		Emergency:          defaultEmergency(),
		Scaling:            defaultScaling(),
		PreparedStatements: 200,
		ResetQuery:         "DISCARD ALL",
		TLS:                ServerTLS{SSLMode: SSLPrefer, Negotiation: NegotiatePostgres},
		Timeouts: PoolTimeouts{
			QueryWait:            2 * time.Minute,
			CancelWait:           10 * time.Second,
			ServerIdle:           10 * time.Minute,
			ServerLifetime:       time.Hour,
			ServerLifetimeJitter: 20,
			ServerConnect:        15 * time.Second,
			ServerLoginRetry:     5 * time.Second,
			ServerGrace:          5 * time.Second,
		},
	}
}

func (p *Pool) clone() *Pool {
	q := *p
	q.WarmUp = slices.Clone(p.WarmUp)
	q.explicit = maps.Clone(p.explicit)
	return &q
}

// complete fills in what a pool takes from its own name.
func (p *Pool) complete() {
	if p.Target.Database == "" && p.Name != Fallback {
		p.Target.Database = p.Name
	}
}
