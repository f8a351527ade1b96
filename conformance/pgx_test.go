//go:build integration

package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pgxModes are the ways pgx can send a query.
var pgxModes = []pgx.QueryExecMode{
	pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
	pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
}

func pgxPool(t *testing.T, target *target, connections int, mode pgx.QueryExecMode) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(target.url())
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = int32(connections)
	config.ConnConfig.DefaultQueryExecMode = mode
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// TestPgxPoolInEveryMode: many clients on two server connections, each query with a value of its own, so that
// an answer that belongs to somebody else is noticed.
func TestPgxPoolInEveryMode(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		for _, mode := range pgxModes {
			t.Run(mode.String(), func(t *testing.T) {
				pool := pgxPool(t, target, 8, mode)
				var group sync.WaitGroup
				for worker := range 8 {
					group.Go(func() {
						for i := range 25 {
							if err := pgxWork(t.Context(), pool, worker*1000+i); err != nil {
								t.Errorf("worker %d, query %d: %v", worker, i, err)
							}
						}
					})
				}
				group.Wait()
			})
		}
	})
}

// pgxWork asks something whose answer only it can have got, in one of several ways.
func pgxWork(ctx context.Context, pool *pgxpool.Pool, token int) error {
	var number int
	var text string
	switch token % 4 {
	case 0:
		err := pool.QueryRow(ctx, "SELECT $1::int FROM no_such_table", token).Scan(&number)
		if sqlState(err) != undefinedTable {
			return fmt.Errorf("expected an undefined table, got %w", err)
		}
		fallthrough
	case 1:
		if err := pool.QueryRow(ctx, "SELECT $1::int, $2::text", token, fmt.Sprint("token ", token)).
			Scan(&number, &text); err != nil {
			return err
		}
	case 2:
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if err := tx.QueryRow(ctx, "SELECT $1::int", token).Scan(&number); err != nil {
				return err
			}
			return tx.QueryRow(ctx, "SELECT 'token ' || $1::int", number).Scan(&text)
		})
		if err != nil {
			return err
		}
	case 3:
		var none int
		err := pool.QueryRow(ctx, "SELECT 1 / ($1::int - $1::int)", token).Scan(&none)
		if sqlState(err) != divisionByZero {
			return fmt.Errorf("expected a division by zero, got %w", err)
		}
		number, text = token, fmt.Sprint("token ", token)
	}
	if number != token || text != fmt.Sprint("token ", token) {
		return fmt.Errorf("asked for %d, got %d and %q", token, number, text)
	}
	return nil
}

func TestPgxBatch(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		for _, mode := range pgxModes {
			t.Run(mode.String(), func(t *testing.T) {
				pool := pgxPool(t, target, 4, mode)
				var group sync.WaitGroup
				for worker := range 4 {
					group.Go(func() {
						for round := range 5 {
							if err := pgxBatch(t.Context(), pool, worker*100+round); err != nil {
								t.Errorf("worker %d, batch %d: %v", worker, round, err)
							}
						}
					})
				}
				group.Wait()
			})
		}
	})
}

func pgxBatch(ctx context.Context, pool *pgxpool.Pool, token int) error {
	batch := &pgx.Batch{}
	for i := range 20 {
		batch.Queue("SELECT $1::int + $2::int", token, i)
	}
	results := pool.SendBatch(ctx, batch)
	for i := range 20 {
		var sum int
		if err := results.QueryRow().Scan(&sum); err != nil {
			return err
		}
		if sum != token+i {
			return fmt.Errorf("answer %d is %d, expected %d", i, sum, token+i)
		}
	}
	if err := results.Close(); err != nil {
		return err
	}
	failing := &pgx.Batch{}
	failing.Queue("SELECT 1")
	failing.Queue("SELECT 1 / $1::int", 0)
	failing.Queue("SELECT 3")
	err := pool.SendBatch(ctx, failing).Close()
	if sqlState(err) != divisionByZero {
		return fmt.Errorf("expected a division by zero, got %v", err)
	}
	return nil
}

func TestPgxPipelineMode(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		conn := target.connect(t).PgConn()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		pipeline := conn.StartPipeline(ctx)
		pipeline.SendPrepare("double", "SELECT $1::int * 2", nil)
		for i := range 50 {
			pipeline.SendQueryPrepared("double", [][]byte{[]byte(fmt.Sprint(i))}, nil, nil)
			if i%10 == 9 {
				pipeline.SendPipelineSync()
			}
		}
		pipeline.SendDeallocate("double")
		pipeline.SendPipelineSync()
		if err := pipeline.Flush(); err != nil {
			t.Fatal(err)
		}
		answers, syncs := 0, 0
		for syncs < 6 {
			result, err := pipeline.GetResults()
			if err != nil {
				t.Fatal(err)
			}
			switch result := result.(type) {
			case *pgconn.ResultReader:
				read := result.Read()
				if read.Err != nil || string(read.Rows[0][0]) != fmt.Sprint(answers*2) {
					t.Fatalf("answer %d: %q, %v", answers, read.Rows, read.Err)
				}
				answers++
			case *pgconn.PipelineSync:
				syncs++
			}
		}
		if answers != 50 {
			t.Errorf("%d answers, expected 50", answers)
		}
		if err := pipeline.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestPgxCopyFromAndLargeResults(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		conn := target.connect(t)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		table := unique("pgx_copy")
		if _, err := conn.Exec(ctx, "CREATE TABLE "+table+" (id int, line text, data bytea)"); err != nil {
			t.Fatal(err)
		}
		const rows = 2000
		data := make([]byte, 3000)
		count, err := conn.CopyFrom(ctx, pgx.Identifier{table}, []string{"id", "line", "data"},
			pgx.CopyFromSlice(rows, func(i int) ([]any, error) { return []any{i, fmt.Sprint("line ", i), data}, nil }))
		if err != nil || count != rows {
			t.Fatalf("copied %d rows: %v", count, err)
		}
		found, err := conn.Query(ctx, "SELECT id, line, data FROM "+table+" ORDER BY id")
		if err != nil {
			t.Fatal(err)
		}
		next := 0
		for found.Next() {
			var id int
			var line string
			var read []byte
			if err := found.Scan(&id, &line, &read); err != nil || id != next || len(read) != len(data) {
				t.Fatalf("row %d: id %d, %d bytes, %v", next, id, len(read), err)
			}
			next++
		}
		if found.Err() != nil || next != rows {
			t.Errorf("read %d rows: %v", next, found.Err())
		}
		_, err = conn.CopyFrom(ctx, pgx.Identifier{table}, []string{"id"},
			pgx.CopyFromFunc(func() ([]any, error) { return nil, errors.New("the client gave up") }))
		if err == nil {
			t.Error("a COPY that its client gave up succeeded")
		}
		var alive int
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM "+table).Scan(&alive); err != nil || alive != rows {
			t.Errorf("after a failed COPY: %d rows, %v", alive, err)
		}
		if _, err := conn.Exec(ctx, "DROP TABLE "+table); err != nil {
			t.Error(err)
		}
	})
}

// TestPgxCancelByContext: pgx sends a CancelRequest when told to, and the connection can be used again.
func TestPgxCancelByContext(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		config, err := pgx.ParseConfig(target.url())
		if err != nil {
			t.Fatal(err)
		}
		config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
			return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 10 * time.Second}
		}
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		admin := target.admin(t)
		for i := range 3 {
			mark := unique("sleeper")
			ctx, cancel := context.WithCancel(t.Context())
			var watcher sync.WaitGroup
			watcher.Go(func() {
				defer cancel()
				if err := poll(patience, func() bool { return admin.sleeping(mark) }); err != nil {
					t.Errorf("the sleep has not begun: %v", err)
				}
			})
			_, err := conn.Exec(ctx, "SELECT pg_sleep(60) /* "+mark+" */")
			watcher.Wait()
			if sqlState(err) != queryCanceled {
				t.Errorf("cancel %d: got %v, expected SQLSTATE %s", i, err, queryCanceled)
			}
			var one int
			if err := conn.QueryRow(t.Context(), "SELECT 1").Scan(&one); err != nil || one != 1 {
				t.Fatalf("after cancel %d: %v", i, err)
			}
		}
	})
}

func TestPgxListenNotify(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		listener, sender := target.connect(t), target.connect(t)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		channel := unique("channel")
		if _, err := listener.Exec(ctx, "LISTEN "+channel); err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			payload := fmt.Sprint("message ", i)
			if _, err := sender.Exec(ctx, "SELECT pg_notify($1, $2)", channel, payload); err != nil {
				t.Fatal(err)
			}
			heard, err := listener.WaitForNotification(ctx)
			if err != nil || heard.Payload != payload || heard.Channel != channel {
				t.Fatalf("heard %v, %v; expected %q", heard, err, payload)
			}
			var one int
			if err := listener.QueryRow(ctx, "SELECT 1").Scan(&one); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := listener.Exec(ctx, "UNLISTEN *"); err != nil {
			t.Error(err)
		}
	})
}

// TestPgxPreparedStatements: named statements by hand, over transactions, savepoints and failures.
func TestPgxPreparedStatements(t *testing.T) {
	t.Parallel()
	each(t, "two", func(t *testing.T, target *target) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var conns []*pgx.Conn
		for i := range 5 {
			conn := target.connect(t)
			if _, err := conn.Prepare(ctx, "mine", fmt.Sprintf("SELECT %d + $1::int", i*1000)); err != nil {
				t.Fatal(err)
			}
			conns = append(conns, conn)
		}
		for round := range 10 {
			for i, conn := range conns {
				tx, err := conn.Begin(ctx)
				if err != nil {
					t.Fatal(err)
				}
				nested, err := tx.Begin(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := nested.Exec(ctx, "SELECT 1/0"); sqlState(err) != divisionByZero {
					t.Fatal(err)
				}
				if err := nested.Rollback(ctx); err != nil {
					t.Fatal(err)
				}
				var sum int
				if err := tx.QueryRow(ctx, "mine", round).Scan(&sum); err != nil || sum != i*1000+round {
					t.Fatalf("connection %d, round %d: got %d, %v", i, round, sum, err)
				}
				if err := tx.Commit(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, conn := range conns {
			if err := conn.Deallocate(ctx, "mine"); err != nil {
				t.Error(err)
			}
			if err := conn.DeallocateAll(ctx); err != nil {
				t.Error(err)
			}
		}
	})
}
