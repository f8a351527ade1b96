package login

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"time"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
)

// Seating takes over clients that have proved who they are.
type Seating interface {
	// Seat takes a client, in goroutine mode, whose messages begin behind the start-up packet. It welcomes it,
	// with Client.Welcome or AppendWelcome. If it returns an error the client is still login's, which tells it
	// the error, a *pgerr.Error or one with a server's own ErrorResponse (see Passed), and closes it, also if it
	// was welcomed already. After nil it belongs to the Seating.
	//
	// Seat runs on the client's goroutine and occupies one of Options.MaxLogins. ctx ends when Run is to end.
	// Client.Deadline is when the login must be over.
	Seat(ctx context.Context, client *Client) error
}

// Client is a client that has proved who it is.
type Client struct {
	Carrier *carrier.Conn
	TLS     *tls.Conn // above Carrier; nil without TLS. With TLS, read once without being told to.

	Remote, Local net.Addr
	Certificate   *x509.Certificate // verified; nil if none was shown

	User, Database  string
	ApplicationName string
	// Params are the start-up parameters but user, database, replication and options, in order, each name once.
	Params []wire.Param
	// Settings are those of the options parameter, in order; a later one of the same name counts.
	Settings []wire.Param
	// Replication is "true" for a physical replication connection, "database" for a logical one, else empty.
	Replication string
	// Protocol is the version to be spoken, wire.Version30 to wire.VersionLatest.
	Protocol uint32

	Method    Method
	ScramKeys *auth.Keys // shown by a SCRAM login, for pass-through; else nil
	Began     time.Time  // when it was accepted
	Deadline  time.Time  // when the login must be over

	due []byte // what the client must be sent before AuthenticationOk
}

// stream is what messages are written to in goroutine mode.
func (c *Client) stream() net.Conn {
	if c.TLS != nil {
		return c.TLS
	}
	return c.Carrier
}

// AppendWelcome appends everything that tells the client that it is logged in: AuthenticationOk,
// ParameterStatus for each parameter, BackendKeyData unless secret is empty, and ReadyForQuery.
func (c *Client) AppendWelcome(dst []byte, params []wire.Param, processID uint32, secret []byte) []byte {
	dst = append(dst, c.due...)
	dst = wire.AppendAuth(dst, wire.AuthOK, nil)
	for _, p := range params {
		dst = wire.AppendStatusParam(dst, p)
	}
	if len(secret) > 0 {
		dst = wire.AppendKeyData(dst, processID, secret)
	}
	return wire.AppendReady(dst, wire.StatusIdle)
}

// Welcome sends what AppendWelcome makes, in one write. The client's deadline holds for it.
func (c *Client) Welcome(params []wire.Param, processID uint32, secret []byte) error {
	_, err := c.stream().Write(c.AppendWelcome(make([]byte, 0, welcomeLen), params, processID, secret))
	if err != nil {
		return fmt.Errorf("welcome client: %w", err)
	}
	c.due = nil
	return nil
}

// welcomeLen is room for the fifteen parameters PostgreSQL 18 reports.
const welcomeLen = 640

// Refuse tells the client why it cannot come in. It does not close it.
func (c *Client) Refuse(reason *pgerr.Error) error {
	_, err := c.stream().Write(reason.Append(c.due))
	c.due = nil
	return err
}

// Close closes the client, in goroutine mode, with a close_notify if it has TLS.
func (c *Client) Close() error { return c.stream().Close() }
