package socket

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestAcceptSaysWhoComes accepts at a bare descriptor, and expects the addresses that package net has for the two ends.
func TestAcceptSaysWhoComes(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) *net.UnixAddr { return &net.UnixAddr{Net: "unix", Name: name} }
	for _, test := range []struct {
		name, network, listen string
		from                  net.Addr // nil: the kernel chooses
	}{
		{name: "IPv4", network: "tcp", listen: "127.0.0.1:0"},
		{name: "IPv4 at the wildcard", network: "tcp4", listen: "0.0.0.0:0"},
		{name: "IPv6", network: "tcp", listen: "[::1]:0"},
		{name: "unix, unnamed", network: "unix", listen: filepath.Join(dir, "a")},
		{name: "unix, named", network: "unix", listen: filepath.Join(dir, "b"), from: at(filepath.Join(dir, "client"))},
		{name: "unix, abstract", network: "unix", listen: "@usher-test-b", from: at("@usher-test-client")},
	} {
		t.Run(test.name, func(t *testing.T) {
			listener, err := net.Listen(test.network, test.listen)
			if err != nil && test.name == "IPv6" {
				t.Skipf("a machine may be without: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			fd := bare(t, listener)
			if _, _, errno := Accept(fd); errno != syscall.EAGAIN {
				t.Fatalf("nobody is there: %v", errno)
			}
			dialer := net.Dialer{LocalAddr: test.from}
			client, err := dialer.Dial(test.network, listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			conn, from, errno := acceptSoon(t, fd)
			if errno != 0 {
				t.Fatal(errno)
			}
			defer unix.Close(conn)
			if nonblocking, err := unix.FcntlInt(uintptr(conn), unix.F_GETFL, 0); err != nil ||
				nonblocking&unix.O_NONBLOCK == 0 {
				t.Errorf("flags %#x, %v: expected a connection that never blocks", nonblocking, err)
			}
			if from.Network() != client.LocalAddr().Network() || from.String() != client.LocalAddr().String() {
				t.Errorf("from %v, expected %v", from, client.LocalAddr())
			}
			local, errno := Local(conn)
			if errno != 0 || local.String() != client.RemoteAddr().String() {
				t.Errorf("local %v (%v), expected %v", local, errno, client.RemoteAddr())
			}
		})
	}
}

// bare is a listener's descriptor.
func bare(t *testing.T, l net.Listener) int {
	t.Helper()
	file, err := l.(interface {
		SyscallConn() (syscall.RawConn, error)
	}).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var fd int
	if err := file.Control(func(s uintptr) { fd = int(s) }); err != nil {
		t.Fatal(err)
	}
	return fd
}

// acceptSoon waits for the client, whose connection is complete before the listener can tell.
func acceptSoon(t *testing.T, listener int) (fd int, from net.Addr, errno syscall.Errno) {
	t.Helper()
	poll := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
	if _, err := unix.Poll(poll, int((5*time.Second)/time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	return Accept(listener)
}

func TestAcceptAtWhatIsNoListener(t *testing.T) {
	if _, _, errno := Accept(-1); errno != syscall.EBADF {
		t.Errorf("accept: %v", errno)
	}
	if _, errno := Local(-1); errno != syscall.EBADF {
		t.Errorf("getsockname: %v", errno)
	}
}
