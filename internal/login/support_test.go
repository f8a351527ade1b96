package login

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/pgtest"
	"github.com/usher-pg/usher/internal/wire"
)

// patience is how long a test waits for what must come.
const patience = 15 * time.Second

// What the lobby welcomes clients with.
var (
	welcomeParams = []wire.Param{
		{Name: "server_version", Value: "18.1"}, {Name: "client_encoding", Value: "UTF8"},
	}
	welcomeSecret = []byte{1, 2, 3, 4}
)

// lobby is a Seating that welcomes everybody and keeps them until the test ends.
type lobby struct {
	seat func(context.Context, *Client) error // instead of welcoming, if not nil

	mutex   sync.Mutex // guards clients
	clients []*Client
	seated  chan *Client
}

func (l *lobby) Seat(ctx context.Context, c *Client) error {
	if l.seat != nil {
		if err := l.seat(ctx, c); err != nil {
			return err
		}
	} else if err := c.Welcome(welcomeParams, 77, welcomeSecret); err != nil {
		return err
	}
	l.mutex.Lock()
	l.clients = append(l.clients, c)
	l.mutex.Unlock()
	l.seated <- c
	return nil
}

func (l *lobby) close() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, c := range l.clients {
		_ = c.Close()
	}
}

// log collects what a server logs.
type log struct {
	mutex sync.Mutex // guards text
	text  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// house is a Server under test.
type house struct {
	*Server
	lobby  *lobby
	log    *log
	tcp    string
	unix   string
	cancel context.CancelFunc
	ended  chan error
}

// open runs a Server at a TCP and a unix listener until the test ends.
func open(t *testing.T, config *Config, change func(*Options)) *house {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	h := &house{
		lobby: &lobby{seated: make(chan *Client, 1000)}, log: &log{}, cancel: cancel, ended: make(chan error, 1),
		unix: filepath.Join(t.TempDir(), ".s.PGSQL.6432"),
	}
	tcp, err := Listen(ctx, "tcp", "127.0.0.1:0", net.KeepAliveConfig{Enable: true, Idle: time.Minute}, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix, err := Listen(ctx, "unix", h.unix, net.KeepAliveConfig{}, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	h.tcp = tcp.Addr().String()
	options := Options{
		Listeners: []net.Listener{tcp, unix}, Seating: h.lobby,
		Log: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&options)
	}
	if config == nil {
		config = &Config{}
	}
	h.Server = New(options, config)
	go func() { h.ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-h.ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not end")
		}
		h.lobby.close()
	})
	return h
}

func (h *house) next(t *testing.T) *Client {
	t.Helper()
	select {
	case c := <-h.lobby.seated:
		return c
	case <-time.After(patience):
		t.Fatalf("nobody is seated; log:\n%s", h.log)
		return nil
	}
}

// connect logs in with pgx.
func (h *house) connect(t *testing.T, settings string) (*pgconn.PgConn, error) {
	t.Helper()
	host, port, err := net.SplitHostPort(h.tcp)
	if err != nil {
		t.Fatal(err)
	}
	return connect(t, "host="+host+" port="+port+" "+settings)
}

func connect(t *testing.T, settings string) (*pgconn.PgConn, error) {
	t.Helper()
	for _, s := range []string{"sslmode", "dbname"} {
		if !strings.Contains(settings, s+"=") {
			settings += map[string]string{"sslmode": " sslmode=disable", "dbname": " dbname=shop"}[s]
		}
	}
	config, err := pgconn.ParseConfig(settings)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err == nil {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_ = conn.Close(ctx)
		})
	}
	return conn, err
}

// sqlState is the SQLSTATE of an error that pgx returns.
func sqlState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// peer is a client that sends what it likes.
type peer struct {
	net.Conn
	t      *testing.T
	reader *carrier.Reader
}

func dial(t *testing.T, network, address string) *peer {
	t.Helper()
	nc, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return newPeer(t, nc)
}

func newPeer(t *testing.T, nc net.Conn) *peer {
	t.Helper()
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &peer{Conn: nc, t: t, reader: carrier.NewReader(nc, false)}
}

func (p *peer) send(b ...[]byte) {
	p.t.Helper()
	if _, err := p.Write(bytes.Join(b, nil)); err != nil {
		p.t.Fatal(err)
	}
}

// answer reads the one-byte answer to a request for encryption.
func (p *peer) answer() byte {
	p.t.Helper()
	b := make([]byte, 1)
	if _, err := io.ReadFull(p.Conn, b); err != nil {
		p.t.Fatalf("answer: %v", err)
	}
	return b[0]
}

func (p *peer) message() (wire.Type, []byte) {
	p.t.Helper()
	t, body, err := p.reader.Message(1 << 16)
	if err != nil {
		p.t.Fatalf("message: %v", err)
	}
	return t, bytes.Clone(body)
}

// expectError reads an ErrorResponse, and that the connection ends with it.
func (p *peer) expectError(code, message string) {
	p.t.Helper()
	t, body := p.message()
	gotCode, got := wire.ErrorFieldValue(body, wire.FieldCode), wire.ErrorFieldValue(body, wire.FieldMessage)
	if t != wire.ErrorResponse || string(gotCode) != code || !strings.Contains(string(got), message) {
		p.t.Fatalf("message %v, SQLSTATE %s, %q, expected %s, %q", t, gotCode, got, code, message)
	}
	p.expectEnd()
}

func (p *peer) expectEnd() {
	p.t.Helper()
	if t, body, err := p.reader.Message(1 << 16); err == nil {
		p.t.Fatalf("message %v %q, expected the end", t, body)
	} else if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		p.t.Fatalf("the connection stays open")
	}
}

// expectWelcome reads the welcome of the lobby.
func (p *peer) expectWelcome() {
	p.t.Helper()
	var got []byte
	for {
		t, _ := p.message()
		got = append(got, byte(t))
		if t == wire.ReadyForQuery {
			break
		}
	}
	if string(got) != "RSSKZ" {
		p.t.Fatalf("welcome is %q", got)
	}
}

func startupPacket(version uint32, pairs ...string) []byte {
	var params []wire.Param
	for i := 0; i < len(pairs); i += 2 {
		params = append(params, wire.Param{Name: pairs[i], Value: pairs[i+1]})
	}
	return wire.AppendStartup(nil, version, params)
}

var (
	alice  = startupPacket(wire.Version30, "user", "alice", "database", "shop")
	askTLS = wire.AppendRequest(nil, wire.SSLRequestCode)
	askGSS = wire.AppendRequest(nil, wire.GSSENCRequestCode)
)

// lengths is a packet that says its length is n.
func lengths(n uint32, rest string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, n), rest...)
}

// authority signs what the tests of this package need.
var authority = sync.OnceValue(func() *pgtest.Certificate {
	a, err := pgtest.NewAuthority("usher test authority")
	if err != nil {
		panic(err)
	}
	return a
})

func issue(t testing.TB, request pgtest.Request) *pgtest.Certificate {
	t.Helper()
	c, err := authority().Issue(request)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// offer is a TLS of a mode with a certificate for 127.0.0.1.
func offer(t testing.TB, mode TLSMode) *TLS {
	t.Helper()
	certificate := issue(t, pgtest.Request{Name: "localhost", Hosts: pgtest.Loopback()}).TLS()
	return &TLS{
		Mode: mode, Certificate: func() *tls.Certificate { return &certificate }, ClientCAs: authority().Pool(),
	}
}
