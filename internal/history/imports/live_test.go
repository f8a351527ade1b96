//go:build integration

package imports

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// TestTheConsoleIsRead looks at usher's console, which has the commands and columns of PgBouncer's.
func TestTheConsoleIsRead(t *testing.T) {
	t.Parallel()
	usher := pgtest.StartUsher(t, "auth: {type: trust}\nadmin_users: [postgres]\npools:\n  postgres: {url: \""+
		pgtest.Start(t).URL("postgres")+"\"}\n")
	client, err := pgx.Connect(t.Context(), usher.URL("postgres", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close(context.Background()) }()
	config, err := pgconn.ParseConfig(usher.URL("postgres", "pgbouncer"))
	if err != nil {
		t.Fatal(err)
	}
	w := &watch{config: config}
	defer w.close()
	look := func() sample {
		t.Helper()
		found, err := w.look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != 1 || found["postgres"] == nil {
			t.Fatalf("found %+v", found)
		}
		return *found["postgres"]
	}
	before := look()
	if before.Busy != 0 || before.Waiting != 0 {
		t.Errorf("at rest: %+v", before)
	}
	if _, err := client.Exec(t.Context(), "BEGIN"); err != nil {
		t.Fatal(err)
	}
	if during := look(); during.Busy != 1 {
		t.Errorf("in a transaction: %+v", during)
	}
	if _, err := client.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if after := look(); after.Busy != 0 || after.Services <= before.Services || after.ServiceSum <= before.ServiceSum {
		t.Errorf("after it: %+v, before %+v", after, before)
	}
	w.close()
	look() // it connects anew
}
