//go:build integration

package conformance

import (
	"context"
	"flag"
	"sync"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/pgtest"
	"github.com/usher-pg/usher/internal/privatepg"
)

var rewrite = flag.Bool("rewrite", false, "record the wire transcripts anew from PostgreSQL")

func TestMain(m *testing.M) { pgtest.Main(m) }

// database is where the tests work.
const database = "conformance"

var furnished struct {
	once sync.Once
	err  error
}

// startPostgres returns the PostgreSQL that most tests share.
func startPostgres(t testing.TB) *privatepg.Server {
	t.Helper()
	server := pgtest.Start(t)
	furnished.once.Do(func() { furnished.err = furnish(server) })
	if furnished.err != nil {
		t.Fatal(furnished.err)
	}
	return server
}

// startOwnPostgres starts one for a test that stops it or would disturb others.
func startOwnPostgres(t testing.TB, settings map[string]string) *privatepg.Server {
	t.Helper()
	server := pgtest.StartOwn(t, settings)
	if err := furnish(server); err != nil {
		t.Fatal(err)
	}
	return server
}

// furnish makes the tests' database. Its time zone does not depend on the machine's.
func furnish(server *privatepg.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := server.CreateDatabase(ctx, database); err != nil {
		return err
	}
	return server.Exec(ctx, database, "ALTER DATABASE "+database+" SET timezone = 'UTC';"+
		"GRANT CREATE ON SCHEMA public TO PUBLIC")
}
