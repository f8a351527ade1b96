package carrier

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/socket"
)

// ErrWouldBlock is what Read returns in loop mode when nothing can be read now.
var ErrWouldBlock net.Error = wouldBlockError{}

type wouldBlockError struct{}

func (wouldBlockError) Error() string   { return "read would block" }
func (wouldBlockError) Timeout() bool   { return true }
func (wouldBlockError) Temporary() bool { return true }

// Conn is a net.Conn that begins on a goroutine and ends in an event loop. See the package comment.
type Conn struct {
	mode   mode
	fd     int // -1 unless the mode is accepted or loop
	local  net.Addr
	remote net.Addr

	// mutex guards waiter and deadline. Only the owner changes waiter, so only Interrupt needs it to read it.
	mutex    sync.Mutex
	waiter   waiter    // in goroutine mode
	deadline time.Time // set last, for when there is a waiter

	early []byte // bytes given back with Unread, to be read first
	turn  Turn   // given up while waiting; nil: there is none

	take     func([]byte) bool // see Divert
	queue    queue             // what Write could not send, loop mode only
	writeErr error             // the first error of a write; a stream with a hole in it is over

	woken   bool // Wake is in use
	drained bool // a read since the last Wake was short: the socket has nothing more
}

// waiter is what can wait for a socket: a net.Conn, or an *os.File made of a descriptor.
type waiter interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// Turn is the right of a Conn's goroutine to compute. It is given up while the goroutine may have to wait.
type Turn interface {
	Give()
	Take() // waits until it is the goroutine's turn again
}

// Share makes a Conn in goroutine mode give up a turn, which its goroutine has, whenever it waits; nil ends that.
func (c *Conn) Share(turn Turn) { c.turn = turn }

// wait does what may have to wait.
func (c *Conn) wait(do func([]byte) (int, error), p []byte) (int, error) {
	if c.turn != nil {
		c.turn.Give()
		defer c.turn.Take()
	}
	return do(p)
}

// New is a Conn in goroutine mode over a TCP or unix connection, which it owns from now on.
func New(nc net.Conn) *Conn {
	return &Conn{mode: goroutine, waiter: nc, fd: -1, local: nc.LocalAddr(), remote: nc.RemoteAddr()}
}

// Accepted is a Conn in goroutine mode over a non-blocking descriptor, which it owns from now on.
func Accepted(fd int, local, remote net.Addr) *Conn {
	return &Conn{mode: accepted, fd: fd, local: local, remote: remote}
}

// Unread gives bytes back: the next reads return them first. b is copied.
func (c *Conn) Unread(b []byte) {
	if len(b) == 0 {
		return
	}
	early := make([]byte, 0, len(b)+len(c.early))
	c.early = append(append(early, b...), c.early...)
}

// Buffered is the number of bytes that Unread gave back and nobody has read yet. No poller reports them.
func (c *Conn) Buffered() int { return len(c.early) }

// Read reads into p. In loop mode it never blocks: it returns ErrWouldBlock when there is nothing to read.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		if len(c.early) == 0 {
			c.early = nil
		}
		return n, nil
	}
	if len(p) == 0 {
		return 0, nil
	}
	switch c.mode {
	case goroutine:
		return c.wait(c.waiter.Read, p)
	case accepted:
		return c.readAccepted(p)
	case closed:
		return 0, net.ErrClosed
	}
	if c.woken && c.drained {
		return 0, ErrWouldBlock
	}
	return c.readDescriptor(p)
}

func (c *Conn) readAccepted(p []byte) (int, error) {
	if c.late() {
		return 0, os.ErrDeadlineExceeded
	}
	n, err := c.readDescriptor(p)
	if err != ErrWouldBlock {
		return n, err
	}
	if err := c.attach(); err != nil {
		return 0, err
	}
	return c.wait(c.waiter.Read, p)
}

// ReadNow reads what is there from a Conn that was accepted and has not had to wait: it returns ErrWouldBlock when
// there is nothing.
func (c *Conn) ReadNow(p []byte) (int, error) {
	if c.mode != accepted || len(c.early) > 0 {
		panic("bug: ReadNow of a carrier that is in use")
	}
	return c.readDescriptor(p)
}

func (c *Conn) readDescriptor(p []byte) (int, error) {
	n, err := ignoringInterrupts(socket.Receive, c.fd, p)
	switch {
	case err == unix.EAGAIN:
		c.drained = true
		return 0, ErrWouldBlock
	case err != nil:
		return 0, c.opError("read", err)
	case n == 0:
		return 0, io.EOF
	}
	c.drained = n < len(p)
	return n, nil
}

// Wake says that a poller has reported the descriptor readable. A caller that uses it once uses it at every event: a
// read that got less than it asked for has emptied the socket, so the reads after it report ErrWouldBlock without
// asking the kernel, until the next Wake. It saves the reader of TLS records, who must read until ErrWouldBlock, one
// system call an event. ended says that the peer sends no more: then every read asks the kernel, so that the end is
// found.
func (c *Conn) Wake(ended bool) { c.woken, c.drained = !ended, false }

// Write writes p. In loop mode it neither blocks nor fails for want of room: what the socket does not take is
// queued, and Pending says how much that is. Bytes behind queued ones are queued too.
func (c *Conn) Write(p []byte) (int, error) {
	switch c.mode {
	case goroutine:
		return c.wait(c.waiter.Write, p)
	case closed:
		return 0, net.ErrClosed
	}
	if c.writeErr != nil {
		return 0, c.writeErr
	}
	sent := 0
	if c.queue.empty() && c.take != nil && c.take(p) {
		return len(p), nil
	}
	if c.queue.empty() && c.writeErr == nil {
		n, err := c.send(p)
		if err != nil {
			return n, err
		}
		sent = n
	}
	if c.mode == accepted && sent < len(p) {
		if err := c.attach(); err != nil {
			return sent, err
		}
		n, err := c.wait(c.waiter.Write, p[sent:])
		return sent + n, err
	}
	if err := c.queue.push(p[sent:]); err != nil {
		c.writeErr = err
		return sent, err
	}
	return len(p), nil
}

// Divert has everything Write is given offered to take first, as long as nothing is queued. What take accepts, and has
// to copy, somebody else sends, and calls Settle. nil ends it. It is for loop mode.
func (c *Conn) Divert(take func(p []byte) bool) { c.take = take }

// Settle notes what has become of bytes that were diverted: rest is what is left of them, err why no more can be sent.
func (c *Conn) Settle(rest []byte, err error) {
	if c.writeErr = err; err == nil {
		c.writeErr = c.queue.push(rest)
	}
}

// send writes as much of p as the socket takes.
func (c *Conn) send(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		n, err := ignoringInterrupts(socket.Send, c.fd, p[sent:])
		if err == unix.EAGAIN {
			break
		}
		if err != nil {
			c.writeErr = c.opError("write", err)
			return sent, c.writeErr
		}
		sent += n
	}
	return sent, nil
}

// Pending is the number of bytes queued for the socket. As long as it is not 0 the loop waits for the
// descriptor to be writable, calls Flush then, and reads nothing more whose answer would be written here.
func (c *Conn) Pending() int { return c.queue.len() }

// Flush sends queued bytes. done is true when none are left.
func (c *Conn) Flush() (done bool, err error) {
	if c.writeErr != nil {
		return false, c.writeErr
	}
	if c.queue.empty() {
		return true, nil
	}
	n, err := c.send(c.queue.bytes())
	c.queue.pop(n)
	return c.queue.empty(), err
}

// Close closes the connection. What is still queued is lost; what was unread is forgotten.
func (c *Conn) Close() error {
	c.early = nil
	c.queue.release()
	switch c.mode {
	case closed:
		return net.ErrClosed
	case goroutine:
		w := c.waiter
		c.become(closed, -1, nil)
		return w.Close()
	}
	fd := c.fd
	c.become(closed, -1, nil)
	return unix.Close(fd)
}

// LocalAddr is the address of this side.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the address of the other side.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// opError is deliberately no net.Error: ETIMEDOUT, by which keep-alive ends a connection, would count as
// temporary.
func (c *Conn) opError(op string, err error) error {
	return fmt.Errorf("%s %v: %w", op, c.remote, err)
}

func ignoringInterrupts(call func(int, []byte) (int, syscall.Errno), fd int, p []byte) (int, error) {
	for {
		switch n, errno := call(fd, p); errno {
		case 0:
			return n, nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
