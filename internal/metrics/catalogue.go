package metrics

import (
	"runtime"
	"slices"
	"strconv"

	"github.com/usher-pg/usher/internal/status"
)

// kind is the type of a metric.
type kind string

const (
	gauge     kind = "gauge"
	counter   kind = "counter"
	histogram kind = "histogram"
)

// row is a metric.
type row struct {
	name    string
	kind    kind
	labels  []string
	help    string
	collect func(v *view, e emitter)
	always  bool // also without a snapshot
}

var (
	ofPool       = []string{"database", "user"}
	ofPoolLane   = []string{"database", "user", "lane"}
	ofPoolReason = []string{"database", "user", "reason"}
	ofPoolState  = []string{"database", "user", "state"}
	ofDatabase   = []string{"database"}
	ofServer     = []string{"server"}
	ofLoop       = []string{"loop"}
)

// catalogue is every metric of ours.
var catalogue = slices.Concat(processRows, poolRows, laneRows, databaseRows, loginRows, loopRows, brainRows)

var processRows = []row{
	{name: "usher_up", kind: gauge, help: "Whether usher could tell its status.", always: true,
		collect: func(v *view, e emitter) { e.value(number(v.up)) }},
	{name: "usher_build_info", kind: gauge, labels: []string{"version", "goversion"},
		help:    "Always 1; the labels say what is running.",
		collect: func(v *view, e emitter) { e.value(1, labelValue(v.Version), runtime.Version()) }},
	{name: "usher_start_time_seconds", kind: gauge, help: "When usher started, in seconds since 1970.",
		collect: func(v *view, e emitter) { e.value(float64(v.StartedAt.UnixMilli()) / 1000) }},
	{name: "usher_state", kind: gauge, labels: []string{"state"}, help: "1 for the state usher is in, else 0.",
		collect: collectState},
	{name: "usher_listeners", kind: gauge, help: "Sockets that accept clients.",
		collect: func(v *view, e emitter) { e.value(float64(len(v.Listeners))) }},
	{name: "usher_memory_bytes", kind: gauge, labels: []string{"kind"}, help: "Memory usher manages itself.",
		collect: collectMemory},
	{name: "usher_metrics_omitted", kind: gauge,
		help:    "Pools and databases that are not in these metrics because there are too many.",
		collect: func(v *view, e emitter) { e.value(float64(v.omitted)) }},
	{name: "usher_emergencies", kind: gauge, labels: []string{"kind"},
		help:    "Emergency measures in force, by who began them: an operator, or usher itself.",
		collect: collectEmergencies},
	{name: "usher_budget_limit_connections", kind: gauge, labels: ofServer,
		help:    "Connections all pools together may have open on a database server, 0 for no limit.",
		collect: perBudget(func(b *status.Budget) int { return b.Limit })},
	{name: "usher_budget_used_connections", kind: gauge, labels: ofServer,
		help:    "Connections all pools together have open on a database server.",
		collect: perBudget(func(b *status.Budget) int { return b.Used })},
}

var poolRows = []row{
	{name: "usher_pool_clients", kind: gauge, labels: ofPoolState,
		help:    "Clients by state: idle, linked to a server connection, waiting for one, held by PAUSE, or cancel requests.",
		collect: perPool(collectClients)},
	{name: "usher_pool_clients_pinned", kind: gauge, labels: ofPool,
		help:    "Clients that keep their server connection because of session state.",
		collect: poolInt(func(p *status.Pool) int { return p.Pinned })},
	{name: "usher_pool_servers", kind: gauge, labels: ofPoolState, help: "Server connections by state.",
		collect: perPool(collectServers)},
	{name: "usher_pool_servers_min", kind: gauge, labels: ofPool, help: "Server connections kept open at least.",
		collect: poolInt(func(p *status.Pool) int { return p.Min })},
	{name: "usher_pool_servers_max", kind: gauge, labels: ofPool,
		help:    "Server connections open at most, reserve not counted.",
		collect: poolInt(func(p *status.Pool) int { return p.Max })},
	{name: "usher_pool_servers_target", kind: gauge, labels: ofPool,
		help:    "Server connections the pool should have open now.",
		collect: poolInt(func(p *status.Pool) int { return p.Target })},
	{name: "usher_pool_servers_budget", kind: gauge, labels: ofPool,
		help:    "Server connections the database server's budget leaves to the pool, 0 for no limit.",
		collect: poolInt(func(p *status.Pool) int { return p.Budget })},
	{name: "usher_pool_reserve", kind: gauge, labels: ofPool,
		help:    "Server connections held beyond the target for emergencies.",
		collect: poolInt(func(p *status.Pool) int { return p.Reserve })},
	{name: "usher_pool_reserve_used", kind: gauge, labels: ofPool, help: "Reserve connections in use.",
		collect: poolInt(func(p *status.Pool) int { return p.ReserveUsed })},
	{name: "usher_pool_utilisation_ratio", kind: gauge, labels: ofPool,
		help:    "Server connections in use, as a part of those that ordinary requests may have; above 1 with the reserve.",
		collect: perPool(func(p *status.Pool, e emitter, l ...string) { e.value(p.Utilisation(), l...) })},
	{name: "usher_pool_max_wait_seconds", kind: gauge, labels: ofPool,
		help:    "How long the request that waits longest has waited.",
		collect: perPool(func(p *status.Pool, e emitter, l ...string) { e.value(p.MaxWait.Seconds(), l...) })},
	{name: "usher_pool_failing", kind: gauge, labels: ofPool,
		help:    "1 while no server connection is open and the last attempt to open one failed, else 0.",
		collect: perPool(func(p *status.Pool, e emitter, l ...string) { e.value(number(p.Failing), l...) })},
	{name: "usher_pool_servers_opened_total", kind: counter, labels: ofPool, help: "Server connections opened.",
		collect: poolCount(func(p *status.Pool) uint64 { return p.Opened })},
	{name: "usher_pool_servers_open_failures_total", kind: counter, labels: ofPool,
		help:    "Attempts to open a server connection that failed.",
		collect: poolCount(func(p *status.Pool) uint64 { return p.OpenFailed })},
	{name: "usher_pool_servers_closed_total", kind: counter, labels: ofPoolReason,
		help:    "Server connections closed, by reason.",
		collect: perPool(func(p *status.Pool, e emitter, l ...string) { e.counts(p.Closed, l...) })},
	{name: "usher_pool_pins_total", kind: counter, labels: ofPoolReason, help: "Clients pinned, by reason.",
		collect: perPool(func(p *status.Pool, e emitter, l ...string) { e.counts(p.Pins, l...) })},
	{name: "usher_pool_idle_transactions_ended_total", kind: counter, labels: ofPool,
		help:    "Clients idle in a transaction that were ended for a critical request.",
		collect: poolCount(func(p *status.Pool) uint64 { return p.IdleEnded })},
	{name: "usher_pool_requests_refused_total", kind: counter, labels: ofPoolReason,
		help:    "Requests refused instead of being given a server connection, by reason.",
		collect: perPool(func(p *status.Pool, e emitter, l ...string) { e.counts(p.Refused, l...) })},
	{name: "usher_pool_lanes_exceeded_total", kind: counter, labels: []string{"database", "user", "outcome"},
		help:    "Requests for a lane beyond their client's grant, by what became of them.",
		collect: perPool(func(p *status.Pool, e emitter, l ...string) { e.counts(p.Exceeded, l...) })},
	{name: "usher_pool_service_seconds", kind: histogram, labels: ofPool,
		help:    "From the grant of a server connection to its release.",
		collect: perPool(func(p *status.Pool, e emitter, l ...string) { e.distribution(&p.Service, l...) })},
}

var laneRows = []row{
	{name: "usher_pool_acquisition_seconds", kind: histogram, labels: ofPoolLane,
		help:    "From reading a request to its server connection.",
		collect: perLane(func(lane *status.Lane, e emitter, l ...string) { e.distribution(&lane.Acquisition, l...) })},
	{name: "usher_statement_seconds", kind: histogram, labels: ofPoolLane,
		help:    "From reading a request to its ReadyForQuery, the wait for a server connection included.",
		collect: perLane(func(lane *status.Lane, e emitter, l ...string) { e.distribution(&lane.Statement, l...) })},
	{name: "usher_pool_waiting_requests", kind: gauge, labels: ofPoolLane,
		help:    "Requests waiting for a server connection.",
		collect: perLane(func(lane *status.Lane, e emitter, l ...string) { e.value(float64(lane.Waiting), l...) })},
	{name: "usher_pool_requests_total", kind: counter, labels: ofPoolLane,
		help:    "Requests for a server connection.",
		collect: perLane(func(lane *status.Lane, e emitter, l ...string) { e.value(float64(lane.Requests), l...) })},
	{name: "usher_pool_requests_cancelled_total", kind: counter, labels: ofPoolLane,
		help:    "Requests withdrawn while they waited.",
		collect: perLane(func(lane *status.Lane, e emitter, l ...string) { e.value(float64(lane.Cancelled), l...) })},
	{name: "usher_pool_lane_shed", kind: gauge, labels: ofPoolLane,
		help:    "1 while requests of the lane are refused by emergency measures, else 0.",
		collect: perLane(func(lane *status.Lane, e emitter, l ...string) { e.value(number(lane.Shedding), l...) })},
	{name: "usher_pool_requests_shed_total", kind: counter, labels: ofPoolLane,
		help:    "Requests refused because their lane was being shed.",
		collect: perLane(func(lane *status.Lane, e emitter, l ...string) { e.value(float64(lane.Shed), l...) })},
	{name: "usher_pool_emergencies_total", kind: counter, labels: ofPoolLane,
		help:    "Reserve connections granted.",
		collect: perLane(func(lane *status.Lane, e emitter, l ...string) { e.value(float64(lane.Emergencies), l...) })},
}

var databaseRows = []row{
	{name: "usher_database_paused", kind: gauge, labels: ofDatabase, help: "1 while the database is paused, else 0.",
		collect: perDatabase(func(d *status.Database) float64 { return number(d.Paused) })},
	{name: "usher_database_disabled", kind: gauge, labels: ofDatabase,
		help:    "1 while the database takes no new clients, else 0.",
		collect: perDatabase(func(d *status.Database) float64 { return number(d.Disabled) })},
	{name: "usher_database_clients", kind: gauge, labels: ofDatabase, help: "Clients connected.",
		collect: perDatabase(func(d *status.Database) float64 { return float64(d.CurrentClients) })},
	{name: "usher_database_clients_max", kind: gauge, labels: ofDatabase,
		help:    "Clients that may be connected, 0 for no limit.",
		collect: perDatabase(func(d *status.Database) float64 { return float64(d.MaxClients) })},
	total("server_assignments", "Requests that got a server connection.",
		func(t *status.Totals) uint64 { return t.Assignments }),
	total("transactions", "Transactions.", func(t *status.Totals) uint64 { return t.Transactions }),
	total("queries", "Queries.", func(t *status.Totals) uint64 { return t.Queries }),
	total("received_bytes", "Bytes received from clients.", func(t *status.Totals) uint64 { return t.Received }),
	total("sent_bytes", "Bytes sent to clients.", func(t *status.Totals) uint64 { return t.Sent }),
	totalTime("transaction_seconds", "Time spent in transactions.",
		func(t *status.Totals) uint64 { return t.TransactionTime }),
	totalTime("query_seconds", "Time spent running queries.", func(t *status.Totals) uint64 { return t.QueryTime }),
	totalTime("wait_seconds", "Time requests waited for a server connection.",
		func(t *status.Totals) uint64 { return t.WaitTime }),
	total("client_parses", "Parse messages of named statements received from clients.",
		func(t *status.Totals) uint64 { return t.ClientParses }),
	total("server_parses", "Parse messages of named statements sent to servers.",
		func(t *status.Totals) uint64 { return t.ServerParses }),
	total("binds", "Bind messages for named statements.", func(t *status.Totals) uint64 { return t.Binds }),
	total("client_logins", "Clients that logged in.", func(t *status.Totals) uint64 { return t.ClientLogins }),
}

var loginRows = []row{
	{name: "usher_logins_in_progress", kind: gauge, help: "Clients between accept and the end of their login.",
		collect: login(func(l *status.Logins, e emitter) { e.value(float64(l.InProgress)) })},
	{name: "usher_logins_accepted_total", kind: counter, help: "Connections accepted.",
		collect: login(func(l *status.Logins, e emitter) { e.value(float64(l.Accepted)) })},
	{name: "usher_logins_succeeded_total", kind: counter, help: "Logins that succeeded.",
		collect: login(func(l *status.Logins, e emitter) { e.value(float64(l.Succeeded)) })},
	{name: "usher_logins_refused_total", kind: counter, labels: []string{"reason"}, help: "Logins refused, by reason.",
		collect: login(func(l *status.Logins, e emitter) { e.counts(l.Refused) })},
	{name: "usher_cancel_requests_total", kind: counter, help: "Cancel requests received.",
		collect: login(func(l *status.Logins, e emitter) { e.value(float64(l.Cancels)) })},
}

var loopRows = []row{
	{name: "usher_loop_clients", kind: gauge, labels: ofLoop, help: "Clients on the event loop.",
		collect: perLoop(func(l *status.Loop) float64 { return float64(l.Clients) })},
	{name: "usher_loop_servers", kind: gauge, labels: ofLoop, help: "Server connections on the event loop.",
		collect: perLoop(func(l *status.Loop) float64 { return float64(l.Servers) })},
	{name: "usher_loop_queued_bytes", kind: gauge, labels: ofLoop,
		help:    "Bytes queued because their receiver reads slowly.",
		collect: perLoop(func(l *status.Loop) float64 { return float64(l.QueuedBytes) })},
	{name: "usher_loop_wakeups_total", kind: counter, labels: ofLoop, help: "Returns of the poll call.",
		collect: perLoop(func(l *status.Loop) float64 { return float64(l.Wakeups) })},
	{name: "usher_loop_events_total", kind: counter, labels: ofLoop, help: "Ready descriptors handled.",
		collect: perLoop(func(l *status.Loop) float64 { return float64(l.Events) })},
	{name: "usher_loop_mail_total", kind: counter, labels: ofLoop, help: "Messages taken from the mailbox.",
		collect: perLoop(func(l *status.Loop) float64 { return float64(l.Mail) })},
	{name: "usher_loop_busy_seconds_total", kind: counter, labels: ofLoop,
		help:    "Time spent outside the poll call.",
		collect: perLoop(func(l *status.Loop) float64 { return l.Busy.Seconds() })},
}

func total(name, help string, value func(*status.Totals) uint64) row {
	return totalScaled(name, help, 1, value)
}

// totalTime is a total of microseconds.
func totalTime(name, help string, value func(*status.Totals) uint64) row {
	return totalScaled(name, help, 1e-6, value)
}

func totalScaled(name, help string, factor float64, value func(*status.Totals) uint64) row {
	return row{
		name: "usher_database_" + name + "_total", kind: counter, labels: ofDatabase, help: help,
		collect: func(v *view, e emitter) {
			for _, d := range v.stats {
				e.value(float64(value(&d.item.Totals))*factor, d.database)
			}
		},
	}
}

func perPool(collect func(p *status.Pool, e emitter, labels ...string)) func(*view, emitter) {
	return func(v *view, e emitter) {
		for _, p := range v.pools {
			collect(p.item, e, p.database, p.user)
		}
	}
}

func poolInt(value func(*status.Pool) int) func(*view, emitter) {
	return perPool(func(p *status.Pool, e emitter, l ...string) { e.value(float64(value(p)), l...) })
}

func poolCount(value func(*status.Pool) uint64) func(*view, emitter) {
	return perPool(func(p *status.Pool, e emitter, l ...string) { e.value(float64(value(p)), l...) })
}

func perLane(collect func(lane *status.Lane, e emitter, labels ...string)) func(*view, emitter) {
	return perPool(func(p *status.Pool, e emitter, l ...string) {
		for i := range p.Lanes {
			collect(&p.Lanes[i], e, l[0], l[1], p.Lanes[i].Name)
		}
	})
}

func perDatabase(value func(*status.Database) float64) func(*view, emitter) {
	return func(v *view, e emitter) {
		for _, d := range v.bases {
			e.value(value(d.item), d.database)
		}
	}
}

func perBudget(value func(*status.Budget) int) func(*view, emitter) {
	return func(v *view, e emitter) {
		for i := range v.Budgets {
			e.value(float64(value(&v.Budgets[i])), labelValue(v.Budgets[i].Server))
		}
	}
}

func perLoop(value func(*status.Loop) float64) func(*view, emitter) {
	return func(v *view, e emitter) {
		for i := range v.Loops {
			e.value(value(&v.Loops[i]), strconv.Itoa(v.Loops[i].ID))
		}
	}
}

func login(collect func(*status.Logins, emitter)) func(*view, emitter) {
	return func(v *view, e emitter) {
		if v.Logins != nil {
			collect(v.Logins, e)
		}
	}
}

func collectState(v *view, e emitter) {
	for _, state := range []status.State{status.Active, status.Paused, status.Suspended, status.ShuttingDown} {
		e.value(number(v.State == state), string(state))
	}
}

func collectEmergencies(v *view, e emitter) {
	counts := map[status.EmergencyKind]int{status.EmergencyByOperator: 0, status.EmergencyByItself: 0}
	for i := range v.Emergencies {
		if v.Emergencies[i].InForce() {
			counts[v.Emergencies[i].Kind]++
		}
	}
	for kind, n := range counts {
		e.value(float64(n), string(kind))
	}
}

func collectMemory(v *view, e emitter) {
	for _, m := range v.Memory {
		e.value(float64(m.Total), m.Name)
	}
}

func collectClients(p *status.Pool, e emitter, l ...string) {
	c := &p.Clients
	emitStates(e, l, []stateCount{
		{"idle", c.Idle}, {"linked", c.Linked}, {"waiting", c.Waiting}, {"held", c.Held},
		{"active_cancel_req", c.ActiveCancel}, {"waiting_cancel_req", c.WaitingCancel},
	})
}

func collectServers(p *status.Pool, e emitter, l ...string) {
	s := &p.Servers
	emitStates(e, l, []stateCount{
		{"active", s.Active}, {"idle", s.Idle}, {"used", s.Used}, {"tested", s.Tested}, {"login", s.Login},
		{"active_cancel", s.ActiveCancel}, {"being_canceled", s.BeingCanceled},
	})
}

type stateCount struct {
	state string
	count int
}

func emitStates(e emitter, labels []string, states []stateCount) {
	for _, s := range states {
		e.value(float64(s.count), labels[0], labels[1], s.state)
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
