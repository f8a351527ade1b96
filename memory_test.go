package usher_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/usher-pg/usher"
)

// memory is a PostgreSQL of a few lines that is reached without a network, so that a test can have a time of
// its own (synctest). It knows simple queries only.
type memory struct {
	mu      sync.Mutex // guards all below
	refuse  error      // dialling fails so
	dialled int
	open    int
	most    int           // open at the same time
	slow    time.Duration // how long dialling takes
	silent  chan struct{} // if set, queries are answered when it is closed
	queries []string
}

// config connects to m.
func (m *memory) config(t *testing.T) *pgx.ConnConfig {
	t.Helper()
	c, err := pgx.ParseConfig("postgres://app@memory:5432/app?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	c.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	c.DialFunc = m.dial
	return c
}

func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	m.mu.Lock()
	slow := m.slow
	m.dialled++
	m.mu.Unlock()
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		return nil, m.refuse
	}
	m.open++
	m.most = max(m.most, m.open)
	ours, theirs := net.Pipe()
	go m.serve(ours)
	return &memoryConn{Conn: theirs, closed: func() { m.set(func() { m.open-- }) }}, nil
}

// memoryConn is the client's end.
type memoryConn struct {
	net.Conn
	once   sync.Once
	closed func()
}

func (c *memoryConn) Close() error {
	c.once.Do(c.closed)
	return c.Conn.Close()
}

func (m *memory) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	b := pgproto3.NewBackend(conn, conn)
	first, err := b.ReceiveStartupMessage()
	if err != nil {
		return
	}
	if _, ok := first.(*pgproto3.CancelRequest); ok {
		m.set(func() { m.dialled-- })
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{1, 2, 3, 4}})
	status := byte('I')
	for {
		b.Send(&pgproto3.ReadyForQuery{TxStatus: status})
		if err := b.Flush(); err != nil {
			return
		}
		message, err := b.Receive()
		if err != nil {
			return
		}
		query, ok := message.(*pgproto3.Query)
		if !ok {
			return
		}
		m.hear(query.String)
		switch {
		case strings.HasPrefix(query.String, "begin"):
			status = 'T'
		case strings.HasPrefix(query.String, "fail"):
			b.Send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "42601", Message: "told to fail"})
			continue
		case query.String == "die":
			return
		}
		b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 0")})
	}
}

func (m *memory) hear(query string) {
	m.mu.Lock()
	m.queries = append(m.queries, query)
	silent := m.silent
	m.mu.Unlock()
	if silent != nil {
		<-silent
	}
}

// set changes m.
func (m *memory) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

// heard is what was asked so far.
func (m *memory) heard() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.queries, "; ")
}

// numbers are how many connections were dialled, and are open.
func (m *memory) numbers() (dialled, open int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dialled, m.open
}

// manage opens a manager with one pool, "app", on m. The test must close it.
func (m *memory) manage(t *testing.T, c usher.PoolConfig) (*usher.Manager, *usher.Pool) {
	t.Helper()
	c.ConnConfig = m.config(t)
	manager, err := usher.Open(t.Context(), usher.Config{Pools: map[string]usher.PoolConfig{"app": c}})
	if err != nil {
		t.Fatal(err)
	}
	return manager, manager.Pool("app")
}

func acquire(t *testing.T, p *usher.Pool, lane usher.Lane) *usher.Conn {
	t.Helper()
	c, err := p.Acquire(t.Context(), lane)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// refused checks that an error is an AcquireError of the kind, with the words.
func refused(t *testing.T, err, want error, words ...string) *usher.AcquireError {
	t.Helper()
	failure, ok := errors.AsType[*usher.AcquireError](err)
	if !ok || !errors.Is(err, want) {
		t.Fatalf("error is %v, want an AcquireError of %v", err, want)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
	return failure
}

// query sends a simple query.
func query(t *testing.T, c *usher.Conn, sql string) {
	t.Helper()
	if err := c.PgConn().Exec(t.Context(), sql).Close(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
