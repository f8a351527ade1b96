//go:build integration

package pgxpool_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	upstream "github.com/jackc/pgx/v5/pgxpool"

	"github.com/usher-pg/usher/internal/pgtest"
	"github.com/usher-pg/usher/pgxpool"
)

// conn and pool are what the two packages have in common.
type conn interface {
	Release()
	Hijack() *pgx.Conn
	Conn() *pgx.Conn
	querier
}

type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	Begin(ctx context.Context) (pgx.Tx, error)
	BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error)
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, source pgx.CopyFromSource) (int64, error)
	Ping(ctx context.Context) error
}

type subject struct {
	querier
	acquire     func(context.Context) (conn, error)
	acquireFunc func(context.Context, func(conn) error) error
	stat        func() (acquired, idle, most int32, count, canceled int64)
	reset       func()
	close       func()
}

func openUpstream(t *testing.T, url string) subject {
	t.Helper()
	p, err := upstream.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return subject{
		querier: p, reset: p.Reset, close: p.Close,
		acquire: func(ctx context.Context) (conn, error) { return p.Acquire(ctx) },
		acquireFunc: func(ctx context.Context, f func(conn) error) error {
			return p.AcquireFunc(ctx, func(c *upstream.Conn) error { return f(c) })
		},
		stat: func() (acquired, idle, most int32, count, canceled int64) {
			s := p.Stat()
			return s.AcquiredConns(), s.IdleConns(), s.MaxConns(), s.AcquireCount(), s.CanceledAcquireCount()
		},
	}
}

func openOurs(t *testing.T, url string) subject {
	t.Helper()
	p, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return subject{
		querier: p, reset: p.Reset, close: p.Close,
		acquire: func(ctx context.Context) (conn, error) { return p.Acquire(ctx) },
		acquireFunc: func(ctx context.Context, f func(conn) error) error {
			return p.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return f(c) })
		},
		stat: func() (acquired, idle, most int32, count, canceled int64) {
			s := p.Stat()
			return s.AcquiredConns(), s.IdleConns(), s.MaxConns(), s.AcquireCount(), s.CanceledAcquireCount()
		},
	}
}

// notes is what a play has to say. The two pools' are compared.
type notes struct {
	strings.Builder
	t *testing.T
	p subject
}

// add also says how many are acquired, which shows whether they were released.
func (n *notes) add(what string, values ...any) {
	acquired, _, _, _, _ := n.p.stat()
	n.note(what, append(values, "and", acquired, "acquired")...)
}

// note is add where a connection is closed in the background, sooner or later.
func (n *notes) note(what string, values ...any) {
	fmt.Fprint(n, what, ":")
	for _, v := range values {
		if err, ok := v.(error); ok {
			v = fmt.Sprintf("%T", errors.Unwrap(err)) + " " + err.Error()
		}
		fmt.Fprint(n, " ", v)
	}
	fmt.Fprintln(n)
}

// panics is a destination that cannot be scanned into.
type panics struct{}

func (panics) Scan(any) error { panic("scan") }

var plays = map[string]func(ctx context.Context, n *notes){
	"exec": func(ctx context.Context, n *notes) {
		tag, err := n.p.Exec(ctx, "select generate_series(1, 3)")
		n.add("fine", tag, err)
		tag, err = n.p.Exec(ctx, "selec")
		n.add("wrong", tag, err)
		n.add("ping", n.p.Ping(ctx))
	},
	"query": func(ctx context.Context, n *notes) {
		rows, err := n.p.Query(ctx, "select n, 'x' from generate_series(1, $1::int) n", 2)
		n.add("begun", err, len(rows.FieldDescriptions()), rows.Conn() != nil)
		for rows.Next() {
			values, err := rows.Values()
			n.add("row", values, err, len(rows.RawValues()))
		}
		n.add("end", rows.Err(), rows.CommandTag())
		rows.Close()
		rows, err = n.p.Query(ctx, "selec")
		n.add("wrong", err, rows.Next(), rows.Err(), rows.Scan(), rows.CommandTag())
		rows.Close()
		rows, err = n.p.Query(ctx, "select 1/(2-n) from generate_series(1, 3) n")
		for rows.Next() {
			n.add("row before the error", err)
		}
		n.add("failed on the way", rows.Err())
		rows, _ = n.p.Query(ctx, "select 1 union all select 2")
		var text time.Time
		n.add("first", rows.Next())
		n.add("cannot be scanned", rows.Scan(&text) != nil, rows.Next(), rows.Err() != nil)
		rows, _ = n.p.Query(ctx, "select 1")
		rows.Close()
		n.add("closed early", rows.Err())
		numbers, err := pgx.CollectRows(must(n.p.Query(ctx, "select generate_series(1, 3)")), pgx.RowTo[int])
		n.add("collected", numbers, err)
	},
	"query row": func(ctx context.Context, n *notes) {
		var i int
		n.add("fine", n.p.QueryRow(ctx, "select 7").Scan(&i), i)
		row := n.p.QueryRow(ctx, "select 8")
		n.add("not read yet")
		n.add("read", row.Scan(&i), i)
		n.add("none", errors.Is(n.p.QueryRow(ctx, "select 1 where false").Scan(&i), pgx.ErrNoRows))
		n.add("wrong", n.p.QueryRow(ctx, "selec").Scan(&i))
		func() {
			defer func() { n.note("panic", recover()) }()
			_ = n.p.QueryRow(ctx, "select 1").Scan(panics{})
		}()
	},
	"transactions": func(ctx context.Context, n *notes) {
		tx, err := n.p.Begin(ctx)
		n.add("begun", err)
		_, err = tx.Exec(ctx, "create temporary table t (i int)")
		n.add("used", err, tx.Conn() != nil)
		n.add("committed", tx.Commit(ctx))
		n.add("again", errors.Is(tx.Commit(ctx), pgx.ErrTxClosed), errors.Is(tx.Rollback(ctx), pgx.ErrTxClosed))
		tx, _ = n.p.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
		_, err = tx.Exec(ctx, "create table t2 (i int)")
		n.add("read only", err)
		n.add("rolled back by commit", errors.Is(tx.Commit(ctx), pgx.ErrTxCommitRollback))
		_, err = n.p.BeginTx(ctx, pgx.TxOptions{BeginQuery: "begi"})
		n.add("wrong", err)
		outer, _ := n.p.Begin(ctx)
		inner, err := outer.Begin(ctx)
		n.add("nested", err, inner.Rollback(ctx), outer.Rollback(ctx))
		n.add("func", pgx.BeginFunc(ctx, n.p, func(tx pgx.Tx) error {
			return tx.QueryRow(ctx, "select 1").Scan(new(int))
		}))
		n.add("failing func", pgx.BeginFunc(ctx, n.p, func(pgx.Tx) error { return context.Canceled }))
	},
	"batches": func(ctx context.Context, n *notes) {
		b := &pgx.Batch{}
		b.Queue("select 1")
		b.Queue("select 2")
		results := n.p.SendBatch(ctx, b)
		var i, j int
		n.add("sent", results.QueryRow().Scan(&i), i, results.Tx() == nil)
		n.add("second", results.QueryRow().Scan(&j), j)
		n.add("closed", results.Close(), results.Close())
		b = &pgx.Batch{}
		b.Queue("selec")
		results = n.p.SendBatch(ctx, b)
		_, err := results.Exec()
		n.add("wrong", err, results.Close())
		b = &pgx.Batch{}
		b.BeginTx(pgx.TxOptions{})
		b.Queue("select 3")
		results = n.p.SendBatch(ctx, b)
		tx := results.Tx()
		n.add("with a transaction", tx != nil, results.QueryRow().Scan(&i), i, results.Close())
		n.add("which goes on", tx.QueryRow(ctx, "select 4").Scan(&j), j)
		n.add("and ends", tx.Commit(ctx))
	},
	"copy": func(ctx context.Context, n *notes) {
		count, err := n.p.CopyFrom(ctx, pgx.Identifier{"nowhere"}, []string{"i"}, pgx.CopyFromRows([][]any{{1}}))
		n.add("to nowhere", count, err)
		c, _ := n.p.acquire(ctx)
		_, err = c.Exec(ctx, "create temporary table seats (i int)")
		n.add("table", err)
		c.Release()
		count, err = n.p.CopyFrom(ctx, pgx.Identifier{"seats"}, []string{"i"}, pgx.CopyFromRows([][]any{{1}, {2}}))
		n.add("copied", count, err)
	},
	"conns": func(ctx context.Context, n *notes) {
		c, err := n.p.acquire(ctx)
		n.add("acquired", err)
		first := c.Conn()
		c.Release()
		c.Release()
		c, _ = n.p.acquire(ctx)
		n.add("the same", c.Conn() == first)
		_, err = c.Exec(ctx, "begin")
		n.add("begun", err)
		c.Release()
		c, err = n.p.acquire(ctx)
		n.note("another one", c.Conn() != first, err)
		mine := c.Hijack()
		n.note("hijacked", mine.Ping(ctx))
		c.Release()
		c, err = n.p.acquire(ctx)
		n.note("a third", c.Conn() != mine, err)
		c.Release()
		_ = mine.Close(ctx)
		n.add("func", n.p.acquireFunc(ctx, func(c conn) error {
			n.add("in it", c.Ping(ctx))
			return context.Canceled
		}) == context.Canceled)
	},
	"contexts": func(ctx context.Context, n *notes) {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_, err := n.p.acquire(ended)
		n.add("acquire", errors.Is(err, context.Canceled))
		rows, err := n.p.Query(ended, "select 1")
		n.add("query", errors.Is(err, context.Canceled), errors.Is(rows.Err(), context.Canceled), rows.Next())
		n.add("row", errors.Is(n.p.QueryRow(ended, "select 1").Scan(), context.Canceled))
		results := n.p.SendBatch(ended, &pgx.Batch{})
		n.add("batch", errors.Is(results.Close(), context.Canceled))
		var held []conn
		for range 2 {
			c, _ := n.p.acquire(ctx)
			held = append(held, c)
		}
		short, cancelShort := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancelShort()
		_, err = n.p.acquire(short)
		n.add("all taken", errors.Is(err, context.DeadlineExceeded))
		for _, c := range held {
			c.Release()
		}
		short, cancelShort = context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancelShort()
		_, err = n.p.Exec(short, "select pg_sleep(10)")
		n.note("cut off", errors.Is(err, context.DeadlineExceeded))
		c, err := n.p.acquire(ctx)
		n.note("after that", err, c.Ping(ctx))
		c.Release()
	},
	"reset and close": func(ctx context.Context, n *notes) {
		c, _ := n.p.acquire(ctx)
		old := c.Conn()
		n.p.reset()
		n.add("still works", c.Ping(ctx))
		c.Release()
		c, err := n.p.acquire(ctx)
		n.note("a new one", c.Conn() != old, err)
		closed := make(chan struct{})
		go func() {
			n.p.close()
			close(closed)
		}()
		n.note("until it is released", c.Ping(ctx))
		c.Release()
		<-closed
		_, err = n.p.acquire(ctx)
		n.note("closed", err != nil)
	},
}

func must(rows pgx.Rows, _ error) pgx.Rows { return rows }

// TestPoolsDoWhatPgxpoolDoes lets the two do the same and compares what comes of it.
func TestPoolsDoWhatPgxpoolDoes(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t).URL("postgres") + "&pool_max_conns=2"
	for name, play := range plays {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said [2]string
			for i, open := range []func(*testing.T, string) subject{openUpstream, openOurs} {
				n := &notes{t: t, p: open(t, url)}
				play(t.Context(), n)
				_, _, most, count, canceled := n.p.stat()
				fmt.Fprintf(n, "max %d, acquired %d times, waiting cancelled: %v\n", most, count, canceled > 0)
				n.p.close()
				said[i] = n.String()
			}
			if diff := cmp.Diff(said[0], said[1]); diff != "" {
				t.Errorf("the difference (-pgxpool +usher):\n%s\npgxpool's:\n%s", diff, said[0])
			}
		})
	}
}
