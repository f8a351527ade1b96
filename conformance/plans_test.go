//go:build integration

package conformance

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestCachedPlan: DDL changes what a prepared statement returns. PostgreSQL refuses such a statement for ever
// ("cached plan must not change result type"); usher may answer so once, and then the statement works again
// on every server connection, because usher prepares it anew.
func TestCachedPlan(t *testing.T) {
	t.Parallel()
	server := startPostgres(t)
	target := through(startUsher(t, server, standardConfig), server, "two")
	table := unique("changed")
	admin := target.admin(t)
	admin.run(fmt.Sprintf("CREATE TABLE %s AS SELECT 1 AS id", table))
	var clients []*pgconn.PgConn
	for range 4 {
		client := target.simple(t).conn
		if _, err := client.Prepare(t.Context(), "all", "SELECT * FROM "+table, nil); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, client)
	}
	warm(t, clients, 1)
	for columns := 2; columns < 5; columns++ {
		admin.run(fmt.Sprintf("ALTER TABLE %s ADD COLUMN c%d text DEFAULT 'new'", table, columns))
		refusals := 0
		for range 6 {
			for _, client := range clients {
				result := client.ExecPrepared(t.Context(), "all", nil, nil, nil).Read()
				if state := sqlState(result.Err); state == featureNotThere {
					refusals++
				} else if result.Err != nil || len(result.Rows) != 1 || len(result.Rows[0]) != columns {
					t.Fatalf("with %d columns: rows %q, %v", columns, result.Rows, result.Err)
				}
			}
		}
		if refusals > 2 { // at most one for each server connection
			t.Errorf("with %d columns the statement was refused %d times", columns, refusals)
		}
		warm(t, clients, columns)
	}
}

// warm runs the statement on all server connections at once.
func warm(t *testing.T, clients []*pgconn.PgConn, columns int) {
	t.Helper()
	for range 3 {
		var group sync.WaitGroup
		for _, client := range clients {
			group.Go(func() {
				result := client.ExecPrepared(t.Context(), "all", nil, nil, nil).Read()
				if result.Err != nil || len(result.Rows[0]) != columns {
					t.Errorf("expected %d columns: %q, %v", columns, result.Rows, result.Err)
				}
			})
		}
		group.Wait()
	}
}

// TestDriversSurviveDDL: pgx caches statements and forgets them when PostgreSQL complains; its users retry
// once.
func TestDriversSurviveDDL(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		pool := pgxPool(t, target, 4, pgx.QueryExecModeCacheStatement)
		table := unique("ddl")
		admin := target.admin(t)
		admin.run("CREATE TABLE " + table + " AS SELECT 1 AS id")
		for columns := 1; columns < 5; columns++ {
			if columns > 1 {
				admin.run(fmt.Sprintf("ALTER TABLE %s ADD COLUMN c%d int DEFAULT 0", table, columns))
			}
			failures := 0
			for range 20 {
				rows, err := pool.Query(t.Context(), "SELECT * FROM "+table)
				if err == nil {
					found, scan := pgx.CollectExactlyOneRow(rows, pgx.RowToMap)
					err = scan
					if err == nil && len(found) != columns {
						err = errors.New("an old plan was used")
					}
				}
				if err != nil {
					failures++
				}
			}
			if failures > 4 { // one for each connection of the driver
				t.Errorf("with %d columns, %d of 20 queries failed", columns, failures)
			}
		}
	})
}
