//go:build integration

package conformance

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lib/pq"
)

func openPq(t *testing.T, target *target, parameters ...string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", target.url(parameters...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestPqWithPreparedStatements: database/sql prepares a statement on every connection it uses.
func TestPqWithPreparedStatements(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		for _, binary := range []string{"no", "yes"} {
			t.Run("binary_parameters="+binary, func(t *testing.T) {
				db := openPq(t, target, "binary_parameters", binary)
				db.SetMaxOpenConns(6)
				statement, err := db.PrepareContext(t.Context(), "SELECT $1::int, 'token ' || $2::text")
				if err != nil {
					t.Fatal(err)
				}
				defer statement.Close()
				var group sync.WaitGroup
				for worker := range 6 {
					group.Go(func() {
						for i := range 25 {
							pqWork(t, db, statement, worker*1000+i)
						}
					})
				}
				group.Wait()
			})
		}
	})
}

func pqWork(t *testing.T, db *sql.DB, statement *sql.Stmt, token int) {
	var number int
	var text string
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: token%2 == 0})
	if err != nil {
		t.Error(err)
		return
	}
	defer tx.Rollback()
	err = tx.Stmt(statement).QueryRow(token, fmt.Sprint(token)).Scan(&number, &text)
	if err != nil || number != token || text != fmt.Sprint("token ", token) {
		t.Errorf("asked for %d, got %d and %q: %v", token, number, text, err)
		return
	}
	if token%5 == 0 {
		if _, err := tx.Exec("SELECT 1/0"); sqlState(err) != divisionByZero {
			t.Errorf("expected a division by zero, got %v", err)
		}
		return
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	if err := db.QueryRow("SELECT $1::text", fmt.Sprint(token)).Scan(&text); err != nil ||
		text != fmt.Sprint(token) {
		t.Errorf("asked for %d, got %q: %v", token, text, err)
	}
}

func TestPqCopyIn(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		db := openPq(t, target)
		table := unique("pq_copy")
		if _, err := db.Exec("CREATE TABLE " + table + " (id int UNIQUE, line text)"); err != nil {
			t.Fatal(err)
		}
		copyIn := func(ids ...int) error {
			tx, err := db.Begin()
			if err != nil {
				return err
			}
			defer tx.Rollback()
			statement, err := tx.Prepare("COPY " + table + " (id, line) FROM STDIN")
			if err != nil {
				return err
			}
			for _, id := range ids {
				if _, err := statement.Exec(id, fmt.Sprint("line ", id)); err != nil {
					return err
				}
			}
			if _, err := statement.Exec(); err != nil {
				return err
			}
			if err := statement.Close(); err != nil {
				return err
			}
			return tx.Commit()
		}
		if err := copyIn(1, 2, 3); err != nil {
			t.Fatal(err)
		}
		if err := copyIn(4, 1); sqlState(err) != uniqueViolation {
			t.Errorf("copy of a duplicate: %v", err)
		}
		var count int
		if err := db.QueryRow("SELECT count(*) FROM " + table).Scan(&count); err != nil || count != 3 {
			t.Errorf("%d rows, %v; expected 3", count, err)
		}
		if _, err := db.Exec("DROP TABLE " + table); err != nil {
			t.Error(err)
		}
	})
}

func TestPqListener(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		listener := pq.NewListener(target.url(), time.Second, time.Minute, nil)
		defer listener.Close()
		channel := unique("pq_channel")
		if err := listener.Listen(channel); err != nil {
			t.Fatal(err)
		}
		db := openPq(t, target)
		for i := range 3 {
			if _, err := db.Exec("SELECT pg_notify($1, $2)", channel, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
			select {
			case heard := <-listener.Notify:
				if heard == nil || heard.Extra != fmt.Sprint(i) {
					t.Fatalf("heard %v, expected %d", heard, i)
				}
			case <-time.After(patience):
				t.Fatal("heard nothing")
			}
		}
		if err := listener.Ping(); err != nil {
			t.Error(err)
		}
		if err := listener.UnlistenAll(); err != nil {
			t.Error(err)
		}
	})
}

func TestPqCancelByContext(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		db := openPq(t, target)
		db.SetMaxOpenConns(1)
		admin := target.admin(t)
		mark := unique("pq_sleeper")
		ctx, cancel := context.WithCancel(t.Context())
		var watcher sync.WaitGroup
		watcher.Go(func() {
			defer cancel()
			if err := poll(patience, func() bool { return admin.sleeping(mark) }); err != nil {
				t.Errorf("the sleep has not begun: %v", err)
			}
		})
		_, err := db.ExecContext(ctx, "SELECT pg_sleep(60) /* "+mark+" */")
		watcher.Wait()
		if sqlState(err) != queryCanceled && !isContextError(err) {
			t.Errorf("got %v, expected SQLSTATE %s", err, queryCanceled)
		}
		if err := poll(patience, func() bool { return !admin.sleeping(mark) }); err != nil {
			t.Errorf("the statement still runs: %v", err)
		}
		var one int
		if err := db.QueryRow("SELECT 1").Scan(&one); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}
