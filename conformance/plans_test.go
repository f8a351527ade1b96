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
// ("cached plan must not change result type"); usher tells a client so once at most, and from then on the
// statement works again on every server connection, because usher prepares it anew.
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
	told(t, clients, 1)
	for columns := 2; columns < 5; columns++ {
		admin.run(fmt.Sprintf("ALTER TABLE %s ADD COLUMN c%d text DEFAULT 'new'", table, columns))
		for client, times := range told(t, clients, columns) {
			if times > 1 { // its driver prepares anew when it is told, or its user tries again
				t.Errorf("with %d columns client %d was told %d times", columns, client, times)
			}
		}
		for client, times := range told(t, clients, columns) {
			if times > 0 {
				t.Errorf("with %d columns client %d was told again", columns, client)
			}
		}
	}
}

// told runs the statement of each client in turns and all at once, so that it meets both server connections,
// and counts how often each client was told that its plan is an old one.
func told(t *testing.T, clients []*pgconn.PgConn, columns int) []int {
	t.Helper()
	times := make([]int, len(clients))
	ask := func(number int) {
		result := clients[number].ExecPrepared(t.Context(), "all", nil, nil, nil).Read()
		switch {
		case sqlState(result.Err) == featureNotThere:
			times[number]++
		case result.Err != nil || len(result.Rows) != 1 || len(result.Rows[0]) != columns:
			t.Errorf("with %d columns client %d got %q, %v", columns, number, result.Rows, result.Err)
		}
	}
	for range 10 {
		var group sync.WaitGroup
		for number := range clients {
			ask(number)
		}
		for number := range clients {
			group.Go(func() { ask(number) })
		}
		group.Wait()
	}
	return times
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
