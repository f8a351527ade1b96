//go:build integration

package conformance

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher/internal/pgtest"
	"github.com/usher-pg/usher/internal/privatepg"
)

// target is a server a scenario runs against: PostgreSQL itself, or usher in front of it.
type target struct {
	name     string // "postgres" or "usher"
	host     string // of TCP
	port     int
	sockets  string // folder of the unix socket
	socket   int    // the port in the name of the unix socket
	database string
	user     string
	sslmode  string            // of programs; "" is disable
	behind   string            // the database on the server, if it is not the one of the tests
	backing  *privatepg.Server // the PostgreSQL behind it, or itself
	usher    *pgtest.Usher     // nil for PostgreSQL
}

// directly is PostgreSQL as a target.
func directly(server *privatepg.Server) *target {
	return &target{
		name: "postgres", host: server.Host(), port: server.Port(),
		sockets: server.SocketDir(), socket: server.Port(),
		database: database, user: privatepg.Superuser, backing: server,
	}
}

// through is a pool of usher as a target.
func through(u *pgtest.Usher, server *privatepg.Server, pool string) *target {
	host, port, _ := net.SplitHostPort(u.Addr)
	number, _ := strconv.Atoi(port)
	return &target{
		name: "usher", host: host, port: number, sockets: u.Dir, socket: usherSocket,
		database: pool, user: privatepg.Superuser, backing: server, usher: u,
	}
}

// usherSocket is the port in the name of usher's unix socket. It listens in a folder of its own.
const usherSocket = 6432

// standardConfig has pools that differ in mode and size. With fewer server connections than clients, server
// connections change hands at every transaction.
const standardConfig = `
listen: ["$LISTEN", "unix:$DIR/.s.PGSQL.6432"]
auth: {type: trust}
admin_users: [postgres]
pools:
  transaction: {url: "{{url}}", mode: transaction, size: {max: 6}}
  wire:        {url: "{{url}}", mode: transaction, size: {max: 24}}
  narrow:      {url: "{{url}}", mode: transaction, size: {max: 8}, prepared_statements: 5}
  two:         {url: "{{url}}", mode: transaction, size: {max: 2}}
  one:         {url: "{{url}}", mode: transaction, size: {max: 1}}
  session:     {url: "{{url}}", mode: session, size: {max: 20}}
  statement:   {url: "{{url}}", mode: statement, size: {max: 3}}
  "*":         {url: "{{server}}", mode: transaction, size: {max: 4}}
`

// startUsher starts usher with a configuration in which {{url}} stands for the tests' database and {{server}}
// for the server without a database.
func startUsher(t testing.TB, server *privatepg.Server, config string) *pgtest.Usher {
	t.Helper()
	return startUsherOn(t, server, database, config)
}

func startUsherOn(t testing.TB, server *privatepg.Server, database, config string) *pgtest.Usher {
	t.Helper()
	if !targetNames()["usher"] {
		t.Skip("USHER_TARGETS does not ask for usher")
	}
	address := "postgres://" + privatepg.Superuser + "@" + server.Address()
	return pgtest.StartUsher(t, strings.NewReplacer(
		"{{url}}", address+"/"+database+"?sslmode=disable", "{{server}}", address+"?sslmode=disable",
		"{{address}}", server.Address(),
	).Replace(config))
}

// startAlone starts usher for a test that counts what usher holds on to: with a database that nobody else
// uses.
func startAlone(t testing.TB, config, pool string) *target {
	t.Helper()
	server := startPostgres(t)
	if !targetNames()["usher"] {
		t.Skip("USHER_TARGETS does not ask for usher")
	}
	alone := directly(server).ownDatabase(t, "alone").database
	target := through(startUsherOn(t, server, alone, config), server, pool)
	target.behind = alone
	return target
}

// in is the same target with another database.
func (t *target) in(database string) *target {
	moved := *t
	moved.database = database
	return &moved
}

// ended tells whether usher's process is gone.
func (t *target) ended() bool {
	if t.usher == nil {
		return false
	}
	select {
	case <-t.usher.Exited():
		return true
	default:
		return false
	}
}

func (t *target) isUsher() bool { return t.usher != nil }

func (t *target) address() string { return net.JoinHostPort(t.host, strconv.Itoa(t.port)) }

// url is the address for drivers. Parameters come as key, value, key, value.
func (t *target) url(parameters ...string) string {
	return t.urlAs(url.User(t.user), parameters...)
}

func (t *target) urlAs(user *url.Userinfo, parameters ...string) string {
	query := url.Values{"sslmode": {"disable"}}
	for i := 0; i+1 < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}
	address := url.URL{
		Scheme: "postgres", User: user, Host: t.address(), Path: "/" + t.database,
		RawQuery: strings.ReplaceAll(query.Encode(), "+", "%20"),
	}
	return address.String()
}

// environment is what libpq programs need to connect.
func (t *target) environment() []string {
	return []string{
		"PGHOST=" + t.host, "PGPORT=" + strconv.Itoa(t.port), "PGUSER=" + t.user, "PGDATABASE=" + t.database,
		"PGSSLMODE=" + cmp.Or(t.sslmode,
			"disable"), "PGCONNECT_TIMEOUT=30", "PGAPPNAME=conformance", "LC_ALL=C", "TZ=UTC", "PSQLRC=/dev/null",
	}
}

// connect logs a pgx connection in and closes it with the test.
func (t *target) connect(tb testing.TB, parameters ...string) *pgx.Conn {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, t.url(parameters...))
	if err != nil {
		tb.Fatalf("connect to %s: %v", t.name, err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		conn.Close(ctx)
	})
	return conn
}

// simple logs in with pgconn, whose simple protocol returns text as psql sees it.
func (t *target) simple(tb testing.TB, parameters ...string) *session {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgconn.Connect(ctx, t.url(parameters...))
	if err != nil {
		tb.Fatalf("connect to %s: %v", t.name, err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		conn.Close(ctx)
	})
	return &session{conn: conn, tb: tb}
}

// session is a client that speaks the simple protocol and fails its test on an error it did not ask for.
type session struct {
	conn *pgconn.PgConn
	tb   testing.TB
}

// run sends a query string and returns the rows of its last result: values joined by "|", rows by newlines.
func (s *session) run(sql string) string {
	s.tb.Helper()
	text, err := s.try(sql)
	if err != nil {
		s.tb.Fatalf("%s: %v", sql, err)
	}
	return text
}

func (s *session) try(sql string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	results, err := s.conn.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return "", err
	}
	var lines []string
	for _, row := range results[len(results)-1].Rows {
		var values []string
		for _, value := range row {
			values = append(values, string(value))
		}
		lines = append(lines, strings.Join(values, "|"))
	}
	return strings.Join(lines, "\n"), nil
}

// refused runs what must fail and returns the SQLSTATE.
func (s *session) refused(sql string) string {
	s.tb.Helper()
	text, err := s.try(sql)
	state := sqlState(err)
	if state == "" {
		s.tb.Fatalf("%s: answered %q with error %v, expected an error of the server", sql, text, err)
	}
	return state
}

// expect runs a query and compares its answer.
func (s *session) expect(sql, expected string) {
	s.tb.Helper()
	if actual := s.run(sql); actual != expected {
		s.tb.Errorf("%s: got %q, expected %q", sql, actual, expected)
	}
}

// backend tells which server process answers now.
func (s *session) backend() string {
	s.tb.Helper()
	return s.run("SELECT pg_backend_pid()")
}

// sleeping tells whether a statement with a mark in its text sleeps on the server. A failure to ask counts as
// yes, so that whoever waits for it goes on and finds the failure.
func (s *session) sleeping(mark string) bool {
	text, err := s.try("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%" +
		mark + "%'")
	return err != nil || text != "0"
}

// targetNames are the targets asked for by USHER_TARGETS.
func targetNames() map[string]bool {
	list := os.Getenv("USHER_TARGETS")
	if list == "" {
		list = "postgres,usher"
	}
	names := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		names[name] = true
	}
	return names
}

// each runs a scenario against PostgreSQL and through a pool of an usher with standardConfig.
func each(t *testing.T, pool string, scenario func(t *testing.T, target *target)) {
	t.Helper()
	server := startPostgres(t)
	if targetNames()["postgres"] {
		t.Run("postgres", func(t *testing.T) { scenario(t, directly(server)) })
	}
	if targetNames()["usher"] {
		t.Run("usher", func(t *testing.T) {
			scenario(t, through(startUsher(t, server, standardConfig), server, pool))
		})
	}
}

var uniqueNumber atomic.Int64

// unique makes a name that no other test of this run uses. The names of a prefix are equally long, so that
// tables that are printed with them are equally wide.
func unique(prefix string) string { return fmt.Sprintf("%s_%05d", prefix, uniqueNumber.Add(1)) }

// admin is a session on PostgreSQL itself, whatever the target.
func (t *target) admin(tb testing.TB) *session {
	tb.Helper()
	return directly(t.backing).simple(tb, "application_name", "conformance admin")
}

// patience is how long to wait for what should happen at once, on a slow machine.
const patience = 30 * time.Second

// eventually waits until a condition holds, looking again and again. It replaces every sleep in these tests.
func eventually(tb testing.TB, patience time.Duration, what string, holds func() bool) {
	tb.Helper()
	if err := poll(patience, holds); err != nil {
		tb.Fatalf("%s: %v", what, err)
	}
}

func poll(patience time.Duration, holds func() bool) error {
	deadline := time.Now().Add(patience)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %v", patience)
		}
		<-ticker.C
	}
	return nil
}
