package usher

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	engine "github.com/usher-pg/usher/pool"
)

// closePatience bounds saying good-bye to a server, and waiting until a query that was cancelled is over.
const closePatience = 5 * time.Second

// server is a server connection. Everything but resource belongs to who holds it.
type server struct {
	pool     *Pool
	conn     *pgx.Conn
	sql      *stdlib.Conn    // the same connection for database/sql
	raw      syscall.RawConn // to look at its socket; nil if it has none
	handles  []Conn
	resource atomic.Pointer[engine.Resource[*server]] // nil until the engine knows it
}

// open starts to open n server connections.
func (p *Pool) open(n int) {
	for range n {
		if p.manager.living.join() {
			go p.dial()
		} else {
			p.engine.OpenFailed(p.manager.now())
		}
	}
}

// dial opens one.
func (p *Pool) dial() {
	epoch := p.engine.Epoch()
	ctx, cancel := context.WithTimeout(p.manager.opening, p.config.OpenTimeout)
	defer cancel()
	s, err := p.connect(ctx)
	if err != nil {
		p.failure.Store(&err)
		p.engine.OpenFailed(p.manager.now())
		p.ringAll()
		if !errors.Is(err, context.Canceled) {
			p.manager.log.Warn("cannot open a server connection", "pool", p.name, "error", err)
		}
		p.manager.living.leave()
		return
	}
	p.failure.Store(nil)
	p.mu.Lock()
	p.servers[s] = struct{}{}
	p.mu.Unlock()
	r, g, ok := p.engine.OpenedIn(s, epoch, p.manager.now())
	s.resource.Store(r)
	if ok {
		deliver(g)
	}
	p.ringAll()
	p.manager.log.Debug("opened a server connection", "pool", p.name)
}

// connect opens a server connection and makes it ready for use.
func (p *Pool) connect(ctx context.Context) (*server, error) {
	config := p.config.ConnConfig.Copy()
	if p.config.BeforeConnect != nil {
		if err := p.config.BeforeConnect(ctx, config); err != nil {
			return nil, fmt.Errorf("before connect: %w", err)
		}
	}
	// This way a connection gets what database/sql needs beside it, which only package stdlib can make.
	opened, err := stdlib.GetConnector(*config).Connect(ctx)
	if err != nil {
		return nil, err // it says what was tried
	}
	s := &server{pool: p, sql: opened.(*stdlib.Conn)}
	s.conn = s.sql.Conn()
	s.raw = rawConn(s.conn.PgConn().Conn())
	if err := p.prepare(ctx, s.conn); err != nil {
		_ = s.conn.Close(ctx)
		return nil, err
	}
	return s, nil
}

func (p *Pool) prepare(ctx context.Context, conn *pgx.Conn) error {
	if p.config.AfterConnect != nil {
		if err := p.config.AfterConnect(ctx, conn); err != nil {
			return fmt.Errorf("after connect: %w", err)
		}
	}
	for i, statement := range p.config.WarmUp {
		if err := conn.PgConn().Exec(ctx, statement).Close(); err != nil {
			return fmt.Errorf("warm-up statement %d: %w", i+1, err)
		}
	}
	return nil
}

// bury closes a server connection that the engine has forgotten.
func (p *Pool) bury(s *server) {
	if p.remove(s) {
		go p.close(s)
	}
}

// remove says whether s was one of the open ones: only once it is, and who learns it closes s.
func (p *Pool) remove(s *server) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.servers[s]
	delete(p.servers, s)
	return ok
}

// close ends a server connection.
func (p *Pool) close(s *server) {
	defer p.manager.living.leave()
	if p.config.BeforeClose != nil {
		p.config.BeforeClose(s.conn)
	}
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	_ = s.conn.Close(ctx)
	select {
	case <-s.conn.PgConn().CleanupDone():
	case <-ctx.Done():
	}
}

// discard closes a server connection that its holder cannot give back. Only then is its place free: the server
// may still be busy with what was cancelled.
func (p *Pool) discard(r *resource) {
	if p.remove(r.Value) {
		p.close(r.Value)
	}
	p.drop(r)
}

// replace closes a server connection that its holder has found dead. It does not wait for that: who is dead may
// take long to say good-bye.
func (p *Pool) replace(r *resource) {
	p.bury(r.Value)
	p.drop(r)
}

// forget lets the holder of a server connection keep it.
func (p *Pool) forget(r *resource) {
	if p.remove(r.Value) {
		p.manager.living.leave()
	}
	p.drop(r)
}

// drop takes r out of the engine.
func (p *Pool) drop(r *resource) {
	p.open(p.engine.Discard(r, p.manager.now()))
	p.ringAll()
}

// afterRelease asks the hook whether r may stay.
func (p *Pool) afterRelease(r *resource) {
	if p.config.AfterRelease(r.Value.conn) && r.Value.isClean() {
		p.giveBack(r)
	} else {
		p.discard(r)
	}
}

// isClean is whether nothing of its holder is left on the connection that others would notice.
func (s *server) isClean() bool {
	c := s.conn.PgConn()
	return !c.IsClosed() && !c.IsBusy() && c.TxStatus() == 'I'
}
