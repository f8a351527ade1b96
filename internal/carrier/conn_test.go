package carrier

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestReadWouldBlockUntilThereAreBytes(t *testing.T) {
	t.Parallel()
	for _, network := range kinds {
		c, peer := pair(t, network)
		detach(t, c)
		p := make([]byte, 16)
		if n, err := c.Read(p); n != 0 || err != ErrWouldBlock {
			t.Fatalf("%s: Read = %d, %v, expected ErrWouldBlock", network, n, err)
		}
		if _, err := peer.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		got, err := readLoop(t, c, c, 5)
		if err != nil || string(got) != "hello" {
			t.Fatalf("%s: read %q, %v", network, got, err)
		}
	}
}

func TestEndOfStreamIsEOF(t *testing.T) {
	t.Parallel()
	c, peer := pair(t, "tcp")
	detach(t, c)
	peer.Close()
	if got, err := readLoop(t, c, c, 1); len(got) != 0 || err != io.EOF {
		t.Fatalf("read %q, %v, expected EOF", got, err)
	}
}

func TestDetachedDescriptorIsNonBlockingAndClosesOnExec(t *testing.T) {
	t.Parallel()
	c, _ := pair(t, "tcp")
	detach(t, c)
	status, err := unix.FcntlInt(uintptr(c.FD()), unix.F_GETFL, 0)
	if err != nil || status&unix.O_NONBLOCK == 0 {
		t.Errorf("status flags %#x, %v: blocking", status, err)
	}
	flags, err := unix.FcntlInt(uintptr(c.FD()), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("descriptor flags %#x, %v: survives exec", flags, err)
	}
}

func TestAddressesSurviveDetachAndClose(t *testing.T) {
	t.Parallel()
	c, peer := pair(t, "tcp")
	detach(t, c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if c.RemoteAddr().String() != peer.LocalAddr().String() ||
		c.LocalAddr().String() != peer.RemoteAddr().String() {
		t.Errorf("addresses %v, %v", c.LocalAddr(), c.RemoteAddr())
	}
}

func TestUnreadBytesComeFirstInBothModes(t *testing.T) {
	t.Parallel()
	c, peer := pair(t, "tcp")
	if _, err := peer.Write([]byte("cdef")); err != nil {
		t.Fatal(err)
	}
	early := []byte("b")
	c.Unread(early)
	early[0] = 'x' // Unread copies
	c.Unread([]byte("a"))
	p := make([]byte, 1)
	if n, err := c.Read(p); n != 1 || err != nil || p[0] != 'a' {
		t.Fatalf("Read = %d, %v, %q", n, err, p)
	}
	detach(t, c)
	if c.Buffered() != 1 {
		t.Fatalf("Buffered = %d, expected 1", c.Buffered())
	}
	got, err := readLoop(t, c, c, 5)
	if err != nil || string(got) != "bcdef" || c.Buffered() != 0 {
		t.Fatalf("read %q, %v, then %d buffered", got, err, c.Buffered())
	}
}

func TestDeadlineWorksUntilDetachAndIsIgnoredAfter(t *testing.T) {
	t.Parallel()
	c, _ := pair(t, "tcp")
	past := time.Now().Add(-time.Second)
	if err := c.SetReadDeadline(past); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read past the deadline: %v", err)
	}
	detach(t, c)
	if err := errors.Join(c.SetDeadline(past), c.SetReadDeadline(past), c.SetWriteDeadline(past)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Write([]byte("x")); n != 1 || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	if _, err := c.Read(make([]byte, 1)); err != ErrWouldBlock {
		t.Fatalf("read after Detach: %v", err)
	}
}

// fill writes until the socket takes no more, and returns everything that was written.
func fill(t *testing.T, c *Conn) []byte {
	t.Helper()
	var written []byte
	for i := 0; c.Pending() == 0; i++ {
		chunk := bytes.Repeat([]byte{byte(i)}, 64<<10)
		if n, err := c.Write(chunk); n != len(chunk) || err != nil {
			t.Fatalf("Write = %d, %v", n, err)
		}
		written = append(written, chunk...)
	}
	return written
}

func TestWriteToAFullSocketQueuesInOrder(t *testing.T) {
	t.Parallel()
	for _, network := range kinds {
		c, peer := pair(t, network)
		detach(t, c)
		written := fill(t, c)
		for _, s := range []string{"behind ", "the queue"} {
			before := c.Pending()
			if n, err := c.Write([]byte(s)); n != len(s) || err != nil || c.Pending() != before+len(s) {
				t.Fatalf("%s: Write = %d, %v, pending %d after %d", network, n, err, c.Pending(), before)
			}
			written = append(written, s...)
		}
		if done, err := c.Flush(); done || err != nil {
			t.Fatalf("%s: Flush = %v, %v on a full socket", network, done, err)
		}
		received := make(chan []byte, 1)
		go func() {
			all, _ := io.ReadAll(peer)
			received <- all
		}()
		flushLoop(t, c)
		if c.Pending() != 0 || c.queue.buffer != nil {
			t.Errorf("%s: %d bytes pending after Flush, buffer kept: %v", network, c.Pending(), c.queue.buffer != nil)
		}
		c.Close()
		if got := <-received; !bytes.Equal(got, written) {
			t.Errorf("%s: %d bytes arrived of %d, or in another order", network, len(got), len(written))
		}
	}
}

func TestWriteErrorStays(t *testing.T) {
	t.Parallel()
	c, peer := pair(t, "tcp")
	detach(t, c)
	if err := peer.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	peer.Close()
	await(t, c, unix.POLLHUP)
	_, first := c.Read(make([]byte, 1))
	if !errors.Is(first, unix.ECONNRESET) {
		t.Fatalf("read from a connection reset: %v", first)
	}
	if e, ok := c.opError("read", unix.ETIMEDOUT).(interface{ Temporary() bool }); ok && e.Temporary() {
		t.Errorf("a connection that timed out looks temporary: crypto/tls would go on with it")
	}
	for range 2 {
		if _, err := c.Write([]byte("x")); !errors.Is(err, unix.EPIPE) {
			t.Fatalf("write to a connection reset: %v", err)
		}
	}
	if done, err := c.Flush(); done || err == nil {
		t.Fatalf("Flush = %v, %v after an error", done, err)
	}
}

func TestQueueHasALimit(t *testing.T) {
	t.Parallel()
	c, _ := pair(t, "tcp")
	detach(t, c)
	fill(t, c)
	if _, err := c.Write(make([]byte, MaxPending)); err != ErrQueueFull {
		t.Fatalf("Write over the limit: %v", err)
	}
	if _, err := c.Write([]byte("x")); err != ErrQueueFull {
		t.Fatalf("Write after a hole in the stream: %v", err)
	}
}

func TestWakeSavesTheReadThatWouldFindNothing(t *testing.T) {
	t.Parallel()
	c, peer := pair(t, "tcp")
	detach(t, c)
	if _, err := peer.Write([]byte("one")); err != nil {
		t.Fatal(err)
	}
	await(t, c, unix.POLLIN)
	c.Wake(false)
	p := make([]byte, 16)
	if n, err := c.Read(p); n != 3 || err != nil {
		t.Fatalf("Read = %d, %v", n, err)
	}
	if _, err := peer.Write([]byte("two")); err != nil {
		t.Fatal(err)
	}
	await(t, c, unix.POLLIN)
	if _, err := c.Read(p); err != ErrWouldBlock {
		t.Fatalf("read after a short read: %v, expected ErrWouldBlock until Wake", err)
	}
	c.Wake(false)
	if n, err := c.Read(p); n != 3 || err != nil {
		t.Fatalf("Read after Wake = %d, %v", n, err)
	}
}

func TestClosedConnRefusesEverything(t *testing.T) {
	t.Parallel()
	c, _ := pair(t, "tcp")
	detach(t, c)
	fill(t, c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	_, readErr := c.Read(make([]byte, 1))
	_, writeErr := c.Write([]byte("x"))
	for _, err := range []error{readErr, writeErr, c.Close()} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v, expected net.ErrClosed", err)
		}
	}
	if c.FD() != -1 || c.Pending() != 0 {
		t.Errorf("FD = %d, Pending = %d after Close", c.FD(), c.Pending())
	}
}

func TestDetachNeedsADescriptor(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer b.Close()
	c := New(a)
	defer c.Close()
	if _, err := c.Detach(); err == nil || !strings.Contains(err.Error(), "has no descriptor") {
		t.Fatalf("Detach of a pipe: %v", err)
	}
	if c.Detached() {
		t.Error("a Detach that failed left goroutine mode")
	}
}
