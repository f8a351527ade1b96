package console

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/usher-pg/usher/internal/wire"
)

// scriptedConn reads what is written down and keeps what is said.
type scriptedConn struct {
	net.Conn
	in  *bytes.Reader
	out bytes.Buffer
}

func (c *scriptedConn) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *scriptedConn) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *scriptedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *scriptedConn) SetWriteDeadline(time.Time) error { return nil }

// FuzzServe checks that whatever a client sends, the console ends with it, and says only whole messages that a client
// understands, with as many ReadyForQuery as there is cause for.
func FuzzServe(f *testing.F) {
	query := func(text string) []byte { return wire.AppendQuery(nil, text) }
	f.Add(query("show pools"))
	f.Add(append(query("pause shop; show fds; shutdown"), wire.AppendEmpty(nil, wire.Terminate)...))
	f.Add(query("scale shop to 60 for 2h reason 'x'; scale \"shop\" auto; scale shop to -1 for 99h; show forecast"))
	f.Add(append(wire.AppendParse(nil, "s", []byte("show pools"), []byte{0, 0}), wire.AppendEmpty(nil, wire.Sync)...))
	f.Add([]byte{'Q', 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{'F', 0, 0, 0, 4, 'S', 0, 0, 0, 4, 'd', 0, 0, 0, 5, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		conn := &scriptedConn{in: bytes.NewReader(in)}
		err := Serve(context.Background(), conn, Session{User: "ann", Permission: Admin}, newFake())
		if errors.Is(err, context.Canceled) {
			t.Fatalf("Serve returned %v", err)
		}
		ready, asked := 0, bytes.Count(in, []byte{'Q'})+bytes.Count(in, []byte{'S'})+bytes.Count(in, []byte{'F'})
		messages := 0
		for rest := conn.out.Bytes(); len(rest) > 0; messages++ {
			kind, length, ok := wire.Header(rest)
			if !ok || length > len(rest) || !kind.IsServer() {
				t.Fatalf("the answer to %q is not of whole messages", in)
			}
			rest = rest[length:]
		}
		answers := pgproto3.NewFrontend(&conn.out, io.Discard)
		for range messages {
			m, err := answers.Receive()
			if err != nil {
				t.Fatalf("the answer to %q is not of the protocol: %v", in, err)
			}
			if _, ok := m.(*pgproto3.ReadyForQuery); ok {
				ready++
			}
		}
		if ready > asked {
			t.Fatalf("%d ReadyForQuery for %d causes in %q", ready, asked, in)
		}
	})
}
