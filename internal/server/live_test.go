//go:build integration

package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/pgtest"
	"github.com/usher-pg/usher/internal/status"
)

// patience is how long to wait for what should happen at once, on a slow machine.
const patience = 30 * time.Second

// live is a server that runs in this process, in front of a real PostgreSQL.
type live struct {
	*Server
	t       *testing.T
	path    string // of its configuration
	log     *safeBuffer
	signals chan os.Signal
	ended   chan struct{} // closed when Run has returned
	err     error         // what it returned
	address string
}

// safeBuffer is a log that several goroutines write.
type safeBuffer struct {
	// mutex guards buffer.
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}

// start runs a server. {{server}} in the configuration stands for PostgreSQL's host and port, {{dir}} for the
// folder of the configuration. At the end of the test it must leave no goroutine behind.
func start(t *testing.T, text string) *live {
	t.Helper()
	postgres := pgtest.Start(t)
	before := goleak.IgnoreCurrent()
	dir := pgtest.Folder(t)
	l := &live{
		t: t, path: filepath.Join(dir, "usher.yaml"), log: new(safeBuffer),
		signals: make(chan os.Signal), ended: make(chan struct{}),
	}
	l.write(strings.NewReplacer("{{server}}", postgres.Address(), "{{dir}}", dir).Replace(text))
	c, err := config.Load(l.path)
	if err != nil {
		t.Fatal(err)
	}
	l.Server, err = New(Options{Config: c, ConfigPath: l.path, Version: "test", Log: NewLog(l.log, c.Log)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	obeyed := make(chan struct{})
	go func() {
		defer close(l.ended)
		l.err = l.Run(ctx)
	}()
	go func() {
		defer close(obeyed)
		l.Obey(ctx, l.signals)
	}()
	t.Cleanup(func() {
		cancel()
		l.await("the server ends", l.ended)
		<-obeyed
		if l.err != nil {
			t.Errorf("Run: %v", l.err)
		}
		goleak.VerifyNone(t, before)
		if t.Failed() {
			t.Logf("log:\n%s", l.log)
		}
	})
	select {
	case <-l.Ready():
	case <-l.ended:
		t.Fatalf("Run: %v", l.err)
	}
	for _, d := range l.doors {
		if d.address.Network == "tcp" {
			l.address = d.listener.Addr().String()
		}
	}
	return l
}

func (l *live) write(text string) {
	l.t.Helper()
	if err := os.WriteFile(l.path, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

func (l *live) await(what string, done <-chan struct{}) {
	l.t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		l.t.Errorf("%s: not within %v", what, patience)
	}
}

// eventually looks again and again until something is the case.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
		<-ticker.C
	}
}

// client is a connection through the server that the test closes.
type client struct {
	*pgconn.PgConn
	t *testing.T
}

func (l *live) try(user, database string, more ...string) (*pgconn.PgConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	host, port, _ := net.SplitHostPort(l.address)
	text := fmt.Sprintf("host=%s port=%s user=%s database=%s sslmode=disable", host, port, user, database)
	return pgconn.Connect(ctx, strings.Join(append([]string{text}, more...), " "))
}

func (l *live) connect(user, database string, more ...string) *client {
	l.t.Helper()
	conn, err := l.try(user, database, more...)
	if err != nil {
		l.t.Fatal(err)
	}
	c := &client{conn, l.t}
	l.t.Cleanup(c.leave)
	return c
}

func (c *client) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = c.Close(ctx)
}

// query returns the first value of a query's last result.
func (c *client) query(sql string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	results, err := c.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 || len(results[len(results)-1].Rows) == 0 {
		return "", err
	}
	return string(results[len(results)-1].Rows[0][0]), nil
}

func (c *client) expect(sql, want string) {
	c.t.Helper()
	if got, err := c.query(sql); err != nil || got != want {
		c.t.Errorf("%s: %q, %v; want %q", sql, got, err, want)
	}
}

func state(err error) string {
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refusal.Code
	}
	return fmt.Sprint(err)
}

const livePools = `
listen: ["127.0.0.1:0", "unix:{{dir}}/.s.PGSQL.6432"]
http: "127.0.0.1:0"
auth: {type: trust}
pools:
  app:       {url: "postgres://postgres@{{server}}/postgres?sslmode=disable", size: {max: 2}}
  forwarded: {url: "postgres://{{server}}/postgres?sslmode=disable"}
  "*":       {url: "postgres://postgres@{{server}}?sslmode=disable"}
`

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
	l.connect("somebody", "app", "options='-c usher.lane=critical -c work_mem=9MB'").expect("SHOW work_mem", "9MB")
	l.connect("postgres", "usher").expect("SHOW STATE", "active")
	checkSnapshot(t, l)
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
	if shot.Logins.Succeeded < 6 || shot.Logins.Accepted < shot.Logins.Succeeded || len(shot.Logins.Refused) == 0 {
		t.Errorf("logins %+v", shot.Logins)
	}
	critical := 0
	for _, c := range shot.Clients {
		if c.Lane == "critical" {
			critical++
		}
		if c.Address != "127.0.0.1" || c.Port == 0 || c.ConnectedAt.Before(shot.StartedAt) || c.ConnectedAt.After(shot.Now) {
			t.Errorf("client %+v", c)
		}
	}
	if critical != 1 {
		t.Errorf("%d critical clients", critical)
	}
	queries := uint64(0)
	for _, d := range shot.Stats {
		queries += d.Totals.Queries
	}
	if queries < 5 || len(shot.Servers) == 0 || len(shot.Databases) < 4 || len(shot.Config) == 0 || shot.Lists.Pools < 3 {
		t.Errorf("%d queries, %d servers, databases %+v, lists %+v", queries, len(shot.Servers), shot.Databases, shot.Lists)
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

// TestReloadOpensAndClosesListeners without touching who came in by them.
func TestReloadOpensAndClosesListeners(t *testing.T) {
	l := start(t, livePools)
	client := l.connect("a", "app")
	client.expect("SELECT 1", "1")
	text, err := os.ReadFile(l.path)
	if err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(filepath.Dir(l.path), ".s.PGSQL.7000")
	listen := func(addresses ...string) {
		t.Helper()
		_, rest, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
		l.write(fmt.Sprintf("listen: [%s]\n%s\n", strings.Join(addresses, ", "), rest))
	}
	listen(`"unix:` + second + `"`)
	if err := l.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	client.expect("SELECT 'still here'", "still here")
	eventually(t, "the old address is closed", func() bool {
		conn, err := net.Dial("tcp", l.address)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	l.connect("a", "app", "host="+filepath.Dir(l.path), "port=7000").expect("SELECT 'new'", "new")
	listen(`"unix:`+second+`"`, `"203.0.113.1:1"`) // not an address of this machine
	if err := l.Reload(t.Context()); err == nil {
		t.Error("a reload that cannot listen succeeded")
	}
	l.connect("a", "app", "host="+filepath.Dir(l.path), "port=7000").expect("SELECT 1", "1")
}

// TestReloadRefusesWhatItCannotRead, and nothing has changed then.
func TestReloadRefusesWhatItCannotRead(t *testing.T) {
	l := start(t, livePools)
	before := l.settings.Load()
	for _, text := range []string{
		"nonsense: 1\n",
		"auth: {type: scram-sha-256, users_file: /no/such}\npools:\n  app: {url: \"postgres://x@db/app\"}\n",
	} {
		l.write(text)
		refused, ok := errors.AsType[*status.Refusal](l.Reload(t.Context()))
		if !ok || refused.Cause != status.InvalidConfig {
			t.Errorf("%s: %v", text, refused)
		}
	}
	if l.settings.Load() != before {
		t.Error("something has changed")
	}
	for key, cause := range map[string]status.Cause{
		"no.such": status.NoSuchOption, "loops": status.NotChangeable, "pools.none.size.max": status.NoSuchPool,
		"log.level": status.InvalidValue,
	} {
		if refused, ok := errors.AsType[*status.Refusal](l.Set(t.Context(), key, "nonsense")); !ok || refused.Cause != cause {
			t.Errorf("SET %s: %v", key, refused)
		}
	}
	if err := l.Set(t.Context(), "pools.app.size.max", "1"); err != nil {
		t.Error(err)
	}
	if max := l.routes.all("app")[0].pool.Stat().Max; max != 1 {
		t.Errorf("max is %d after SET", max)
	}
}

// TestUsersFileIsReadAgainWhenItChanges, without a reload.
func TestUsersFileIsReadAgainWhenItChanges(t *testing.T) {
	users := usersFile(t, "ada", "one")
	l := start(t, strings.Replace(livePools, "{type: trust}", "{type: scram-sha-256, users_file: "+users+"}", 1))
	l.connect("ada", "app", "password=one").expect("SELECT 1", "1")
	if err := os.WriteFile(users, []byte("\"ada\" \"another\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new password is good", func() bool {
		conn, err := l.try("ada", "app", "password=another")
		if err != nil {
			return false
		}
		_ = conn.Close(t.Context())
		return true
	})
	if _, err := l.try("ada", "app", "password=one"); state(err) != "28P01" {
		t.Errorf("the old password: %v", err)
	}
}

// TestKeysOfALoginOpenServerConnections: SCRAM pass-through, with a users file that has no password.
func TestKeysOfALoginOpenServerConnections(t *testing.T) {
	postgres := pgtest.Start(t)
	conn, err := pgconn.Connect(t.Context(), postgres.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := (&client{conn, t}).query(
		"SELECT rolpassword FROM pg_authid WHERE rolname = '" + pgtest.UserSCRAM + "'")
	_ = conn.Close(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	users := usersFile(t, pgtest.UserSCRAM, secret)
	l := start(t, strings.Replace(livePools, "{type: trust}", "{type: scram-sha-256, users_file: "+users+"}", 1))
	l.connect(pgtest.UserSCRAM, "forwarded", "password="+quoted(pgtest.Password)).
		expect("SELECT current_user", pgtest.UserSCRAM)
}

// quoted is a value for a connection string.
func quoted(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}

func TestReadiness(t *testing.T) {
	l := start(t, strings.Replace(livePools, `http: "127.0.0.1:0"`, `http: "`+free(t)+`"`, 1))
	url := "http://" + l.settings.Load().config.HTTP
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
