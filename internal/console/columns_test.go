package console

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/wire"
)

// pgbouncerColumns is what PgBouncer 1.25 sends: names in order, and one letter for the type of each as its source
// writes them (i int4, q int8, s text, N numeric, T timestamp sent as text, b bytea).
//
// Source: github.com/pgbouncer/pgbouncer, src/admin.c and src/stats.c of the 1.25 releases, the calls of
// pktbuf_write_RowDescription; the letters' OIDs from src/pktbuf.c.
var pgbouncerColumns = map[string]struct{ types, names string }{
	"SHOW POOLS": {
		"ssiiiiiiiiiiiiiss",
		`database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req sv_active sv_active_cancel
		sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait maxwait_us pool_mode load_balance_hosts`,
	},
	"SHOW CLIENTS": {"ssssssisiTTiiississii", pgbouncerSocket},
	"SHOW SERVERS": {"ssssssisiTTiiississii", pgbouncerSocket},
	"SHOW SOCKETS": {"ssssssisiTTiiississii" + "iiiiiii", pgbouncerSocket + pgbouncerBuffer},

	"SHOW ACTIVE_SOCKETS": {"ssssssisiTTiiississii" + "iiiiiii", pgbouncerSocket + pgbouncerBuffer},
	"SHOW STATS": {
		"s" + strings.Repeat("N", 22),
		`database total_server_assignment_count total_xact_count total_query_count total_received total_sent
		total_xact_time total_query_time total_wait_time total_client_parse_count total_server_parse_count
		total_bind_count avg_server_assignment_count avg_xact_count avg_query_count avg_recv avg_sent avg_xact_time
		avg_query_time avg_wait_time avg_client_parse_count avg_server_parse_count avg_bind_count`,
	},
	"SHOW STATS_TOTALS": {
		"s" + strings.Repeat("N", 11),
		`database server_assignment_count xact_count query_count bytes_received bytes_sent xact_time query_time
		wait_time client_parse_count server_parse_count bind_count`,
	},
	"SHOW STATS_AVERAGES": {
		"s" + strings.Repeat("N", 11),
		`database server_assignment_count xact_count query_count bytes_received bytes_sent xact_time query_time
		wait_time avg_client_parse_count avg_server_parse_count avg_bind_count`,
	},
	"SHOW TOTALS": {"sN", "name value"},
	"SHOW DATABASES": {
		"ssissiiiissiiiiii",
		`name host port database force_user pool_size min_pool_size reserve_pool_size server_lifetime pool_mode
		load_balance_hosts max_connections current_connections max_client_connections current_client_connections
		paused disabled`,
	},
	"SHOW USERS": {
		"ssssiiii",
		`name pool_size reserve_pool_size pool_mode max_user_connections current_connections
		max_user_client_connections current_client_connections`,
	},
	"SHOW LISTS":      {"si", "list items"},
	"SHOW CONFIG":     {"ssss", "key value default changeable"},
	"SHOW VERSION":    {"s", "version"},
	"SHOW STATE":      {"ss", "key value"},
	"SHOW MEM":        {"siiii", "name size used free memtotal"},
	"SHOW PEERS":      {"isii", "peer_id host port pool_size"},
	"SHOW PEER_POOLS": {"iiiii", "peer_id cl_active_cancel_req cl_waiting_cancel_req sv_active_cancel sv_login"},
	"SHOW DNS_HOSTS":  {"sqs", "hostname ttl addrs"},
	"SHOW DNS_ZONES":  {"sqi", "zonename serial count"},
	"SHOW FDS": {
		"issssiqisssssbb",
		`fd task user database addr port cancel link client_encoding std_strings datestyle timezone password
		scram_client_key scram_server_key`,
	},
}

const (
	pgbouncerSocket = `type user database replication state addr port local_addr local_port connect_time request_time
		wait wait_us close_needed ptr link remote_pid tls application_name prepared_statements id `
	pgbouncerBuffer = `recv_pos pkt_pos pkt_remain send_pos send_remain pkt_avail send_avail`
)

// usherColumns are our own, after PgBouncer's.
var usherColumns = map[string]struct{ types, names string }{
	"SHOW POOLS": {
		"iiiiiiiiNNNNNs",
		`cl_idle cl_held cl_pinned sv_target sv_max sv_reserve sv_reserve_used sv_budget sv_opened sv_open_failed
		sv_closed refused emergencies last_error`,
	},
	"SHOW CLIENTS":        {"ssNi", "lane pin_reason pins loop"},
	"SHOW SERVERS":        {"ii", "reserve loop"},
	"SHOW SOCKETS":        {"i", "loop"},
	"SHOW ACTIVE_SOCKETS": {"i", "loop"},
	"SHOW STATS":          {"NN", "total_client_login_count avg_client_login_count"},
	"SHOW STATS_TOTALS":   {"N", "client_login_count"},
	"SHOW STATS_AVERAGES": {"N", "avg_client_login_count"},
	"SHOW LANES": {
		"sssiNNNNNNNNN" + "NNNNNNN",
		`database user lane waiting requests acquired canceled emergencies p50_ms p90_ms p99_ms p999_ms max_ms
		shed statements statement_p50_ms statement_p90_ms statement_p99_ms statement_p999_ms statement_max_ms`,
	},
	"SHOW FORECAST":   {"ssTNNNiiss", "database user time p50 p90 x_base needed target action why"},
	"SHOW SHORTFALLS": {"sTTTiis", "pool start end peak needed have why"},
	"SHOW CALENDAR":   {"TTssNs", "start end name kind guests calendar"},
	"SHOW SCALING": {
		"sssNiisssTTsT",
		"database user mode demand open target cause reason notes decided forecast no_forecast next_spike",
	},
	"SHOW CALENDARS": {
		"ssiiTTTssis",
		"calendar place events remembered attempt success copy alarm error problems first_problem",
	},
	"SHOW TUNING": {
		"ssiiiNNNNNs",
		"server mode limit size found busy throughput service_ms seconds full why",
	},
	"SHOW PINS": {"sssN", "database user reason pins"},
	"SHOW EMERGENCIES": {
		"sssssiiTTssTss",
		"database user kind measure lane target in_force since until by reason ended ended_by end_reason",
	},
}

var typeOfLetter = map[rune]wire.Column{
	's': {OID: 25, Size: -1}, 'T': {OID: 25, Size: -1}, 'b': {OID: 17, Size: -1},
	'i': {OID: 23, Size: 4}, 'q': {OID: 20, Size: 8}, 'N': {OID: 1700, Size: -1},
}

func columnsFrom(t *testing.T, types, names string) []wire.Column {
	t.Helper()
	fields := strings.Fields(names)
	if len(fields) != len(types) {
		t.Fatalf("the test's table is wrong: %d names and %d types", len(fields), len(types))
	}
	columns := make([]wire.Column, 0, len(fields))
	for i, letter := range types {
		c := typeOfLetter[letter]
		c.Name = fields[i]
		columns = append(columns, c)
	}
	return columns
}

func TestEveryShowHasPgBouncersColumnsFirstAndOursLast(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range commands {
		if c.result == nil {
			continue
		}
		seen[c.name] = true
		theirs, ours := pgbouncerColumns[c.name], usherColumns[c.name]
		want := append(columnsFrom(t, theirs.types, theirs.names), columnsFrom(t, ours.types, ours.names)...)
		if diff := cmp.Diff(want, c.result.describe()); diff != "" {
			t.Errorf("%s: columns (-want +got):\n%s", c.name, diff)
		}
	}
	for name := range pgbouncerColumns {
		if !seen[name] {
			t.Errorf("PgBouncer has %s, the console has not", name)
		}
	}
}

// pgbouncerCommands are the commands of PgBouncer 1.25 (cmd_list and show_map in src/admin.c) and whether they need an
// admin user there.
var pgbouncerCommands = map[string]Permission{
	"DISABLE": Admin, "ENABLE": Admin, "KILL": Admin, "KILL_CLIENT": Admin, "PAUSE": Admin, "RECONNECT": Admin,
	"RELOAD": Admin, "RESUME": Admin, "SHUTDOWN": Admin, "SUSPEND": Admin, "WAIT_CLOSE": Admin, "SET": Admin,
	"SHOW ACTIVE_SOCKETS": Stats, "SHOW CLIENTS": Stats, "SHOW CONFIG": Stats, "SHOW DATABASES": Stats,
	"SHOW DNS_HOSTS": Stats, "SHOW DNS_ZONES": Stats, "SHOW FDS": Admin, "SHOW HELP": Stats, "SHOW LISTS": Stats,
	"SHOW MEM": Stats, "SHOW PEERS": Stats, "SHOW PEER_POOLS": Stats, "SHOW POOLS": Stats, "SHOW SERVERS": Stats,
	"SHOW SOCKETS": Stats, "SHOW STATE": Stats, "SHOW STATS": Stats, "SHOW STATS_AVERAGES": Stats,
	"SHOW STATS_TOTALS": Stats, "SHOW TOTALS": Stats, "SHOW USERS": Stats, "SHOW VERSION": Stats,
}

func TestTheCommandsArePgBouncersWithItsPermissions(t *testing.T) {
	got := map[string]Permission{}
	for _, c := range commands {
		got[c.name] = c.permission
		answers := 0
		for _, set := range []bool{c.result != nil, c.notice != nil, c.act != nil} {
			if set {
				answers++
			}
		}
		if answers != 1 {
			t.Errorf("%s has %d answers, want 1 of result, notice and act", c.name, answers)
		}
		if !strings.HasPrefix(c.name, "SHOW ") && c.usage == "" {
			t.Errorf("%s has no usage", c.name)
		}
	}
	want := map[string]Permission{ // ours
		"SHOW LANES": Stats, "SHOW PINS": Stats, "SHOW EMERGENCIES": Stats, "EMERGENCY": Admin,
		"SHOW FORECAST": Stats, "SHOW SCALING": Stats, "SHOW SHORTFALLS": Stats, "SHOW CALENDAR": Stats,
		"SHOW CALENDARS": Stats, "SHOW TUNING": Stats, "SCALE": Admin,
	}
	for name, permission := range pgbouncerCommands {
		want[name] = permission
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}
