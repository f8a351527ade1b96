package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/lib/pq"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/status"
)

// outcome is what came of a query: the tags, or SQLSTATE and message of the error.
func outcome(t *testing.T, conn *pgconn.PgConn, query string) string {
	t.Helper()
	results, err := conn.Exec(t.Context(), query).ReadAll()
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refused.Code + " " + refused.Message
	}
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	tags := make([]string, len(results))
	for i, r := range results {
		tags[i] = r.CommandTag.String()
	}
	return strings.Join(tags, ", ")
}

func TestCommandsReachTheControllerAndAnswerWithPgBouncersTags(t *testing.T) {
	tests := []struct{ query, call, tag string }{
		{"PAUSE", `pause ""`, "PAUSE"},
		{"pause shop;", `pause "shop"`, "PAUSE"},
		{"RESUME", `resume ""`, "RESUME"},
		{"resume shop", `resume "shop"`, "RESUME"},
		{"resume pgbouncer", `resume "pgbouncer"`, "RESUME"},
		{"DISABLE shop", `disable "shop"`, "DISABLE"},
		{"ENABLE shop", `enable "shop"`, "ENABLE"},
		{"RECONNECT", `reconnect ""`, "RECONNECT"},
		{"RECONNECT shop", `reconnect "shop"`, "RECONNECT"},
		{"KILL", `kill ""`, "KILL"},
		{"KILL shop", `kill "shop"`, "KILL"},
		{"KILL_CLIENT 17", `kill client 17`, "KILL_CLIENT"},
		{"SUSPEND", `suspend`, "SUSPEND"},
		{"RELOAD", `reload`, "RELOAD"},
		{"WAIT_CLOSE", `wait close ""`, "WAIT_CLOSE"},
		{"WAIT_CLOSE shop", `wait close "shop"`, "WAIT_CLOSE"},
		{"SET queue_timeout = '5s'", `set queue_timeout=5s`, "SET queue_timeout=5s"},
		{"SHUTDOWN", `shutdown IMMEDIATE`, "SHUTDOWN"},
		{"SHUTDOWN wait_for_servers", `shutdown WAIT_FOR_SERVERS`, "SHUTDOWN"},
		{"SHUTDOWN WAIT_FOR_CLIENTS;", `shutdown WAIT_FOR_CLIENTS`, "SHUTDOWN"},
	}
	c := start(t, Admin)
	conn := c.connect(t)
	var calls []string
	for _, test := range tests {
		if got := outcome(t, conn, test.query); got != test.tag {
			t.Errorf("%s answers %q, want %q", test.query, got, test.tag)
		}
		calls = append(calls, test.call)
	}
	if diff := cmp.Diff(calls, c.ctl.called()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestArgumentsAreCheckedBeforeAnythingIsDone(t *testing.T) {
	tests := map[string]string{
		"DISABLE":              "42601 a database is required",
		"ENABLE":               "42601 a database is required",
		"PAUSE pgbouncer":      "55000 cannot pause admin db: pgbouncer",
		"KILL usher":           "55000 cannot kill admin db: usher",
		"WAIT_CLOSE usher":     "55000 cannot wait in admin db: usher",
		"RECONNECT pgbouncer":  "55000 cannot reconnect admin db: pgbouncer",
		"DISABLE usher":        "55000 cannot disable admin db: usher",
		"KILL_CLIENT":          "22023 invalid client pointer supplied",
		"KILL_CLIENT bob":      "22023 invalid client pointer supplied",
		"KILL_CLIENT -1":       "22023 invalid client pointer supplied",
		"RELOAD now":           "42601 invalid command 'RELOAD now', use SHOW HELP;",
		"SUSPEND shop":         "42601 invalid command 'SUSPEND shop', use SHOW HELP;",
		"SHUTDOWN never":       "42601 invalid command 'SHUTDOWN never', use SHOW HELP;",
		"SHOW":                 "42601 invalid command 'SHOW', use SHOW HELP;",
		"SELECT 1":             "42601 invalid command 'SELECT 1', use SHOW HELP;",
		"SELECT version()":     "42601 invalid command 'SELECT version()', use SHOW HELP;",
		"SHUTDOWN immediate x": "42601 invalid command 'SHUTDOWN immediate x', use SHOW HELP;",
	}
	c := start(t, Admin)
	conn := c.connect(t)
	for query, want := range tests {
		if got := outcome(t, conn, query); got != want {
			t.Errorf("%s answers %q, want %q", query, got, want)
		}
	}
	if calls := c.ctl.called(); len(calls) > 0 {
		t.Errorf("the controller was called: %q", calls)
	}
}

func TestRefusalsOfTheControllerBecomeSQLSTATEs(t *testing.T) {
	tests := []struct {
		fail error
		want string
	}{
		{status.NoPool("shop"), "3D000 no such database: shop"},
		{status.PoolNotPaused("shop"), "55000 database shop is not paused"},
		{status.ErrNotPaused, "55000 pooler is not paused/suspended"},
		{status.ErrAlreadyPaused, "55000 already suspended/paused"},
		{status.ErrShuttingDown, "55000 pooler is shutting down"},
		{status.ErrPausedPools, "55000 cannot suspend with paused databases"},
		{status.ErrClientNotFound, "42704 client not found"},
		{status.Refuse(status.NoSuchOption, "no option %q", "x"), `42704 no option "x"`},
		{status.Refuse(status.InvalidValue, "not a number"), "22023 not a number"},
		{status.Refuse(status.NotChangeable, "needs a restart"), "55P02 needs a restart"},
		{status.Refuse(status.InvalidConfig, "usher.yaml:3:1: unknown key"), "F0000 usher.yaml:3:1: unknown key"},
		{status.Refuse(status.NotSupported, "not yet"), "0A000 not yet"},
		{fmt.Errorf("pause: %w", status.NoPool("shop")), "3D000 no such database: shop"},
		{errors.New("disk on fire"), "XX000 disk on fire"},
	}
	c := start(t, Admin)
	conn := c.connect(t)
	for _, test := range tests {
		c.ctl.fail = test.fail
		if got := outcome(t, conn, "RESUME shop"); got != test.want {
			t.Errorf("%v is shown as %q, want %q", test.fail, got, test.want)
		}
	}
}

func TestEveryCauseOfARefusalHasARow(t *testing.T) {
	for cause := status.NoSuchPool; cause <= status.NotSupported; cause++ {
		if rowOfCause[cause] == nil {
			t.Errorf("cause %d has no row", cause)
		}
	}
}

func TestAStatsUserLooksAndDoesNotTouch(t *testing.T) {
	c := start(t, Stats)
	conn := c.connect(t)
	for _, cmd := range commands {
		query := cmd.name
		switch cmd.argument {
		case requiredPool:
			query += " shop"
		case clientID:
			query += " 1"
		case setting:
			query += " queue_timeout = 1"
		}
		denied := outcome(t, conn, query) == "42501 admin access needed"
		if want := cmd.permission == Admin; denied != want {
			t.Errorf("%s: denied %v, want %v", query, denied, want)
		}
	}
	for _, call := range c.ctl.called() {
		if !strings.HasPrefix(call, "snapshot ") {
			t.Errorf("a stats user reached %s", call)
		}
	}
}

func TestASessionWithoutPermissionMayDoNothing(t *testing.T) {
	conn := start(t, 0).connect(t)
	if got, want := outcome(t, conn, "SHOW VERSION"), "42501 admin access needed"; got != want {
		t.Errorf("answers %q, want %q", got, want)
	}
}

func TestParametersThatDriversSetAreIgnoredWithANotice(t *testing.T) {
	c := start(t, Stats)
	var notices []string
	config, err := pgconn.ParseConfig("postgres://ann@127.0.0.1/usher?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	config.DialFunc = func(context.Context, string, string) (net.Conn, error) { return c.client, nil }
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notices = append(notices, n.Message) }
	conn, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		"SET client_encoding TO 'UTF8'", "set extra_float_digits = 3", "SET DateStyle = 'ISO'",
		"SET standard_conforming_strings TO on", "set timezone to 'Europe/Amsterdam'", "set application_name = 'x'",
	} {
		if got := outcome(t, conn, query); got != "SET" {
			t.Errorf("%s answers %q, want SET", query, got)
		}
	}
	if len(notices) != 6 || notices[0] != "SET ignored" {
		t.Errorf("notices are %q, want six of SET ignored", notices)
	}
	if calls := c.ctl.called(); len(calls) > 0 {
		t.Errorf("the controller was called: %q", calls)
	}
}

func TestHelpListsEveryCommand(t *testing.T) {
	c := start(t, Stats)
	var detail string
	config, err := pgconn.ParseConfig("postgres://ann@127.0.0.1/usher?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	config.DialFunc = func(context.Context, string, string) (net.Conn, error) { return c.client, nil }
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { detail = n.Detail }
	conn, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if got := outcome(t, conn, "show help"); got != "SHOW" {
		t.Errorf("answers %q, want SHOW", got)
	}
	for _, cmd := range commands {
		if word := strings.TrimPrefix(cmd.name, "SHOW "); !strings.Contains(detail, word) {
			t.Errorf("the help lacks %s:\n%s", word, detail)
		}
	}
}

func TestSeveralCommandsInOneQueryRunUntilOneFails(t *testing.T) {
	c := start(t, Admin)
	conn := c.connect(t)
	if got, want := outcome(t, conn, "pause a; show version; resume a"), "PAUSE, SHOW, RESUME"; got != want {
		t.Errorf("answers %q, want %q", got, want)
	}
	if got, want := outcome(t, conn, "reload; pause usher; kill"), "55000 cannot pause admin db: usher"; got != want {
		t.Errorf("answers %q, want %q", got, want)
	}
	want := []string{`pause "a"`, "snapshot 0", `resume "a"`, "reload"}
	if diff := cmp.Diff(want, c.ctl.called()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestSnapshotsAreAskedForNoMoreThanIsShown(t *testing.T) {
	c := start(t, Admin)
	conn := c.connect(t)
	outcome(t, conn, "show pools")
	outcome(t, conn, "show clients")
	want := []string{
		fmt.Sprintf("snapshot %b", status.SectionPools), fmt.Sprintf("snapshot %b", status.SectionClients),
	}
	if diff := cmp.Diff(want, c.ctl.called()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestDriversOfTheSimpleProtocolWork(t *testing.T) {
	t.Run("pgx", func(t *testing.T) {
		c := start(t, Stats)
		config, err := pgx.ParseConfig("postgres://ann@127.0.0.1/pgbouncer?sslmode=disable")
		if err != nil {
			t.Fatal(err)
		}
		config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
		config.DialFunc = func(context.Context, string, string) (net.Conn, error) { return c.client, nil }
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Ping(t.Context()); err != nil {
			t.Errorf("ping: %v", err)
		}
		var version string
		if err := conn.QueryRow(t.Context(), "SHOW VERSION").Scan(&version); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(version, "PgBouncer 1.25") {
			t.Errorf("version is %q", version)
		}
	})
	t.Run("lib/pq", func(t *testing.T) {
		c := start(t, Stats)
		connector, err := pq.NewConnector("host=127.0.0.1 user=ann dbname=pgbouncer sslmode=disable")
		if err != nil {
			t.Fatal(err)
		}
		connector.Dialer(dialer{c.client})
		checkAsTheExporterDoes(t, connector)
	})
}

func TestTheExtendedProtocolIsRefusedAndTheConnectionStays(t *testing.T) {
	conn := start(t, Stats).connect(t)
	_, err := conn.Prepare(t.Context(), "s", "show pools", nil)
	if refused, ok := errors.AsType[*pgconn.PgError](err); !ok || refused.Code != "0A000" {
		t.Fatalf("Prepare gives %v, want 0A000", err)
	}
	batch := &pgconn.Batch{}
	batch.ExecParams("show pools", nil, nil, nil, nil)
	batch.ExecParams("show stats", nil, nil, nil, nil)
	if err := conn.ExecBatch(t.Context(), batch).Close(); err == nil {
		t.Error("a batch was accepted")
	}
	if got := outcome(t, conn, "show version"); got != "SHOW" {
		t.Errorf("afterwards a simple query answers %q, want SHOW", got)
	}
}

// frontend is a client that says what it wants, without the care a driver takes.
func (c *testConsole) frontend(t *testing.T) *pgproto3.Frontend {
	t.Helper()
	f := pgproto3.NewFrontend(c.client, c.client)
	f.Send(&pgproto3.StartupMessage{ProtocolVersion: 196608, Parameters: map[string]string{"user": "ann"}})
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	receive(t, f, "Z")
	return f
}

// receive reads messages up to one of the type wanted and returns all their types.
func receive(t *testing.T, f *pgproto3.Frontend, last string) string {
	t.Helper()
	var types strings.Builder
	for {
		m, err := f.Receive()
		if err != nil {
			t.Fatalf("after %q: %v", types.String(), err)
		}
		encoded, err := m.Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		types.WriteByte(encoded[0])
		if string(encoded[:1]) == last {
			return types.String()
		}
	}
}

func TestAfterAnErrorEverythingUpToSyncIsSkipped(t *testing.T) {
	f := start(t, Stats).frontend(t)
	f.Send(&pgproto3.Parse{Query: "show pools"})
	f.Send(&pgproto3.Bind{})
	f.Send(&pgproto3.Query{String: "show version"})
	f.Send(&pgproto3.Execute{})
	f.Send(&pgproto3.Sync{})
	f.Send(&pgproto3.Query{String: ""})
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, f, "Z"); got != "EZ" {
		t.Errorf("the batch is answered with %s, want EZ", got)
	}
	if got := receive(t, f, "Z"); got != "IZ" {
		t.Errorf("the empty query is answered with %s, want IZ", got)
	}
}

func TestStrayMessagesAreHarmless(t *testing.T) {
	f := start(t, Stats).frontend(t)
	f.Send(&pgproto3.Flush{})
	f.Send(&pgproto3.CopyData{Data: []byte("x")})
	f.Send(&pgproto3.CopyDone{})
	f.Send(&pgproto3.FunctionCall{Function: 1})
	f.Send(&pgproto3.Sync{})
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, f, "Z") + receive(t, f, "Z"); got != "EZZ" {
		t.Errorf("answered with %s, want EZZ", got)
	}
}

func TestHostileMessagesEndTheConnectionWithAnError(t *testing.T) {
	tests := map[string][]byte{
		"unknown type":       {0x01, 0, 0, 0, 4},
		"server's type":      {'Z', 0, 0, 0, 5, 'I'},
		"length too short":   {'Q', 0, 0, 0, 3},
		"length huge":        {'Q', 0xff, 0xff, 0xff, 0xff},
		"length over limit":  {'Q', 0, 1, 0, 0},
		"query without NUL":  {'Q', 0, 0, 0, 6, 'a', 'b'},
		"query with two NUL": {'Q', 0, 0, 0, 8, 'a', 0, 'b', 0},
	}
	for name, message := range tests {
		t.Run(name, func(t *testing.T) {
			c := start(t, Admin)
			f := c.frontend(t)
			if _, err := c.client.Write(message); err != nil {
				t.Fatal(err)
			}
			m, err := f.Receive()
			if err != nil {
				t.Fatal(err)
			}
			if e, ok := m.(*pgproto3.ErrorResponse); !ok || e.Severity != "FATAL" || e.Code != "08P01" {
				t.Errorf("answered with %#v, want FATAL 08P01", m)
			}
			if _, ok := errors.AsType[*pgerr.Error](c.served(t)); !ok {
				t.Error("Serve did not return the refusal")
			}
		})
	}
}

func TestServeReturnsNilWhenTheClientLeaves(t *testing.T) {
	t.Run("with Terminate", func(t *testing.T) {
		c := start(t, Stats)
		if err := c.connect(t).Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.served(t); err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
	t.Run("without a word", func(t *testing.T) {
		c := start(t, Stats)
		c.frontend(t)
		c.client.Close()
		if err := c.served(t); err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
	t.Run("in the middle of a message", func(t *testing.T) {
		c := start(t, Stats)
		c.frontend(t)
		if _, err := c.client.Write([]byte{'Q', 0, 0, 0, 50, 's'}); err != nil {
			t.Fatal(err)
		}
		c.client.Close()
		if err := c.served(t); err != nil {
			t.Errorf("Serve returned %v", err)
		}
	})
}

func TestShutdownOfUsherEndsAnIdleConsoleWithAnError(t *testing.T) {
	c := start(t, Stats)
	f := c.frontend(t)
	why := errors.New("usher ends")
	c.stop(why)
	m, err := f.Receive()
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := m.(*pgproto3.ErrorResponse); !ok || e.Code != "57P01" {
		t.Errorf("the client is told %#v, want 57P01", m)
	}
	if err := c.served(t); !errors.Is(err, why) {
		t.Errorf("Serve returned %v, want %v", err, why)
	}
}

func TestTheLogHasNoValueOfSetAndNoTextOfErrors(t *testing.T) {
	server, client := net.Pipe()
	defer client.Close()
	log := &lockedBuffer{}
	done := make(chan error, 1)
	go func() {
		session := Session{User: "ann", Permission: Admin, Log: slog.New(slog.NewTextHandler(log, nil))}
		done <- Serve(context.Background(), server, session, newFake())
	}()
	f := pgproto3.NewFrontend(client, client)
	for _, query := range []string{"set auth_password = 's3cret'", "set auth_password = 's3cret"} {
		f.Send(&pgproto3.Query{String: query})
		if err := f.Flush(); err != nil {
			t.Fatal(err)
		}
		receive(t, f, "Z")
	}
	client.Close()
	if err := <-done; err != nil {
		t.Errorf("Serve returned %v", err)
	}
	if text := log.String(); strings.Contains(text, "s3cret") || !strings.Contains(text, "auth_password") {
		t.Errorf("log is:\n%s", text)
	}
}

// lockedBuffer is a buffer that several goroutines may write to.
type lockedBuffer struct {
	mu sync.Mutex // guards buf
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// dialer gives a driver a connection that is already there.
type dialer struct{ conn net.Conn }

func (d dialer) Dial(string, string) (net.Conn, error)                       { return d.conn, nil }
func (d dialer) DialTimeout(string, string, time.Duration) (net.Conn, error) { return d.conn, nil }
