package socket_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/socket"
)

// TestASocketThatIsKept works as one that is not, is open until it is forgotten, and leaves its number to another.
func TestASocketThatIsKept(t *testing.T) {
	b := newBatch(t, 8)
	here, there := pair(t)
	buf := make([]byte, 10)
	exchange := func(what string) {
		t.Helper()
		b.Send(here, []byte("there"))
		if got := results(t, b); got[0] != "5 errno 0" {
			t.Fatalf("%s: send: %s", what, got[0])
		}
		if n, errno := socket.Receive(there, buf); errno != 0 || string(buf[:n]) != "there" {
			t.Fatalf("%s: received %q, %v", what, buf[:n], errno)
		}
		if _, errno := socket.Send(there, []byte("here")); errno != 0 {
			t.Fatal(errno)
		}
		b.Receive(here, buf)
		if got := results(t, b); got[0] != "4 errno 0" || string(buf[:4]) != "here" {
			t.Fatalf("%s: receive: %s %q", what, got[0], buf[:4])
		}
	}
	exchange("not kept")
	for range 3 {
		b.Keep(here)
		b.Keep(here)
		exchange("kept")
		b.Forget(here)
		b.Forget(here)
		exchange("forgotten")
	}
	b.Keep(here)
	b.Keep(-1)
	b.Keep(1 << 30)
	b.Forget(1 << 30)
	b.Forget(here)
	// Its number becomes another socket's.
	other, far := pair(t)
	if err := unix.Dup3(other, here, 0); err != nil {
		t.Fatal(err)
	}
	if n, errno := socket.Receive(there, buf); n != 0 || errno != 0 {
		t.Fatalf("what was forgotten and closed is open: %d, %v", n, errno)
	}
	there = far
	b.Keep(here)
	exchange("another")
	b.Forget(here)
}
