package status

import "time"

// State is what usher as a whole is doing.
type State string

// The states of usher. Paused and Suspended are about the whole of it: a single paused pool is in its Database.
const (
	Active       State = "active"
	Paused       State = "paused"
	Suspended    State = "suspended"
	ShuttingDown State = "shutting_down"
)

// Snapshot is usher at a moment. A section that was not asked for is nil or zero.
type Snapshot struct {
	Version   string    `json:"version"` // of usher, as "0.1.0"
	Now       time.Time `json:"now"`
	StartedAt time.Time `json:"started_at"`
	State     State     `json:"state"`

	Clients   []Client        `json:"clients,omitempty"`
	Servers   []Server        `json:"servers,omitempty"`
	Pools     []Pool          `json:"pools,omitempty"`
	Budgets   []Budget        `json:"budgets,omitempty"`
	Databases []Database      `json:"databases,omitempty"`
	Users     []User          `json:"users,omitempty"`
	Stats     []DatabaseStats `json:"stats,omitempty"`
	Lists     *Lists          `json:"lists,omitempty"`
	Config    []ConfigRow     `json:"config,omitempty"`
	Loops     []Loop          `json:"loops,omitempty"`
	Memory    []Memory        `json:"memory,omitempty"`
	Listeners []Listener      `json:"listeners,omitempty"`
	Logins    *Logins         `json:"logins,omitempty"`

	Acquisitions []Acquisition `json:"acquisitions,omitempty"`
	Emergencies  []Emergency   `json:"emergencies,omitempty"` // in force first, then the latest that ended first

	Forecasts  []Forecast  `json:"forecasts,omitempty"`
	Scaling    []Scaling   `json:"scaling,omitempty"`
	Shortfalls []Shortfall `json:"shortfalls,omitempty"` // of the next 14 days
	History    *History    `json:"history,omitempty"`
	Calendars  []Calendar  `json:"calendars,omitempty"`
	Events     []Event     `json:"events,omitempty"` // of the next 14 days, in order
	Tuning     []Tuning    `json:"tuning,omitempty"`
}

// Count is how often something happened for one reason, or how many things are in one class.
type Count struct {
	Reason string `json:"reason"`
	Count  uint64 `json:"count"`
}

// Database is a name a client can ask for: an entry of pools: in the config, or one made for the "*" entry.
type Database struct {
	Name                  string        `json:"name"`
	Host                  string        `json:"host"` // host list as in the url, or the directory of a Unix socket
	Port                  int           `json:"port"`
	ServerDatabase        string        `json:"server_database"` // its name on the server
	ForceUser             string        `json:"force_user,omitempty"`
	PoolSize              int           `json:"pool_size"`
	MinPoolSize           int           `json:"min_pool_size"`
	ReservePoolSize       int           `json:"reserve_pool_size"`
	ServerLifetime        time.Duration `json:"server_lifetime_ns"`
	PoolMode              string        `json:"pool_mode"`
	LoadBalanceHosts      string        `json:"load_balance_hosts,omitempty"` // only with several hosts
	MaxServers            int           `json:"max_servers"`                  // 0: no limit
	CurrentServers        int           `json:"current_servers"`
	MaxClients            int           `json:"max_clients"` // 0: no limit
	CurrentClients        int           `json:"current_clients"`
	Paused                bool          `json:"paused"`
	Disabled              bool          `json:"disabled"`
	FromFallback          bool          `json:"from_fallback"` // made for the "*" entry
	ServerTLSMode         string        `json:"server_tls_mode,omitempty"`
	DefaultLane           string        `json:"default_lane,omitempty"`
	QueueTimeout          time.Duration `json:"queue_timeout_ns,omitempty"`
	AcquisitionObjective  time.Duration `json:"acquisition_objective_ns,omitempty"` // acquire_slo
	PreparedStatementsMax int           `json:"prepared_statements_max,omitempty"`
}

// User is a user that is configured or has logged in.
type User struct {
	Name            string `json:"name"`
	PoolSize        int    `json:"pool_size"`         // -1: as the database says
	ReservePoolSize int    `json:"reserve_pool_size"` // -1: as the database says
	PoolMode        string `json:"pool_mode,omitempty"`
	MaxServers      int    `json:"max_servers"` // 0: no limit
	CurrentServers  int    `json:"current_servers"`
	MaxClients      int    `json:"max_clients"` // 0: no limit
	CurrentClients  int    `json:"current_clients"`
}

// Lists are the sizes of things as PgBouncer's SHOW LISTS names them.
type Lists struct {
	Databases    int `json:"databases"`
	Users        int `json:"users"`
	Pools        int `json:"pools"`
	FreeClients  int `json:"free_clients"` // slots that could be taken without growing
	UsedClients  int `json:"used_clients"`
	LoginClients int `json:"login_clients"`
	FreeServers  int `json:"free_servers"`
	UsedServers  int `json:"used_servers"`
}

// ConfigRow is an option and its present value. Secrets are masked.
type ConfigRow struct {
	Key        string `json:"key"`
	Value      string `json:"value"`
	Default    string `json:"default"`
	Changeable bool   `json:"changeable"` // by SET or RELOAD, without a restart
}

// Loop is one event loop.
type Loop struct {
	ID          int           `json:"id"`
	Clients     int           `json:"clients"`
	Servers     int           `json:"servers"`
	Wakeups     uint64        `json:"wakeups"` // returns of the poll call
	Events      uint64        `json:"events"`  // ready descriptors handled
	Busy        time.Duration `json:"busy_ns"` // time spent outside the poll call
	Mail        uint64        `json:"mail"`    // messages taken from the mailbox
	QueuedBytes int64         `json:"queued_bytes"`
}

// Memory is one kind of memory usher manages itself, counted in things of one size.
type Memory struct {
	Name  string `json:"name"`
	Size  int    `json:"size"` // bytes of one
	Used  int    `json:"used"`
	Free  int    `json:"free"`
	Total int    `json:"total"` // bytes of all
}

// Listener is a socket that accepts clients.
type Listener struct {
	Address    string `json:"address"` // host, or the path of a Unix socket
	Port       int    `json:"port"`
	Descriptor int    `json:"descriptor"`
}

// Logins are clients between accept and seated.
type Logins struct {
	InProgress int     `json:"in_progress"`
	Accepted   uint64  `json:"accepted"`
	Succeeded  uint64  `json:"succeeded"`
	Cancels    uint64  `json:"cancels"` // cancel requests received
	Refused    []Count `json:"refused,omitempty"`
}
