package loadtest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher/internal/privatepg"
)

const (
	// databaseUser is the role the poolers use in a private PostgreSQL, and clients in the pooler.
	databaseUser = "usher_load_test"
	databaseName = "load_test"
	// databasePatience is how long PostgreSQL and its table may take to be ready.
	databasePatience = 3 * time.Minute
	// spareConnections are left to others of max_connections.
	spareConnections = 10
)

// privateSettings of a private PostgreSQL. fsync is off because the load only reads; the rest keeps it from doing
// anything of its own accord.
var privateSettings = map[string]string{
	"fsync":                "off",
	"autovacuum":           "off",
	"shared_buffers":       "128MB",
	"max_parallel_workers": "0",
	"password_encryption":  "scram-sha-256",
}

// database is the PostgreSQL that the poolers use.
type database struct {
	private   *privatepg.Server // nil: somebody else's
	url       string            // with the password
	version   string
	sameClock bool
	settings  string // for the report
}

// openDatabase starts a private PostgreSQL or looks at the one of the DSN, and makes the table.
func openDatabase(ctx context.Context, o Options, folder string, s secret) (*database, error) {
	ctx, cancel := context.WithTimeout(ctx, databasePatience)
	defer cancel()
	d := &database{url: o.DSN}
	if o.DSN == "" {
		if err := d.startPrivate(ctx, o, folder, s); err != nil {
			return d, err
		}
	}
	conn, err := pgconn.Connect(ctx, d.url)
	if err != nil {
		return d, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(ctx)
	d.sameClock = isHere(conn.Conn().RemoteAddr())
	if err := d.furnish(ctx, conn, connectionsNeeded(o)); err != nil {
		return d, err
	}
	return d, nil
}

// connectionsNeeded is what a pooler may open: both pools at their largest.
func connectionsNeeded(o Options) int { return 2 * (o.Pool + o.Reserve) }

func (d *database) startPrivate(ctx context.Context, o Options, folder string, s secret) error {
	settings := map[string]string{"max_connections": strconv.Itoa(connectionsNeeded(o) + 2*spareConnections)}
	for name, value := range privateSettings {
		settings[name] = value
	}
	var err error
	d.private, err = privatepg.Start(ctx, privatepg.Config{
		Dir: filepath.Join(folder, "postgres"), Settings: settings,
		HBA: []string{"host all " + databaseUser + " 127.0.0.1/32 scram-sha-256"}, // as it is in production
	})
	if err != nil {
		return err
	}
	// The verifier is the one in the poolers' users files: PgBouncer needs that (startPgBouncer).
	err = d.private.Exec(ctx, "postgres", fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", databaseUser, s.verifier))
	if err != nil {
		return err
	}
	if err := d.private.Exec(ctx, "postgres",
		fmt.Sprintf("CREATE DATABASE %s OWNER %s", databaseName, databaseUser)); err != nil {
		return err
	}
	u := url.URL{Scheme: "postgres", User: url.UserPassword(databaseUser, s.password), Host: d.private.Address(),
		Path: "/" + databaseName, RawQuery: "sslmode=disable"}
	d.url = u.String()
	return nil
}

// furnish makes the table and reads what the report says about PostgreSQL.
func (d *database) furnish(ctx context.Context, conn *pgconn.PgConn, needed int) error {
	results, err := conn.Exec(ctx, "select current_setting('server_version'), current_setting('max_connections'), "+
		"current_setting('fsync'), current_setting('shared_buffers')").ReadAll()
	if err != nil {
		return fmt.Errorf("ask PostgreSQL for its settings: %w", err)
	}
	row := results[0].Rows[0]
	d.version = string(row[0])
	d.settings = fmt.Sprintf("max_connections %s, fsync %s, shared_buffers %s", row[1], row[2], row[3])
	if most, err := strconv.Atoi(string(row[1])); err == nil && most < needed+spareConnections {
		return fmt.Errorf("PostgreSQL allows %d connections, and the load test may need %d: raise max_connections, or "+
			"use a smaller pool", most, needed+spareConnections)
	}
	_, err = conn.Exec(ctx, fmt.Sprintf(`
		drop table if exists %[1]s;
		create table %[1]s (id integer primary key, payload text not null);
		insert into %[1]s select i, 'guest ' || i from generate_series(1, %[2]d) i`, tableName, tableRows)).ReadAll()
	if err != nil {
		return fmt.Errorf("make the table %s: %w", tableName, err)
	}
	if _, err := conn.Exec(ctx, "vacuum analyze "+tableName).ReadAll(); err != nil {
		return fmt.Errorf("analyse the table %s: %w", tableName, err)
	}
	return nil
}

// isHere reports whether an address is this machine's.
func isHere(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback()
}

// close ends a private PostgreSQL, or takes the table out of another.
func (d *database) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), killPatience)
	defer cancel()
	if d.private != nil {
		return d.private.Stop(ctx)
	}
	if d.version == "" {
		return nil // nothing was made
	}
	conn, err := pgconn.Connect(ctx, d.url)
	if err != nil {
		return fmt.Errorf("remove the table %s: %w", tableName, err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "drop table if exists "+tableName).ReadAll(); err != nil {
		return fmt.Errorf("remove the table %s: %w", tableName, err)
	}
	return nil
}

// where says for the report which PostgreSQL it is, without its password.
func (d *database) where() string {
	if d.private != nil {
		return "private, on this machine"
	}
	u, err := url.Parse(d.url)
	if err != nil {
		return "of the DSN"
	}
	return strings.TrimPrefix(u.Redacted(), "postgres://")
}
