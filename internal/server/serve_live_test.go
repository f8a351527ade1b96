//go:build integration

package server

import (
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/status"
	engine "github.com/usher-pg/usher/pool"
)

func TestServing(t *testing.T) {
	l := start(t, livePools)
	l.connect("somebody", "app").expect("SELECT current_user", "postgres")
	l.connect("postgres", "forwarded").expect("SELECT current_user", "postgres")
	l.connect("somebody", "template1").expect("SELECT current_database()", "template1")
	for _, tt := range []struct{ user, database, more, want string }{
		{"somebody", "no_such_database", "", "3D000"},
		{"no_such_user", "forwarded", "", "28000"},
		{"somebody", "app", "no_such_parameter=1", "42704"},
		{"somebody", "app", "work_mem=nonsense", "22023"},
		{"somebody", "app", "options='-c usher.lane=urgent'", "22023"},
		{"somebody", "pgbouncer", "", "28000"},
		{"postgres", "pgbouncer", "replication=database", "0A000"},
	} {
		conn, err := l.try(tt.user, tt.database, tt.more)
		if err == nil {
			_ = conn.Close(t.Context())
		}
		if got := state(err); got != tt.want {
			t.Errorf("%s of %s %s: %s, want %s", tt.database, tt.user, tt.more, got, tt.want)
		}
	}
	l.connect("somebody", "app", "work_mem=7MB").expect("SHOW work_mem", "7MB")
	l.connect("somebody", "app", "options='-c usher.lane=critical -c work_mem=9MB'").
		expect("SHOW work_mem", "9MB")
	l.connect("postgres", "usher").expect("SHOW STATE", "active")
	checkSnapshot(t, l)
	if left := l.routes.Of("no_such_database"); len(left) > 0 {
		t.Errorf("a database that does not exist has %d pools", len(left))
	}
}

func checkSnapshot(t *testing.T, l *live) {
	t.Helper()
	shot, err := l.Snapshot(t.Context(), status.AllSections)
	if err != nil {
		t.Fatal(err)
	}
	if shot.State != status.Active || len(shot.Listeners) != 2 || len(shot.Loops) != 1 {
		t.Errorf("state %s, listeners %+v, loops %+v", shot.State, shot.Listeners, shot.Loops)
	}
	if in := shot.Logins; in.Succeeded < 6 || in.Accepted < in.Succeeded || len(in.Refused) == 0 {
		t.Errorf("logins %+v", in)
	}
	critical := 0
	for _, c := range shot.Clients {
		if c.Lane == "critical" {
			critical++
		}
		if c.Address != "127.0.0.1" || c.Port == 0 || c.ConnectedAt.Before(shot.StartedAt) ||
			c.ConnectedAt.After(shot.Now) {
			t.Errorf("client %+v", c)
		}
	}
	if critical != 1 {
		t.Errorf("%d critical clients", critical)
	}
	acquired := map[string]uint64{}
	for _, a := range shot.Acquisitions {
		acquired[a.Lane] += a.Buckets.Count()
	}
	if acquired["critical"] < 1 || acquired["normal"] < 1 || len(shot.Acquisitions)%engine.Lanes != 0 {
		t.Errorf("acquisitions %v", acquired)
	}
	queries := uint64(0)
	for _, d := range shot.Stats {
		queries += d.Totals.Queries
	}
	if queries < 5 || len(shot.Servers) == 0 || len(shot.Config) == 0 {
		t.Errorf("%d queries, %d servers, configuration %+v", queries, len(shot.Servers), shot.Config)
	}
	if len(shot.Databases) < 4 || shot.Lists.Pools < 3 {
		t.Errorf("databases %+v, lists %+v", shot.Databases, shot.Lists)
	}
}

// TestShutdowns: what each form waits for. A client is in a transaction when the shutdown begins.
func TestShutdowns(t *testing.T) {
	order := func(m status.ShutdownMode) func(*live) {
		return func(l *live) {
			if err := l.Shutdown(l.t.Context(), m); err != nil {
				l.t.Error(err)
			}
		}
	}
	send := func(s os.Signal) func(*live) { return func(l *live) { l.signals <- s } }
	for name, tt := range map[string]struct {
		begin        func(*live)
		transactions bool // waits for them to end
		clients      bool // waits for clients to leave
	}{
		"IMMEDIATE":        {order(status.ShutdownImmediate), false, false},
		"SIGQUIT":          {send(syscall.SIGQUIT), false, false},
		"WAIT_FOR_SERVERS": {order(status.ShutdownWaitForServers), true, false},
		"SIGINT":           {send(os.Interrupt), true, false},
		"WAIT_FOR_CLIENTS": {order(status.ShutdownWaitForClients), true, true},
		"SIGTERM":          {send(syscall.SIGTERM), true, true},
		"SIGTERM twice": {func(l *live) {
			l.signals <- syscall.SIGTERM
			eventually(l.t, "the shutdown begins", func() bool { return l.orders.ending() != "" })
			l.signals <- syscall.SIGTERM
		}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := start(t, livePools)
			idle, busy := l.connect("a", "app"), l.connect("b", "app")
			busy.expect("BEGIN; SELECT 1", "1")
			tt.begin(l)
			if !tt.transactions {
				l.await("the end", l.ended)
				if _, err := busy.query("SELECT 1"); err == nil {
					t.Error("a client was answered after the end")
				}
				return
			}
			eventually(t, "nobody is let in", func() bool {
				conn, err := l.try("c", "app")
				if err == nil {
					_ = conn.Close(t.Context())
				}
				return err != nil
			})
			busy.expect("SELECT 'goes on'", "goes on")
			busy.expect("COMMIT; SELECT 1", "1")
			if tt.clients {
				idle.expect("SELECT 'stays'", "stays")
				idle.leave()
				busy.expect("SELECT 'stays'", "stays")
				busy.leave()
			}
			l.await("the end", l.ended)
		})
	}
}

// TestADrainThatTakesTooLongIsCutShort, as in an usher that somebody tries out.
func TestADrainThatTakesTooLongIsCutShort(t *testing.T) {
	l := start(t, livePools)
	l.options.DrainLimit = 100 * time.Millisecond
	l.connect("a", "app").expect("BEGIN; SELECT 1", "1")
	l.signals <- os.Interrupt
	l.await("the end", l.ended)
}

func TestReadiness(t *testing.T) {
	l := start(t, strings.Replace(livePools, `http: "127.0.0.1:0"`, `http: "`+free(t)+`"`, 1))
	url := "http://" + l.settings.Load().Config.HTTP
	get := func(path string) int {
		response, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	defer http.DefaultClient.CloseIdleConnections()
	client := l.connect("a", "app")
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/api/v1/status?sections=all"} {
		if code := get(path); code != http.StatusOK {
			t.Errorf("%s: %d", path, code)
		}
	}
	l.signals <- syscall.SIGTERM
	eventually(t, "usher is not ready", func() bool { return get("/readyz") == http.StatusServiceUnavailable })
	client.leave()
	l.await("the end", l.ended)
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestConsoleCommandsCanBeCanceled: by their own cancel keys, which are no client's of the relay.
func TestConsoleCommandsCanBeCanceled(t *testing.T) {
	l := start(t, livePools)
	busy, operator := l.connect("a", "app"), l.connect("postgres", "pgbouncer")
	busy.expect("BEGIN; SELECT 1", "1")
	failed := make(chan error, 1)
	go func() {
		_, err := operator.query("PAUSE app")
		failed <- err
	}()
	eventually(t, "the pause begins", func() bool { return l.orders.paused("app") })
	if err := operator.CancelRequest(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-failed; state(err) != "57014" {
		t.Errorf("PAUSE: %v", err)
	}
	if l.orders.paused("app") {
		t.Error("the pause is still in force")
	}
	busy.expect("SELECT 'undisturbed'", "undisturbed")
	busy.expect("COMMIT; SELECT 1", "1")
}
