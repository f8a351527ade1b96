package login

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
)

func TestATrustedClientIsSeatedWithWhatItSaid(t *testing.T) {
	t.Parallel()
	h := open(t, nil, nil)
	conn, err := h.connect(t, "user=alice dbname=shop application_name=till options='-c usher.lane=critical'")
	if err != nil {
		t.Fatal(err)
	}
	c := h.next(t)
	if c.User != "alice" || c.Database != "shop" || c.ApplicationName != "till" || c.Protocol != wire.Version30 {
		t.Errorf("seated %q, %q, %q, %x", c.User, c.Database, c.ApplicationName, c.Protocol)
	}
	if diff := cmp.Diff([]wire.Param{{Name: "usher.lane", Value: "critical"}}, c.Settings); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]wire.Param{{Name: "application_name", Value: "till"}}, c.Params); diff != "" {
		t.Error(diff)
	}
	if conn.PID() != 77 || conn.ParameterStatus("server_version") != "18.1" {
		t.Errorf("the client was told %d, %q", conn.PID(), conn.ParameterStatus("server_version"))
	}
	if c.Remote.String() != conn.Conn().LocalAddr().String() {
		t.Errorf("remote %v", c.Remote)
	}
	if c.Method != Trust || c.TLS != nil || c.ScramKeys != nil {
		t.Errorf("%v, %v, %v", c.Method, c.TLS, c.ScramKeys)
	}
	if left := time.Until(c.Deadline); left <= 0 || left > DefaultTimeout {
		t.Errorf("the deadline is in %v", left)
	}
}

func TestUnixSocketsAreServed(t *testing.T) {
	t.Parallel()
	h := open(t, &Config{TLS: offer(t, TLSRequire)}, nil) // which does not hold for unix sockets
	dir := strings.TrimSuffix(h.unix, "/.s.PGSQL.6432")
	if _, err := connect(t, "host="+dir+" port=6432 user=alice"); err != nil {
		t.Fatal(err)
	}
	if c := h.next(t); c.Remote.Network() != "unix" {
		t.Errorf("remote %v", c.Remote.Network())
	}
	p := dial(t, "unix", h.unix)
	p.send(askTLS)
	if b := p.answer(); b != 'N' {
		t.Errorf("TLS over a unix socket: %q", b)
	}
}

// countingListener counts the system calls that read from and write to its connections.
type countingListener struct {
	net.Listener
	reads, writes *int
}

type countingConn struct {
	net.Conn
	l *countingListener
}

func (l *countingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	return &countingConn{nc, l}, err
}

func (c *countingConn) Read(p []byte) (int, error)  { *c.l.reads++; return c.Conn.Read(p) }
func (c *countingConn) Write(p []byte) (int, error) { *c.l.writes++; return c.Conn.Write(p) }

func TestATrustedLoginIsOneReadAndOneWrite(t *testing.T) {
	t.Parallel()
	var reads, writes int
	h := open(t, nil, func(o *Options) {
		o.Listeners[0] = &countingListener{Listener: o.Listeners[0], reads: &reads, writes: &writes}
	})
	p := dial(t, "tcp", h.tcp)
	p.send(startupPacket(3<<16|3, "user", "alice"))
	if m, _ := p.message(); m != wire.NegotiateProtocolVersion {
		t.Fatalf("message %v", m)
	}
	p.expectWelcome()
	h.next(t)
	if reads != 1 || writes != 1 {
		t.Errorf("%d reads, %d writes", reads, writes)
	}
}

func TestWhatComesBehindTheStartupPacketIsUnread(t *testing.T) {
	t.Parallel()
	h := open(t, nil, nil)
	p := dial(t, "tcp", h.tcp)
	query := wire.AppendQuery(nil, "select 1")
	p.send(alice, query)
	c := h.next(t)
	if c.Carrier.Buffered() != len(query) {
		t.Fatalf("%d bytes unread, expected %d", c.Carrier.Buffered(), len(query))
	}
	got := make([]byte, len(query))
	if n, err := c.Carrier.Read(got); n != len(query) || err != nil || string(got) != string(query) {
		t.Errorf("%d, %v, %q", n, err, got)
	}
}

func users(t *testing.T) *auth.Users {
	t.Helper()
	text := auth.AppendUser(nil, "plain", "pencil")
	text = auth.AppendUser(text, "scram", auth.NewVerifier("pencil").Text())
	text = auth.AppendUser(text, "md5", "md5d80dcb0e8a2ad1e8dcee6e7d3bd34c4b")
	text = auth.AppendUser(text, "none", "")
	u, err := auth.ParseUsers(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestMethodsLetInWhoKnowsThePassword(t *testing.T) {
	t.Parallel()
	all := users(t)
	for _, method := range []Method{Password, MD5, SCRAM} {
		h := open(t, &Config{Method: method, Users: all}, nil)
		for _, user := range []string{"plain", "scram"} {
			if _, err := h.connect(t, "user="+user+" password=pencil"); err != nil {
				t.Errorf("%v, user %s: %v", method, user, err)
				continue
			}
			c := h.next(t)
			byScram := method == SCRAM || method == MD5 && user == "scram"
			if c.Method != method || (c.ScramKeys != nil) != byScram {
				t.Errorf("%v, user %s: method %v, keys %v", method, user, c.Method, c.ScramKeys)
			}
		}
	}
}

func TestWrongPasswordsAndUnknownUsersAreToldTheSame(t *testing.T) {
	t.Parallel()
	all := users(t)
	for _, method := range []Method{Password, MD5, SCRAM} {
		h := open(t, &Config{Method: method, Users: all}, nil)
		for _, user := range []string{"plain", "scram", "md5", "none", "nobody"} {
			_, err := h.connect(t, "user="+user+" password=hunter2 dbname=no_such_database")
			want := fmt.Sprintf("FATAL: password authentication failed for user %q (SQLSTATE 28P01)", user)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, user %s: %v", method, user, err)
			}
		}
		text := h.log.String()
		if !strings.Contains(text, "no such user") || !strings.Contains(text, "user=nobody") {
			t.Errorf("%v: the log does not say why:\n%s", method, text)
		}
		if strings.Contains(text, "hunter2") || strings.Contains(text, "pencil") {
			t.Errorf("%v: a password in the log:\n%s", method, text)
		}
	}
}

func TestAClientThatAsksItsUserForThePasswordMayLeave(t *testing.T) {
	t.Parallel()
	h := open(t, &Config{Method: SCRAM, Users: users(t)}, nil)
	for _, last := range [][]byte{nil, wire.AppendEmpty(nil, wire.Terminate)} {
		p := dial(t, "tcp", h.tcp)
		p.send(alice)
		p.message()
		if last == nil {
			p.Close()
			continue
		}
		p.send(last)
		p.expectEnd()
	}
	if text := h.log.String(); strings.Contains(text, "level=INFO") || strings.Contains(text, "level=WARN") {
		t.Errorf("it is logged as a failure:\n%s", text)
	}
}

func TestMessagesOutOfTurnAreRefused(t *testing.T) {
	t.Parallel()
	h := open(t, &Config{Method: SCRAM, Users: users(t)}, nil)
	for _, c := range []struct {
		name          string
		message       []byte
		code, problem string
	}{
		{"query", wire.AppendQuery(nil, "select 1"), "08P01", "expected password response, got message type 81"},
		{"huge", append([]byte{'p'}, lengths(1<<30, "")...), "08P01", "invalid message length"},
		{"tiny", append([]byte{'p'}, lengths(3, "")...), "08P01", "invalid message length"},
		{"nonsense", wire.AppendPassword(nil, []byte("nonsense")), "08P01", "malformed SASLInitialResponse"},
	} {
		p := dial(t, "tcp", h.tcp)
		p.send(alice)
		p.message()
		p.send(c.message)
		t.Log(c.name)
		p.expectError(c.code, c.problem)
	}
}

func TestChooseChoosesTheMethod(t *testing.T) {
	t.Parallel()
	var seen Identity
	h := open(t, &Config{Method: Trust, Users: users(t), Choose: func(who Identity) Method {
		seen = who
		return SCRAM
	}}, nil)
	if _, err := h.connect(t, "user=plain password=wrong"); sqlState(err) != "28P01" {
		t.Errorf("%v", err)
	}
	if seen.User != "plain" || seen.Database != "shop" || seen.Remote == nil || seen.TLS {
		t.Errorf("chosen for %+v", seen)
	}
}

func TestReloadChangesLoginsToCome(t *testing.T) {
	t.Parallel()
	h := open(t, &Config{Method: SCRAM, Users: users(t)}, nil)
	if _, err := h.connect(t, "user=nobody password=x"); sqlState(err) != "28P01" {
		t.Fatal(err)
	}
	h.Reload(&Config{Method: Trust})
	if _, err := h.connect(t, "user=nobody password=x"); err != nil {
		t.Fatal(err)
	}
}

// passed is an error with a server's own words.
type passed struct{ body []byte }

func (p *passed) Error() string         { return "the server says no" }
func (p *passed) ErrorResponse() []byte { return p.body }

func TestWhoIsNotSeatedIsToldWhy(t *testing.T) {
	t.Parallel()
	own := wire.AppendError(nil, wire.ErrorResponse, wire.ErrorPart{Field: wire.FieldCode, Value: "53400"},
		wire.ErrorPart{Field: wire.FieldMessage, Value: "as the server says"})[wire.HeaderLen:]
	reasons := map[string]error{
		"missing": pgerr.NoSuchDatabase.With("missing"),
		"refused": fmt.Errorf("connect: %w", &passed{own}),
		"broken":  errors.New("something internal"),
	}
	h := open(t, &Config{Method: SCRAM, Users: users(t)}, func(o *Options) {
		o.Seating.(*lobby).seat = func(_ context.Context, c *Client) error { return reasons[c.Database] }
	})
	for database, code := range map[string]string{"missing": "3D000", "refused": "53400", "broken": ""} {
		_, err := h.connect(t, "user=plain password=pencil dbname="+database)
		if err == nil || sqlState(err) != code {
			t.Errorf("%s: %v", database, err)
		}
	}
}

func TestAdmitRefusesBeforeAuthentication(t *testing.T) {
	t.Parallel()
	h := open(t, &Config{Method: SCRAM, Users: users(t)}, func(o *Options) {
		o.Admit = func(c *Client) *pgerr.Error {
			if c.Database == "pgbouncer" {
				return nil
			}
			return pgerr.TooManyClients.With()
		}
	})
	p := dial(t, "tcp", h.tcp)
	p.send(alice)
	p.expectError("53300", "too many connections")
	if _, err := h.connect(t, "user=plain password=pencil dbname=pgbouncer"); err != nil {
		t.Error(err)
	}
}
