//go:build integration

package conformance

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher/internal/pgtest"
)

// TestConsoleShowsByPsql: every SHOW can be read by psql, and the tables say what is the case.
func TestConsoleShowsByPsql(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	usher := startUsher(t, server, standardConfig)
	client := through(usher, server, "two").simple(t, "application_name", "shown client")
	client.run("SELECT 1")
	for _, name := range []string{"pgbouncer", "usher"} {
		console := through(usher, server, name)
		for _, show := range []struct{ command, expected string }{
			{"SHOW POOLS", `(?m)^two\|postgres\|`},
			{"SHOW CLIENTS", `(?m)^C\|postgres\|two\|.*shown client`},
			{"SHOW SERVERS", `(?m)^S\|postgres\|two\|`},
			{"SHOW STATS", `(?m)^two\|`},
			{"SHOW STATS_TOTALS", `(?m)^two\|`},
			{"SHOW STATS_AVERAGES", `(?m)^two\|`},
			{"SHOW TOTALS", `(?m)^total_`},
			{"SHOW DATABASES", fmt.Sprintf(`(?m)^two\|127\.0\.0\.1\|%d\|`, server.Port())},
			{"SHOW LISTS", `(?m)^databases\|\d+$`},
			{"SHOW USERS", `(?m)^postgres\|`},
			{"SHOW CONFIG", `(?m)^\w+\|`},
			{"SHOW VERSION", `(?i)usher|pgbouncer`},
			{"SHOW STATE", `(?m)^active\|yes$`},
			{"SHOW SOCKETS", `(?m)^C\|`},
			{"SHOW ACTIVE_SOCKETS", ``},
			{"SHOW MEM", ``},
			{"SHOW FDS", ``},
			{"SHOW PEERS", ``},
			{"SHOW LANES", ``},
			{"SHOW PINS", ``},
			{"SHOW EMERGENCIES", ``},
		} {
			output := console.succeed(t, program{name: "psql", arguments: []string{"-XAt", "-c", show.command}})
			if !regexp.MustCompile(show.expected).MatchString(output) {
				t.Errorf("%s: %s prints\n%s, expected a match of %s", name, show.command, output, show.expected)
			}
		}
	}
	console := through(usher, server, "pgbouncer")
	table := console.succeed(t, program{name: "psql", arguments: []string{"-X", "-c", "show pools"}})
	if !strings.Contains(table, "cl_active") || !strings.Contains(table, "sv_idle") ||
		!strings.Contains(table, "maxwait_us") {
		t.Errorf("show pools prints\n%s", table)
	}
	help := console.run(t, program{name: "psql", arguments: []string{"-X", "-c", "SHOW HELP"}})
	if !strings.Contains(help.errors+help.output, "RECONNECT") {
		t.Errorf("show help prints\n%s%s", help.output, help.errors)
	}
	if state := console.simple(t).refused("FLY TO THE MOON"); state == "" {
		t.Error("a command that does not exist was accepted")
	}
}

// TestConsolePermissions: only users named in the configuration get in, and stats users only look.
func TestConsolePermissions(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	usher := startUsher(t, server,
		"auth: {type: trust}\nadmin_users: [boss]\nstats_users: [watcher]\npools:\n  two: {url: \"{{url}}\"}\n")
	as := func(user string) *target {
		console := through(usher, server, "pgbouncer")
		console.user = user
		return console
	}
	as("boss").simple(t).run("SHOW POOLS")
	as("boss").simple(t).run("RELOAD")
	watcher := as("watcher").simple(t)
	watcher.run("SHOW POOLS")
	for _, command := range []string{"PAUSE", "RELOAD", "KILL two", "KILL_CLIENT 1", "SHUTDOWN",
		"SET log.level = 'debug'", "SHOW FDS"} {
		if state := watcher.refused(command); state != "42501" {
			t.Errorf("%s by a stats user: SQLSTATE %s", command, state)
		}
	}
	if conn, err := pgconn.Connect(t.Context(), as("postgres").url()); err == nil {
		conn.Close(t.Context())
		t.Error("a user who is not named was let in to the console")
	}
}

// operated is a fresh usher, its console and some clients.
type operated struct {
	usher    *pgtest.Usher
	target   *target
	console  *session // to look
	operator *session // to act: its commands may wait
}

func newOperated(t *testing.T, config string) *operated {
	t.Helper()
	server := startPostgres(t)
	usher := startUsher(t, server, config)
	console := through(usher, server, "pgbouncer")
	return &operated{usher, through(usher, server, "two"), console.simple(t), console.simple(t)}
}

// column reads one field of the row of a pool.
func (o *operated) column(t *testing.T, pool, name string) string {
	t.Helper()
	results, err := o.console.conn.Exec(t.Context(), "SHOW POOLS").ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range results[0].Rows {
		if string(row[0]) != pool {
			continue
		}
		for i, field := range results[0].FieldDescriptions {
			if field.Name == name {
				return string(row[i])
			}
		}
	}
	return ""
}

// awaitState asks by the operator's session, and may run on another goroutine than the test's.
func (o *operated) awaitState(t *testing.T, state string) {
	t.Helper()
	err := poll(patience, func() bool {
		text, err := o.operator.try("SHOW STATE")
		return err != nil || strings.Contains(text, state)
	})
	if err != nil {
		t.Errorf("wait for %s: %v", state, err)
	}
}

// TestPauseHoldsRequestsAndResumeReleasesThem, by command and by signal.
func TestPauseHoldsRequestsAndResumeReleasesThem(t *testing.T) {
	t.Parallel()
	o := newOperated(t, standardConfig)
	client, busy := o.target.simple(t), o.target.simple(t)
	ways := map[string]struct{ pause, resume func() }{
		"PAUSE":    {func() { o.operator.run("PAUSE") }, func() { o.operator.run("RESUME") }},
		"PAUSE db": {func() { o.operator.run("PAUSE two") }, func() { o.operator.run("RESUME two") }},
		"SIGUSR1": {
			func() {
				o.usher.Signal(syscall.SIGUSR1)
				o.awaitState(t, "paused|yes")
			},
			func() {
				o.usher.Signal(syscall.SIGUSR2)
				o.awaitState(t, "paused|no")
			},
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			busy.run("BEGIN")
			paused := make(chan struct{})
			go func() {
				way.pause()
				close(paused)
			}()
			held := make(chan error, 1)
			eventually(t, patience, "the pause has begun", func() bool {
				busy.run("SELECT 'a transaction may end'")
				return o.column(t, "two", "cl_held") != "" && pausing(o)
			})
			go func() {
				text, err := client.try("SELECT 'held'")
				if err == nil && text != "held" {
					err = fmt.Errorf("answered %q", text)
				}
				held <- err
			}()
			busy.run("COMMIT")
			<-paused
			eventually(t, patience, "the request is held", func() bool { return o.column(t, "two", "cl_held") == "1" })
			select {
			case err := <-held:
				t.Fatalf("a request was answered during the pause: %v", err)
			default:
			}
			newcomer := o.target.simple(t) // clients are let in during a pause
			way.resume()
			if err := <-held; err != nil {
				t.Errorf("the held request: %v", err)
			}
			newcomer.expect("SELECT 'new'", "new")
			// What the console shows may be a moment old; the next way must not take it for its own.
			o.awaitState(t, "paused|no")
			eventually(t, patience, "the console shows the end of the pause", func() bool { return !pausing(o) })
		})
	}
}

// pausing tells whether a pause is under way, finished or not.
func pausing(o *operated) bool {
	state := o.console.run("SHOW DATABASES")
	for line := range strings.Lines(state) {
		fields := strings.Split(line, "|")
		if fields[0] == "two" && len(fields) > 15 && fields[15] == "1" {
			return true
		}
	}
	return false
}

// TestHeldRequestsObeyCancelAndDisconnect.
func TestHeldRequestsObeyCancelAndDisconnect(t *testing.T) {
	t.Parallel()
	o := newOperated(t, standardConfig)
	cancelled, gone, kept := o.target.simple(t), o.target.simple(t), o.target.simple(t)
	o.operator.run("PAUSE two")
	answers := make(chan error, 1)
	go func() {
		_, err := cancelled.try("SELECT 1")
		answers <- err
	}()
	go gone.try("SELECT 1")
	eventually(t, patience, "both requests are held", func() bool {
		return o.column(t, "two", "cl_held") == "2"
	})
	if err := cancelled.conn.CancelRequest(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-answers; sqlState(err) != queryCanceled {
		t.Errorf("the cancelled request: %v", err)
	}
	gone.conn.Conn().Close()
	eventually(t, patience, "nobody is held", func() bool { return o.column(t, "two", "cl_held") == "0" })
	o.operator.run("RESUME two")
	cancelled.expect("SELECT 'still here'", "still here")
	kept.expect("SELECT 'still here'", "still here")
}

// TestDisableEnableReconnectKill: the other commands that act on a pool.
func TestDisableEnableReconnectKill(t *testing.T) {
	t.Parallel()
	o := newOperated(t, standardConfig)
	client := o.target.simple(t)
	backend := client.backend()

	o.operator.run("DISABLE two")
	client.expect("SELECT 'present clients go on'", "present clients go on")
	if conn, err := pgconn.Connect(t.Context(), o.target.url()); err == nil {
		conn.Close(t.Context())
		t.Error("a disabled pool let a client in")
	} else if sqlState(err) == "" {
		t.Errorf("a disabled pool refuses with %v", err)
	}
	o.operator.run("ENABLE two")
	o.target.simple(t).expect("SELECT 1", "1")

	o.operator.run("RECONNECT two")
	o.operator.run("WAIT_CLOSE two")
	if now := client.backend(); now == backend {
		t.Errorf("after RECONNECT the server connection is still %s", now)
	}

	victim := o.target.simple(t, "application_name", "victim")
	victim.run("SELECT 1")
	id := ""
	for line := range strings.Lines(o.console.run("SHOW CLIENTS")) {
		if fields := strings.Split(strings.TrimSpace(line), "|"); strings.Contains(line, "|victim|") {
			id = fields[20]
		}
	}
	o.operator.run("KILL_CLIENT " + id)
	if _, err := victim.try("SELECT 1"); err == nil {
		t.Errorf("the client %s was not killed", id)
	}
	client.expect("SELECT 'others go on'", "others go on")

	o.operator.run("KILL two")
	if _, err := client.try("SELECT 1"); err == nil {
		t.Error("KILL left a client")
	}
	o.operator.run("RESUME two")
	o.target.simple(t).expect("SELECT 1", "1")
}

// TestReloadMovesClients: a pool's size, mode, target and presence change under its clients, who stay
// connected.
func TestReloadMovesClients(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	base := "auth: {type: trust}\nadmin_users: [postgres]\npools:\n"
	pool := func(name, database string, max int) string {
		return fmt.Sprintf("  %s: {url: \"postgres://postgres@%s/%s?sslmode=disable\", size: {max: %d}}\n",
			name, server.Address(), database, max)
	}
	usher := startUsher(t, server, base+pool("two", database, 1)+pool("other", database, 1))
	target, console := through(usher, server, "two"), through(usher, server, "pgbouncer").simple(t)
	client, other := target.simple(t), through(usher, server, "other").simple(t)
	client.expect("SELECT current_database()", database)
	client.run("SET search_path = kept")
	other.run("SELECT 1")

	usher.WriteConfig(base + pool("two", "postgres", 3) + pool("other", database, 1) +
		pool("third", database, 1))
	usher.Signal(syscall.SIGHUP)
	eventually(t, patience, "the client is on the other database", func() bool {
		return client.run("SELECT current_database()") == "postgres"
	})
	client.expect("SHOW search_path", "kept")
	through(usher, server, "third").simple(t).expect("SELECT 1", "1")

	usher.WriteConfig(base + "  two: {url: nonsense, size: {max: many}}\n")
	if state := console.refused("RELOAD"); state == "" {
		t.Error("a broken configuration was loaded")
	}
	client.expect("SELECT 'the old one is in force'", "the old one is in force")

	usher.WriteConfig(base + pool("two", "postgres", 3) + pool("other", database, 1))
	console.run("RELOAD")
	if conn, err := pgconn.Connect(t.Context(), through(usher, server, "third").url()); err == nil {
		conn.Close(t.Context())
		t.Error("a pool that is gone lets clients in")
	}
	other.expect("SELECT 'untouched'", "untouched")
}

// TestShutdownForms: WAIT_FOR_CLIENTS waits for clients, WAIT_FOR_SERVERS for transactions, and neither lets
// anyone in.
func TestShutdownForms(t *testing.T) {
	t.Parallel()
	for _, form := range []struct {
		name     string
		begin    func(o *operated)
		forLeave bool // waits until clients leave, not only until their transactions end
	}{
		{"SHUTDOWN WAIT_FOR_SERVERS", func(o *operated) { o.operator.run("SHUTDOWN WAIT_FOR_SERVERS") }, false},
		{"SIGINT", func(o *operated) { o.usher.Signal(os.Interrupt) }, false},
		{"SHUTDOWN WAIT_FOR_CLIENTS", func(o *operated) { o.operator.run("SHUTDOWN WAIT_FOR_CLIENTS") }, true},
		{"SIGTERM", func(o *operated) { o.usher.Signal(syscall.SIGTERM) }, true},
	} {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			o := newOperated(t, standardConfig)
			client := o.target.simple(t)
			client.run("BEGIN")
			form.begin(o)
			eventually(t, patience, "nobody is let in", func() bool {
				conn, err := pgconn.Connect(t.Context(), o.target.url())
				if err == nil {
					conn.Close(t.Context())
				}
				return err != nil
			})
			client.expect("SELECT 'the transaction goes on'", "the transaction goes on")
			client.run("COMMIT")
			o.console.conn.Close(t.Context())
			o.operator.conn.Close(t.Context())
			if form.forLeave {
				client.expect("SELECT 'and so does the client'", "and so does the client")
				client.conn.Close(t.Context())
			}
			select {
			case <-o.usher.Exited():
			case <-time.After(patience):
				t.Error("usher has not ended")
			}
		})
	}
	t.Run("SHUTDOWN", func(t *testing.T) {
		t.Parallel()
		o := newOperated(t, standardConfig)
		client := o.target.simple(t)
		client.run("BEGIN")
		o.operator.try("SHUTDOWN")
		select {
		case <-o.usher.Exited():
		case <-time.After(patience):
			t.Error("usher has not ended")
		}
		if _, err := client.try("SELECT 1"); err == nil {
			t.Error("a client was answered after the end")
		}
	})
}

// TestPinsAreShown with their reason, to operators who wonder why a pool is full.
func TestPinsAreShown(t *testing.T) {
	t.Parallel()
	o := newOperated(t, standardConfig)
	client := o.target.simple(t)
	for _, p := range makePins() {
		for _, sql := range p.make {
			client.run(sql)
		}
		eventually(t, patience, p.name+" is shown", func() bool { return o.column(t, "two", "cl_pinned") == "1" })
		client.run(p.gone)
		eventually(t, patience, p.gone+" is shown", func() bool { return o.column(t, "two", "cl_pinned") == "0" })
	}
	if reasons := strings.Count(o.console.run("SHOW PINS"), "two|postgres|"); reasons < 5 {
		t.Errorf("SHOW PINS has %d reasons:\n%s", reasons, o.console.run("SHOW PINS"))
	}
}
