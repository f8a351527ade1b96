package console

import (
	"github.com/usher-pg/usher/internal/status"
)

// listSize is a row of SHOW LISTS.
type listSize struct {
	name  string
	items int
}

// listSizes has PgBouncer's lists; usher has no peers, and the resolver of the Go library keeps no names.
func listSizes(s *status.Snapshot) []listSize {
	l := s.Lists
	if l == nil {
		l = &status.Lists{}
	}
	return []listSize{
		{"databases", l.Databases},
		{"users", l.Users},
		{"peers", 0},
		{"pools", l.Pools},
		{"peer_pools", 0},
		{"free_clients", l.FreeClients},
		{"used_clients", l.UsedClients},
		{"login_clients", l.LoginClients},
		{"free_servers", l.FreeServers},
		{"used_servers", l.UsedServers},
		{"dns_names", 0},
		{"dns_zones", 0},
		{"dns_queries", 0},
		{"dns_pending", 0},
	}
}

var listTable = table[listSize]{
	items: listSizes,
	columns: []column[listSize]{
		textColumn("list", func(l *listSize) string { return l.name }),
		intColumn("items", func(l *listSize) int { return l.items }),
	},
}

var configTable = table[status.ConfigRow]{
	items: func(s *status.Snapshot) []status.ConfigRow { return s.Config },
	columns: []column[status.ConfigRow]{
		textColumn("key", func(r *status.ConfigRow) string { return r.Key }),
		textColumn("value", func(r *status.ConfigRow) string { return r.Value }),
		textColumn("default", func(r *status.ConfigRow) string { return r.Default }),
		textColumn("changeable", func(r *status.ConfigRow) string { return yesNo(r.Changeable) }),
	},
}

var memoryTable = table[status.Memory]{
	items: func(s *status.Snapshot) []status.Memory { return s.Memory },
	columns: []column[status.Memory]{
		textColumn("name", func(m *status.Memory) string { return m.Name }),
		intColumn("size", func(m *status.Memory) int { return m.Size }),
		intColumn("used", func(m *status.Memory) int { return m.Used }),
		intColumn("free", func(m *status.Memory) int { return m.Free }),
		intColumn("memtotal", func(m *status.Memory) int { return m.Total }),
	},
}

// pair is a row of SHOW STATE, or of a parameter that is only pretended.
type pair struct{ key, value string }

var stateTable = table[pair]{
	items: func(s *status.Snapshot) []pair {
		return []pair{
			{"active", yesNo(s.State == status.Active)},
			{"paused", yesNo(s.State == status.Paused)},
			{"suspended", yesNo(s.State == status.Suspended)},
			{"shutting_down", yesNo(s.State == status.ShuttingDown)},
		}
	},
	columns: []column[pair]{
		textColumn("key", func(p *pair) string { return p.key }),
		textColumn("value", func(p *pair) string { return p.value }),
	},
}

// CompatibleVersion is the PgBouncer whose console this is. Tools read it from server_version and SHOW VERSION to know
// which columns there are, so it stands in both, before usher's own version.
const CompatibleVersion = "1.25.0"

// ServerVersion is the server_version to report to a client of the console.
const ServerVersion = CompatibleVersion + "/bouncer"

var versionTable = table[string]{
	items: func(s *status.Snapshot) []string {
		return []string{"PgBouncer " + CompatibleVersion + " (usher " + s.Version + ")"}
	},
	columns: []column[string]{textColumn("version", func(v *string) string { return *v })},
}

// nothing is the row type of tables about things usher has not.
type nothing struct{}

func noRows(*status.Snapshot) []nothing { return nil }

var peerTable = table[nothing]{
	items: noRows,
	columns: []column[nothing]{
		intColumn("peer_id", noInt[nothing]),
		nullColumn[nothing]("host", typeText),
		intColumn("port", noInt[nothing]),
		intColumn("pool_size", noInt[nothing]),
	},
}

var peerPoolTable = table[nothing]{
	items: noRows,
	columns: []column[nothing]{
		intColumn("peer_id", noInt[nothing]),
		intColumn("cl_active_cancel_req", noInt[nothing]),
		intColumn("cl_waiting_cancel_req", noInt[nothing]),
		intColumn("sv_active_cancel", noInt[nothing]),
		intColumn("sv_login", noInt[nothing]),
	},
}

var hostTable = table[nothing]{
	items: noRows,
	columns: []column[nothing]{
		nullColumn[nothing]("hostname", typeText),
		nullColumn[nothing]("ttl", typeInt8),
		nullColumn[nothing]("addrs", typeText),
	},
}

var zoneTable = table[nothing]{
	items: noRows,
	columns: []column[nothing]{
		nullColumn[nothing]("zonename", typeText),
		nullColumn[nothing]("serial", typeInt8),
		nullColumn[nothing]("count", typeInt4),
	},
}

// pretendedTable is the answer to SHOW of a parameter that some clients ask for without need.
func pretendedTable(p pair) result {
	return table[string]{
		items:   func(*status.Snapshot) []string { return []string{p.value} },
		columns: []column[string]{textColumn(p.key, func(v *string) string { return *v })},
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
