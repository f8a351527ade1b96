package config

import "time"

// Upper ends of ranges. They are beyond what one machine or one PostgreSQL does well and only catch slips of
// the keyboard: max_connections of PostgreSQL ends at 262,143 (MAX_BACKENDS), and a process at what
// descriptors allow.
const (
	maxConnections = 262_143
	maxClients     = 1_000_000
	maxLoops       = 16 // what a cancel key has room for, see package relay
	maxSpan        = 365 * 24 * time.Hour
)

var sslModes = []SSLMode{SSLDisable, SSLAllow, SSLPrefer, SSLRequire, SSLVerifyCA, SSLVerifyFull}

func processRows() []row[Config] {
	var rows []row[Config]
	rows = append(rows, listenRows()...)
	rows = append(rows, authRows()...)
	rows = append(rows, clientTLSRows()...)
	rows = append(rows, consoleRows()...)
	rows = append(rows, laneAccessRows()...)
	rows = append(rows, brainRows()...)
	rows = append(rows, limitRows()...)
	return append(rows, logRows()...)
}

func listenRows() []row[Config] {
	return []row[Config]{
		{Option{
			Path: "listen", Reloadable: true,
			Doc: "Where clients connect: host:port for TCP, unix:/path for a Unix socket (libpq looks for " +
				"directory/.s.PGSQL.port), unix:@name for an abstract one. An empty host is every address.",
			PgBouncer: "listen_addr",
		}, func(c *Config) value { return addresses{&c.Listen} }},
		{Option{
			Path:      "unix_socket_mode",
			Doc:       "Permissions of Unix sockets.",
			PgBouncer: "unix_socket_mode",
		}, func(c *Config) value { return fileMode{&c.UnixSocketMode} }},
		{Option{
			Path: "http",
			Doc: "Where /metrics, /healthz, /readyz and /api/v1/… are served. Empty is nowhere. Looking needs no " +
				"authentication: do not open it to the world. Acting needs http_admin_token.",
		}, func(c *Config) value { return text{&c.HTTP, "host:port", checkHostPort} }},
		{Option{
			Path: "http_admin_token", Reloadable: true,
			Doc: "What whoever orders something over http must send, as Authorization: Bearer <token>; at least 16 bytes. " +
				"Without it nobody can, and http only shows.",
		}, func(c *Config) value { return secret{&c.HTTPAdminToken} }},
		{Option{
			Path: "keda",
			Doc: "Where KEDA, the autoscaler of Kubernetes, may ask what is expected of pools, as gRPC without TLS. Empty " +
				"is nowhere. It needs no authentication and only shows: open it to the cluster's KEDA and nobody else. See " +
				"docs/keda.md.",
		}, func(c *Config) value { return text{&c.KEDA, "host:port", checkHostPort} }},
		{Option{
			Path: "loops", Unit: "event loops",
			Doc: "Event loops that carry the traffic, each on a thread of its own. One is enough for most machines " +
				"up to four cores.",
		}, func(c *Config) value { return number{&c.Loops, 1, maxLoops} }},
		{Option{
			Path: "io_uring",
			Doc: "Whether a loop does the sends of a turn in one system call, and its receives too, by io_uring. With " +
				"`auto` it does so where the kernel allows it, Linux 5.6 or newer. It saves a fifth of the CPU.",
		}, func(c *Config) value { return choice[Permission]{&c.IOUring, []Permission{Auto, Off}} }},
	}
}

func checkHostPort(s string) error {
	a, err := parseAddress(s)
	if err == nil && a.Network != "tcp" {
		err = errorf("is not host:port")
	}
	return err
}

func authRows() []row[Config] {
	types := []AuthType{AuthTrust, AuthPassword, AuthMD5, AuthSCRAM, AuthCert}
	return []row[Config]{
		{Option{
			Path: "auth.type", Reloadable: true,
			Doc: "How clients prove who they are. trust asks for nothing; password sends it in clear; md5 also uses " +
				"SCRAM for users whose stored secret is a SCRAM secret; cert takes the user's name from the client " +
				"certificate's common name.",
			PgBouncer: "auth_type",
		}, func(c *Config) value { return choice[AuthType]{&c.Auth.Type, types} }},
		{Option{
			Path: "auth.users_file", Reloadable: true,
			Doc: "File with the users and their secrets, in the format of PgBouncer's userlist.txt: one pair of " +
				"\"user\" \"secret\" a line. Read again at a reload.",
			PgBouncer: "auth_file",
		}, func(c *Config) value { return pathOf(&c.Auth.UsersFile) }},
	}
}

func clientTLSRows() []row[Config] {
	return []row[Config]{
		{Option{
			Path: "tls.sslmode", Reloadable: true,
			Doc: "TLS with clients. allow and prefer offer it; require insists on it; verify-ca and verify-full " +
				"also ask for a client certificate that tls.ca signed.",
			PgBouncer: "client_tls_sslmode",
		}, func(c *Config) value { return choice[SSLMode]{&c.TLS.SSLMode, sslModes} }},
		{Option{
			Path: "tls.cert", Reloadable: true,
			Doc:       "Certificate shown to clients, with its chain, in PEM. Read again at a reload.",
			PgBouncer: "client_tls_cert_file",
		}, func(c *Config) value { return pathOf(&c.TLS.Cert) }},
		{Option{
			Path: "tls.key", Reloadable: true,
			Doc:       "Private key of tls.cert, in PEM.",
			PgBouncer: "client_tls_key_file",
		}, func(c *Config) value { return pathOf(&c.TLS.Key) }},
		{Option{
			Path: "tls.ca", Reloadable: true,
			Doc:       "Root certificates that client certificates must lead to, in PEM.",
			PgBouncer: "client_tls_ca_file",
		}, func(c *Config) value { return pathOf(&c.TLS.CA) }},
		{Option{
			Path: "tls.min_version", Reloadable: true,
			Doc:       "Oldest version of TLS spoken with clients.",
			PgBouncer: "client_tls_protocols",
		}, func(c *Config) value {
			return choice[TLSVersion]{&c.TLS.MinVersion, []TLSVersion{TLS12, TLS13}}
		}},
	}
}

func consoleRows() []row[Config] {
	return []row[Config]{
		{Option{
			Path: "admin_users", Reloadable: true,
			Doc: "Users who may connect to the console, the database pgbouncer, and run every command there. While " +
				"neither admin_users nor stats_users names anybody, the user postgres may, from the machine usher runs " +
				"on (loopback or Unix socket).",
			PgBouncer: "admin_users",
		}, func(c *Config) value { return names{&c.AdminUsers, "users"} }},
		{Option{
			Path: "stats_users", Reloadable: true,
			Doc:       "Users who may connect to the console and run SHOW commands there.",
			PgBouncer: "stats_users",
		}, func(c *Config) value { return names{&c.StatsUsers, "users"} }},
		{Option{
			Path: "ignore_startup_parameters", Reloadable: true,
			Doc: "Startup parameters of clients that are dropped instead of being passed on. Parameters PostgreSQL " +
				"itself reports are tracked and need not be listed.",
			PgBouncer: "ignore_startup_parameters",
		}, func(c *Config) value { return names{&c.IgnoreStartupParameters, "parameters"} }},
	}
}

func limitRows() []row[Config] {
	return []row[Config]{
		{Option{
			Path: "limits.max_clients", Unit: "clients", Reloadable: true,
			Doc:       "Most clients connected at a time. The next one is refused with a clear error.",
			PgBouncer: "max_client_conn",
		}, func(c *Config) value { return number{&c.Limits.MaxClients, 1, maxClients} }},
		{Option{
			Path: "limits.max_logins", Unit: "logins", Reloadable: true,
			Doc: "Most client logins in progress at a time, TLS handshake and authentication included. Others wait " +
				"for their turn before their first byte is read.",
		}, func(c *Config) value { return number{&c.Limits.MaxLogins, 1, maxClients} }},
		{Option{
			Path: "limits.max_message_size", Reloadable: true,
			Doc: "Largest message a client may send. Messages stream through, so this is a guard against a broken " +
				"client and not a matter of memory.",
			PgBouncer: "max_packet_size",
		}, func(c *Config) value { return size{&c.Limits.MaxMessageSize, 64 << 10, 1 << 30} }},
		{Option{
			Path: "timeouts.client_login", Reloadable: true,
			Doc:       "Longest time from accepting a client to its login's end. Silent and slow ones are closed.",
			PgBouncer: "client_login_timeout",
		}, func(c *Config) value { return span{&c.Timeouts.ClientLogin, time.Second, time.Hour, false} }},
	}
}

func logRows() []row[Config] {
	return []row[Config]{
		{Option{
			Path: "log.level", Reloadable: true,
			Doc: "Least severe level that is logged.",
		}, func(c *Config) value {
			return choice[LogLevel]{&c.Log.Level, []LogLevel{LogDebug, LogInfo, LogWarn, LogError}}
		}},
		{Option{
			Path: "log.format",
			Doc:  "Form of a log line.",
		}, func(c *Config) value { return choice[LogFormat]{&c.Log.Format, []LogFormat{LogText, LogJSON}} }},
	}
}
