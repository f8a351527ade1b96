package login

import (
	"net"
	"time"

	"github.com/usher-pg/usher/internal/carrier"
)

// entrance accepts clients at a listener.
type entrance struct {
	listener net.Listener
	direct   *direct // nil where the listener must be asked
	bare     bool    // a loop waits for clients, not the runtime's poller
}

func newEntrance(l net.Listener) *entrance { return &entrance{listener: l, direct: newDirect(l)} }

// strip makes the entrance bare where that is possible.
func (e *entrance) strip() { e.bare = e.direct != nil && e.direct.strip(e.listener) == nil }

// accept waits for a client. One that is bare does not wait.
func (e *entrance) accept() (*carrier.Conn, error) {
	switch {
	case e.bare:
		return e.direct.acceptNow()
	case e.direct != nil:
		return e.direct.accept()
	}
	nc, err := e.listener.Accept()
	if err != nil {
		return nil, err
	}
	return carrier.New(nc), nil
}

// setDeadline ends accepts that wait.
func (e *entrance) setDeadline(t time.Time) {
	if e.bare {
		return
	}
	if e.direct != nil {
		_ = e.direct.file.SetReadDeadline(t)
	} else if d, ok := e.listener.(interface{ SetDeadline(time.Time) error }); ok {
		_ = d.SetDeadline(t)
	}
}

func (e *entrance) close() {
	if e.direct != nil {
		e.direct.close()
	}
	if !e.bare {
		_ = e.listener.Close()
	}
}
