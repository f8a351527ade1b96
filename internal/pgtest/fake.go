package pgtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	// fakePatience is how long a step of a script waits for its message.
	fakePatience = 30 * time.Second
	// maxFakeMessage bounds what a script reads as one message.
	maxFakeMessage = 64 << 20

	cancelRequestCode = 80877102 // "Message Formats" in PostgreSQL's manual, as are the next two
	sslRequestCode    = 80877103
	gssEncRequestCode = 80877104
)

// Fake is a scripted server: it does on every connection what its script says, message by message, for what a
// healthy PostgreSQL never does. A step that does not find what it expects fails the test.
type Fake struct {
	Addr string // host:port
	Host string
	Port int

	t        testing.TB
	listener net.Listener
	done     chan struct{} // closed when the test ends; frees stalled scripts
	playing  sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	conns   map[net.Conn]struct{}
	count   int
	cancels []pgproto3.CancelRequest
}

// Step is one line of a script.
type Step func(*Conversation) error

// Conversation is one connection to a Fake, as its steps see it.
type Conversation struct {
	Startup *pgproto3.StartupMessage // what the client asked for; set by ExpectStartup
	Last    Message                  // the last message read
	Number  int                      // the how-manieth connection this is, from 1

	fake *Fake
	conn net.Conn
}

// Message is a message of the client as it came.
type Message struct {
	Type byte
	Body []byte
}

// errFinished ends a script early without failing the test.
var errFinished = errors.New("the script is at its end")

// StartFake starts a scripted server. script returns the steps for the n-th connection, from 1; after the
// last step the connection is closed. Cancel requests are recorded and not counted.
func StartFake(t testing.TB, script func(n int) []Step) *Fake {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	f := &Fake{
		Addr: address.String(), Host: address.IP.String(), Port: address.Port,
		t: t, listener: listener, done: make(chan struct{}), conns: map[net.Conn]struct{}{},
	}
	f.playing.Go(func() { f.accept(script) })
	t.Cleanup(f.stop)
	return f
}

// Connections is how many connections have come so far, cancel requests not counted.
func (f *Fake) Connections() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// Cancels lists the cancel requests that have come so far.
func (f *Fake) Cancels() []pgproto3.CancelRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]pgproto3.CancelRequest(nil), f.cancels...)
}

// CloseListener makes further connections be refused; the present ones go on.
func (f *Fake) CloseListener() { _ = f.listener.Close() }

func (f *Fake) stop() {
	_ = f.listener.Close()
	close(f.done)
	f.mu.Lock()
	for conn := range f.conns {
		_ = conn.SetDeadline(time.Unix(1, 0)) // wakes a read or write without closing
	}
	f.mu.Unlock()
	f.playing.Wait()
}

func (f *Fake) accept(script func(int) []Step) {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return // the listener was closed
		}
		f.mu.Lock()
		f.conns[conn] = struct{}{}
		f.mu.Unlock()
		f.playing.Go(func() {
			defer f.forget(conn)
			f.play(conn, script)
		})
	}
}

func (f *Fake) forget(conn net.Conn) {
	_ = conn.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, conn)
}

func (f *Fake) play(conn net.Conn, script func(int) []Step) {
	c := &Conversation{fake: f, conn: conn}
	err := c.readStartup()
	if errors.Is(err, errFinished) || errors.Is(err, io.EOF) {
		return // a cancel request, or a connection that said nothing
	}
	if err == nil {
		f.mu.Lock()
		f.count++
		c.Number = f.count
		f.mu.Unlock()
		err = c.run(script(c.Number))
	}
	if err == nil || errors.Is(err, errFinished) || f.ended() {
		return
	}
	f.t.Errorf("fake server, connection %d: %v", c.Number, err)
}

func (f *Fake) ended() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

func (c *Conversation) run(steps []Step) error {
	for i, step := range steps {
		if err := step(c); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

// readStartup reads what every connection begins with. Requests for encryption are answered with a refusal.
func (c *Conversation) readStartup() error {
	for {
		body, err := c.readStartupBody()
		if err != nil {
			return err
		}
		switch binary.BigEndian.Uint32(body) {
		case sslRequestCode, gssEncRequestCode:
			if _, err := c.conn.Write([]byte{'N'}); err != nil {
				return fmt.Errorf("refuse encryption: %w", err)
			}
		case cancelRequestCode:
			var request pgproto3.CancelRequest
			if err := request.Decode(body); err != nil {
				return fmt.Errorf("read the cancel request: %w", err)
			}
			c.fake.mu.Lock()
			c.fake.cancels = append(c.fake.cancels, request)
			c.fake.mu.Unlock()
			return errFinished
		default:
			c.Startup = &pgproto3.StartupMessage{}
			if err := c.Startup.Decode(body); err != nil {
				return fmt.Errorf("read the startup message: %w", err)
			}
			return nil
		}
	}
}

func (c *Conversation) readStartupBody() ([]byte, error) {
	if err := c.limit(); err != nil {
		return nil, err
	}
	var header [4]byte
	if _, err := io.ReadFull(c.conn, header[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(header[:])
	if length < 8 || length > 10_000 {
		return nil, fmt.Errorf("startup packet of %d bytes", length)
	}
	body := make([]byte, length-4)
	if _, err := io.ReadFull(c.conn, body); err != nil {
		return nil, fmt.Errorf("read the startup packet: %w", err)
	}
	return body, nil
}

// limit gives the next read or write its deadline, unless the test is over.
func (c *Conversation) limit() error {
	c.fake.mu.Lock()
	defer c.fake.mu.Unlock()
	if c.fake.ended() {
		return errFinished
	}
	return c.conn.SetDeadline(time.Now().Add(fakePatience))
}

func (c *Conversation) readMessage() error {
	if err := c.limit(); err != nil {
		return err
	}
	var header [5]byte
	if _, err := io.ReadFull(c.conn, header[:]); err != nil {
		return err
	}
	length := binary.BigEndian.Uint32(header[1:])
	if length < 4 || length > maxFakeMessage {
		return fmt.Errorf("message %q of %d bytes", header[0], length)
	}
	c.Last = Message{Type: header[0], Body: make([]byte, length-4)}
	if _, err := io.ReadFull(c.conn, c.Last.Body); err != nil {
		return fmt.Errorf("read message %q: %w", header[0], err)
	}
	return nil
}

// write sends bytes. A peer that has gone is no failure of the script: it may be what the test is about.
func (c *Conversation) write(content []byte) error {
	if err := c.limit(); err != nil {
		return err
	}
	if _, err := c.conn.Write(content); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("send %d bytes: %w", len(content), err)
		}
		return errFinished
	}
	return nil
}
