package relay

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/wire"
)

// held is the memory that clients and server connections hold for bytes under way.
func (w *world) held() (stash, unsent int) {
	w.t.Helper()
	w.onLoops(func(l *loop) {
		l.slots.each(func(c *client, s *server) {
			var held *conn
			if c != nil {
				held = &c.conn
			} else {
				held = &s.conn
			}
			stash, unsent = max(stash, cap(held.stash)), max(unsent, cap(held.unsent))
		})
	})
	return stash, unsent
}

// heldMax is what a conn may hold of a stream that nobody wants to be whole: what one read gives, twice.
const heldMax = 2 * chunkLargest

// watch looks at what is held until the result is called, which fails if it was too much.
func (w *world) watch() (end func()) {
	stop, ended := make(chan struct{}), make(chan struct{})
	mostStash, mostUnsent := 0, 0
	go func() {
		defer close(ended)
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for {
			stash, unsent := w.held()
			mostStash, mostUnsent = max(mostStash, stash), max(mostUnsent, unsent)
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
		}
	}()
	return func() {
		w.t.Helper()
		close(stop)
		<-ended
		if mostStash > heldMax || mostUnsent > heldMax {
			w.t.Errorf("a conn held %d bytes of input and %d of output, expected %d at most",
				mostStash, mostUnsent, heldMax)
		}
	}
}

const huge = 4 << 20

// allocated is how many bytes f allocates, all goroutines together. Tests that use it do not run in parallel.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// TestAHugeMessageStreamsThrough sends one of 4 MB in both directions, through a server that does not look at
// it.
func TestAHugeMessageStreamsThrough(t *testing.T) {
	w, server := echoWorld(t)
	g := w.seatWith("application_name", "usher") // as the server connection: nothing needs to be set
	rows := join(wire.AppendRow(nil, [][]byte{make([]byte, huge)}), wire.AppendReady(nil, wire.StatusIdle))
	result := join(wire.AppendBody(nil, wire.FunctionCallResponse, make([]byte, huge)),
		wire.AppendReady(nil, wire.StatusIdle))
	large := wire.AppendBind(nil, nil, "", make([]byte, huge))
	for _, c := range []struct {
		name            string
		message, answer []byte
	}{
		{"FunctionCall", wire.AppendBody(nil, wire.FunctionCall, make([]byte, huge)), result},
		{"Bind", join(parse("", "SELECT 1"), large, execute(""), endBatch()),
			join(empty(wire.ParseComplete), empty(wire.BindComplete), rows[:len(rows)-6],
				wire.AppendTag(nil, "SELECT 1"), rows[len(rows)-6:])},
	} {
		server.expect(len(c.message), c.answer, 1)
		got := make([]byte, len(c.answer))
		end := w.watch()
		size := allocated(func() {
			sent := make(chan error, 1)
			go func() {
				_, err := g.conn.Write(c.message)
				sent <- err
			}()
			if _, err := io.ReadFull(g.conn, got); err != nil {
				t.Fatalf("%s: %v\n%s", c.name, err, w.state())
			}
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
		})
		end()
		if !bytes.Equal(got, c.answer) {
			t.Errorf("%s: the answer was changed on its way", c.name)
		}
		if size > 2<<20 {
			t.Errorf("%s: %d bytes were allocated for 8 MB under way", c.name, size)
		}
	}
}

func TestAHugeQueryStreamsThrough(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	g := w.seatWith("application_name", "usher") // as the server connection: nothing needs to be set
	end := w.watch()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		g.send(query("SELECT '" + strings.Repeat("x", huge) + "'"))
	}()
	g.want("T D(4194304_bytes) C(SELECT_1) Z(I)")
	<-sent
	end()
}

func TestAClientThatDoesNotReadStopsItsServer(t *testing.T) {
	t.Parallel()
	w := of(2).start(t)
	a, b := w.seat(), w.seat()
	end := w.watch()
	a.send(query("SELECT big 4000 4000"))
	w.eventually("the server is not read any more", func() bool {
		paused := false
		a.onLoop(func(c *client) { paused = c.server != nil && c.server.pauses&pauseUnsent != 0 })
		return paused
	})
	for range 20 {
		b.ask("T D(b) C(SELECT_1) Z(I)", query("SELECT 'b'")) // others do not notice
	}
	a.want("T")
	for range 4000 {
		a.want("D(4000_bytes)")
	}
	a.want("C(SELECT_4000) Z(I)")
	end()
}

func TestAServerThatDoesNotReadStopsItsClient(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	deaf := make(chan struct{})
	w.toy.setBefore(func(s *toySession, text string) {
		if text == "SELECT 'deaf'" {
			s.waitFor(deaf)
		}
	})
	a := w.seat()
	end := w.watch()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		a.send(query("SELECT 'deaf'"), bytes.Repeat(query("SELECT '"+strings.Repeat("x", 8000)+"'"), 500))
	}()
	w.eventually("the client is not read any more", func() bool {
		paused := false
		a.onLoop(func(c *client) { paused = c.pauses&pauseUnsent != 0 })
		return paused
	})
	select {
	case <-sent:
		t.Error("4 MB were taken for a server that takes nothing")
	default:
	}
	close(deaf)
	a.want("T D(deaf) C(SELECT_1) Z(I)")
	for range 500 {
		a.want("T D(8000_bytes) C(SELECT_1) Z(I)")
	}
	<-sent
	end()
}

// TestBothDirectionsMayBeFullAtOnce has a client that sends without reading while results stream to it:
// neither may wait for the other for ever (PgBouncer and others have had this deadlock).
func TestBothDirectionsMayBeFullAtOnce(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a := w.seat()
	end := w.watch()
	const n = 300
	text := "SELECT big 3 4000 " + strings.Repeat("x", 8000)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for range n {
			a.send(query(text))
		}
	}()
	w.eventually("the client is not read any more", func() bool {
		full := false
		a.onLoop(func(c *client) { full = c.pauses != 0 && c.server != nil && c.server.pauses != 0 })
		return full
	})
	for range n {
		a.want("T D(4000_bytes) D(4000_bytes) D(4000_bytes) C(SELECT_3) Z(I)")
	}
	<-sent
	end()
}

// TestOnlySoMuchIsReadAhead has a client send while it has to wait: for a server connection, for usher to
// bring its session along, for the question about the session's state.
func TestOnlySoMuchIsReadAhead(t *testing.T) {
	t.Parallel()
	much := bytes.Repeat(query("SELECT '"+strings.Repeat("x", 8000)+"'"), 500)
	for name, begin := range map[string]func(w *world) (g *guest, goOn func()){
		"for a server connection": func(w *world) (*guest, func()) {
			other := w.seat()
			other.ask("C(BEGIN) Z(T)", query("BEGIN"))
			return w.seat(), func() { other.ask("C(COMMIT) Z(I)", query("COMMIT")) }
		},
		"for its settings": func(w *world) (*guest, func()) {
			return w.seatWith("TimeZone", "Asia/Tokyo"), w.stallOn(`SET "`)
		},
		"for a probe": func(w *world) (*guest, func()) {
			goOn := w.stallOn("SELECT (SELECT")
			g := w.seat()
			g.ask("C(LISTEN) Z(I)", query("LISTEN c"))
			return g, goOn
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := one().start(t)
			g, goOn := begin(w)
			end := w.watch()
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				g.send(much)
			}()
			w.eventually("the client is not read any more", func() bool {
				full := false
				g.onLoop(func(c *client) { full = c.pauses != 0 })
				select {
				case <-sent:
					return true
				default:
					return full
				}
			})
			goOn()
			for range 500 {
				g.want("T D(8000_bytes) C(SELECT_1) Z(I)")
			}
			<-sent
			end()
		})
	}
}

// stallOn makes the server wait before a statement with this text until the result is called.
func (w *world) stallOn(text string) (goOn func()) {
	gate := make(chan struct{})
	w.toy.setBefore(func(s *toySession, statement string) {
		if strings.Contains(statement, text) {
			s.waitFor(gate)
		}
	})
	return func() { close(gate) }
}
