package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/wire"
)

// guest is a client as a test sees it.
type guest struct {
	t         testing.TB
	w         *world
	conn      net.Conn
	welcome   []wire.Param
	processID uint32
	secret    []byte
}

// The messages of a client, short because scenarios are made of them.
func query(text string) []byte { return wire.AppendQuery(nil, text) }
func parse(name, text string) []byte {
	return wire.AppendParse(nil, name, []byte(text), []byte{0, 0})
}
func bind(portal, statement string) []byte {
	return wire.AppendBind(nil, []byte(portal), statement, []byte{0, 0, 0, 0, 0, 0})
}
func execute(portal string) []byte {
	return wire.AppendBody(nil, wire.Execute, append([]byte(portal), 0, 0, 0, 0, 0))
}
func describe(kind byte, name string) []byte {
	return wire.AppendTarget(nil, wire.Describe, kind, name)
}
func closing(kind byte, name string) []byte { return wire.AppendTarget(nil, wire.Close, kind, name) }
func copyData(text string) []byte           { return wire.AppendBody(nil, wire.CopyData, []byte(text)) }
func empty(t wire.Type) []byte              { return wire.AppendEmpty(nil, t) }
func endBatch() []byte                      { return empty(wire.Sync) }

// batch is Bind, Describe of the portal, Execute and Sync of a statement.
func batch(statement string) []byte {
	return join(bind("", statement), describe(wire.KindPortal, ""), execute(""), endBatch())
}

func join(messages ...[]byte) []byte {
	var all []byte
	for _, m := range messages {
		all = append(all, m...)
	}
	return all
}

// send sends messages in one write.
func (g *guest) send(messages ...[]byte) {
	g.t.Helper()
	if _, err := g.conn.Write(join(messages...)); err != nil {
		g.t.Fatalf("send: %v\n%s", err, g.w.state())
	}
}

// want reads as many messages as there are words and holds that they are those; see show for the words.
func (g *guest) want(words string) {
	g.t.Helper()
	var got []string
	for range strings.Fields(words) {
		word, err := g.read()
		if err != nil {
			g.t.Fatalf("got  %s, then %v\nwant %s\n%s", strings.Join(got, " "), err, words, g.w.state())
		}
		got = append(got, word)
	}
	if text := strings.Join(got, " "); text != strings.Join(strings.Fields(words), " ") {
		g.t.Fatalf("got  %s\nwant %s\n%s", text, words, g.w.state())
	}
}

// ask sends messages and wants an answer.
func (g *guest) ask(words string, messages ...[]byte) {
	g.t.Helper()
	g.send(messages...)
	g.want(words)
}

// wantEnd wants the end of the connection.
func (g *guest) wantEnd() {
	g.t.Helper()
	word, err := g.read()
	if err == nil {
		g.t.Fatalf("got %s, want the end of the connection\n%s", word, g.w.state())
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		g.t.Fatalf("got %v, want the end of the connection\n%s", err, g.w.state())
	}
}

// read reads a message and shows it.
func (g *guest) read() (string, error) {
	kind, body, err := readMessage(g.conn)
	if err != nil {
		return "", err
	}
	return show(kind, body), nil
}

func readMessage(r io.Reader) (wire.Type, []byte, error) {
	var header [wire.HeaderLen]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, nil, err
	}
	kind, length, _ := wire.Header(header[:])
	if err := wire.CheckLength(kind, length); err != nil {
		return 0, nil, err
	}
	body := make([]byte, length-wire.HeaderLen)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, fmt.Errorf("half a message: %w", err)
	}
	return kind, body, nil
}

// show is a server's message as one word: its type, and in brackets what matters, with _ for a space.
func show(kind wire.Type, body []byte) string {
	content := ""
	switch kind {
	case wire.DataRow:
		columns, err := wire.RowColumns(nil, body)
		if err != nil {
			return "D(" + err.Error() + ")"
		}
		var texts []string
		for _, c := range columns {
			texts = append(texts, string(c))
		}
		content = strings.Join(texts, ",")
	case wire.CommandComplete:
		content = string(wire.Tag(body))
	case wire.ErrorResponse, wire.NoticeResponse:
		content = string(wire.ErrorFieldValue(body, wire.FieldCode))
	case wire.ReadyForQuery, wire.CopyData, wire.FunctionCallResponse:
		content = string(body)
	case wire.ParameterStatus:
		name, value, _ := wire.StatusParam(body)
		content = string(name) + "=" + string(value)
	case wire.NotificationResponse:
		content = string(body[4 : len(body)-2])
	default:
		return string(byte(kind))
	}
	content = strings.NewReplacer(" ", "_", "\n", "_").Replace(content)
	if len(content) > 200 {
		content = fmt.Sprintf("%d_bytes", len(content))
	}
	return string(byte(kind)) + "(" + content + ")"
}

// cancel sends a cancel request with the guest's key and waits until it has been delivered.
func (g *guest) cancel() {
	g.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	g.w.Cancel(ctx, g.processID, g.secret)
	if ctx.Err() != nil {
		g.t.Fatalf("the cancel request does not return\n%s", g.w.state())
	}
}

// taken waits until the other end has read all that was sent.
func (g *guest) taken() {
	g.t.Helper()
	g.w.eventually("what was sent has been read", func() bool { return unread(g.conn) == 0 })
}

// unread is how many bytes sent on a socket its other end has not read.
func unread(conn net.Conn) int {
	n := 0
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCOUTQ) })
	if err != nil {
		return 0
	}
	return n
}

// close closes the connection as a client that died.
func (g *guest) close() {
	g.t.Helper()
	_ = g.conn.Close()
}

// linked waits until the client has a server connection.
func (g *guest) linked() {
	g.t.Helper()
	g.w.eventually("the client has a server connection", func() bool { return g.place() == clientLinked })
}

// waiting waits until the client waits for one.
func (g *guest) waiting() {
	g.t.Helper()
	g.w.eventually("the client waits", func() bool { return g.place() == clientWaiting })
}

// pinned waits until the client is pinned for these reasons, "" for none.
func (g *guest) pinned(reasons string) {
	g.t.Helper()
	g.w.eventually("the client is pinned for "+reasons, func() bool {
		pins := "gone"
		g.onLoop(func(c *client) {
			if c != nil && (c.server == nil || c.server.task == taskNone) {
				pins = c.tracker.Pins().String()
			}
		})
		return pins == reasons
	})
}

// place is where the client is; clientGone when its slot is empty.
func (g *guest) place() clientPlace {
	place := clientGone
	g.onLoop(func(c *client) {
		if c != nil {
			place = c.place
		}
	})
	return place
}

// onLoop calls f with the client, nil if it is gone, on its loop.
func (g *guest) onLoop(f func(c *client)) {
	g.t.Helper()
	index, slot, _ := g.w.keys.where(g.processID)
	g.w.onLoops(func(l *loop) {
		if l.index == index {
			f(l.slots.client(slot))
		}
	})
}

// call is a FunctionCall.
func call() []byte { return wire.AppendBody(nil, wire.FunctionCall, make([]byte, 10)) }
