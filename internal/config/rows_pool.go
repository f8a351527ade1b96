package config

import "time"

// identityRows are the options only a single pool can have: where it leads and as whom.
func identityRows() []row[Pool] {
	return []row[Pool]{
		{Option{
			Path: "url", Reloadable: true,
			Doc: "The database: postgres://user:password@host:port/database?parameter=value. Without a database it " +
				"is the one the client names; without a user, clients log in to the server as themselves. " +
				"Parameters are those of libpq: host=/directory for a Unix socket, port, user, password, dbname, " +
				"sslmode, sslnegotiation, sslrootcert, sslcert, sslkey, application_name, connect_timeout, " +
				"options. What the URL says wins over pool_defaults; a key of the pool wins over the URL.",
			PgBouncer: "host, port, dbname",
		}, func(p *Pool) value { return target{p} }},
		{Option{
			Path: "user", Reloadable: true,
			Doc:       "Log in to the server as this user for every client. Empty: as the client's user.",
			PgBouncer: "user",
		}, func(p *Pool) value { return textOf(&p.User) }},
		{Option{
			Path: "password", Reloadable: true,
			Doc:       "Password of user on the server. Without it the users file is asked.",
			PgBouncer: "password",
		}, func(p *Pool) value { return secret{&p.Password} }},
	}
}

// poolOptionRows are the options of pool_defaults and, with the same paths, of every pool.
func poolOptionRows() []row[PoolOptions] {
	var rows []row[PoolOptions]
	rows = append(rows, modeRows()...)
	rows = append(rows, sizeRows()...)
	rows = append(rows, laneRows()...)
	rows = append(rows, emergencyRows()...)
	rows = append(rows, scalingRows()...)
	rows = append(rows, serverTLSRows()...)
	rows = append(rows, clientTimeoutRows()...)
	return append(rows, serverTimeoutRows()...)
}

func modeRows() []row[PoolOptions] {
	modes := []Mode{ModeSession, ModeTransaction, ModeStatement}
	return []row[PoolOptions]{
		{Option{
			Path: "mode", Reloadable: true,
			Doc: "When a server connection goes back to the pool: when the client leaves, after each transaction, " +
				"or after each statement (transactions of several statements are refused then).",
			PgBouncer: "pool_mode",
		}, func(o *PoolOptions) value { return choice[Mode]{&o.Mode, modes} }},
		{Option{
			Path: "prepared_statements", Unit: "statements", Reloadable: true,
			Doc: "Prepared statements kept on each server connection in transaction and statement mode; the least " +
				"recently used goes first. 0 turns their mapping off.",
			PgBouncer: "max_prepared_statements",
		}, func(o *PoolOptions) value { return number{&o.PreparedStatements, 0, 100_000} }},
		{Option{
			Path: "reset_query", Reloadable: true,
			Doc: "Sent when a session of session mode ends, before the next client gets the server connection. " +
				"Empty: nothing is sent.",
			PgBouncer: "server_reset_query",
		}, func(o *PoolOptions) value { return textOf(&o.ResetQuery) }},
		{Option{
			Path: "warm_up", Reloadable: true,
			Doc: "Statements that a new server connection executes before it is given to anybody, such as one that loads " +
				"a catalogue or a plan. They should leave no session state behind. If one fails the connection is " +
				"not used.",
		}, func(o *PoolOptions) value { return names{&o.WarmUp, "statements"} }},
		{Option{
			Path: "application_name", Reloadable: true,
			Doc: "application_name of server connections while no client that names its own uses them. The default is none, " +
				"as for a client that gives none: a name here costs each server connection a SET for such clients.",
		}, func(o *PoolOptions) value { return textOf(&o.ApplicationName) }},
		{Option{
			Path: "server_options", Reloadable: true,
			Doc: "libpq's options for server connections: command-line switches for the server process, such as " +
				"-c statement_timeout=5s.",
		}, func(o *PoolOptions) value { return textOf(&o.ServerOptions) }},
	}
}

func sizeRows() []row[PoolOptions] {
	return []row[PoolOptions]{
		{Option{
			Path: "size.min", Unit: "connections", Reloadable: true,
			Doc: "Server connections kept open even when nobody needs them. A pool with a user opens them at start, " +
				"others when their first client comes.",
			PgBouncer: "min_pool_size",
		}, func(o *PoolOptions) value { return number{&o.Size.Min, 0, maxConnections} }},
		{Option{
			Path: "size.max", Unit: "connections", Reloadable: true,
			Doc:       "Most server connections, the reserve not counted.",
			PgBouncer: "default_pool_size",
		}, func(o *PoolOptions) value { return number{&o.Size.Max, 1, maxConnections} }},
		{Option{
			Path: "size.reserve", Unit: "connections", Reloadable: true,
			Doc: "Further server connections that only an emergency may take: a critical request that has waited " +
				"for lanes.acquire_slo, or will probably have to. They are open and logged in beforehand.",
			PgBouncer: "reserve_pool_size",
		}, func(o *PoolOptions) value { return number{&o.Size.Reserve, 0, maxConnections} }},
		{Option{
			Path: "size.warm", Reloadable: true,
			Doc: "Part of the server connections that should be free: more are opened when fewer are, so that a pool " +
				"grows before it is empty. It is rounded down: at 20% four that are busy bring a fifth.",
		}, func(o *PoolOptions) value { return percent{&o.Size.Warm, 0, 90} }},
		{Option{
			Path: "size.opening_rate", Unit: "connections", Reloadable: true,
			Doc: "Most server connections that begin to be opened in a second; after a rest size.opening of them at " +
				"once. 0 is no limit but size.opening.",
		}, func(o *PoolOptions) value { return number{&o.Size.OpeningRate, 0, 100_000} }},
		{Option{
			Path: "size.opening", Unit: "connections", Reloadable: true,
			Doc: "Most server connections being opened at a time.",
		}, func(o *PoolOptions) value { return number{&o.Size.Opening, 1, 1000} }},
	}
}

func laneRows() []row[PoolOptions] {
	rows := []row[PoolOptions]{
		{Option{
			Path: "lanes.acquire_slo", Reloadable: true,
			Doc: "Longest a critical request should wait for a server connection. It may take one of the reserve " +
				"then, and before, as soon as it is not to be expected that another one comes free in time.",
			PgBouncer: "reserve_pool_timeout",
		}, func(o *PoolOptions) value { return span{&o.Lanes.AcquireSLO, time.Millisecond, time.Hour, false} }},
		{Option{
			Path: "lanes.max_waiting", Unit: "requests", Reloadable: true,
			Doc: "Most requests that wait in one lane. The next one is refused at once; its client stays connected.",
		}, func(o *PoolOptions) value { return number{&o.Lanes.MaxWaiting, 1, maxClients} }},
		{Option{
			Path: "lanes.ageing", Reloadable: true,
			Doc: "A request is served before one of the lane above that came this much later, so that the lowest " +
				"lane still moves. critical is never passed this way.",
		}, func(o *PoolOptions) value { return span{&o.Lanes.Ageing, 10 * time.Millisecond, maxSpan, false} }},
		{Option{
			Path: "lanes.hopeless", Reloadable: true,
			Doc: "What becomes of a request that cannot be served in time (timeouts.query_wait, or the client's " +
				"statement_timeout if that is shorter) as far as usher can tell: refuse refuses it at once, with the " +
				"expected wait in the hint, wait lets it try.",
		}, func(o *PoolOptions) value {
			return choice[Hopeless]{&o.Lanes.Hopeless, []Hopeless{HopelessRefuse, HopelessWait}}
		}},
	}
	rows = append(rows, laneLimitRows(LaneHigh, func(o *PoolOptions) *LaneLimits { return &o.Lanes.High })...)
	rows = append(rows, laneLimitRows(LaneNormal, func(o *PoolOptions) *LaneLimits { return &o.Lanes.Normal })...)
	return append(rows, laneLimitRows(LaneLow, func(o *PoolOptions) *LaneLimits { return &o.Lanes.Low })...)
}

func laneLimitRows(lane Lane, at func(*PoolOptions) *LaneLimits) []row[PoolOptions] {
	return []row[PoolOptions]{
		{Option{
			Path: "lanes." + string(lane) + ".acquire_slo", Reloadable: true,
			Doc: "Longest a request of lane " + string(lane) + " should wait before it may take from the reserve. " +
				"0: it never may.",
		}, func(o *PoolOptions) value { return span{&at(o).AcquireSLO, time.Millisecond, time.Hour, true} }},
		{Option{
			Path: "lanes." + string(lane) + ".max_waiting", Unit: "requests", Reloadable: true,
			Doc: "Most requests that wait in lane " + string(lane) + ". 0: lanes.max_waiting.",
		}, func(o *PoolOptions) value { return number{&at(o).MaxWaiting, 0, maxClients} }},
	}
}

func serverTLSRows() []row[PoolOptions] {
	return []row[PoolOptions]{
		{Option{
			Path: "tls.sslmode", Reloadable: true,
			Doc:       "TLS with the server, as libpq's sslmode. Unix sockets are never encrypted.",
			PgBouncer: "server_tls_sslmode",
		}, func(o *PoolOptions) value { return choice[SSLMode]{&o.TLS.SSLMode, sslModes} }},
		{Option{
			Path: "tls.negotiation", Reloadable: true,
			Doc: "How TLS begins: postgres asks first, direct starts with the handshake, which saves a round trip " +
				"and needs PostgreSQL 17 and tls.sslmode require or stronger.",
		}, func(o *PoolOptions) value {
			return choice[Negotiation]{&o.TLS.Negotiation, []Negotiation{NegotiatePostgres, NegotiateDirect}}
		}},
		{Option{
			Path: "tls.ca", Reloadable: true,
			Doc: "Root certificates that the server's must lead to, in PEM; system is the operating system's own " +
				"and needs tls.sslmode verify-full.",
			PgBouncer: "server_tls_ca_file",
		}, func(o *PoolOptions) value { return pathOf(&o.TLS.CA) }},
		{Option{
			Path: "tls.cert", Reloadable: true,
			Doc:       "Client certificate shown to the server, in PEM.",
			PgBouncer: "server_tls_cert_file",
		}, func(o *PoolOptions) value { return pathOf(&o.TLS.Cert) }},
		{Option{
			Path: "tls.key", Reloadable: true,
			Doc:       "Private key of tls.cert, in PEM.",
			PgBouncer: "server_tls_key_file",
		}, func(o *PoolOptions) value { return pathOf(&o.TLS.Key) }},
	}
}

func clientTimeoutRows() []row[PoolOptions] {
	return []row[PoolOptions]{
		{Option{
			Path: "timeouts.query", Reloadable: true,
			Doc: "Longest a statement may run on the server. The server connection is closed and the client gets an " +
				"error. PostgreSQL's own statement_timeout should strike first.",
			PgBouncer: "query_timeout",
		}, func(o *PoolOptions) value { return timeout(&o.Timeouts.Query) }},
		{Option{
			Path: "timeouts.query_wait", Reloadable: true,
			Doc: "Longest a request may wait for a server connection. The request fails; its client stays " +
				"connected.",
			PgBouncer: "query_wait_timeout",
		}, func(o *PoolOptions) value { return timeout(&o.Timeouts.QueryWait) }},
		{Option{
			Path: "timeouts.transaction", Reloadable: true,
			Doc:       "Longest a transaction may last. Its client is closed.",
			PgBouncer: "transaction_timeout",
		}, func(o *PoolOptions) value { return timeout(&o.Timeouts.Transaction) }},
		{Option{
			Path: "timeouts.idle_in_transaction", Reloadable: true,
			Doc:       "Longest a client may pause inside a transaction. It is closed.",
			PgBouncer: "idle_transaction_timeout",
		}, func(o *PoolOptions) value { return timeout(&o.Timeouts.IdleInTransaction) }},
		{Option{
			Path: "timeouts.client_idle", Reloadable: true,
			Doc:       "Longest a client may send nothing between transactions. It is closed.",
			PgBouncer: "client_idle_timeout",
		}, func(o *PoolOptions) value { return timeout(&o.Timeouts.ClientIdle) }},
		{Option{
			Path: "timeouts.cancel_wait", Reloadable: true,
			Doc:       "Longest a cancel request may take to reach the server.",
			PgBouncer: "cancel_wait_timeout",
		}, func(o *PoolOptions) value { return timeout(&o.Timeouts.CancelWait) }},
	}
}

func serverTimeoutRows() []row[PoolOptions] {
	return []row[PoolOptions]{
		{Option{
			Path: "timeouts.server_idle", Reloadable: true,
			Doc:       "A server connection that was not used for this long is closed, down to size.min.",
			PgBouncer: "server_idle_timeout",
		}, func(o *PoolOptions) value { return timeout(&o.Timeouts.ServerIdle) }},
		{Option{
			Path: "timeouts.server_lifetime", Reloadable: true,
			Doc:       "A server connection older than this is replaced when it is idle.",
			PgBouncer: "server_lifetime",
		}, func(o *PoolOptions) value { return timeout(&o.Timeouts.ServerLifetime) }},
		{Option{
			Path: "timeouts.server_lifetime_jitter", Reloadable: true,
			Doc: "How much of server_lifetime is left to chance, so that connections opened together do not all " +
				"expire together: with 20% they live for 80% to 100% of it.",
		}, func(o *PoolOptions) value { return percent{&o.Timeouts.ServerLifetimeJitter, 0, 50} }},
		{Option{
			Path: "timeouts.server_connect", Reloadable: true,
			Doc:       "Longest a connect and login to the server may take.",
			PgBouncer: "server_connect_timeout",
		}, func(o *PoolOptions) value { return timeout(&o.Timeouts.ServerConnect) }},
		{Option{
			Path: "timeouts.server_login_retry", Reloadable: true,
			Doc:       "Longest pause between attempts to reach a server that refuses; the first pauses are shorter.",
			PgBouncer: "server_login_retry",
		}, func(o *PoolOptions) value {
			return span{&o.Timeouts.ServerLoginRetry, 100 * time.Millisecond, time.Hour, false}
		}},
		{Option{
			Path: "timeouts.server_grace", Reloadable: true,
			Doc: "How long requests wait while no server connection is open and none can be opened. Then they fail " +
				"with the server's error, and so do new ones until it answers again.",
		}, func(o *PoolOptions) value {
			return span{&o.Timeouts.ServerGrace, 10 * time.Millisecond, time.Hour, false}
		}},
	}
}

// timeout is a duration where 0 is off. Its resolution is that of the timers of the event loops.
func timeout(at *time.Duration) value { return span{at, 10 * time.Millisecond, maxSpan, true} }
