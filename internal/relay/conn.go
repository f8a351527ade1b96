package relay

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/reactor"
	"github.com/usher-pg/usher/internal/socket"
)

// conn is what a client and a server connection have in common: a descriptor on a loop, what of its input is still
// to be processed, and what of its output the descriptor did not take. An idle conn holds no buffer.
type conn struct {
	loop     *loop
	fd       int
	token    reactor.Token
	interest reactor.Interest
	secure   *secure // nil without TLS

	// stash is input read but not processed: a message not yet whole, or requests that wait for a server connection.
	stash []byte
	// left is how many bytes of the message under way are still to come; they go where its beginning went.
	left int
	// dropping: the bytes left are thrown away.
	dropping bool
	// unsent is output the descriptor did not take. As long as there is some, the other side is not read.
	unsent []byte
	sent   int // bytes of unsent that are gone

	fetched []byte // input of this turn, read together with that of others
	fetches uint8  // how often it was fetched, up to keptFrom
	bulk    bool   // much comes: it is not fetched
	partly  bool   // the last read may not have taken all there is
	ended   bool   // the other side sends no more: behind what is there is the end
	pauses  pause  // why it is not read
	filling uint32 // of the outbox with the last piece of its output, see outbox.holds
	lost    error  // why reading or writing failed; whoever sees it closes the conn
}

// pause is a set of reasons not to read a conn.
type pause uint8

const (
	pauseUnsent    pause = 1 << iota // the other side does not take what was read
	pauseStash                       // enough is read ahead
	pauseReplies                     // too many replies are outstanding
	pauseSuspended                   // SUSPEND
	pauseLeaving                     // a Terminate waits for the answers to what was asked before it
)

// secure is a connection's TLS: crypto/tls above a carrier that never blocks.
type secure struct {
	tls     *tls.Conn
	carrier *carrier.Conn
}

var errPeerClosed = errors.New("connection closed by the other side")

// stashMax is how much of a client that waits is read ahead; then it has to wait in its socket. Messages that must
// be whole may exceed it (see wholeMax).
const stashMax = 64 << 10

// watch begins to watch the descriptor.
func (c *conn) watch() error {
	if err := c.loop.reactor.Add(c.fd, c.token, reactor.Read|reactor.Once); err != nil {
		return err
	}
	c.interest = reactor.Read | reactor.Once
	return nil
}

// unwatch ends the watch. The descriptor stays open.
func (c *conn) unwatch() {
	c.loop.outbox.forget(c)
	_ = c.loop.reactor.Remove(c.fd, c.interest)
	c.interest = 0
}

// look brings what the descriptor is watched for up to date.
func (c *conn) look() {
	want := reactor.Once
	if c.pauses == 0 {
		want |= reactor.Read
	}
	if c.pending() > 0 {
		want |= reactor.Write
	}
	if want == c.interest || c.fd < 0 {
		return
	}
	if err := c.loop.reactor.Modify(c.fd, c.token, c.interest, want); err != nil {
		c.lost = fmt.Errorf("watch: %w", err)
		return
	}
	c.interest = want
}

func (c *conn) pause(why pause) {
	c.pauses |= why
	c.look()
}

func (c *conn) unpause(why pause) {
	if c.pauses&why == 0 {
		return
	}
	c.pauses &^= why
	c.look()
	c.lookInside()
}

// lookInside makes sure that what TLS has read already, and no poller reports, is looked at.
func (c *conn) lookInside() {
	if c.secure != nil && c.pauses == 0 && c.fd >= 0 {
		l, token := c.loop, c.token
		l.reactor.Post(func() { l.meet(token, reactor.Readable) })
	}
}

// woken notes that the poller has reported something to read.
func (c *conn) woken(event reactor.Event) {
	c.ended = c.ended || event&reactor.Hangup != 0
	if c.secure != nil {
		c.secure.carrier.Wake(c.ended)
	}
}

// readsOn reports whether the conn is to be read once more at once, after a read that said more. One that may have much
// more is read in the next turn, because the poller reports only what is new.
func (c *conn) readsOn(more bool) bool {
	switch {
	case c.fd < 0 || c.pauses != 0:
		return false
	case c.partly:
		c.loop.later = append(c.loop.later, c.token)
		return false
	}
	return more
}

// pending is how many bytes wait for the descriptor to take them.
func (c *conn) pending() int {
	if c.secure != nil {
		return c.secure.carrier.Pending()
	}
	return len(c.unsent) - c.sent
}

// reads reports whether the conn's input is to be processed: nothing speaks against it, or it has been read already.
func (c *conn) reads() bool { return c.pauses == 0 || len(c.fetched) > 0 }

// read reads once. The result holds what was stashed and what was read; it is valid until the next read on this
// loop, and settle must be told how much of it is done. more is true when there may be further input at once: TLS may
// hold some, or the end is near.
func (c *conn) read() (buf []byte, more bool, err error) {
	into := c.loop.scratch
	if len(c.stash) > 0 {
		c.stash = c.loop.chunks.grow(c.stash, readAhead)
		into = c.stash[len(c.stash):cap(c.stash)]
	}
	n, err := c.readInto(into)
	if n <= 0 || err != nil {
		return nil, false, err
	}
	if len(c.stash) > 0 {
		c.stash = c.stash[:len(c.stash)+n]
		return c.stash, c.secure != nil || c.ended, nil
	}
	return into[:n], c.secure != nil || c.ended, nil
}

// readAhead is the least room a read gets behind a stash.
const readAhead = 4 << 10

// readInto is one read: 0 and no error when there is nothing to read.
func (c *conn) readInto(b []byte) (int, error) {
	if c.secure != nil {
		n, err := c.secure.tls.Read(b)
		if n > 0 || errors.Is(err, carrier.ErrWouldBlock) {
			return n, nil
		}
		if err == io.EOF {
			return 0, errPeerClosed
		}
		return 0, err
	}
	if n := len(c.fetched); n > 0 {
		if copy(b, c.fetched) < n {
			panic("bug: less room for what was fetched than any read has")
		}
		c.fetched = nil
		c.partly = c.bulk
		return n, nil
	}
	for {
		n, errno := socket.Receive(c.fd, b)
		switch errno {
		case 0:
			if n == 0 {
				return 0, errPeerClosed
			}
			c.bulk, c.partly = n >= inboxPiece, n == len(b)
			return n, nil
		case syscall.EAGAIN:
			return 0, nil
		case syscall.EINTR:
		default:
			return 0, fmt.Errorf("read: %w", errno)
		}
	}
}

// settle notes that the first done bytes of buf, which read returned or which are the stash, are processed, and
// keeps the rest.
func (c *conn) settle(buf []byte, done int) {
	rest := buf[done:]
	stock := &c.loop.chunks
	switch {
	case len(c.stash) == 0: // buf is the scratch
		if len(rest) > 0 {
			c.stash = append(stock.get(len(rest)), rest...)
		}
	case len(rest) == 0:
		stock.put(c.stash)
		c.stash = nil
	case done > 0:
		c.stash = c.stash[:copy(c.stash, rest)]
	}
}

// write sends b, or as much as the descriptor takes, and keeps the rest. b is not kept.
func (c *conn) write(b []byte) {
	if c.lost != nil || len(b) == 0 {
		return
	}
	if c.secure != nil {
		if _, err := c.secure.tls.Write(b); err != nil {
			c.lost = err
			return
		}
		if c.secure.carrier.Pending() > 0 {
			c.look()
		}
		return
	}
	c.sendQueued() // what comes first is sent first
	if len(c.unsent) > 0 {
		c.unsent = c.loop.chunks.keep(c.unsent, b)
		return
	}
	if c.lost != nil || c.loop.outbox.add(c, b) {
		return
	}
	c.keep(b[c.writeNow(b):])
}

// sendQueued sends what the conn has in the loop's outbox.
func (c *conn) sendQueued() {
	if c.loop.outbox.holds(c) {
		c.loop.outbox.flush()
	}
}

// divert has what TLS sends go through the loop's outbox, too.
func (c *conn) divert() {
	c.secure.carrier.Divert(func(p []byte) bool {
		c.sendQueued()
		return c.secure.carrier.Pending() == 0 && c.lost == nil && c.loop.outbox.add(c, p)
	})
}

// undivert sends what the conn has in the loop's outbox, and lets nothing more go there: it is about to be closed.
func (c *conn) undivert() {
	c.sendQueued()
	if c.secure != nil {
		c.secure.carrier.Divert(nil)
	}
}

// keep keeps what the descriptor did not take of a write, unless it is broken.
func (c *conn) keep(rest []byte) {
	switch {
	case c.secure != nil:
		c.secure.carrier.Settle(rest, c.lost)
		c.look()
	case c.lost == nil && len(rest) > 0:
		c.unsent = append(c.loop.chunks.get(len(rest)), rest...)
		c.look()
	}
}

// writeNow is one write: how many bytes the descriptor took.
func (c *conn) writeNow(b []byte) int { return c.taken(socket.Send(c.fd, b)) }

// taken is how many bytes a send has taken. It notes why one has failed.
func (c *conn) taken(n int, errno syscall.Errno) int {
	switch errno {
	case 0:
		return n
	case syscall.EAGAIN, syscall.EINTR: // the poller says when to try again
	default:
		c.lost = fmt.Errorf("write: %w", errno)
	}
	return 0
}

// drain sends what is pending. It reports whether nothing is left.
func (c *conn) drain() bool {
	if c.secure != nil {
		done, err := c.secure.carrier.Flush()
		if err != nil {
			c.lost = err
		}
		if done {
			c.look()
		}
		return done
	}
	if len(c.unsent) > 0 {
		c.sent += c.writeNow(c.unsent[c.sent:])
		if c.sent < len(c.unsent) {
			return false
		}
		c.loop.chunks.put(c.unsent)
		c.unsent, c.sent = nil, 0
		c.look()
	}
	return true
}

// hangUp closes the descriptor.
func (c *conn) hangUp() {
	if c.fd < 0 {
		return
	}
	c.close()
	c.loop.chunks.put(c.stash)
	c.loop.chunks.put(c.unsent)
	c.stash, c.unsent, c.sent, c.left, c.fetched = nil, nil, 0, 0, nil
}

func (c *conn) close() {
	c.undivert()
	if c.interest != 0 { // closing ends the watch of the poller: nobody else has the descriptor
		c.loop.outbox.forget(c)
	}
	if c.secure != nil {
		_ = c.secure.tls.Close()
		_ = c.secure.carrier.Close()
	} else {
		_ = unix.Close(c.fd)
	}
	c.fd = -1
}
