package config

import (
	"io/fs"
	"maps"
	"net"
	"slices"
	"strings"
	"time"
)

// Permission says whether something may be used.
type Permission string

// Auto uses it where the system has it.
const (
	Auto Permission = "auto"
	Off  Permission = "off"
)

// Config is everything the configuration file says, complete: what the file leaves out has its default. A
// Config is not changed once it is in use; Set and a reload make a new one.
type Config struct {
	Listen                  []Address
	UnixSocketMode          fs.FileMode
	HTTP                    string
	HTTPAdminToken          Secret
	KEDA                    string
	Loops                   int
	IOUring                 Permission
	Auth                    Auth
	TLS                     ClientTLS
	AdminUsers              []string
	StatsUsers              []string
	IgnoreStartupParameters []string
	Lanes                   LaneAccess
	Limits                  Limits
	Timeouts                Timeouts
	Log                     Log
	Timezone                string
	History                 History
	Calendars               []Calendar
	RushHours               []RushHour
	Tuning                  TuningMode

	// Budgets maps a database server, as Target.Server writes it, to the connections all pools together may have
	// open there. A server without an entry has no budget.
	Budgets map[string]int

	// PoolDefaults is what a pool starts from. It is kept so that a change of a default reaches the pools that
	// did not choose for themselves.
	PoolDefaults PoolOptions

	// Pools maps the database name a client asks for to its pool. Fallback is the name of the pool for all
	// others.
	Pools map[string]*Pool
}

// Address is a place to accept clients at.
type Address struct {
	Network string // "tcp" or "unix"
	Address string // host:port, or a socket's path; an abstract socket's name begins with @
}

// String writes the address as the file does.
func (a Address) String() string {
	if a.Network == "unix" {
		return unixPrefix + a.Address
	}
	return a.Address
}

// AuthType is how clients prove who they are.
type AuthType string

// The ways of authentication.
const (
	AuthTrust    AuthType = "trust"
	AuthPassword AuthType = "password"
	AuthMD5      AuthType = "md5"
	AuthSCRAM    AuthType = "scram-sha-256"
	AuthCert     AuthType = "cert"
)

// Auth is how clients are authenticated.
type Auth struct {
	Type      AuthType
	UsersFile string
}

// SSLMode is libpq's sslmode, for both faces.
type SSLMode string

// The modes of libpq, from the weakest to the strongest.
const (
	SSLDisable    SSLMode = "disable"
	SSLAllow      SSLMode = "allow"
	SSLPrefer     SSLMode = "prefer"
	SSLRequire    SSLMode = "require"
	SSLVerifyCA   SSLMode = "verify-ca"
	SSLVerifyFull SSLMode = "verify-full"
)

// verifies reports whether the mode checks the peer's certificate.
func (m SSLMode) verifies() bool { return m == SSLVerifyCA || m == SSLVerifyFull }

// encrypts reports whether the mode never falls back to plain text.
func (m SSLMode) encrypts() bool { return m == SSLRequire || m.verifies() }

// TLSVersion is the oldest TLS version spoken.
type TLSVersion string

// The versions of TLS that are still considered secure.
const (
	TLS12 TLSVersion = "1.2"
	TLS13 TLSVersion = "1.3"
)

// ClientTLS is TLS towards clients.
type ClientTLS struct {
	SSLMode    SSLMode
	Cert       string
	Key        string
	CA         string
	MinVersion TLSVersion
}

// Limits bound what clients can make the process use.
type Limits struct {
	MaxClients     int
	MaxLogins      int
	MaxMessageSize int64
}

// Timeouts are those that do not belong to a pool.
type Timeouts struct {
	ClientLogin time.Duration
}

// LogLevel is the least severe level that is logged.
type LogLevel string

// The levels of log/slog.
const (
	LogDebug LogLevel = "debug"
	LogInfo  LogLevel = "info"
	LogWarn  LogLevel = "warn"
	LogError LogLevel = "error"
)

// LogFormat is how a log line looks.
type LogFormat string

// The formats of log/slog.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// Log is where the log's level and form are chosen.
type Log struct {
	Level  LogLevel
	Format LogFormat
}

// Default returns the configuration of an empty file. It has no pool, so it does not pass Validate until one
// is added.
func Default() *Config {
	return &Config{
		Listen:         []Address{{Network: "tcp", Address: "127.0.0.1:6432"}},
		UnixSocketMode: 0o777,
		Loops:          1,
		IOUring:        Auto,
		Auth:           Auth{Type: AuthSCRAM},
		TLS:            ClientTLS{SSLMode: SSLDisable, MinVersion: TLS12},
		Lanes:          LaneAccess{Default: LaneNormal, Highest: LaneAuto, Exceeding: ExceedingLower},
		Limits: Limits{
			MaxClients:     10_000,
			MaxLogins:      4096,
			MaxMessageSize: 1 << 30, // PostgreSQL's own limit, MaxAllocSize in src/include/utils/memutils.h
		},
		Timeouts:     Timeouts{ClientLogin: time.Minute},
		Log:          Log{Level: LogInfo, Format: LogText},
		Timezone:     "Local",
		History:      History{Store: HistoryStore{Path: HistoryAuto}, Detail: 60 * day, Keep: 3 * year},
		RushHours:    weddingRush(),
		Tuning:       TuningObserve,
		Budgets:      map[string]int{},
		PoolDefaults: defaultPoolOptions(),
		Pools:        map[string]*Pool{},
	}
}

// Clone returns a copy that shares nothing with c.
func (c *Config) Clone() *Config {
	d := *c
	d.Listen = slices.Clone(c.Listen)
	d.AdminUsers = slices.Clone(c.AdminUsers)
	d.StatsUsers = slices.Clone(c.StatsUsers)
	d.IgnoreStartupParameters = slices.Clone(c.IgnoreStartupParameters)
	d.Lanes.Rules = slices.Clone(c.Lanes.Rules) // whose lists are never changed
	d.Calendars = slices.Clone(c.Calendars)     // whose lists neither
	d.RushHours = slices.Clone(c.RushHours)
	d.Budgets = maps.Clone(c.Budgets)
	d.Pools = make(map[string]*Pool, len(c.Pools))
	for name, p := range c.Pools {
		d.Pools[name] = p.clone()
	}
	return &d
}

// PoolNames returns the names of the pools, sorted, Fallback included.
func (c *Config) PoolNames() []string {
	return slices.Sorted(maps.Keys(c.Pools))
}

// Pool returns the pool a client that asks for the database is served by: the one of that name, else the
// fallback made out for it. The second result is false when there is neither.
func (c *Config) Pool(database string) (Pool, bool) {
	if p, ok := c.Pools[database]; ok && database != Fallback {
		return *p.clone(), true
	}
	p, ok := c.Pools[Fallback]
	if !ok {
		return Pool{}, false
	}
	q := *p.clone()
	q.Name = database
	if q.Target.Database == "" {
		q.Target.Database = database
	}
	return q, true
}

// AddPool adds a pool with the default options to c, for a configuration that has no file. The result is
// checked by Validate.
func (c *Config) AddPool(name, url string) error {
	p := &Pool{Name: name, PoolOptions: c.PoolDefaults, explicit: map[string]bool{}}
	if err := p.applyURL(url); err != nil {
		return err
	}
	p.complete()
	c.Pools[name] = p
	return nil
}

const unixPrefix = "unix:"

// maxSocketPath is the shortest limit of the systems we build for: sun_path has 104 bytes with its end on BSD
// and macOS, 108 on Linux.
const maxSocketPath = 103

// parseAddress reads host:port or unix:/path.
func parseAddress(text string) (Address, error) {
	if path, ok := strings.CutPrefix(text, unixPrefix); ok {
		if !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "@") {
			return Address{}, errorf("the path of a Unix socket begins with / (or with @ for an abstract one)")
		}
		if len(path) > maxSocketPath || len(path) < 2 {
			return Address{}, errorf("the path of a Unix socket has 2 to %d bytes", maxSocketPath)
		}
		return Address{Network: "unix", Address: path}, nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return Address{}, errorf("is not host:port")
	}
	if strings.ContainsAny(host, "/ @") {
		return Address{}, errorf("has an impossible host")
	}
	if _, err := parsePort(port); err != nil && port != "0" {
		return Address{}, err
	}
	return Address{Network: "tcp", Address: text}, nil
}
