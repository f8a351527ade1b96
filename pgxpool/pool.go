package pgxpool

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher"
)

// Conn is an acquired connection. It has all methods of *pgx.Conn.
type Conn = usher.Conn

// Pool gives out connections. Its methods may be called by any goroutine.
type Pool struct {
	pool   *usher.Pool
	lane   usher.Lane
	owner  *usher.Manager // nil if somebody else closes it
	config *Config        // nil if there was none
}

// only is the name of the one pool of a manager made here.
const only = "pgxpool"

// New is ParseConfig and NewWithConfig.
func New(ctx context.Context, connString string) (*Pool, error) {
	config, err := ParseConfig(connString)
	if err != nil {
		return nil, err
	}
	return NewWithConfig(ctx, config)
}

// NewWithConfig makes a pool. It does not wait for connections and reports no failure to open any: ping it to
// find out. The config must be made by ParseConfig.
func NewWithConfig(ctx context.Context, config *Config) (*Pool, error) {
	pc, err := config.usher()
	if err != nil {
		return nil, err
	}
	manager, err := usher.Open(ctx, usher.Config{Pools: map[string]usher.PoolConfig{only: pc}})
	if err != nil {
		return nil, err
	}
	return &Pool{pool: manager.Pool(only), lane: config.Lane, owner: manager, config: config}, nil
}

// Of makes a Pool of one of a manager's, which goes on owning it: closing the Pool does nothing. Requests whose
// context has no lane wait in the one given.
func Of(pool *usher.Pool, lane usher.Lane) *Pool { return &Pool{pool: pool, lane: lane} }

// Usher is the pool beneath: its lanes, limits and reserve.
func (p *Pool) Usher() *usher.Pool { return p.pool }

// Close closes all connections and returns when they have been released and closed.
func (p *Pool) Close() {
	if p.owner != nil {
		p.owner.Close()
	}
}

// Acquire takes a connection, which must be released.
func (p *Pool) Acquire(ctx context.Context) (*Conn, error) {
	return p.pool.Acquire(ctx, usher.LaneFrom(ctx, p.lane))
}

// AcquireFunc calls f with a connection and releases it after. ctx is for acquiring only.
func (p *Pool) AcquireFunc(ctx context.Context, f func(*Conn) error) error {
	return p.pool.AcquireFunc(ctx, usher.LaneFrom(ctx, p.lane), f)
}

// Reset closes all connections, those in use when they are released. The pool stays open.
func (p *Pool) Reset() { p.pool.Reconnect() }

// Config is a copy of the pool's. That of a pool made by Of is what its connections are opened with.
func (p *Pool) Config() *Config {
	if p.config == nil {
		return &Config{ConnConfig: p.pool.Config(), Lane: p.lane}
	}
	return p.config.Copy()
}

// Exec executes a statement on some connection.
func (p *Pool) Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error) {
	c, err := p.Acquire(ctx)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	defer c.Release()
	return c.Exec(ctx, sql, arguments...)
}

// Query sends a query on some connection, which is released when the rows are closed or read to the end.
func (p *Pool) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	c, err := p.Acquire(ctx)
	if err != nil {
		return failedRows{err: err}, err
	}
	r, err := c.Query(ctx, sql, args...)
	if err != nil {
		c.Release()
		return failedRows{err: err}, err
	}
	return &rows{r, c}, nil
}

// QueryRow sends a query on some connection, which is released by Scan. So are errors reported.
func (p *Pool) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	c, err := p.Acquire(ctx)
	if err != nil {
		return failedRow{err}
	}
	return &row{c.QueryRow(ctx, sql, args...), c}
}

// SendBatch sends a batch on some connection, which is released when the results are closed, or with the
// transaction the batch has begun.
func (p *Pool) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	c, err := p.Acquire(ctx)
	if err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	results := c.SendBatch(ctx, b)
	if tx := results.Tx(); tx != nil {
		return &batchResults{BatchResults: results, tx: &Tx{tx, c}}
	}
	return &batchResults{BatchResults: results, conn: c}
}

// Begin begins a transaction on some connection, which is released by Commit or Rollback. ctx is for beginning
// only.
func (p *Pool) Begin(ctx context.Context) (pgx.Tx, error) { return p.BeginTx(ctx, pgx.TxOptions{}) }

// BeginTx is Begin with options.
func (p *Pool) BeginTx(ctx context.Context, txOptions pgx.TxOptions) (pgx.Tx, error) {
	c, err := p.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	tx, err := c.BeginTx(ctx, txOptions)
	if err != nil {
		c.Release()
		return nil, err
	}
	return &Tx{tx, c}, nil
}

// CopyFrom copies rows into a table on some connection.
func (p *Pool) CopyFrom(
	ctx context.Context, tableName pgx.Identifier, columnNames []string, rowSrc pgx.CopyFromSource,
) (int64, error) {
	c, err := p.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Release()
	return c.CopyFrom(ctx, tableName, columnNames, rowSrc)
}

// Ping asks the server for a sign of life on some connection.
func (p *Pool) Ping(ctx context.Context) error {
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return c.Ping(ctx)
}
