//go:build integration

package conformance

import (
	"strconv"
	"testing"
)

// TestUnixSockets: programs that connect over a unix socket, and cancel over it.
func TestUnixSockets(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		over := []string{"PGHOST=" + target.sockets, "PGPORT=" + strconv.Itoa(target.socket)}
		output := target.succeed(t, program{name: "psql", arguments: []string{"-XAtc", "SELECT 'over a socket'"},
			more: over})
		if output != "over a socket\n" {
			t.Errorf("psql printed %q", output)
		}
		for range 3 {
			session := target.simple(t, "host", target.sockets, "port", strconv.Itoa(target.socket))
			session.expect("SELECT 'pgx'", "pgx")
			if network := session.conn.Conn().RemoteAddr().Network(); network != "unix" {
				t.Errorf("connected by %s", network)
			}
			if err := session.conn.CancelRequest(t.Context()); err != nil {
				t.Errorf("cancel over the socket: %v", err)
			}
			session.expect("SELECT 'still here'", "still here")
		}
	})
}
