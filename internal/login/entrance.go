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
}

func newEntrance(l net.Listener) *entrance { return &entrance{listener: l, direct: newDirect(l)} }

func (e *entrance) accept() (*carrier.Conn, error) {
	if e.direct != nil {
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
	if e.direct != nil {
		_ = e.direct.file.SetReadDeadline(t)
	} else if d, ok := e.listener.(interface{ SetDeadline(time.Time) error }); ok {
		_ = d.SetDeadline(t)
	}
}

func (e *entrance) close() {
	if e.direct != nil {
		_ = e.direct.file.Close()
	}
	_ = e.listener.Close()
}
