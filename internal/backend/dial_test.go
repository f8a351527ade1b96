package backend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/wire"
)

func TestLoginIsFromStartupPacketToReady(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix"} {
		packets := make(chan []byte, 1)
		config := serve(t, network, func(s *speaker, _ int) {
			packets <- s.startup()
			s.send(authOK, status("server_version", "18.1"), status("in_hot_standby", "off"),
				message(wire.NoticeResponse, "Mhello\x00\x00"), status("in_hot_standby", "on"),
				wire.AppendKeyData(nil, 77, bytes.Repeat([]byte{7}, 32)), ready)
			s.drain()
		})
		var notices []string
		config.Notice = func(body []byte) {
			notices = append(notices, string(wire.ErrorFieldValue(body, wire.FieldMessage)))
		}
		config.Params = []wire.Param{{Name: "application_name", Value: "usher"}}
		config.Replication = "database"
		config.SSLMode = SSLVerifyFull
		if network == "tcp" {
			config.SSLMode = SSLDisable
		}
		c, err := dial(t, config)
		if err != nil {
			t.Fatal(err)
		}
		params, err := wire.ParseStartup(<-packets)
		if err != nil {
			t.Fatal(err)
		}
		want := []wire.Param{{Name: "user", Value: "alice"}, {Name: "database", Value: "shop"},
			{Name: "replication", Value: "database"}, {Name: "application_name", Value: "usher"}}
		if diff := cmp.Diff(want, params); diff != "" {
			t.Error(diff)
		}
		want = []wire.Param{{Name: "server_version", Value: "18.1"}, {Name: "in_hot_standby", Value: "on"}}
		if diff := cmp.Diff(want, c.Params); diff != "" {
			t.Error(diff)
		}
		if c.ProcessID != 77 || len(c.SecretKey) != 32 || c.TLS != nil || c.Protocol != wire.Version30 {
			t.Errorf("%d, %v, %v, %x", c.ProcessID, c.SecretKey, c.TLS, c.Protocol)
		}
		if !slices.Equal(notices, []string{"hello"}) {
			t.Errorf("notices %q", notices)
		}
	}
}

func TestADetachedConnectionGoesOnInALoop(t *testing.T) {
	t.Parallel()
	config := serve(t, "tcp", func(s *speaker, _ int) {
		s.startup()
		s.send(welcome())
		if kind, _, _ := s.reader.Message(100); kind == wire.Query {
			s.send(message(wire.CommandComplete, "SELECT 1\x00"))
		}
	})
	c, err := dial(t, config)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := c.Detach()
	if err != nil || fd != c.Carrier.FD() {
		t.Fatal(fd, err)
	}
	if _, err := c.Carrier.Read(make([]byte, 1)); err != carrier.ErrWouldBlock {
		t.Fatalf("read: %v", err)
	}
	if _, err := c.Carrier.Write(wire.AppendQuery(nil, "select 1")); err != nil {
		t.Fatal(err)
	}
	if got := readUntilEOF(t, c.Carrier); got != "C\x00\x00\x00\x0dSELECT 1\x00" {
		t.Errorf("read %q", got)
	}
}

// readUntilEOF reads a detached connection; the server closes it, so spinning ends.
func readUntilEOF(t *testing.T, c *carrier.Conn) string {
	t.Helper()
	var got []byte
	b := make([]byte, 100)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		n, err := c.Read(b)
		got = append(got, b[:n]...)
		if err == io.EOF {
			return string(got)
		}
		if err != nil && err != carrier.ErrWouldBlock {
			t.Fatal(err)
		}
	}
	t.Fatal("no end")
	return ""
}

func TestServersThatBreakTheProtocolAreRefused(t *testing.T) {
	t.Parallel()
	var manyParams, manyNotices []byte
	for i := range maxParams + 1 {
		manyParams = append(manyParams, status(fmt.Sprintf("p%d", i), "x")...)
	}
	for range maxMessages {
		manyNotices = append(manyNotices, message(wire.NoticeResponse, "\x00")...)
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, c := range []struct {
		name string
		sent []byte
	}{
		{"length too small", []byte("R\x00\x00\x00\x03")},
		{"length too large", []byte("R\x7f\xff\xff\xff")},
		{"negative length", []byte("R\xff\xff\xff\xff")},
		{"error too large", []byte("E\x00\x01\x00\x00")},
		{"authentication too large", message(wire.Authentication, strings.Repeat("x", maxMessageLen+1))},
		{"ready before authentication", ready},
		{"parameter before authentication", status("a", "b")},
		{"key before authentication", wire.AppendKeyData(nil, 1, []byte("key!"))},
		{"a result", message(wire.DataRow, "\x00\x00")},
		{"authentication twice", join(authOK, authOK)},
		{"a result during login", join(authOK, message(wire.CommandComplete, "x\x00"))},
		{"parameter without value", join(authOK, message(wire.ParameterStatus, "a\x00"))},
		{"parameter with more", join(authOK, message(wire.ParameterStatus, "a\x00b\x00c"))},
		{"too many parameters", join(authOK, manyParams, ready)},
		{"too many messages", join(authOK, manyNotices, ready)},
		{"key too short", join(authOK, message(wire.BackendKeyData, "\x00\x00\x00\x01abc"))},
		{"key too long", join(authOK, message(wire.BackendKeyData, strings.Repeat("x", 261)))},
		{"ready in a transaction", join(authOK, wire.AppendReady(nil, wire.StatusInTransaction))},
		{"ready without a status", join(authOK, message(wire.ReadyForQuery, ""))},
		{"bytes behind ready", join(welcome(), status("a", "b"))},
		{"version twice", bytes.Repeat(wire.AppendNegotiate(nil, wire.Version30, nil), 2)},
		{"version after authentication", join(authOK, wire.AppendNegotiate(nil, wire.Version30, nil))},
		{"a newer version", wire.AppendNegotiate(nil, wire.Version32, nil)},
		{"another major version", wire.AppendNegotiate(nil, 2<<16, nil)},
		{"version cut off", message(wire.NegotiateProtocolVersion, "\x00\x03\x00\x00")},
		{"a wrong number of options",
			message(wire.NegotiateProtocolVersion, "\x00\x03\x00\x00\x00\x00\x00\x02a\x00")},
	} {
		config := serve(t, "tcp", func(s *speaker, _ int) {
			s.startup()
			s.send(c.sent)
			s.drain()
		})
		if _, err := dial(t, config); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAServerThatDiesDuringTheLoginIsAnError(t *testing.T) {
	t.Parallel()
	whole := welcome()
	for _, n := range []int{0, 1, 5, 9, 20, len(whole) - 1} {
		config := serve(t, "tcp", func(s *speaker, _ int) {
			s.startup()
			s.send(whole[:n])
		})
		if _, err := dial(t, config); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func TestMessagesMayArriveByteByByte(t *testing.T) {
	t.Parallel()
	config := serve(t, "tcp", func(s *speaker, _ int) {
		s.startup()
		for _, b := range welcome() {
			s.send([]byte{b})
		}
		s.drain()
	})
	c, err := dial(t, config)
	if err != nil || len(c.Params) != 2 || string(c.SecretKey) != "key!" {
		t.Fatalf("%+v, %v", c, err)
	}
}

func TestErrorsOfTheServerKeepTheirBody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, code, text string }{
		{"SFATAL\x00C53300\x00Mtoo many clients already\x00\x00", "53300", "too many clients already"},
		{"Mno code\x00\x00", "", "no code"},
		{"\x00", "", ""},
		{"", "", ""},
		{"Cunterminated", "", ""},
	} {
		config := serve(t, "tcp", func(s *speaker, _ int) {
			s.startup()
			s.send(message(wire.ErrorResponse, c.body))
		})
		_, err := dial(t, config)
		e, ok := errors.AsType[*ServerError](err)
		if !ok || e.Code() != c.code || e.Message() != c.text || string(e.ErrorResponse()) != c.body {
			t.Errorf("%q: %v", c.body, err)
		}
	}
}

func TestAuthenticationIsAnswered(t *testing.T) {
	t.Parallel()
	users, err := auth.ParseUsers(auth.AppendUser(nil, "alice", "pencil"))
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []auth.Method{auth.Password, auth.MD5, auth.SCRAM} {
		for _, withTLS := range []bool{false, true} {
			config := serve(t, "tcp", func(s *speaker, _ int) {
				var binding auth.Binding
				if withTLS {
					if s = s.secure(nil); s == nil {
						return
					}
					binding = auth.BindTo(certificate().Leaf)
				}
				s.startup()
				e := users.Begin(method, "alice", binding)
				s.send(e.Start())
				for {
					reply, done, err := e.Next(s.password())
					if err != nil {
						s.send(refusal("28P01", "wrong"))
						return
					}
					s.send(reply)
					if done {
						break
					}
				}
				s.send(welcome())
				s.drain()
			})
			if withTLS {
				config.SSLMode, config.TLS = SSLVerifyFull, trusting(authority().Pool())
			}
			if _, err := dial(t, config); err != nil {
				t.Errorf("%v, TLS %v: %v", method, withTLS, err)
			}
			config.Credentials = auth.NewCredentials("alice", auth.PlainSecret("wrong"), nil)
			_, err := dial(t, config)
			if e, ok := errors.AsType[*ServerError](err); !ok || e.Code() != "28P01" {
				t.Errorf("%v, TLS %v, wrong password: %v", method, withTLS, err)
			}
			config.Credentials = auth.NewCredentials("alice", auth.Secret{}, nil)
			if _, err := dial(t, config); !errors.Is(err, auth.ErrNoPassword) {
				t.Errorf("%v, TLS %v, no password: %v", method, withTLS, err)
			}
		}
	}
}

func TestVersionsAreNegotiated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer []byte
		want   uint32
	}{
		{nil, wire.Version32},
		{wire.AppendNegotiate(nil, wire.Version30, nil), wire.Version30},
		{wire.AppendNegotiate(nil, 0, nil), wire.Version30},
		{wire.AppendNegotiate(nil, wire.Version32, []string{"_pq_.x"}), wire.Version32},
	} {
		asked := make(chan uint32, 1)
		config := serve(t, "tcp", func(s *speaker, _ int) {
			asked <- wire.StartupCode(s.startup())
			s.send(c.answer, welcome())
			s.drain()
		})
		config.Protocol = wire.Version32
		conn, err := dial(t, config)
		if err != nil || conn.Protocol != c.want || <-asked != wire.Version32 {
			t.Errorf("%q: %v", c.answer, err)
		}
	}
}

func TestConfigsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	me := auth.NewCredentials("alice", auth.Secret{}, nil)
	for name, config := range map[string]*Config{
		"no user":                         {Credentials: auth.NewCredentials("", auth.Secret{}, nil)},
		"no credentials":                  {},
		"NUL in the user":                 {Credentials: auth.NewCredentials("a\x00b", auth.Secret{}, nil)},
		"NUL in the database":             {Credentials: me, Database: "x\x00options\x00-c a=b"},
		"NUL in a value":                  {Credentials: me, Params: []wire.Param{{Name: "a", Value: "x\x00y"}}},
		"NUL in a name":                   {Credentials: me, Params: []wire.Param{{Name: "a\x00", Value: ""}}},
		"no name":                         {Credentials: me, Params: []wire.Param{{Name: "", Value: "x"}}},
		"direct TLS that is not required": {Credentials: me, DirectTLS: true, SSLMode: SSLPrefer},
	} {
		config.Network, config.Address = "tcp", "127.0.0.1:1" // nobody is there, and nobody is asked
		_, err := Dial(t.Context(), config)
		if _, dialled := errors.AsType[*net.OpError](err); err == nil || dialled {
			t.Errorf("%s: %v", name, err)
		}
	}
	config := serve(t, "tcp", func(s *speaker, _ int) { s.logsIn() })
	config.Params = []wire.Param{{Name: "a", Value: strings.Repeat("x", wire.MaxStartupLen)}}
	if _, err := dial(t, config); err == nil || !strings.Contains(err.Error(), "startup packet of") {
		t.Errorf("a startup packet too large: %v", err)
	}
}

// silentAfter is a server that says nothing more after what was sent.
func silentAfter(sent []byte) script {
	return func(s *speaker, _ int) {
		s = s.secure(nil)
		s.startup()
		s.send(sent)
		s.drain()
	}
}

func TestTimeoutsAndContextsEndADial(t *testing.T) {
	t.Parallel()
	for name, play := range map[string]script{
		"silent before TLS":         func(s *speaker, _ int) { s.drain() },
		"silent in the handshake":   func(s *speaker, _ int) { s.startup(); s.send([]byte{'S'}); s.drain() },
		"silent after startup":      func(s *speaker, _ int) { s = s.secure(nil); s.startup(); s.drain() },
		"silent in a message":       silentAfter([]byte("R\x00")),
		"silent before it is ready": silentAfter(authOK),
	} {
		config := serve(t, "tcp", play)
		config.SSLMode = SSLPrefer // which must not try again
		config.ConnectTimeout = 30 * time.Millisecond
		if _, err := dial(t, config); !isTimeout(err) || !errors.Is(err, errTimeout) {
			t.Errorf("%s: %v", name, err)
		}
		config.ConnectTimeout = 0
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		time.AfterFunc(10*time.Millisecond, func() { cancel(enough) })
		if _, err := Dial(ctx, config); !errors.Is(err, enough) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	config := serve(t, "tcp", func(s *speaker, _ int) { s.logsIn() })
	if _, err := Dial(ctx, config); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}

func TestNobodyThereIsAnError(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	config := &Config{Network: "tcp", Address: l.Addr().String(), SSLMode: SSLPrefer,
		Credentials: auth.NewCredentials("alice", auth.Secret{}, nil)}
	_, err = dial(t, config)
	if _, ok := errors.AsType[*net.OpError](err); !ok || !strings.Contains(err.Error(), config.Address) {
		t.Errorf("%v", err)
	}
}

func FuzzLogin(f *testing.F) {
	f.Add(welcome())
	f.Add(wire.AppendAuth(nil, wire.AuthMD5, []byte("salt")))
	f.Add(wire.AppendAuth(nil, wire.AuthSASL, []byte("SCRAM-SHA-256\x00\x00")))
	f.Add(refusal("28000", "no"))
	f.Add(append(wire.AppendNegotiate(nil, wire.Version30, []string{"x"}), welcome()...))
	f.Fuzz(func(t *testing.T, sent []byte) {
		c := &Conn{Carrier: carrier.New(&canned{from: bytes.NewReader(sent)}), config: &Config{
			Credentials: auth.NewCredentials("alice", auth.PlainSecret("pencil"), nil),
		}}
		l := &loginState{conn: c, reader: carrier.NewReader(c.stream(), false)}
		if err := l.run(); err != nil {
			return
		}
		if !l.authenticated || len(c.Params) > maxParams || len(c.SecretKey) > wire.MaxCancelKeyLen {
			t.Errorf("%q is a login", sent)
		}
	})
}

// canned is a connection that says always the same.
type canned struct {
	net.Conn
	from *bytes.Reader
}

func (c *canned) Read(p []byte) (int, error)  { return c.from.Read(p) }
func (c *canned) Write(p []byte) (int, error) { return len(p), nil }
func (c *canned) LocalAddr() net.Addr         { return &net.TCPAddr{} }
func (c *canned) RemoteAddr() net.Addr        { return &net.TCPAddr{} }
