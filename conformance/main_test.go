//go:build integration

package conformance

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/privatepg"
)

var rewrite = flag.Bool("rewrite", false, "record the wire transcripts anew from PostgreSQL")

// postgres is the PostgreSQL that most tests share. Tests that stop it, or need TLS, start one of their own.
var postgres *privatepg.Server

// database is where the shared tests work.
const database = "conformance"

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "usher-conformance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	postgres, err = newPostgres(ctx, folder, privatepg.Config{HBA: loginHBA})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer stopPostgres(postgres)
	defer shared.stop()
	if err := postgres.Exec(ctx, database, loginRoles); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// Roles that must log in with a password, and the lines of pg_hba.conf that ask for it.
const (
	scramUser, scramPassword = "scram_user", "scram secret"
	md5User, md5Password     = "md5_user", "md5 secret"
	plainUser, plainPassword = "plain_user", "plain secret"

	loginRoles = `
		SET password_encryption = 'scram-sha-256';
		CREATE ROLE scram_user LOGIN PASSWORD 'scram secret';
		CREATE ROLE plain_user LOGIN PASSWORD 'plain secret';
		SET password_encryption = 'md5';
		CREATE ROLE md5_user LOGIN PASSWORD 'md5 secret';
		GRANT CREATE ON SCHEMA public TO PUBLIC`
)

var loginHBA = []string{
	"host all scram_user 127.0.0.1/32 scram-sha-256",
	"host all md5_user 127.0.0.1/32 md5",
	"host all plain_user 127.0.0.1/32 password",
}

// newPostgres starts a PostgreSQL for tests: quick, and without memory of crashes.
func newPostgres(ctx context.Context, folder string, config privatepg.Config) (*privatepg.Server, error) {
	settings := map[string]string{
		"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off",
		"shared_buffers": "64MB", "max_connections": "120", "max_prepared_transactions": "10",
		"wal_level": "logical", "max_wal_senders": "4", "max_replication_slots": "4",
		"superuser_reserved_connections": "10", "timezone": "UTC", "log_min_messages": "warning",
	}
	for name, value := range config.Settings {
		settings[name] = value
	}
	config.Dir, config.Settings, config.Elsewhere = folder, settings, os.TempDir()
	server, err := privatepg.Start(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := server.CreateDatabase(ctx, database); err != nil {
		stopPostgres(server)
		return nil, err
	}
	return server, nil
}

// startPostgres starts one for a single test.
func startPostgres(t *testing.T, config privatepg.Config) *privatepg.Server {
	t.Helper()
	folder, err := os.MkdirTemp("", "usher-conformance-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	server, err := newPostgres(t.Context(), folder, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopPostgres(server) })
	return server
}

func stopPostgres(server *privatepg.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := server.Stop(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
