package backend

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/wire"
)

// Limits of what a server may say during a login.
const (
	// maxErrorLen bounds an ErrorResponse or a NoticeResponse: MAX_ERRLEN of libpq's fe-connect.c.
	maxErrorLen = 30000
	// maxMessageLen bounds every other message: libpq accepts authentication requests of up to 2000 bytes, and a
	// parameter is hardly longer.
	maxMessageLen = 8192
	// maxMessages bounds their number: PostgreSQL 18 sends about twenty.
	maxMessages = 1000
	// maxParams bounds the different parameters reported: PostgreSQL 18 reports fifteen, extensions add some.
	maxParams = 100
)

// loginState is a login from the start-up packet on.
type loginState struct {
	conn          *Conn
	reader        *carrier.Reader
	responder     *auth.Responder
	authenticated bool
	negotiated    bool
}

func (l *loginState) run() error {
	config, stream := l.conn.config, l.conn.stream()
	l.responder = config.Credentials.Begin(l.conn.binding())
	l.conn.Protocol = config.protocol()
	packet := wire.AppendStartup(nil, l.conn.Protocol, config.startup())
	if len(packet) > wire.MaxStartupLen {
		return fmt.Errorf("startup packet of %d bytes, PostgreSQL takes at most %d", len(packet),
			wire.MaxStartupLen)
	}
	if _, err := stream.Write(packet); err != nil {
		return fmt.Errorf("send startup packet: %w", err)
	}
	for range maxMessages {
		t, body, err := l.reader.Message(maxErrorLen)
		if err != nil {
			if errors.Is(err, wire.ErrLength) {
				err = fmt.Errorf("%w: %w", ErrProtocol, err)
			}
			return fmt.Errorf("log in: %w", err)
		}
		ready, err := l.take(t, body)
		if err != nil {
			return fmt.Errorf("log in: %w", err)
		}
		if ready {
			return l.warmUp()
		}
	}
	return fmt.Errorf("log in: %w: more than %d messages", ErrProtocol, maxMessages)
}

// binding is what SCRAM can bind itself to.
func (c *Conn) binding() auth.Binding {
	if c.TLS == nil {
		return auth.Binding{}
	}
	if certificates := c.TLS.ConnectionState().PeerCertificates; len(certificates) > 0 {
		return auth.BindTo(certificates[0])
	}
	return auth.Binding{TLS: true}
}

// take takes one message. ready is true at the end of the login.
func (l *loginState) take(t wire.Type, body []byte) (ready bool, err error) {
	switch t {
	case wire.ErrorResponse:
		return false, newServerError(body)
	case wire.NoticeResponse:
		if notice := l.conn.config.Notice; notice != nil {
			notice(body)
		}
		return false, nil
	}
	if len(body) > maxMessageLen {
		return false, fmt.Errorf("%w: message %v of %d bytes", ErrProtocol, t, len(body))
	}
	if !l.authenticated {
		switch t {
		case wire.Authentication:
			return false, l.authenticate(body)
		case wire.NegotiateProtocolVersion:
			return false, l.negotiate(body)
		}
		return false, fmt.Errorf("%w: message %v before the end of authentication", ErrProtocol, t)
	}
	switch t {
	case wire.ParameterStatus:
		return false, l.parameter(body)
	case wire.BackendKeyData:
		return false, l.key(body)
	case wire.ReadyForQuery:
		return true, l.end(body)
	}
	return false, fmt.Errorf("%w: message %v during login", ErrProtocol, t)
}

func (l *loginState) authenticate(body []byte) error {
	reply, done, err := l.responder.Answer(body)
	if err != nil {
		return err
	}
	l.authenticated = done
	if len(reply) == 0 {
		return nil
	}
	_, err = l.conn.stream().Write(reply)
	return err
}

// negotiate takes the server's word for an older minor version. It speaks at most once, before authentication
// ends.
func (l *loginState) negotiate(body []byte) error {
	if l.negotiated || len(body) < 8 {
		return fmt.Errorf("%w: NegotiateProtocolVersion twice or too short", ErrProtocol)
	}
	l.negotiated = true
	version := binary.BigEndian.Uint32(body)
	if version < 1<<16 {
		version |= wire.Version30 // PostgreSQL before 18 may write the minor version only
	}
	if wire.Major(version) != 3 || version > l.conn.Protocol {
		return fmt.Errorf("%w: NegotiateProtocolVersion to %d.%d", ErrProtocol, wire.Major(version),
			wire.Minor(version))
	}
	// The names of options it does not know follow. They came from the config, which may ask for what it likes.
	if n := binary.BigEndian.Uint32(body[4:]); int(n) != bytes.Count(body[8:], []byte{0}) {
		return fmt.Errorf("%w: NegotiateProtocolVersion with %d options", ErrProtocol, n)
	}
	l.conn.Protocol = version
	return nil
}

func (l *loginState) parameter(body []byte) error {
	name, value, err := wire.StatusParam(body)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	p := wire.Param{Name: string(name), Value: string(value)}
	params := l.conn.Params
	if i := slices.IndexFunc(params, func(q wire.Param) bool { return q.Name == p.Name }); i >= 0 {
		params[i] = p
		return nil
	}
	if len(params) == maxParams {
		return fmt.Errorf("%w: more than %d parameters", ErrProtocol, maxParams)
	}
	l.conn.Params = append(params, p)
	return nil
}

func (l *loginState) key(body []byte) error {
	id, secret, err := wire.KeyData(body)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	l.conn.ProcessID, l.conn.SecretKey = id, slices.Clone(secret)
	return nil
}

func (l *loginState) end(body []byte) error {
	if len(body) != 1 || body[0] != wire.StatusIdle {
		return fmt.Errorf("%w: ReadyForQuery is not idle", ErrProtocol)
	}
	if n := len(l.reader.Ahead()); n > 0 {
		return fmt.Errorf("%w: %d bytes behind ReadyForQuery", ErrProtocol, n)
	}
	return nil
}
