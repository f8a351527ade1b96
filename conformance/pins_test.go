//go:build integration

package conformance

import (
	"fmt"
	"testing"
)

// pin is session state that cannot be carried to another server connection.
type pin struct {
	name    string
	make    []string // statements that leave the state
	holds   string   // a query that needs the state
	answer  string   // its answer
	gone    string   // a statement that takes the state away
	another string   // what the query says without the state: SQLSTATE or answer
}

// makePins returns one of each kind, with locks that no other test takes.
func makePins() []pin {
	key := 1_000_000 + uniqueNumber.Add(2)
	held := func(key int64) string {
		return fmt.Sprintf("SELECT count(*) FROM pg_locks "+
			"WHERE locktype = 'advisory' AND objid = %d AND pid = pg_backend_pid()", key)
	}
	return []pin{
		{
			"a temporary table", []string{"CREATE TEMP TABLE kept (id int)", "INSERT INTO kept VALUES (1), (2)"},
			"SELECT count(*) FROM kept", "2", "DROP TABLE kept", undefinedTable,
		},
		{
			"a temporary table made by SELECT INTO", []string{"SELECT 7 AS id INTO TEMP kept"},
			"SELECT id FROM pg_temp.kept", "7", "DISCARD TEMP", undefinedTable,
		},
		{
			"an advisory lock", []string{fmt.Sprintf("SELECT pg_advisory_lock(%d)", key)},
			held(key), "1",
			fmt.Sprintf("SELECT pg_advisory_unlock(%d)", key), "0",
		},
		{
			"an advisory lock taken if it is free",
			[]string{"BEGIN", fmt.Sprintf("SELECT pg_try_advisory_lock(%d)", key+1), "COMMIT"},
			held(key + 1), "1",
			"SELECT pg_advisory_unlock_all()", "0",
		},
		{
			"a cursor WITH HOLD", []string{"DECLARE kept CURSOR WITH HOLD FOR SELECT generate_series(1, 1000)"},
			"MOVE 0 FROM kept; SELECT count(*) FROM pg_cursors WHERE name = 'kept'", "1", "CLOSE kept", "34000",
		},
		{
			"a statement prepared by SQL", []string{"PREPARE kept AS SELECT 'prepared'"},
			"EXECUTE kept", "prepared", "DEALLOCATE kept", undefinedPrepared,
		},
		{
			"listening", []string{"LISTEN something"},
			"SELECT count(*) FROM pg_listening_channels()", "1", "UNLISTEN something", "0",
		},
	}
}

// TestStateThatCannotBeCarriedKeepsItsServerConnection: the state holds over transactions while others are
// busy, and the client goes back to sharing when it is gone. DISCARD ALL takes any of it away.
func TestStateThatCannotBeCarriedKeepsItsServerConnection(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		for _, p := range makePins() {
			for _, end := range []string{p.gone, "DISCARD ALL"} {
				t.Run(p.name+" until "+end, func(t *testing.T) {
					client, other := target.simple(t), target.simple(t)
					for _, sql := range p.make {
						client.run(sql)
					}
					backend := client.backend()
					for range 5 {
						other.run("SELECT 'busy'")
						client.expect(p.holds, p.answer)
						if now := client.backend(); now != backend {
							t.Fatalf("the server connection changed from %s to %s", backend, now)
						}
						if other.backend() == backend {
							t.Fatal("somebody else got the server connection of a pinned client")
						}
					}
					client.run(end)
					if answer, err := client.try(p.holds); answer != p.another && sqlState(err) != p.another {
						t.Errorf("after %s: answer %q, error %v; expected %q", end, answer, err, p.another)
					}
					if target.isUsher() {
						moves(t, target, client)
					}
				})
			}
		}
	})
}

// moves checks that a client shares server connections again: it meets another one when somebody else holds
// its last.
func moves(t *testing.T, target *target, client *session) {
	t.Helper()
	last := client.backend()
	eventually(t, patience, "the client still has its own server connection", func() bool {
		holder := target.simple(t)
		holder.run("BEGIN")
		held := holder.backend() == last
		moved := held && client.backend() != last
		holder.run("ROLLBACK")
		return moved
	})
}

// TestPinnedClientsLeaveNothing: the server connection of a pinned client that is gone does not carry its
// state to the next one.
func TestPinnedClientsLeaveNothing(t *testing.T) {
	t.Parallel()
	each(t, "one", func(t *testing.T, target *target) {
		for _, p := range makePins() {
			t.Run(p.name, func(t *testing.T) {
				client := target.simple(t)
				for _, sql := range p.make {
					client.run(sql)
				}
				client.expect(p.holds, p.answer)
				client.conn.Conn().Close()
				next := target.simple(t)
				if answer, err := next.try(p.holds); answer != p.another && sqlState(err) != p.another {
					t.Errorf("the next client sees %q, %v; expected %q", answer, err, p.another)
				}
				next.conn.Close(t.Context())
			})
		}
	})
}

// TestStateOfATransactionDoesNotPin: what ends with the transaction needs no server connection afterwards.
func TestStateOfATransactionDoesNotPin(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	target := through(startUsher(t, server, standardConfig), server, "two")
	for name, statements := range map[string][]string{
		"a table with ON COMMIT DROP":  {"BEGIN", "CREATE TEMP TABLE gone (id int) ON COMMIT DROP", "COMMIT"},
		"a transaction's own lock":     {"BEGIN", "SELECT pg_advisory_xact_lock(79)", "COMMIT"},
		"a cursor without hold":        {"BEGIN", "DECLARE gone CURSOR FOR SELECT 1", "COMMIT"},
		"a table that is rolled back":  {"BEGIN", "CREATE TEMP TABLE gone (id int)", "ROLLBACK"},
		"listening that is undone":     {"BEGIN", "LISTEN gone", "ROLLBACK"},
		"SET LOCAL":                    {"BEGIN", "SET LOCAL work_mem = '9MB'", "COMMIT"},
		"SET":                          {"SET work_mem = '9MB'"},
		"the word in a string":         {"SELECT 'CREATE TEMP TABLE x; LISTEN y; PREPARE z AS SELECT 1'"},
		"a column that is called temp": {"SELECT 1 AS temp"},
	} {
		t.Run(name, func(t *testing.T) {
			client := target.simple(t)
			for _, sql := range statements {
				client.run(sql)
			}
			moves(t, target, client)
		})
	}
}
