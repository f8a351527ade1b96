package console

import (
	"fmt"
	"time"

	"github.com/usher-pg/usher/internal/status"
)

var poolTable = table[status.Pool]{
	items: func(s *status.Snapshot) []status.Pool { return s.Pools },
	columns: []column[status.Pool]{
		textColumn("database", func(p *status.Pool) string { return p.Database }),
		textColumn("user", func(p *status.Pool) string { return p.User }),
		intColumn("cl_active", func(p *status.Pool) int { return p.Clients.Idle + p.Clients.Linked }),
		intColumn("cl_waiting", func(p *status.Pool) int { return p.Clients.Waiting + p.Clients.Held }),
		intColumn("cl_active_cancel_req", func(p *status.Pool) int { return p.Clients.ActiveCancel }),
		intColumn("cl_waiting_cancel_req", func(p *status.Pool) int { return p.Clients.WaitingCancel }),
		intColumn("sv_active", func(p *status.Pool) int { return p.Servers.Active }),
		intColumn("sv_active_cancel", func(p *status.Pool) int { return p.Servers.ActiveCancel }),
		intColumn("sv_being_canceled", func(p *status.Pool) int { return p.Servers.BeingCanceled }),
		intColumn("sv_idle", func(p *status.Pool) int { return p.Servers.Idle }),
		intColumn("sv_used", func(p *status.Pool) int { return p.Servers.Used }),
		intColumn("sv_tested", func(p *status.Pool) int { return p.Servers.Tested }),
		intColumn("sv_login", func(p *status.Pool) int { return p.Servers.Login }),
		intColumn("maxwait", func(p *status.Pool) int { return wholeSeconds(p.MaxWait) }),
		intColumn("maxwait_us", func(p *status.Pool) int { return restMicroseconds(p.MaxWait) }),
		textColumn("pool_mode", func(p *status.Pool) string { return p.Mode }),
		optionalColumn("load_balance_hosts", func(p *status.Pool) string { return p.LoadBalanceHosts }),

		intColumn("cl_idle", func(p *status.Pool) int { return p.Clients.Idle }),
		intColumn("cl_held", func(p *status.Pool) int { return p.Clients.Held }),
		intColumn("cl_pinned", func(p *status.Pool) int { return p.Pinned }),
		intColumn("sv_target", func(p *status.Pool) int { return p.Target }),
		intColumn("sv_max", func(p *status.Pool) int { return p.Max }),
		intColumn("sv_reserve", func(p *status.Pool) int { return p.Reserve }),
		intColumn("sv_reserve_used", func(p *status.Pool) int { return p.ReserveUsed }),
		intColumn("sv_budget", func(p *status.Pool) int { return p.Budget }),
		numericColumn("sv_opened", func(p *status.Pool) uint64 { return p.Opened }),
		numericColumn("sv_open_failed", func(p *status.Pool) uint64 { return p.OpenFailed }),
		numericColumn("sv_closed", func(p *status.Pool) uint64 { return sum(p.Closed) }),
		numericColumn("refused", func(p *status.Pool) uint64 { return sum(p.Refused) }),
		numericColumn("emergencies", func(p *status.Pool) uint64 { return p.Emergencies }),
		optionalColumn("last_error", func(p *status.Pool) string { return p.LastError }),
	},
}

func sum(counts []status.Count) uint64 {
	var n uint64
	for _, c := range counts {
		n += c.Count
	}
	return n
}

// laneOfPool is a row of SHOW LANES.
type laneOfPool struct {
	pool *status.Pool
	status.Lane
}

func lanes(s *status.Snapshot) []laneOfPool {
	var list []laneOfPool
	for i := range s.Pools {
		for _, lane := range s.Pools[i].Lanes {
			list = append(list, laneOfPool{&s.Pools[i], lane})
		}
	}
	return list
}

var laneTable = table[laneOfPool]{
	items: lanes,
	columns: []column[laneOfPool]{
		textColumn("database", func(l *laneOfPool) string { return l.pool.Database }),
		textColumn("user", func(l *laneOfPool) string { return l.pool.User }),
		textColumn("lane", func(l *laneOfPool) string { return l.Name }),
		intColumn("waiting", func(l *laneOfPool) int { return l.Waiting }),
		numericColumn("requests", func(l *laneOfPool) uint64 { return l.Requests }),
		numericColumn("acquired", func(l *laneOfPool) uint64 { return l.Acquisition.Count }),
		numericColumn("canceled", func(l *laneOfPool) uint64 { return l.Cancelled }),
		numericColumn("emergencies", func(l *laneOfPool) uint64 { return l.Emergencies }),
		millisecondsColumn("p50_ms", func(l *laneOfPool) time.Duration { return l.Acquisition.P50 }),
		millisecondsColumn("p90_ms", func(l *laneOfPool) time.Duration { return l.Acquisition.P90 }),
		millisecondsColumn("p99_ms", func(l *laneOfPool) time.Duration { return l.Acquisition.P99 }),
		millisecondsColumn("p999_ms", func(l *laneOfPool) time.Duration { return l.Acquisition.P999 }),
		millisecondsColumn("max_ms", func(l *laneOfPool) time.Duration { return l.Acquisition.Max }),
		numericColumn("shed", func(l *laneOfPool) uint64 { return l.Shed }),
		numericColumn("statements", func(l *laneOfPool) uint64 { return l.Statement.Count }),
		millisecondsColumn("statement_p50_ms", func(l *laneOfPool) time.Duration { return l.Statement.P50 }),
		millisecondsColumn("statement_p90_ms", func(l *laneOfPool) time.Duration { return l.Statement.P90 }),
		millisecondsColumn("statement_p99_ms", func(l *laneOfPool) time.Duration { return l.Statement.P99 }),
		millisecondsColumn("statement_p999_ms", func(l *laneOfPool) time.Duration { return l.Statement.P999 }),
		millisecondsColumn("statement_max_ms", func(l *laneOfPool) time.Duration { return l.Statement.Max }),
	},
}

// pinOfPool is a row of SHOW PINS.
type pinOfPool struct {
	pool *status.Pool
	status.Count
}

func pins(s *status.Snapshot) []pinOfPool {
	var list []pinOfPool
	for i := range s.Pools {
		for _, count := range s.Pools[i].Pins {
			list = append(list, pinOfPool{&s.Pools[i], count})
		}
	}
	return list
}

var pinTable = table[pinOfPool]{
	items: pins,
	columns: []column[pinOfPool]{
		textColumn("database", func(p *pinOfPool) string { return p.pool.Database }),
		textColumn("user", func(p *pinOfPool) string { return p.pool.User }),
		textColumn("reason", func(p *pinOfPool) string { return p.Reason }),
		numericColumn("pins", func(p *pinOfPool) uint64 { return p.Count.Count }),
	},
}

var databaseTable = table[status.Database]{
	items: func(s *status.Snapshot) []status.Database { return s.Databases },
	columns: []column[status.Database]{
		textColumn("name", func(d *status.Database) string { return d.Name }),
		optionalColumn("host", func(d *status.Database) string { return d.Host }),
		intColumn("port", func(d *status.Database) int { return d.Port }),
		textColumn("database", func(d *status.Database) string { return d.ServerDatabase }),
		optionalColumn("force_user", func(d *status.Database) string { return d.ForceUser }),
		intColumn("pool_size", func(d *status.Database) int { return d.PoolSize }),
		intColumn("min_pool_size", func(d *status.Database) int { return d.MinPoolSize }),
		intColumn("reserve_pool_size", func(d *status.Database) int { return d.ReservePoolSize }),
		intColumn("server_lifetime", func(d *status.Database) int { return wholeSeconds(d.ServerLifetime) }),
		optionalColumn("pool_mode", func(d *status.Database) string { return d.PoolMode }),
		optionalColumn("load_balance_hosts", func(d *status.Database) string { return d.LoadBalanceHosts }),
		intColumn("max_connections", func(d *status.Database) int { return d.MaxServers }),
		intColumn("current_connections", func(d *status.Database) int { return d.CurrentServers }),
		intColumn("max_client_connections", func(d *status.Database) int { return d.MaxClients }),
		intColumn("current_client_connections", func(d *status.Database) int { return d.CurrentClients }),
		boolColumn("paused", func(d *status.Database) bool { return d.Paused }),
		boolColumn("disabled", func(d *status.Database) bool { return d.Disabled }),
	},
}

var userTable = table[status.User]{
	items: func(s *status.Snapshot) []status.User { return s.Users },
	columns: []column[status.User]{
		textColumn("name", func(u *status.User) string { return u.Name }),
		textColumn("pool_size", func(u *status.User) string { return sizeOrEmpty(u.PoolSize) }),
		textColumn("reserve_pool_size", func(u *status.User) string { return sizeOrEmpty(u.ReservePoolSize) }),
		optionalColumn("pool_mode", func(u *status.User) string { return u.PoolMode }),
		intColumn("max_user_connections", func(u *status.User) int { return u.MaxServers }),
		intColumn("current_connections", func(u *status.User) int { return u.CurrentServers }),
		intColumn("max_user_client_connections", func(u *status.User) int { return u.MaxClients }),
		intColumn("current_client_connections", func(u *status.User) int { return u.CurrentClients }),
	},
}

// sizeOrEmpty is a size of SHOW USERS: text, right-aligned in nine places as PgBouncer prints it, empty when unset.
func sizeOrEmpty(size int) string {
	if size < 0 {
		return ""
	}
	return fmt.Sprintf("%9d", size)
}
