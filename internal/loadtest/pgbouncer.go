package loadtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher/internal/privatepg"
)

const pgbouncerName = "pgbouncer"

// reservePatience is the least that PgBouncer's reserve_pool_timeout, in whole seconds, can be.
const reservePatience = 1

// pgbouncer is a PgBouncer that is measured beside usher.
type pgbouncer struct {
	*child
	release  string
	port     int
	password string
}

// findPgBouncer is where the program is, and what it says about itself.
func findPgBouncer(ctx context.Context) (path, version string, err error) {
	if path, err = exec.LookPath("pgbouncer"); err != nil {
		path = "/usr/sbin/pgbouncer" // not in everybody's PATH
	}
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return "", "", fmt.Errorf("find PgBouncer (as root, make load-test ARGS='--compare pgbouncer' installs it): %w",
			err)
	}
	version, _, _ = strings.Cut(string(out), "\n")
	return path, strings.TrimPrefix(version, "PgBouncer "), nil
}

// pgbouncerSettings are what its configuration is made of.
type pgbouncerSettings struct {
	Options
	port               int
	database           *pgconn.Config
	sslMode, usersFile string
}

// pgbouncerConfig says in its words what usherConfig says in usher's.
func pgbouncerConfig(s pgbouncerSettings) string {
	var b strings.Builder
	line := func(format string, arguments ...any) { fmt.Fprintf(&b, format+"\n", arguments...) }
	line("[databases]")
	password := ""
	if s.database.Password != "" { // it refuses an empty one
		password = " password=" + quoted(s.database.Password)
	}
	for _, p := range poolsOf(s.Options) {
		line("%s = host=%s port=%d dbname=%s user=%s%s min_pool_size=%d", p.name, quoted(s.database.Host),
			s.database.Port, quoted(s.database.Database), quoted(s.database.User), password, p.least)
	}
	line("[pgbouncer]")
	line("listen_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =", s.port)
	line("pool_mode = transaction\nmax_client_conn = %d", s.Clients+spareClients)
	line("default_pool_size = %d\nreserve_pool_size = %d\nreserve_pool_timeout = %d", s.Pool, s.Reserve, reservePatience)
	line("query_wait_timeout = %d\nserver_idle_timeout = %d", int(queryWait.Seconds()), int(unpreparedIdle.Seconds()))
	line("auth_type = scram-sha-256\nauth_file = %s\nstats_users = %s", s.usersFile, clientUser)
	line("server_tls_sslmode = %s", s.sslMode)
	line("log_connections = 0\nlog_disconnections = 0\nlog_pooler_errors = 0\nlog_stats = 0")
	return b.String()
}

// quoted quotes a value of a connection string as PgBouncer reads it.
func quoted(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }

func startPgBouncer(ctx context.Context, o Options, d *database, folder string, s secret) (pooler, error) {
	path, version, err := findPgBouncer(ctx)
	if err != nil {
		return nil, err
	}
	ports, err := privatepg.FreePorts(1)
	if err != nil {
		return nil, err
	}
	database, err := pgconn.ParseConfig(d.url)
	if err != nil {
		return nil, fmt.Errorf("read the DSN: %w", err)
	}
	b := &pgbouncer{release: version, port: ports[0], password: s.password}
	config, users := filepath.Join(folder, "pgbouncer.ini"), filepath.Join(folder, "users.txt")
	sslMode := "prefer"
	if u, err := url.Parse(d.url); err == nil && u.Query().Get("sslmode") != "" {
		sslMode = u.Query().Get("sslmode")
	}
	stored := s.verifier
	if d.private == nil {
		// It logs in to the server with what its client has proved to know, which works only where the server has the
		// same verifier. With the password itself it does not, but each login costs thousands of hashes.
		stored = s.password
	}
	account, err := privatepg.Unprivileged("PgBouncer", "pgbouncer", "postgres", "nobody")
	if err != nil {
		return nil, err
	}
	text := pgbouncerConfig(pgbouncerSettings{
		Options: o, port: b.port, database: database, sslMode: sslMode, usersFile: users,
	})
	err = errors.Join(
		os.WriteFile(config, []byte(text), 0o600),
		os.WriteFile(users, []byte(usersFile(clientUser, stored)), 0o600),
		account.Give(folder), account.Give(config), account.Give(users),
	)
	if err != nil {
		return nil, fmt.Errorf("configure PgBouncer: %w", err)
	}
	cmd := exec.Command(path, config)
	cmd.Dir = folder
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account.Credential()}
	if b.child, err = startChild("PgBouncer", cmd, filepath.Join(folder, "pgbouncer.log")); err != nil {
		return nil, err
	}
	if err := awaitAnswer(ctx, b); err != nil {
		return nil, errors.Join(fmt.Errorf("start PgBouncer: %w", err), b.stop())
	}
	return b, nil
}

func (b *pgbouncer) name() string     { return pgbouncerName }
func (b *pgbouncer) version() string  { return b.release }
func (b *pgbouncer) namesLanes() bool { return false } // it would refuse the option
func (b *pgbouncer) process() *child  { return b.child }
func (b *pgbouncer) stop() error      { return b.child.stop(syscall.SIGTERM) }
func (b *pgbouncer) address() string  { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)) }

// read asks its console. It has no lanes and no distribution of waits, only their sum.
func (b *pgbouncer) read(ctx context.Context, name string) (reading, error) {
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	u := url.URL{Scheme: "postgres", User: url.UserPassword(clientUser, b.password), Host: b.address(),
		Path: "/pgbouncer", RawQuery: "sslmode=disable"}
	conn, err := pgconn.Connect(ctx, u.String())
	if err != nil {
		return reading{}, fmt.Errorf("ask PgBouncer for its status: %w", err)
	}
	defer conn.Close(ctx)
	pools, err := showRows(ctx, conn, "SHOW POOLS")
	if err != nil {
		return reading{}, err
	}
	stats, err := showRows(ctx, conn, "SHOW STATS")
	if err != nil {
		return reading{}, err
	}
	return readingOfRows(time.Now(), pools, stats, name), nil
}

// showRows are the rows of a SHOW command by column.
func showRows(ctx context.Context, conn *pgconn.PgConn, command string) ([]map[string]string, error) {
	results, err := conn.Exec(ctx, command).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("ask PgBouncer: %s: %w", command, err)
	}
	var rows []map[string]string
	for _, result := range results {
		for _, values := range result.Rows {
			row := map[string]string{}
			for i, field := range result.FieldDescriptions {
				row[field.Name] = string(values[i])
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// readingOfRows takes a pool out of SHOW POOLS and SHOW STATS. All who wait are in lane normal: PgBouncer knows one.
func readingOfRows(at time.Time, pools, stats []map[string]string, name string) reading {
	r := reading{at: at}
	number := func(row map[string]string, column string) int {
		n, err := strconv.Atoi(row[column])
		if err != nil {
			return 0 // not of this version
		}
		return n
	}
	for _, row := range pools {
		if row["database"] == name {
			r.waiting[laneNormal] += number(row, "cl_waiting")
			r.busy += number(row, "sv_active") + number(row, "sv_tested")
			r.idle += number(row, "sv_idle") + number(row, "sv_used")
			r.opening += number(row, "sv_login")
		}
	}
	r.open = r.busy + r.idle
	for _, row := range stats {
		if row["database"] == name {
			r.waited += time.Duration(number(row, "total_wait_time")) * time.Microsecond
			r.requests += uint64(number(row, "total_xact_count"))
		}
	}
	return r
}
