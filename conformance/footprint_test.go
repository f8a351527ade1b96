//go:build integration

package conformance

import (
	"cmp"
	"fmt"
	"os"
	"testing"
)

// measure takes usher's footprint when it has served a client who has left again.
func measure(t *testing.T, target *target) footprint {
	t.Helper()
	client := target.simple(t)
	client.run("SELECT 1")
	client.conn.Close(t.Context())
	var now footprint
	eventually(t, patience, "usher has only its own connections", func() bool {
		again := take(t, target)
		same := again == now
		now = again
		return same
	})
	return now
}

// settles waits until usher's footprint is what it was, give or take what a garbage collection needs.
func settles(t *testing.T, target *target, before footprint) {
	t.Helper()
	var now footprint
	err := poll(patience, func() bool {
		now = take(t, target)
		return now.goroutines <= before.goroutines+2 && now.descriptors <= before.descriptors+1 && quiet(t, target)
	})
	if err != nil {
		t.Errorf("usher has not returned to its baseline: before %+v, now %+v, quiet: %v", before, now,
			quiet(t, target))
	}
}

func take(t *testing.T, target *target) footprint {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", target.usher.PID()))
	if err != nil {
		t.Fatal(err)
	}
	now := footprint{
		goroutines: int(target.usher.Metric(t.Context(), "go_goroutines")),
		servers:    serverConnections(t, target, ""),
	}
	now.descriptors = len(entries) - now.servers
	return now
}

// serverConnections counts what PostgreSQL sees of usher.
func serverConnections(t *testing.T, target *target, condition string) int {
	t.Helper()
	admin := directly(target.backing).simple(t)
	defer admin.conn.Close(t.Context())
	var count int
	fmt.Sscan(admin.run("SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = '"+
		cmp.Or(target.behind, database)+"' "+condition), &count)
	return count
}

// quiet: no server connection does anything or is in a transaction.
func quiet(t *testing.T, target *target) bool {
	t.Helper()
	return serverConnections(t, target, "AND state <> 'idle'") == 0
}
