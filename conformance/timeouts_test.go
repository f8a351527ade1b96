//go:build integration

package conformance

import (
	"testing"
	"time"
)

// timeoutsConfig gives each timeout a pool of its own.
const timeoutsConfig = `
auth: {type: trust}
admin_users: [postgres]
pools:
  query_wait:  {url: "{{url}}", size: {max: 1}, timeouts: {query_wait: 300ms}}
  query:       {url: "{{url}}", size: {max: 2}, timeouts: {query: 300ms}}
  transaction: {url: "{{url}}", size: {max: 2}, timeouts: {transaction: 300ms}}
  idle_in:     {url: "{{url}}", size: {max: 2}, timeouts: {idle_in_transaction: 300ms}}
  client_idle: {url: "{{url}}", size: {max: 2}, timeouts: {client_idle: 300ms}}
  server_idle: {url: "{{url}}", size: {max: 2}, timeouts: {server_idle: 300ms}}
  lifetime:    {url: "{{url}}", size: {max: 2}, timeouts: {server_lifetime: 300ms}}
  small_queue: {url: "{{url}}", size: {max: 1}, lanes: {max_waiting: 1}}
`

// TestQueueTimeoutFailsTheRequestAndKeepsTheClient, in the simple and the extended protocol.
func TestQueueTimeoutFailsTheRequestAndKeepsTheClient(t *testing.T) {
	t.Parallel()
	target := startAlone(t, timeoutsConfig, "query_wait")
	holder, waiting := target.simple(t), target.simple(t)
	holder.run("BEGIN")
	if state := waiting.refused("SELECT 1"); state != "53300" {
		t.Errorf("a request that waited too long: SQLSTATE %s", state)
	}
	result := waiting.conn.ExecParams(t.Context(), "SELECT $1::int", [][]byte{[]byte("1")}, nil, nil, nil).Read()
	if state := sqlState(result.Err); state != "53300" {
		t.Errorf("a request of the extended protocol: %v", result.Err)
	}
	if state := waiting.refused("BEGIN"); state != "53300" {
		t.Errorf("a BEGIN that waited too long: SQLSTATE %s", state)
	}
	holder.run("COMMIT")
	waiting.expect("SELECT 'still connected'", "still connected")
	result = waiting.conn.ExecParams(t.Context(), "SELECT $1::int", [][]byte{[]byte("7")}, nil, nil, nil).Read()
	if result.Err != nil || string(result.Rows[0][0]) != "7" {
		t.Errorf("afterwards: %q, %v", result.Rows, result.Err)
	}
	holder.expect("SELECT 'so is the holder'", "so is the holder")
}

// TestQueueLimitRefusesAtOnce: the queue is bounded, and whoever does not fit stays connected.
func TestQueueLimitRefusesAtOnce(t *testing.T) {
	t.Parallel()
	target := startAlone(t, timeoutsConfig, "small_queue")
	console := target.in("pgbouncer").simple(t)
	o := &operated{console: console}
	holder, first, secondInLine := target.simple(t), target.simple(t), target.simple(t)
	holder.run("BEGIN")
	answered := make(chan error, 1)
	go func() {
		_, err := first.try("SELECT 1")
		answered <- err
	}()
	eventually(t, patience, "one waits", func() bool { return o.column(t, "small_queue", "cl_waiting") == "1" })
	if state := secondInLine.refused("SELECT 2"); state != "53300" {
		t.Errorf("a request beyond the limit: SQLSTATE %s", state)
	}
	holder.run("COMMIT")
	if err := <-answered; err != nil {
		t.Errorf("the request that waited: %v", err)
	}
	secondInLine.expect("SELECT 'still connected'", "still connected")
}

// TestTimeoutsOfStatementsAndTransactions end what lasts too long, not what is idle (a bug PgBouncer once
// had).
func TestTimeoutsOfStatementsAndTransactions(t *testing.T) {
	t.Parallel()
	target := startAlone(t, timeoutsConfig, "query")
	idle := target.simple(t)
	idle.run("SELECT 1")
	for pool, statements := range map[string][]string{
		"query":       {"SELECT pg_sleep(30)"},
		"transaction": {"BEGIN", "SELECT pg_sleep(30)"},
		"idle_in":     {"BEGIN", ""},
		"client_idle": {""},
	} {
		t.Run(pool, func(t *testing.T) {
			t.Parallel()
			client := target.in(pool).simple(t)
			begin := time.Now()
			for _, sql := range statements[:len(statements)-1] {
				client.run(sql)
			}
			if last := statements[len(statements)-1]; last != "" {
				if state := client.refused(last); state == "" {
					t.Error("no error")
				}
			} else {
				_, err := client.conn.ReceiveMessage(t.Context()) // nothing is asked: only the end can come
				if err == nil {
					_, err = client.conn.ReceiveMessage(t.Context())
				}
				if err == nil {
					t.Error("the client was not closed")
				}
			}
			if took := time.Since(begin); took < 250*time.Millisecond || took > calm {
				t.Errorf("it took %v", took)
			}
		})
	}
	t.Run("server connections are free again", func(t *testing.T) {
		eventually(t, patience, "nothing runs any more", func() bool { return quiet(t, target) })
		idle.expect("SELECT 'idle clients of other pools stay'", "idle clients of other pools stay")
	})
}

// TestServerConnectionsAreReplacedAndClosed by age and by idleness, without a client noticing.
func TestServerConnectionsAreReplacedAndClosed(t *testing.T) {
	t.Parallel()
	target := startAlone(t, timeoutsConfig, "lifetime")
	client := target.simple(t)
	first := client.backend()
	eventually(t, patience, "the server connection is replaced",
		func() bool { return client.backend() != first })
	client.run("BEGIN")
	inside := client.backend()
	begin := time.Now()
	eventually(t, patience, "twice its lifetime is over",
		func() bool { return time.Since(begin) > 600*time.Millisecond })
	client.expect("SELECT pg_backend_pid()", inside)
	client.run("COMMIT")

	idle := target.in("server_idle").simple(t)
	old := idle.backend()
	admin := target.admin(t)
	eventually(t, patience, "the idle server connection is closed", func() bool {
		return admin.run("SELECT count(*) FROM pg_stat_activity WHERE pid = "+old) == "0"
	})
	idle.expect("SELECT 'the client stays'", "the client stays")
}
