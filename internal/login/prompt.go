package login

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/wire"
)

// Prompt lets clients in on an event loop: those that have said all they must by the time they are accepted, have
// nothing to prove and need not wait for anybody. That is a trusted client without TLS whose pool is known. It costs
// three quarters of the CPU of a goroutine, which has to be woken, and has to wake the loop.
type Prompt interface {
	// Watch has ready called on the loop while fd can be read, until it returns false or stop is called, which
	// returns when ready is called no more.
	Watch(fd int, ready func() (goOn bool)) (stop func(), err error)
	// SeatNow does what Options.Admit and Seating.Seat do, if that takes no waiting and nobody is refused. It is
	// called from ready. If it returns false it has done nothing, and the others are called in its place.
	SeatNow(client *Client) bool
}

// prompt lets a loop accept the clients of a bare entrance until ctx ends, or there is no room for more, or accepting
// fails.
func (s *Server) prompt(ctx context.Context, e *entrance) error {
	first := make([]byte, readNow)
	over := make(chan error, 1)
	stop, err := s.options.Prompt.Watch(e.direct.fd, func() bool {
		goOn, err := s.acceptNow(ctx, e, first)
		if !goOn {
			over <- err
		}
		return goOn
	})
	if err != nil {
		return fmt.Errorf("watch the listener: %w", err)
	}
	select {
	case err := <-over:
		return err
	case <-ctx.Done():
		stop()
		return context.Cause(ctx)
	}
}

// errFull ends a watch when there is no room for more logins.
var errFull = errors.New("too many logins are under way")

const (
	// atOnce bounds the clients accepted in a turn of the loop, so that a crowd does not hold up those who are seated.
	atOnce = 16
	// readNow is how much of a client's first words is read; what is longer is for a goroutine.
	readNow = 2048
)

// acceptNow accepts clients that are there. goOn reports whether the loop is to go on watching; otherwise it is the
// acceptor's turn, which can wait.
func (s *Server) acceptNow(ctx context.Context, e *entrance, first []byte) (goOn bool, err error) {
	for range atOnce {
		if !s.gate.tryEnter() {
			return false, errFull // or closed, which the acceptor finds out
		}
		c, err := e.direct.acceptNow()
		if err != nil {
			s.gate.leave()
			if errors.Is(err, syscall.EAGAIN) {
				return true, nil
			}
			return false, err
		}
		if s.now(c, first) {
			s.gate.leave()
		} else {
			s.start(ctx, c)
		}
	}
	return true, nil
}

// now logs a client in that need not wait. If it returns false the client is as it was when it was accepted.
func (s *Server) now(c *carrier.Conn, first []byte) bool {
	n, err := c.ReadNow(first)
	if err != nil {
		return false // it says nothing yet, or has gone, which a worker will find out
	}
	packet, behind, ok := cutStartup(first[:n])
	c.Unread(behind)
	if ok && s.newAttempt(c).now(packet) {
		return true
	}
	c.Unread(packet)
	return false
}

// cutStartup cuts the start-up packet from what a client has said first. If it is not whole, packet is all there is.
func cutStartup(said []byte) (packet, behind []byte, ok bool) {
	length, known, err := wire.StartupLen(said)
	if err != nil || !known || length > len(said) {
		return said, nil, false
	}
	return said[:length], said[length:], true
}

// now is run for a client that need not wait.
func (a *attempt) now(packet []byte) bool {
	said, err := readStartup(packet)
	if err != nil {
		return false
	}
	a.client.introduce(said)
	a.client.Method = a.method()
	if a.client.Method != Trust || a.config.TLS.demanded(a.client.Remote) {
		return false
	}
	return a.server.options.Prompt.SeatNow(a.client)
}
