package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/wire"
)

// maxCancelAnswer is how much of a server's answer to a cancel request is thrown away. There should be none.
const maxCancelAnswer = 64 << 10

// Cancel asks the server to cancel what the connection is doing. It returns nil when the server has closed
// the connection the request went over: then it has sent the signal, and the statement under way, or none,
// was hit. It returns an error when that is not certain.
//
// It may be called from any goroutine, also after Close.
func (c *Conn) Cancel(ctx context.Context) error {
	if len(c.SecretKey) == 0 {
		return errors.New("cancel: the server gave no key")
	}
	// Not the name again: it may stand for several servers.
	remote := c.Carrier.RemoteAddr()
	address := remote.String()
	if remote.Network() == "unix" {
		address = c.config.Address
	}
	nc, err := c.config.dialer().DialContext(ctx, remote.Network(), address)
	if err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	defer nc.Close()
	stop := interrupt(ctx, nc)
	defer stop()
	if err := c.sendCancel(nc); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		return fmt.Errorf("cancel: %w", err)
	}
	return nil
}

// sendCancel uses TLS if the connection to be cancelled does: the key must not be seen by others.
func (c *Conn) sendCancel(nc net.Conn) error {
	stream := nc
	if c.TLS != nil {
		secured, refused, err := c.config.secure(carrier.New(nc))
		if err != nil {
			return err
		}
		if refused {
			return errors.New("the server has no TLS any more")
		}
		stream = secured
	}
	if _, err := stream.Write(wire.AppendCancel(nil, c.ProcessID, c.SecretKey)); err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, io.LimitReader(nc, maxCancelAnswer))
	switch {
	case errors.Is(err, unix.ECONNRESET):
		return nil
	case err == nil && n == maxCancelAnswer:
		return fmt.Errorf("%w: more than %d bytes in answer to a cancel request", ErrProtocol, n-1)
	}
	return err
}
