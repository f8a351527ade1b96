package main

import "fmt"

// measure is one quantity of a run. All of them are better when smaller, but throughput.
type measure string

const (
	cpuPerUnit measure = "CPU"        // microseconds of the pooler's CPU per transaction, login or row
	throughput measure = "throughput" // units per second
	latencyP50 measure = "p50"        // milliseconds
	latencyP99 measure = "p99"
	memory     measure = "memory" // megabytes (10^6 bytes) of resident set
	memoryBase measure = "base"   // the same before the clients came
)

// kind says what a run does.
type kind string

const (
	transactions kind = "transaction" // pgbench, the built-in select-only script
	bigRows      kind = "1 MB row"    // pgbench, one row of 1 MB
	logins       kind = "login"       // log in and out
	idle         kind = "idle client" // log in, ask once, do nothing
)

// work is what the clients of a run do.
type work struct {
	kind     kind
	protocol string // of pgbench: simple, extended, prepared
	clients  int
	tls      bool
	scram    bool
}

// bar is what a row has to reach.
type bar struct {
	measure  measure
	atMost   float64 // of the ratio, or of the value if absolute
	atLeast  float64
	goal     float64 // reported, not judged
	absolute bool
}

// row is one comparison of the table: work through the candidate beside the same through the reference, or
// beside other work through the candidate itself.
type row struct {
	name, title string
	work        work
	beside      *work
	bars        []bar
}

// Bars that several rows have. They come from the project's acceptance list.
var (
	neverSlower = bar{measure: throughput, atLeast: 1}
	busyMemory  = bar{measure: memory, atMost: 40, absolute: true}
	idleMemory  = bar{measure: memory, atMost: 30, absolute: true}
	// besideOwnExtended is for prepared statements, which Debian's PgBouncer does not know in transaction mode.
	besideOwnExtended = bar{measure: cpuPerUnit, atMost: 1.15}
)

// plan lists the rows.
func plan() []row {
	var rows []row
	for _, protocol := range []string{"simple", "extended", "prepared"} {
		for _, clients := range []int{32, 1000, 9000} {
			rows = append(rows, transactionRow(protocol, clients))
		}
	}
	return append(rows,
		row{
			name: "tls/32", title: "simple over TLS, 32 clients",
			work: work{kind: transactions, protocol: "simple", clients: 32, tls: true},
			bars: []bar{{measure: cpuPerUnit, atMost: 0.8}, neverSlower},
		},
		row{
			name: "login/plain", title: "login, trust, no TLS",
			work: work{kind: logins, clients: 4},
			bars: []bar{{measure: cpuPerUnit, atMost: 1.2}},
		},
		row{
			name: "login/scram", title: "login, SCRAM-SHA-256, no TLS",
			work: work{kind: logins, clients: 4, scram: true},
		},
		row{
			name: "login/tls", title: "login, trust, TLS",
			work: work{kind: logins, clients: 4, tls: true},
			bars: []bar{{measure: cpuPerUnit, atMost: 0.9}},
		},
		row{
			name: "rows/1MB", title: "one row of 1 MB, 8 clients",
			work: work{kind: bigRows, protocol: "simple", clients: 8},
			bars: []bar{{measure: cpuPerUnit, atMost: 0.7}, neverSlower},
		},
		row{
			name: "idle/9000", title: "9,000 idle clients",
			work: work{kind: idle, clients: 9000},
			bars: []bar{idleMemory},
		},
	)
}

func transactionRow(protocol string, clients int) row {
	r := row{
		name:  fmt.Sprintf("%s/%d", protocol, clients),
		title: fmt.Sprintf("%s, %s clients", protocol, thousands(clients)),
		work:  work{kind: transactions, protocol: protocol, clients: clients},
	}
	switch {
	case protocol == "prepared":
		r.title += ", beside its own extended"
		r.beside = &work{kind: transactions, protocol: "extended", clients: clients}
		r.bars = append(r.bars, besideOwnExtended)
	case clients == 32:
		r.bars = append(r.bars, bar{measure: cpuPerUnit, atMost: 0.95, goal: 0.85}, neverSlower)
	case clients == 9000:
		r.bars = append(r.bars, bar{measure: cpuPerUnit, atMost: 0.75}, neverSlower)
	default:
		r.bars = append(r.bars, neverSlower)
	}
	if clients == 9000 {
		r.bars = append(r.bars, busyMemory)
	}
	return r
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
