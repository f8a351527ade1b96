package usher

import (
	"context"
	"crypto/tls"
	"net"
	"syscall"
	"time"
)

// glance is how long a server connection must have rested before its socket is looked at: the look is a system
// call, which a busy pool can spare.
const glance = time.Millisecond

// sight is what a look at a socket shows.
type sight uint8

const (
	unseen sight = iota // it cannot be told
	quiet               // open, and nothing to read
	noisy               // something to read
	gone                // the server has closed it
)

// rawConn gives access to the socket of a connection, nil if it has none.
func rawConn(c net.Conn) syscall.RawConn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	s, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// peek looks at the socket of s without taking anything out of it. Anybody may call it at any time.
func (s *server) peek() sight {
	if s.raw == nil {
		return unseen
	}
	seen := unseen
	// Control, unlike Read, does not wait for somebody who reads.
	if err := s.raw.Control(func(fd uintptr) { seen = look(fd) }); err != nil {
		return unseen // closed by us
	}
	return seen
}

// fit is whether a server connection that has just been acquired may be given out. If not, or if there is an
// error, it is not the caller's any more.
func (p *Pool) fit(ctx context.Context, r *resource) (bool, error) {
	s, rested := r.Value, r.Rested()
	if rested >= glance || p.config.ShouldPing != nil {
		if ok, err := p.alive(ctx, r, rested); !ok || err != nil {
			return false, err
		}
	}
	if p.config.PrepareConn == nil {
		return true, nil
	}
	ok, err := p.config.PrepareConn(ctx, s.conn)
	switch {
	case !ok:
		go p.discard(r)
	case err != nil:
		p.giveBack(r)
	}
	return ok && err == nil, err
}

// alive finds out whether the server is still there.
func (p *Pool) alive(ctx context.Context, r *resource, rested time.Duration) (bool, error) {
	s := r.Value
	ask := false
	switch s.peek() {
	case gone:
		p.replace(r)
		return false, nil
	case noisy:
		ask = true // a notice perhaps, or the reason why the server is about to close
	}
	if p.config.ShouldPing != nil {
		ask = ask || p.config.ShouldPing(ctx, s.conn, rested)
	} else {
		ask = ask || rested >= p.config.PingAfter
	}
	if !ask {
		return true, nil
	}
	return p.ping(ctx, r)
}

// ping asks the server. It goes on when ctx ends, because a ping that is cancelled costs the connection.
func (p *Pool) ping(ctx context.Context, r *resource) (bool, error) {
	answer := make(chan error)
	go func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.config.PingTimeout)
		defer cancel()
		err := r.Value.conn.Ping(limited)
		select {
		case answer <- err:
			return
		case <-ctx.Done():
		}
		if err != nil {
			p.replace(r)
		} else {
			p.giveBack(r)
		}
	}()
	select {
	case err := <-answer:
		if err != nil {
			p.replace(r)
		}
		return err == nil, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
