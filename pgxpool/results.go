package pgxpool

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// rows release their connection when they are at their end, also by an error.
type rows struct {
	pgx.Rows
	conn *Conn
}

func (r *rows) Close() {
	r.Rows.Close()
	r.conn.Release()
}

func (r *rows) Next() bool {
	more := r.Rows.Next()
	if !more {
		r.Close()
	}
	return more
}

func (r *rows) Scan(dest ...any) error {
	err := r.Rows.Scan(dest...)
	if err != nil {
		r.Close()
	}
	return err
}

func (r *rows) Values() ([]any, error) {
	values, err := r.Rows.Values()
	if err != nil {
		r.Close()
	}
	return values, err
}

// row releases its connection when it is read, even if a destination's Scan panics.
type row struct {
	pgx.Row
	conn *Conn
}

func (r *row) Scan(dest ...any) error {
	defer r.conn.Release()
	return r.Row.Scan(dest...)
}

// failedRows are those of a query that was not sent.
type failedRows struct{ err error }

func (failedRows) Close()                                       {}
func (r failedRows) Err() error                                 { return r.err }
func (failedRows) CommandTag() pgconn.CommandTag                { return pgconn.CommandTag{} }
func (failedRows) FieldDescriptions() []pgconn.FieldDescription { return nil }
func (failedRows) Next() bool                                   { return false }
func (r failedRows) Scan(...any) error                          { return r.err }
func (r failedRows) Values() ([]any, error)                     { return nil, r.err }
func (failedRows) RawValues() [][]byte                          { return nil }
func (failedRows) Conn() *pgx.Conn                              { return nil }
func (failedRows) TypeMap() *pgtype.Map                         { return nil }

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }

// batchResults release their connection when they are closed, unless it is that of a transaction.
type batchResults struct {
	pgx.BatchResults
	conn *Conn // nil if there is a tx
	tx   *Tx
}

func (b *batchResults) Close() error {
	err := b.BatchResults.Close()
	if b.conn != nil {
		b.conn.Release()
	}
	return err
}

func (b *batchResults) Tx() pgx.Tx {
	if b.tx == nil {
		return nil
	}
	return b.tx
}

// Tx is a transaction that releases its connection when it ends.
type Tx struct {
	pgx.Tx
	conn *Conn
}

// Commit commits and releases the connection.
func (t *Tx) Commit(ctx context.Context) error {
	err := t.Tx.Commit(ctx)
	t.conn.Release()
	return err
}

// Rollback rolls back and releases the connection. After a Commit it does no harm.
func (t *Tx) Rollback(ctx context.Context) error {
	err := t.Tx.Rollback(ctx)
	t.conn.Release()
	return err
}
