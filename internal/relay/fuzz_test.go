package relay

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/lanes"
	"github.com/usher-pg/usher/internal/wire"
)

// puppet is a server connection whose end the fuzzer holds.
type puppet struct {
	conn     net.Conn
	received int
}

// read takes what there is, without waiting for more.
func (p *puppet) read() {
	raw, err := p.conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(fd uintptr) bool {
		b := make([]byte, 4096)
		for {
			n, err := unix.Read(int(fd), b)
			if n <= 0 || err != nil {
				return true
			}
			p.received += n
		}
	})
}

// theatre is a world whose server is a puppet.
type theatre struct {
	*world
	mutex   sync.Mutex // guards what follows
	puppets []*puppet
	closed  error
}

func (y *theatre) dial(context.Context) (*Opened, error) {
	y.mutex.Lock()
	defer y.mutex.Unlock()
	if y.closed != nil {
		return nil, y.closed
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	p := &puppet{conn: theirs}
	y.puppets = append(y.puppets, p)
	return &Opened{
		Carrier: carrier.New(ours), ProcessID: uint32(len(y.puppets)), Parameters: reported(),
		Cancel: func(context.Context) error { return nil },
	}, nil
}

// latest is the server connection opened last; nil when there is none.
func (y *theatre) latest() *puppet {
	y.mutex.Lock()
	defer y.mutex.Unlock()
	if len(y.puppets) == 0 {
		return nil
	}
	return y.puppets[len(y.puppets)-1]
}

// openTheatre makes a world of one server connection.
func openTheatre(t *testing.T) *theatre {
	p := one()
	p.rules.Engine.RetryMin, p.rules.Engine.RetryMax = time.Millisecond, 2*time.Millisecond
	p.rules.Engine.Grace = time.Millisecond
	p.rules.Statements = 2
	y := &theatre{}
	p.dial = y.dial
	y.world = p.start(t)
	return y
}

// The acts of a fuzzer's program: each is a byte that says who acts, the length of what it sends, and that.
const (
	actFirst = iota // the first client sends
	actSecond
	actServer // the server connection opened last sends
	actCancel // the first client's cancel key is used
	actServerEnds
	actClientEnds
	acts
)

// actsMax keeps a program short enough for many to be tried.
const actsMax = 40

func act(who int, messages ...[]byte) []byte {
	var program []byte
	for all := join(messages...); ; {
		n := min(len(all), 255)
		program = append(append(program, byte(who), byte(n)), all[:n]...)
		if all = all[n:]; len(all) == 0 {
			return program
		}
	}
}

// FuzzRelay has two clients and a server send what they like, in any order. Nothing may panic, everything
// must fit together after each act, and a server connection without a client gets no byte that is not usher's
// own.
func FuzzRelay(f *testing.F) {
	row := join(wire.AppendRow(nil, [][]byte{[]byte("x")}), wire.AppendTag(nil, "SELECT 1"))
	ready, begun := wire.AppendReady(nil, 'I'), wire.AppendReady(nil, 'T')
	bound := join(empty(wire.ParseComplete), empty(wire.BindComplete))
	failed := wire.AppendError(nil, wire.ErrorResponse, wire.ErrorPart{Field: wire.FieldCode, Value: "22012"})
	copyIn := wire.AppendBody(nil, wire.CopyInResponse, []byte{0, 0, 0})
	for _, program := range [][]byte{
		join(act(actFirst, query("SELECT 1")), act(actServer, row, ready), act(actSecond, query("SELECT 2"))),
		join(act(actFirst, query("BEGIN")), act(actServer, wire.AppendTag(nil, "BEGIN"), begun), act(actClientEnds),
			act(actServer, wire.AppendTag(nil, "ROLLBACK"), ready), act(actSecond, query("SELECT 2"))),
		join(act(actFirst, parse("s", "SELECT 1"), batch("s")), act(actServer, bound, row, ready),
			act(actSecond, parse("t", "SELECT 1"), batch("t")), act(actServer, bound, row, ready)),
		join(act(actFirst, parse("", "SELECT 1"), endBatch()), act(actServer, empty(wire.ParseComplete), ready),
			act(actSecond, batch("")), act(actServer, failed, ready)),
		join(act(actFirst, query("COPY t FROM STDIN"), copyData("x")), act(actServer, copyIn, failed, ready),
			act(actFirst, copyData("y"), empty(wire.CopyDone), query("SELECT 1"))),
		join(act(actFirst, query("LISTEN c")), act(actServer, wire.AppendTag(nil, "LISTEN"), ready), act(actCancel),
			act(actServer, row, ready)),
		join(act(actFirst, query("DISCARD ALL")), act(actServer, wire.AppendTag(nil, "DISCARD ALL"), ready),
			act(actServerEnds), act(actFirst, query("SELECT 1"))),
		join(act(actFirst, parse("a", "DEALLOCATE s"), batch("a"), query("DEALLOCATE a")),
			act(actServer, failed, ready)),
		join(act(actFirst, []byte{'Q', 0, 0, 1, 0}), act(actSecond, empty(wire.Terminate)),
			act(actServer, []byte{'Z'})),
	} {
		f.Add(program)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		y := openTheatre(t)
		y.play(program)
		y.close()
	})
}

// play plays a program.
func (y *theatre) play(program []byte) {
	var guests []*guest
	for range 2 {
		g, err := y.trySeat(newcomer{
			params:   []wire.Param{{Name: "application_name", Value: "usher"}},
			protocol: wire.Version30, grant: lanes.Open,
		})
		if err != nil {
			y.t.Fatal(err)
		}
		guests = append(guests, g)
		go drainAll(g.conn)
	}
	for acted := 0; len(program) >= 2 && acted < actsMax; acted++ {
		who, n := int(program[0])%acts, min(int(program[1]), len(program)-2)
		sent := program[2 : 2+n]
		program = program[2+n:]
		before := y.look()
		y.act(guests, who, sent)
		after := y.look()
		if before.puppet == after.puppet && !before.inUse && !after.inUse && before.assigned == after.assigned &&
			after.received > before.received {
			y.t.Fatalf("act %d sent a server connection nobody had %d bytes", who, after.received-before.received)
		}
		y.consistent()
	}
}

func drainAll(conn net.Conn) {
	b := make([]byte, 4096)
	for {
		if _, err := conn.Read(b); err != nil {
			return
		}
	}
}

// act is one act.
func (y *theatre) act(guests []*guest, who int, sent []byte) {
	var conn net.Conn
	switch who {
	case actFirst, actSecond:
		conn = guests[who].conn
	case actServer:
		conn = y.latest().conn
	case actCancel:
		y.Cancel(context.Background(), guests[0].processID, guests[0].secret)
	case actServerEnds:
		_ = y.latest().conn.Close()
	case actClientEnds:
		_ = guests[0].conn.Close()
	}
	if conn != nil {
		_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)) // who is not read may stay on what it has
		_, _ = conn.Write(sent)
	}
	// The loop looks at its sockets between two letters.
	for range 3 {
		y.onLoops(func(*loop) {})
	}
}

// sight is what matters for who may be sent something.
type sight struct {
	puppet   *puppet
	received int
	inUse    bool // somebody has it, or usher itself
	assigned uint64
}

func (y *theatre) look() sight {
	v := sight{puppet: y.latest()}
	y.onLoops(func(l *loop) {
		v.assigned = l.counters(y.pool).Assignments
		l.slots.each(func(_ *client, s *server) { v.inUse = v.inUse || s != nil && s.place != serverIdle })
	})
	if v.puppet != nil {
		v.puppet.read()
		v.received = v.puppet.received
	}
	return v
}

// close ends everybody and holds that nothing is left.
func (y *theatre) close() {
	y.mutex.Lock()
	y.closed = errors.New("the theatre is closed")
	y.mutex.Unlock()
	for _, g := range y.guests {
		_ = g.conn.Close()
	}
	y.eventually("everything is gone", func() bool {
		y.mutex.Lock()
		for _, p := range y.puppets {
			_ = p.conn.Close()
		}
		y.mutex.Unlock()
		stat := y.pool.Stat()
		return y.seated.Load() == 0 && stat.Open+stat.Closing+stat.Opening == 0
	})
}
