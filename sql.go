package usher

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/jackc/pgx/v5/stdlib"
)

// OpenDB makes a [sql.DB] of p. Requests whose context has a lane ([ContextWithLane]) wait in that, others in
// the one given. The DB keeps no idle connections of its own, because they are p's: leave SetMaxIdleConns and
// the lifetimes alone. Closing it does not close the [Manager].
func OpenDB(p *Pool, lane Lane) *sql.DB {
	db := sql.OpenDB(p.Connector(lane))
	db.SetMaxIdleConns(0)
	return db
}

// Connector is p as a source of connections for [sql.OpenDB], which must not keep idle ones; [OpenDB] sees to
// that. Its connections are those of pgx's package stdlib and do what these do, but are given back instead of
// closed. [sql.Conn.Raw] passes a *[SQLConn].
func (p *Pool) Connector(lane Lane) driver.Connector { return &connector{p, lane} }

type connector struct {
	pool *Pool
	lane Lane
}

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.pool.Acquire(ctx, LaneFrom(ctx, c.lane))
	if err != nil {
		return nil, err
	}
	return &SQLConn{Conn: conn.resource.Value.sql, acquired: conn}, nil
}

func (c *connector) Driver() driver.Driver { return stdlib.GetDefaultDriver() }

// SQLConn is what a [Pool.Connector] gives database/sql: pgx's, whose method Conn returns the *pgx.Conn, with a
// Close that releases it.
type SQLConn struct {
	*stdlib.Conn
	acquired *Conn
}

// Close gives the server connection back.
func (c *SQLConn) Close() error {
	c.acquired.Release()
	return nil
}
