package socket_test

import (
	"bytes"
	"fmt"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/socket"
)

// newBatch is a batch of the test's own thread.
func newBatch(t testing.TB, size int) *socket.Batch {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	b, err := socket.NewBatch(size)
	if err != nil {
		t.Skipf("no batches here: %v", err)
	}
	t.Cleanup(b.Close)
	return b
}

// pair is two connected sockets that never block.
func pair(t testing.TB) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _, _ = unix.Close(fds[0]), unix.Close(fds[1]) })
	return fds[0], fds[1]
}

// results runs a batch and shows what became of each operation.
func results(t testing.TB, b *socket.Batch) []string {
	t.Helper()
	var got []string
	err := b.Run(func(i, n int, errno syscall.Errno) {
		if i != len(got) {
			t.Errorf("result %d comes as number %d", i, len(got))
		}
		got = append(got, fmt.Sprintf("%d %v", n, error(errno)))
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestABatchSendsToManySockets(t *testing.T) {
	const sockets, rounds = 8, 1000 // the rings are gone round many times
	b := newBatch(t, sockets)
	var here, there [sockets]int
	for i := range here {
		here[i], there[i] = pair(t)
	}
	buf := make([]byte, 100)
	for round := range rounds {
		count := 1 + round%sockets
		for i := range count {
			b.Send(here[i], fmt.Appendf(nil, "round %d to %d", round, i))
		}
		if b.Len() != count {
			t.Fatalf("%d operations wait, want %d", b.Len(), count)
		}
		for i, got := range results(t, b) {
			want := fmt.Sprintf("round %d to %d", round, i)
			if got != fmt.Sprintf("%d errno 0", len(want)) {
				t.Fatalf("round %d, send %d: %s", round, i, got)
			}
			n, errno := socket.Receive(there[i], buf)
			if errno != 0 || string(buf[:n]) != want {
				t.Fatalf("received %q, %v, want %q", buf[:n], errno, want)
			}
		}
	}
}

// TestABatchSaysWhatASystemCallWouldSay: of a socket that is full, one that is broken, and one that is none, while
// others are served.
func TestABatchSaysWhatASystemCallWouldSay(t *testing.T) {
	b := newBatch(t, 8)
	full, _ := pair(t)
	for errno := syscall.Errno(0); errno == 0; {
		_, errno = socket.Send(full, make([]byte, 64<<10))
	}
	broken, _ := pair(t)
	if err := unix.Shutdown(broken, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	tight, other := pair(t)
	b.Send(full, []byte("x"))
	b.Send(broken, []byte("x"))
	b.Send(-1, []byte("x"))
	b.Send(tight, bytes.Repeat([]byte("x"), 8<<20))
	b.Receive(other, make([]byte, 10))
	got := results(t, b)
	want := []string{
		"0 resource temporarily unavailable", "0 broken pipe", "0 bad file descriptor", "", "10 errno 0",
	}
	for i := range want {
		if want[i] != "" && got[i] != want[i] {
			t.Errorf("operation %d: %s, want %s", i, got[i], want[i])
		}
	}
	var n int
	if _, err := fmt.Sscanf(got[3], "%d errno 0", &n); err != nil || n <= 0 || n >= 8<<20 {
		t.Errorf("a send of more than fits: %s", got[3])
	}
}

// BenchmarkSend compares batches with system calls: an operation is a send and a receive.
func BenchmarkSend(b *testing.B) {
	const sockets = 16
	for _, batched := range []bool{false, true} {
		b.Run(fmt.Sprintf("batched=%v", batched), func(b *testing.B) {
			batch := newBatch(b, sockets)
			var here, there [sockets]int
			for i := range here {
				here[i], there[i] = pair(b)
			}
			message, buf := make([]byte, 100), make([]byte, 4096)
			ignore := func(int, int, syscall.Errno) {}
			for n := 0; b.Loop(); n++ {
				i := n % sockets
				if batched {
					batch.Send(here[i], message)
				} else {
					_, _ = socket.Send(here[i], message)
				}
				if i != sockets-1 {
					continue
				}
				if batched {
					_ = batch.Run(ignore)
				}
				for _, fd := range there {
					_, _ = socket.Receive(fd, buf)
				}
			}
		})
	}
}
