package usher

import (
	"github.com/jackc/pgx/v5"

	engine "github.com/usher-pg/usher/pool"
)

// pgxConn is how a Conn can have the methods of *pgx.Conn and one that is called Conn.
type pgxConn = pgx.Conn

// Conn is a *[pgx.Conn] that must be released: it has all its methods, Query and Exec and so on. It is valid
// until then, and like a *pgx.Conn it is for one goroutine at a time.
type Conn struct {
	*pgxConn
	resource *engine.Resource[*server]
}

// Conn is the connection itself, for functions that want one. It must not be used after Release.
func (c *Conn) Conn() *pgx.Conn { return c.pgxConn }

// Release gives the server connection back, to whoever waits for it. One that is closed, busy with a query, or
// in a transaction is closed instead. The second and further calls do nothing, so deferring one does no harm.
func (c *Conn) Release() {
	r := c.resource
	if r == nil {
		return
	}
	c.resource, c.pgxConn = nil, nil
	s := r.Value
	p := s.pool
	switch {
	case !s.isClean():
		go p.discard(r)
	case p.config.AfterRelease != nil:
		go p.afterRelease(r)
	default:
		p.giveBack(r)
	}
}

// Hijack takes the connection out of the pool, which opens another one for it if it needs to. The caller must
// close it. Hijacking what has been released panics.
func (c *Conn) Hijack() *pgx.Conn {
	r := c.resource
	if r == nil {
		panic("bug: hijack of a connection that has been released")
	}
	conn := c.pgxConn
	c.resource, c.pgxConn = nil, nil
	r.Value.pool.forget(r)
	return conn
}

// handles is how many Conns are allocated together. Each is used once: if it were used again, a second Release
// would take the server connection from somebody else.
const handles = 64

// handle is a new Conn for who has acquired r.
func (s *server) handle(r *resource) *Conn {
	if len(s.handles) == 0 {
		s.handles = make([]Conn, handles)
	}
	c := &s.handles[0]
	s.handles = s.handles[1:]
	c.pgxConn, c.resource = s.conn, r
	return c
}
