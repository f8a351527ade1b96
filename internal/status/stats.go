package status

import (
	"math"
	"math/bits"
	"time"
)

// DefaultStatsPeriod is how often averages are renewed: PgBouncer's default stats_period.
const DefaultStatsPeriod = 60 * time.Second

// DatabaseStats is the traffic of one database.
type DatabaseStats struct {
	Database string   `json:"database"`
	Totals   Totals   `json:"totals"`
	Averages Averages `json:"averages"`
}

// Totals are counters since usher started. Times are microseconds.
type Totals struct {
	Assignments     uint64 `json:"server_assignments"` // a request got a server connection
	Transactions    uint64 `json:"transactions"`
	Queries         uint64 `json:"queries"`
	Received        uint64 `json:"received_bytes"` // from clients
	Sent            uint64 `json:"sent_bytes"`     // to clients
	TransactionTime uint64 `json:"transaction_time_us"`
	QueryTime       uint64 `json:"query_time_us"`
	WaitTime        uint64 `json:"wait_time_us"`
	ClientParses    uint64 `json:"client_parses"`
	ServerParses    uint64 `json:"server_parses"`
	Binds           uint64 `json:"binds"`
	ClientLogins    uint64 `json:"client_logins"`
}

// Averages are Totals over a while: counts and bytes become a rate per second, TransactionTime the mean of a
// transaction, QueryTime of a query, WaitTime of an assignment, in microseconds.
type Averages Totals

// Add is the sum of both.
func (t Totals) Add(u Totals) Totals {
	return combine(t, u, func(a, b uint64) uint64 { return a + b })
}

// since is what happened after earlier. A counter below its earlier value began anew.
func (t Totals) since(earlier Totals) Totals {
	return combine(t, earlier, func(now, before uint64) uint64 {
		if now < before {
			return now
		}
		return now - before
	})
}

func combine(t, u Totals, f func(a, b uint64) uint64) Totals {
	return Totals{
		Assignments:     f(t.Assignments, u.Assignments),
		Transactions:    f(t.Transactions, u.Transactions),
		Queries:         f(t.Queries, u.Queries),
		Received:        f(t.Received, u.Received),
		Sent:            f(t.Sent, u.Sent),
		TransactionTime: f(t.TransactionTime, u.TransactionTime),
		QueryTime:       f(t.QueryTime, u.QueryTime),
		WaitTime:        f(t.WaitTime, u.WaitTime),
		ClientParses:    f(t.ClientParses, u.ClientParses),
		ServerParses:    f(t.ServerParses, u.ServerParses),
		Binds:           f(t.Binds, u.Binds),
		ClientLogins:    f(t.ClientLogins, u.ClientLogins),
	}
}

// AveragesOf are the averages of a stretch of time in which the counters went from earlier to current. They round
// down, as PgBouncer's do; a stretch that is not positive has none.
func AveragesOf(earlier, current Totals, elapsed time.Duration) Averages {
	if elapsed <= 0 {
		return Averages{}
	}
	d := current.since(earlier)
	return Averages{
		Assignments:     perSecond(d.Assignments, elapsed),
		Transactions:    perSecond(d.Transactions, elapsed),
		Queries:         perSecond(d.Queries, elapsed),
		Received:        perSecond(d.Received, elapsed),
		Sent:            perSecond(d.Sent, elapsed),
		TransactionTime: mean(d.TransactionTime, d.Transactions),
		QueryTime:       mean(d.QueryTime, d.Queries),
		WaitTime:        mean(d.WaitTime, d.Assignments),
		ClientParses:    perSecond(d.ClientParses, elapsed),
		ServerParses:    perSecond(d.ServerParses, elapsed),
		Binds:           perSecond(d.Binds, elapsed),
		ClientLogins:    perSecond(d.ClientLogins, elapsed),
	}
}

// perSecond multiplies before it divides, in 128 bits: 18 GB times 10⁹ does not fit 64.
func perSecond(n uint64, elapsed time.Duration) uint64 {
	high, low := bits.Mul64(n, uint64(time.Second))
	if high >= uint64(elapsed) {
		return math.MaxUint64
	}
	quotient, _ := bits.Div64(high, low, uint64(elapsed))
	return quotient
}

func mean(sum, n uint64) uint64 {
	if n == 0 {
		return 0
	}
	return sum / n
}

// Window remembers the totals at the last two marks, so that averages always cover at least one whole period and at
// most two, and never jump to nothing just after a mark. It is PgBouncer's rule.
type Window struct {
	older, newer mark
}

type mark struct {
	at     time.Time
	totals Totals
}

// NewWindow starts with both marks at now.
func NewWindow(now time.Time, totals Totals) *Window {
	m := mark{now, totals}
	return &Window{older: m, newer: m}
}

// Mark begins a new period; call it once every period.
func (w *Window) Mark(now time.Time, totals Totals) {
	w.older, w.newer = w.newer, mark{now, totals}
}

// Averages are over the time from the older mark until now.
func (w *Window) Averages(now time.Time, totals Totals) Averages {
	return AveragesOf(w.older.totals, totals, now.Sub(w.older.at))
}
