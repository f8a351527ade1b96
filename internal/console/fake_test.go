package console

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher/internal/status"
	"github.com/usher-pg/usher/internal/wire"
)

// fakeController answers with fixed things and writes down what it was told.
type fakeController struct {
	snapshot status.Snapshot
	fail     error // returned by every action

	mu    sync.Mutex // guards what follows
	calls []string

	// block makes the actions that wait, wait for their context. Each sends to began.
	block bool
	began chan struct{}
}

func newFake() *fakeController {
	return &fakeController{snapshot: sampleSnapshot(), began: make(chan struct{}, 8)}
}

func (f *fakeController) call(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
	return f.fail
}

func (f *fakeController) called() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.calls...)
}

func (f *fakeController) wait(ctx context.Context, format string, args ...any) error {
	if err := f.call(format, args...); err != nil || !f.block {
		return err
	}
	f.began <- struct{}{}
	<-ctx.Done()
	return fmt.Errorf("wait: %w", ctx.Err())
}

func (f *fakeController) Snapshot(_ context.Context, sections status.Sections) (*status.Snapshot, error) {
	if err := f.call("snapshot %b", sections); err != nil {
		return nil, err
	}
	s := f.snapshot
	return &s, nil
}

func (f *fakeController) Pause(ctx context.Context, pool string) error {
	return f.wait(ctx, "pause %q", pool)
}
func (f *fakeController) Resume(_ context.Context, pool string) error {
	return f.call("resume %q", pool)
}
func (f *fakeController) Disable(_ context.Context, pool string) error {
	return f.call("disable %q", pool)
}
func (f *fakeController) Enable(_ context.Context, pool string) error {
	return f.call("enable %q", pool)
}
func (f *fakeController) Kill(_ context.Context, pool string) error { return f.call("kill %q", pool) }
func (f *fakeController) KillClient(_ context.Context, id uint64) error {
	return f.call("kill client %d", id)
}
func (f *fakeController) Reconnect(_ context.Context, pool string) error {
	return f.call("reconnect %q", pool)
}
func (f *fakeController) WaitClose(ctx context.Context, pool string) error {
	return f.wait(ctx, "wait close %q", pool)
}
func (f *fakeController) BeginEmergency(_ context.Context, o status.EmergencyOrder) error {
	return f.call("emergency %q for %q down to %q by %q because %q", o.Pool, o.For, o.Lane, o.By, o.Reason)
}
func (f *fakeController) EndEmergency(_ context.Context, pool, by string) error {
	return f.call("end emergency %q by %q", pool, by)
}
func (f *fakeController) Scale(_ context.Context, o status.ScaleOrder) error {
	return f.call("scale %+v", o)
}

func (f *fakeController) EndScale(_ context.Context, pool, by string) error {
	return f.call("end scale %q by %q", pool, by)
}
func (f *fakeController) Suspend(ctx context.Context) error { return f.wait(ctx, "suspend") }
func (f *fakeController) Reload(context.Context) error      { return f.call("reload") }
func (f *fakeController) Set(_ context.Context, key, value string) error {
	return f.call("set %s=%s", key, value)
}
func (f *fakeController) Shutdown(_ context.Context, mode status.ShutdownMode) error {
	return f.call("shutdown %s", mode)
}

// console is a served console and the client's end of its connection, not yet started.
type testConsole struct {
	ctl      *fakeController
	client   net.Conn
	canceled chan struct{}
	stop     context.CancelCauseFunc
	done     chan error // what Serve returned
}

// start serves a console over a loopback connection. The server half welcomes whoever sends a start-up packet.
func start(t *testing.T, permission Permission) *testConsole {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	c := &testConsole{
		ctl: newFake(), client: client, canceled: make(chan struct{}, 1), stop: stop, done: make(chan error, 1),
	}
	go func() {
		defer server.Close()
		if err := welcome(server); err != nil {
			c.done <- err
			return
		}
		session := Session{User: "ann", Database: "usher", Permission: permission, Canceled: c.canceled}
		c.done <- Serve(ctx, server, session, c.ctl)
	}()
	t.Cleanup(func() {
		_ = client.Close()
		stop(errors.New("the test is over"))
	})
	return c
}

// welcome is what the login does before it hands a client to the console.
func welcome(conn net.Conn) error {
	length := make([]byte, 4)
	if _, err := io.ReadFull(conn, length); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(length))-4); err != nil {
		return err
	}
	out := wire.AppendAuth(nil, 0, nil)
	for _, p := range Parameters() {
		out = wire.AppendStatusParam(out, p)
	}
	out = wire.AppendKeyData(out, 7, []byte{1, 2, 3, 4})
	_, err := conn.Write(wire.AppendReady(out, wire.StatusIdle))
	return err
}

// connect is a client of pgconn on the console.
func (c *testConsole) connect(t *testing.T) *pgconn.PgConn {
	t.Helper()
	config, err := pgconn.ParseConfig("postgres://ann@127.0.0.1/usher?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	config.DialFunc = func(context.Context, string, string) (net.Conn, error) { return c.client, nil }
	conn, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// served is what Serve returned.
func (c *testConsole) served(t *testing.T) error {
	t.Helper()
	select {
	case err := <-c.done:
		return err
	case <-time.After(testPatience):
		t.Fatal("Serve did not return")
		return nil
	}
}

// testPatience ends a test that hangs.
const testPatience = 10 * time.Second

func sampleStatements() status.Distribution {
	return status.Distribution{
		Count: 98, P50: 5 * time.Millisecond, P90: 6 * time.Millisecond, P99: 7 * time.Millisecond,
		P999: 8 * time.Millisecond, Max: 9 * time.Millisecond,
	}
}

func sampleSockets(at time.Time) ([]status.Client, []status.Server) {
	clients := []status.Client{
		{
			Connection: status.Connection{
				ID: 1, Link: 2, User: "ann", Database: "shop", Address: "10.0.0.7", Port: 5001,
				LocalAddress: "10.0.0.1", LocalPort: 6432, ConnectedAt: at, RequestedAt: at.Add(time.Minute),
				TLS: "TLSv1.3", Application: "till", Statements: 3, Descriptor: 11, Loop: 1, Unsent: 5,
			},
			State: status.ClientActive, Lane: "critical", PinReason: "LISTEN", Pins: 2,
		},
		{
			Connection: status.Connection{
				ID: 1 << 40, User: "bob", Database: "shop", Address: "unix", ConnectedAt: at,
				Wait: 3*time.Second + 250*time.Millisecond,
			},
			State: status.ClientWaiting, Lane: "low",
		},
		{Connection: status.Connection{ID: 4, ConnectedAt: at}, State: status.ClientLogin},
	}
	servers := []status.Server{{
		Connection: status.Connection{
			ID: 2, Link: 1, User: "ann", Database: "shop", Address: "10.0.0.9", Port: 5432, LocalAddress: "10.0.0.1",
			LocalPort: 40000, ConnectedAt: at, RequestedAt: at, RemotePID: 4711, Descriptor: 12, CloseNeeded: true,
		},
		State: status.ServerActive, Reserve: true,
	}}
	return clients, servers
}

func sampleSnapshot() status.Snapshot {
	at := time.Date(2026, 11, 21, 18, 30, 5, 0, time.UTC)
	clients, servers := sampleSockets(at)
	totals := status.Totals{
		Assignments: 1, Transactions: 2, Queries: 3, Received: 4, Sent: 5, TransactionTime: 6, QueryTime: 7,
		WaitTime: 8, ClientParses: 9, ServerParses: 10, Binds: 11, ClientLogins: 12,
	}
	s := status.Snapshot{
		Version: "0.1.0", Now: at, StartedAt: at, State: status.Active,
		Clients: clients, Servers: servers,
		Pools: []status.Pool{{
			Name: "shop", Database: "shop", User: "ann", Mode: "transaction",
			Clients: status.ClientCounts{Idle: 1, Linked: 2, Waiting: 3, Held: 4, ActiveCancel: 5, WaitingCancel: 6},
			Servers: status.ServerCounts{
				Active: 7, ActiveCancel: 8, BeingCanceled: 9, Idle: 10, Used: 11, Tested: 12, Login: 13,
			},
			MaxWait: 1500 * time.Millisecond, Target: 20, Max: 30, Reserve: 4, ReserveUsed: 1, Budget: 60,
			Opened: 100, OpenFailed: 2, Closed: []status.Count{{Reason: "idle", Count: 40}, {Reason: "age", Count: 2}},
			Emergencies: 3, Pinned: 1, Pins: []status.Count{{Reason: "LISTEN", Count: 5}},
			Refused: []status.Count{{Reason: "timeout", Count: 1}},
			Lanes: []status.Lane{{
				Name: "critical", Waiting: 1, Requests: 110, Cancelled: 2, Emergencies: 3, Shed: 7,
				Statement: sampleStatements(),
				Acquisition: status.Distribution{
					Count: 99, P50: 100 * time.Microsecond, P90: time.Millisecond, P99: 2 * time.Millisecond,
					P999: 3 * time.Millisecond, Max: 4 * time.Millisecond,
				},
			}},
		}},
		Databases: []status.Database{{
			Name: "shop", Host: "10.0.0.9", Port: 5432, ServerDatabase: "shop_v2", PoolSize: 20, MinPoolSize: 2,
			ReservePoolSize: 4, ServerLifetime: time.Hour, PoolMode: "transaction", MaxServers: 60, CurrentServers: 7,
			CurrentClients: 9, Paused: true,
		}},
		Users: []status.User{{Name: "ann", PoolSize: -1, ReservePoolSize: 5, MaxServers: 3, CurrentClients: 2}},
		Stats: []status.DatabaseStats{
			{Database: "shop", Totals: totals, Averages: status.Averages(totals)},
			{Database: "blog", Totals: totals, Averages: status.Averages{Transactions: 6, TransactionTime: 2}},
		},
		Lists:     &status.Lists{Databases: 1, Users: 2, Pools: 3, UsedClients: 4, LoginClients: 5, UsedServers: 6},
		Config:    []status.ConfigRow{{Key: "listen", Value: "127.0.0.1:6432", Default: "", Changeable: false}},
		Memory:    []status.Memory{{Name: "client", Size: 256, Used: 3, Free: 1, Total: 1024}},
		Listeners: []status.Listener{{Address: "127.0.0.1", Port: 6432, Descriptor: 9}},
	}
	addBrain(&s, at)
	return s
}
