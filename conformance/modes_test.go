//go:build integration

package conformance

import (
	"sync"
	"testing"
)

// TestTransactionModeSharesServerConnections: that the other tests of transaction mode test anything depends
// on it.
func TestTransactionModeSharesServerConnections(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	usher := startUsher(t, server, standardConfig)
	target := through(usher, server, "two")
	seen := map[string]map[string]bool{} // client → backends
	clients := []*session{target.simple(t), target.simple(t), target.simple(t), target.simple(t)}
	all := map[string]bool{}
	for round := range 10 {
		clients[round%4].run("BEGIN")
		for i, client := range clients {
			name := string(rune('a' + i))
			if seen[name] == nil {
				seen[name] = map[string]bool{}
			}
			backend := client.backend()
			seen[name][backend], all[backend] = true, true
		}
		clients[round%4].run("COMMIT")
	}
	if len(all) > 2 {
		t.Errorf("a pool of two used %d server connections", len(all))
	}
	for name, backends := range seen {
		if len(backends) != 2 {
			t.Errorf("client %s met %d server connections in ten transactions", name, len(backends))
		}
	}
}

// TestATransactionStaysOnItsServerConnection whatever others do.
func TestATransactionStaysOnItsServerConnection(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		client := target.simple(t)
		client.run("BEGIN")
		backend := client.backend()
		var group sync.WaitGroup
		for range 3 {
			other := target.simple(t)
			group.Go(func() {
				for range 10 {
					if now, err := other.try("SELECT pg_backend_pid()"); err != nil || now == backend {
						t.Errorf("another client was answered by %s: %v", now, err)
					}
				}
			})
		}
		for range 10 {
			client.expect("SELECT pg_backend_pid()", backend)
		}
		group.Wait()
		client.refused("SELECT 1/0")
		if state := client.refused("SELECT 1"); state != failedTransaction {
			t.Errorf("in a failed transaction: SQLSTATE %s", state)
		}
		client.run("ROLLBACK")
	})
}

// TestSessionModeKeepsOneServerConnection, with all that lives in a session, and cleans it for the next
// client.
func TestSessionModeKeepsOneServerConnection(t *testing.T) {
	t.Parallel()
	each(t, "session", func(t *testing.T, target *target) {
		first, second := target.simple(t), target.simple(t)
		backend := first.backend()
		first.run("CREATE TEMP TABLE kept AS SELECT 1 AS id; SET work_mem = '9MB'; SELECT pg_advisory_lock(80)")
		first.run("CREATE SEQUENCE IF NOT EXISTS pg_temp.numbers; SELECT nextval('pg_temp.numbers')")
		if second.backend() == backend {
			t.Error("two sessions share a server connection")
		}
		for range 3 {
			second.run("SELECT 1")
			first.expect("SELECT id FROM kept", "1")
			first.expect("SELECT currval('pg_temp.numbers')", "1")
			first.expect("SHOW work_mem", "9MB")
			first.expect("SELECT pg_backend_pid()", backend)
		}
		first.conn.Close(t.Context())
		for range 3 {
			next := target.simple(t)
			next.expect("SHOW work_mem", "4MB")
			next.expect("SELECT to_regclass('pg_temp.kept') IS NULL", "t")
			next.expect("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 80 "+
				"AND pid = pg_backend_pid()", "0")
		}
	})
}

// TestStatementModeRefusesTransactions and does everything that fits into one statement.
func TestStatementModeRefusesTransactions(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	target := through(startUsher(t, server, standardConfig), server, "statement")
	client := target.simple(t)
	client.expect("SELECT 1", "1")
	client.expect("SELECT 1; SELECT 2", "2")
	if state := client.refused("SELECT 1/0"); state != divisionByZero {
		t.Errorf("an error of a statement: SQLSTATE %s", state)
	}
	if state := client.refused("BEGIN"); state != featureNotThere {
		t.Errorf("BEGIN: SQLSTATE %s, expected %s", state, featureNotThere)
	}
	again := target.simple(t)
	again.expect("SELECT 'others go on'", "others go on")
}
