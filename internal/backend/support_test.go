package backend

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/pgtest"
	"github.com/usher-pg/usher/internal/wire"
)

// patience is how long a test waits for what must come.
const patience = 15 * time.Second

// script is what a server does with its nth connection, the first being 0.
type script func(s *speaker, n int)

// speaker is the server's side of a connection.
//
// The methods of a nil speaker do nothing: the client may be gone at any time.
type speaker struct {
	net.Conn
	t      *testing.T
	reader *carrier.Reader
}

func newSpeaker(t *testing.T, nc net.Conn) *speaker {
	return &speaker{Conn: nc, t: t, reader: carrier.NewReader(nc, true)}
}

func (s *speaker) send(b ...[]byte) {
	if s != nil {
		_, _ = s.Write(bytes.Join(b, nil))
	}
}

// startup reads the start-up packet, or a request in its place.
func (s *speaker) startup() []byte {
	if s == nil {
		return nil
	}
	packet, err := s.reader.Startup()
	if err != nil {
		return nil
	}
	return bytes.Clone(packet)
}

// password reads a message of type p.
func (s *speaker) password() []byte {
	_, body, err := s.reader.Message(1 << 16)
	if err != nil {
		return nil
	}
	return bytes.Clone(body)
}

// drain reads until the client closes.
func (s *speaker) drain() {
	if s != nil {
		_, _ = io.Copy(io.Discard, s.Conn)
	}
}

// serve runs a scripted server until the test ends.
func serve(t *testing.T, network string, play script) *Config {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), ".s.PGSQL.5432")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for n := 0; ; n++ {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			_ = nc.SetDeadline(time.Now().Add(patience))
			all.Go(func() {
				defer nc.Close()
				play(newSpeaker(t, nc), n)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return &Config{
		Network: network, Address: l.Addr().String(), Database: "shop",
		Credentials: auth.NewCredentials("alice", auth.PlainSecret("pencil"), nil),
	}
}

// dial connects within patience and closes the connection when the test ends.
func dial(t *testing.T, config *Config) (*Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := Dial(ctx, config)
	if err == nil {
		t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

func message(t wire.Type, body string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{byte(t)}, uint32(4+len(body)))
	return append(b, body...)
}

var (
	authOK = wire.AppendAuth(nil, wire.AuthOK, nil)
	ready  = wire.AppendReady(nil, wire.StatusIdle)
)

func status(name, value string) []byte {
	return wire.AppendStatusParam(nil, wire.Param{Name: name, Value: value})
}

func refusal(code, text string) []byte {
	return wire.AppendError(nil, wire.ErrorResponse, wire.ErrorPart{Field: wire.FieldCode, Value: code},
		wire.ErrorPart{Field: wire.FieldMessage, Value: text})
}

// welcome is what follows authentication.
func welcome() []byte {
	return bytes.Join([][]byte{authOK, status("server_version", "18.1"), status("TimeZone", "UTC"),
		wire.AppendKeyData(nil, 77, []byte("key!")), ready}, nil)
}

// authority signs the servers' certificates.
var authority = sync.OnceValue(func() *pgtest.Certificate {
	a, err := pgtest.NewAuthority("usher test authority")
	if err != nil {
		panic(err)
	}
	return a
})

var certificate = sync.OnceValue(func() tls.Certificate {
	c, err := authority().Issue(pgtest.Request{Name: "localhost", Hosts: pgtest.Loopback()})
	if err != nil {
		panic(err)
	}
	return c.TLS()
})

// trusting is a Config.TLS with a certificate authority.
func trusting(roots *x509.CertPool) func() *tls.Config {
	return func() *tls.Config { return &tls.Config{RootCAs: roots} }
}

// secure answers an SSLRequest with yes and shakes hands.
func (s *speaker) secure(config *tls.Config) *speaker {
	if packet := s.startup(); packet == nil || wire.StartupCode(packet) != wire.SSLRequestCode {
		return nil
	}
	s.send([]byte{'S'})
	return s.shake(config)
}

func (s *speaker) shake(config *tls.Config) *speaker {
	if config == nil {
		config = &tls.Config{Certificates: []tls.Certificate{certificate()}, NextProtos: []string{alpn}}
	}
	secured := tls.Server(s.Conn, config)
	if err := secured.Handshake(); err != nil {
		return nil
	}
	return newSpeaker(s.t, secured)
}

// logsIn reads the start-up packet and welcomes.
func (s *speaker) logsIn() {
	if s.startup() == nil {
		return
	}
	s.send(welcome())
	s.drain()
}

func isTimeout(err error) bool { return errors.Is(err, context.DeadlineExceeded) }
