package backend

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/wire"
)

// Conn is a server connection that is logged in and idle.
type Conn struct {
	Carrier *carrier.Conn
	TLS     *tls.Conn // above Carrier; nil without TLS

	ProcessID uint32
	SecretKey []byte       // 4 to 256 bytes; nil if the server gave none, and cannot be asked to cancel
	Protocol  uint32       // the version the server agreed to
	Params    []wire.Param // reported by the server, in order, each name once

	config *Config
}

// Dial opens a connection to a server and logs in. An ErrorResponse of the server is a *ServerError. When ctx
// ends, the error wraps its cause.
func Dial(ctx context.Context, config *Config) (*Conn, error) {
	if err := config.check(); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if config.ConnectTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, config.ConnectTimeout, errTimeout)
		defer cancel()
	}
	var failed error
	for _, withTLS := range config.SSLMode.attempts(config.Network) {
		conn, again, err := dialOnce(ctx, config, withTLS)
		if err == nil {
			return conn, nil
		}
		if ctx.Err() != nil {
			err, again = fmt.Errorf("%w: %w", context.Cause(ctx), err), false
		}
		if failed == nil {
			failed = fmt.Errorf("connect to %s: %w", config.Address, err)
		} else {
			failed = fmt.Errorf("%w; %s TLS: %w", failed, with[withTLS], err)
		}
		if !again {
			break
		}
	}
	return nil, failed
}

var with = map[bool]string{true: "with", false: "without"}

var errTimeout = fmt.Errorf("connect timeout: %w", context.DeadlineExceeded)

// dialOnce tries one way. again is true when it makes sense to try the other one.
func dialOnce(ctx context.Context, config *Config, withTLS bool) (conn *Conn, again bool, err error) {
	nc, err := config.dialer().DialContext(ctx, config.Network, config.Address)
	if err != nil {
		return nil, false, err
	}
	c := &Conn{Carrier: carrier.New(nc), config: config}
	stop := interrupt(ctx, nc)
	again, err = c.login(withTLS)
	if stop() && err == nil {
		err = errors.New("interrupted")
	}
	if err != nil {
		_ = c.Carrier.Close()
		return nil, again, err
	}
	return c, false, nil
}

// login brings the connection from dialled to ready.
func (c *Conn) login(withTLS bool) (again bool, err error) {
	if withTLS {
		secured, refused, err := c.config.secure(c.Carrier)
		if refused && c.config.SSLMode != SSLPrefer {
			return false, fmt.Errorf("sslmode is %v, but the server has no TLS", c.config.SSLMode)
		}
		if err != nil {
			return !errors.Is(err, ErrProtocol), err
		}
		c.TLS = secured // nil if refused: then it goes on without
	}
	l := &loginState{conn: c, reader: carrier.NewReader(c.stream(), false)}
	if err := l.run(); err != nil {
		another := withTLS == (c.TLS != nil) // else both ways were tried just now
		return another && forbidden(err), err
	}
	return false, nil
}

// stream is what messages are read from and written to before Detach.
func (c *Conn) stream() net.Conn {
	if c.TLS != nil {
		return c.TLS
	}
	return c.Carrier
}

// Detach hands the connection to an event loop; see package carrier. With TLS the loop must read once without
// being told to, because bytes may be waiting in TLS.
func (c *Conn) Detach() (fd int, err error) { return c.Carrier.Detach() }

// Close closes the connection without a word.
func (c *Conn) Close() error { return c.Carrier.Close() }
