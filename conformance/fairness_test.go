//go:build integration

package conformance

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// fairnessConfig has two pools that share a budget which is less than they would like.
const fairnessConfig = `
auth: {type: trust}
admin_users: [postgres]
loops: 2
budgets: {"{{address}}": %d}
pool_defaults:
  size: {min: 2, max: 8, reserve: 1}
  lanes: {ageing: 250ms, hopeless: wait}
pools:
  east: {url: "{{url}}"}
  west: {url: "{{url}}"}
`

const (
	fairnessBudget = 10
	// serviceTime is how long a request of the fairness test holds its server connection.
	serviceTime = 20 * time.Millisecond
	// fairnessWindow is how long no lane may be without any answer.
	fairnessWindow = 5 * time.Second
	// outOfOrder is how much later than another one of its lane a request may have been sent and yet be served before
	// it: they come by different sockets, and many processes share the machine.
	outOfOrder = 250 * time.Millisecond
)

// crowd is how many clients of a pool are in each lane. Together they want far more than there is; critical ones,
// who always go first, do not take everything.
var crowd = map[string]int{"critical": 1, "high": 12, "normal": 25, "low": 25}

// served is a request that was answered: when it was sent and when the server began it, by one clock.
type served struct{ sent, begun time.Time }

// fairness is the test under way.
type fairness struct {
	t      *testing.T
	target *target
	stop   chan struct{}
	most   atomic.Int64 // server connections seen at once

	mutex  sync.Mutex // guards served
	served map[string][]served
}

// TestFairness: two pools with four lanes each, all overloaded. No lane starves, within a lane who came first is
// served first, on whatever event loop, both pools get their share, and the budget of the database server is never
// exceeded. USHER_FAIRNESS_SECONDS says how long.
func TestFairness(t *testing.T) {
	t.Parallel()
	server := startOwnPostgres(t, nil)
	usher := startUsher(t, server, fmt.Sprintf(fairnessConfig, fairnessBudget))
	f := &fairness{t: t, target: through(usher, server, "east"), stop: make(chan struct{}), served: map[string][]served{}}
	var clients, watchers sync.WaitGroup
	for _, pool := range []string{"east", "west"} {
		for lane, n := range crowd {
			for range n {
				clients.Go(func() { f.ask(pool, lane) })
			}
		}
	}
	watchers.Go(func() { f.watchBudget(directly(server)) })
	<-time.After(time.Duration(environmentNumber("USHER_FAIRNESS_SECONDS", 10)) * time.Second)
	close(f.stop)
	clients.Wait()
	watchers.Wait()
	f.verdict()
}

// ask is a client that sends one request after another.
func (f *fairness) ask(pool, lane string) {
	conn := f.target.in(pool).connect(f.t, "options", "-c usher.lane="+lane, "default_query_exec_mode", "simple_protocol")
	sql := fmt.Sprintf("SELECT clock_timestamp(), pg_sleep(%f)", serviceTime.Seconds())
	for {
		select {
		case <-f.stop:
			return
		default:
		}
		s := served{sent: time.Now()}
		var nothing any
		if err := conn.QueryRow(context.Background(), sql).Scan(&s.begun, &nothing); err != nil {
			f.t.Errorf("a request of lane %s: %v", lane, err)
			return
		}
		f.mutex.Lock()
		f.served[pool+" "+lane] = append(f.served[pool+" "+lane], s)
		f.mutex.Unlock()
	}
}

// watchBudget counts usher's connections on the server.
func (f *fairness) watchBudget(server *target) {
	conn, err := pgx.Connect(f.t.Context(), server.url("application_name", "watcher"))
	if err != nil {
		f.t.Error(err)
		return
	}
	defer func() { _ = conn.Close(context.Background()) }()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-f.stop:
			return
		case <-ticker.C:
		}
		var n int64
		err := conn.QueryRow(f.t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "+
			"AND application_name <> 'watcher'").Scan(&n)
		if err != nil {
			f.t.Error(err)
			return
		}
		f.most.Store(max(f.most.Load(), n))
	}
}

func (f *fairness) verdict() {
	if most := f.most.Load(); most > fairnessBudget || most < fairnessBudget-1 {
		f.t.Errorf("up to %d server connections were open, the budget is %d", most, fairnessBudget)
	}
	for _, name := range slices.Sorted(maps.Keys(f.served)) {
		requests := f.served[name]
		slices.SortFunc(requests, func(a, b served) int { return a.begun.Compare(b.begun) })
		gap, disorder := longestGap(requests), disorderOf(requests)
		f.t.Logf("%-14s %6d served, longest time without one %v, furthest out of order %v",
			name, len(requests), gap.Round(time.Millisecond), disorder.Round(time.Millisecond))
		if gap > fairnessWindow {
			f.t.Errorf("%s starves: nothing is served for %v", name, gap)
		}
		if disorder > outOfOrder {
			f.t.Errorf("%s is not first come, first served: one was %v late", name, disorder)
		}
	}
	if east, west := f.of("east"), f.of("west"); east > 2*west || west > 2*east {
		f.t.Errorf("%d requests of one pool were served and %d of the other", east, west)
	}
	if len(f.served) != 2*len(crowd) {
		f.t.Errorf("only %d of %d lanes were served at all", len(f.served), 2*len(crowd))
	}
}

// of is how many requests of a pool were served.
func (f *fairness) of(pool string) int {
	n := 0
	for lane := range crowd {
		n += len(f.served[pool+" "+lane])
	}
	return n
}

// longestGap is the longest time in which no request began.
func longestGap(requests []served) time.Duration {
	longest := time.Duration(0)
	for i := 1; i < len(requests); i++ {
		longest = max(longest, requests[i].begun.Sub(requests[i-1].begun))
	}
	return longest
}

// disorderOf is by how much a request that was served later had been sent before one that was served earlier.
func disorderOf(requests []served) time.Duration {
	furthest := time.Duration(0)
	latest := time.Time{}
	for _, s := range requests {
		if d := latest.Sub(s.sent); d > furthest && !latest.IsZero() {
			furthest = d
		}
		if s.sent.After(latest) {
			latest = s.sent
		}
	}
	return furthest
}
