package login

import (
	"context"
	"fmt"
	"time"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
)

// attempt is one client's login.
type attempt struct {
	server  *Server
	config  *Config
	client  *Client
	reader  *carrier.Reader
	binding auth.Binding
	turn    turn
	mute    bool // an error message would not be understood: TLS has begun and did not succeed
}

func (s *Server) newAttempt(c *carrier.Conn) *attempt {
	a := &attempt{server: s, config: s.config.Load()}
	now := time.Now()
	a.client = &Client{
		Carrier: c, Remote: c.RemoteAddr(), Local: c.LocalAddr(), Began: now, Deadline: now.Add(a.config.timeout()),
	}
	a.reader = carrier.NewReader(c, false)
	a.turn = turn{turns: s.turns, rank: unknownRank}
	return a
}

// unknownRank is that of a client that has not said yet who it is: the middle.
const unknownRank = Ranks / 2

// run takes the client from accept to its seat. After an error the client is to be told and closed.
func (a *attempt) run(ctx context.Context) error {
	if err := a.prove(ctx); err != nil {
		return err
	}
	return a.server.options.Seating.Seat(ctx, a.client)
}

// prove takes the client to where it has proved who it is. Only one that has its turn computes.
func (a *attempt) prove(ctx context.Context) error {
	a.turn.Take()
	defer a.turn.Give()
	a.client.Carrier.Share(&a.turn)
	defer a.client.Carrier.Share(nil)
	if err := a.client.Carrier.SetDeadline(a.client.Deadline); err != nil {
		return err
	}
	if ctx.Err() != nil {
		a.client.Carrier.Interrupt() // hurry may have come before the deadline
	}
	packet, err := a.greet()
	if err != nil {
		return err
	}
	if wire.StartupCode(packet) == wire.CancelRequestCode {
		return a.cancel(ctx, packet)
	}
	if err := a.introduce(packet); err != nil {
		return err
	}
	if err := a.authenticate(); err != nil {
		return err
	}
	if a.client.TLS == nil {
		a.client.Carrier.Unread(a.reader.Ahead())
	}
	return nil
}

// greet answers requests for encryption until a packet comes that is none.
func (a *attempt) greet() (packet []byte, err error) {
	first, err := a.reader.FirstByte()
	if err != nil {
		return nil, err
	}
	if first == recordTypeHandshake {
		if err := a.directTLS(); err != nil {
			return nil, err
		}
	}
	var askedTLS, askedGSS bool
	for {
		packet, err := a.reader.Startup()
		if err != nil {
			return nil, err
		}
		code := wire.StartupCode(packet)
		if code != wire.SSLRequestCode && code != wire.GSSENCRequestCode {
			return packet, nil
		}
		asked := &askedTLS
		if code == wire.GSSENCRequestCode {
			asked = &askedGSS
		}
		if *asked || a.client.TLS != nil || len(packet) != 8 {
			return nil, pgerr.ProtocolViolation.With("encryption was requested before")
		}
		*asked = true
		// What stands behind the request is not encrypted, but would be taken for it (CVE-2021-3935).
		if len(a.reader.Ahead()) > 0 {
			return nil, pgerr.PlaintextAfterTLS.With()
		}
		if err := a.answer(code == wire.SSLRequestCode && a.offersTLS()); err != nil {
			return nil, err
		}
	}
}

// recordTypeHandshake begins a TLS ClientHello, and no start-up packet: that would be 369 MB long.
const recordTypeHandshake = 0x16

func (a *attempt) offersTLS() bool {
	return a.config.TLS.offered() && a.client.Remote.Network() != "unix"
}

// answer answers a request for encryption with one byte, and does what it says.
func (a *attempt) answer(yes bool) error {
	if !yes {
		_, err := a.client.Carrier.Write([]byte{'N'})
		return err
	}
	if _, err := a.client.Carrier.Write([]byte{'S'}); err != nil {
		return err
	}
	return a.shake(false)
}

func (a *attempt) directTLS() error {
	if !a.offersTLS() {
		a.mute = true
		return pgerr.ProtocolViolation.With("direct TLS is not offered here")
	}
	a.client.Carrier.Unread(a.reader.Ahead())
	return a.shake(true)
}

func (a *attempt) shake(direct bool) error {
	a.mute = true
	secured, binding, err := a.config.TLS.shake(a.client.Carrier, direct)
	if err != nil {
		return err
	}
	a.mute = false
	a.client.TLS, a.binding = secured, binding
	if state := secured.ConnectionState(); len(state.VerifiedChains) > 0 {
		a.client.Certificate = state.PeerCertificates[0]
	}
	a.reader = carrier.NewReader(secured, true)
	return nil
}

// cancel carries a cancel request out. The connection is closed afterwards in any case, which tells the
// client that it was done; it is told nothing else.
func (a *attempt) cancel(ctx context.Context, packet []byte) error {
	processID, secret, err := wire.ParseCancel(packet)
	a.mute = true
	if err != nil {
		return err
	}
	if cancel := a.server.options.Cancel; cancel != nil {
		a.turn.Give() // it waits for a server
		defer a.turn.Take()
		cancel(ctx, processID, secret)
	}
	return errLeft
}

// introduce reads the start-up packet.
func (a *attempt) introduce(packet []byte) error {
	s, err := readStartup(packet)
	if err != nil {
		return err
	}
	c := a.client
	c.introduce(s)
	if c.TLS == nil && a.config.TLS.demanded(c.Remote) {
		return pgerr.TLSRequired.With()
	}
	if admit := a.server.options.Admit; admit != nil {
		if refused := admit(c); refused != nil {
			return refused
		}
	}
	if rank := a.server.options.Rank; rank != nil {
		a.turn.rank = min(max(rank(c), 0), Ranks-1)
	}
	return nil
}

// introduce notes what the start-up packet says.
func (c *Client) introduce(s *startup) {
	c.User, c.Database, c.ApplicationName = s.user, s.database, s.applicationName
	c.Params, c.Settings, c.Replication, c.Protocol = s.params, s.settings, s.replication, s.version
	if s.negotiate {
		c.due = wire.AppendNegotiate(c.due, s.version, s.unknown)
	}
}

// method is how the client must prove who it is.
func (a *attempt) method() Method {
	c := a.client
	return a.config.method(Identity{
		User: c.User, Database: c.Database, Remote: c.Remote, TLS: c.TLS != nil, Certificate: c.Certificate,
	})
}

// authenticate returns nil when the client is who it says.
func (a *attempt) authenticate() error {
	c := a.client
	c.Method = a.method()
	switch c.Method {
	case Trust:
		return nil
	case Cert:
		if c.Certificate == nil {
			return pgerr.CertificateRequired.With()
		}
		if !certifies(c.Certificate, c.User) {
			return pgerr.CertificateMismatch.With(c.User).
				Because(fmt.Errorf("the certificate's common name is %q", c.Certificate.Subject.CommonName))
		}
		return nil
	case Password:
		return a.exchange(auth.Password)
	case MD5:
		return a.exchange(auth.MD5)
	case SCRAM:
		return a.exchange(auth.SCRAM)
	}
	panic(fmt.Sprintf("bug: authentication method %d", c.Method))
}

// exchange carries the messages of an authentication.
func (a *attempt) exchange(method auth.Method) error {
	exchange := a.config.Users.Begin(method, a.client.User, a.binding)
	send := exchange.Start()
	for {
		if _, err := a.client.stream().Write(append(a.client.due, send...)); err != nil {
			return err
		}
		a.client.due = nil
		t, body, err := a.reader.Message(auth.MaxAnswerLen)
		if err != nil {
			return err
		}
		if t == wire.Terminate {
			return errLeft
		}
		if t != wire.PasswordOrSASL {
			return pgerr.ProtocolViolation.With(
				fmt.Sprintf("expected password response, got message type %d", byte(t)))
		}
		var done bool
		if send, done, err = exchange.Next(body); err != nil {
			return err
		}
		if done {
			// PostgreSQL also sends the end of SASL together with AuthenticationOk.
			a.client.due, a.client.ScramKeys = send, exchange.Keys()
			return nil
		}
	}
}
