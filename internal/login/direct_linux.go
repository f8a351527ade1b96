package login

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/carrier"
)

// direct accepts without package net, which would register each client with the runtime's poller, and ask the
// kernel for its addresses. A client that has said all it must by the time it is accepted never waits, and
// needs none of it: a trusted login costs 57 µs of CPU instead of 106 (BenchmarkLogin/trust; workers used
// again are a part of that).
type direct struct {
	file  *os.File // a duplicate of the listener's descriptor: a listener lets nobody wait by it
	raw   syscall.RawConn
	fd    int      // when it is bare
	path  string   // of a unix socket that is to be removed, when it is bare
	local net.Addr // of all its clients; nil if each has its own
}

// newDirect is nil for listeners that are no sockets, and when there is no descriptor to be had.
func newDirect(l net.Listener) *direct {
	sockets, ok := l.(interface{ File() (*os.File, error) })
	if !ok {
		return nil
	}
	file, err := sockets.File()
	if err != nil {
		return nil
	}
	d := &direct{file: file, local: l.Addr()}
	if d.raw, err = file.SyscallConn(); err != nil {
		_ = file.Close()
		return nil
	}
	if tcp, ok := d.local.(*net.TCPAddr); ok {
		if tcp.IP.IsUnspecified() {
			d.local = nil
		}
		// Accepted connections inherit it.
		err := d.raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		})
		if err != nil {
			_ = file.Close()
			return nil
		}
	}
	return d
}

func (d *direct) accept() (*carrier.Conn, error) {
	var c *carrier.Conn
	var failed error
	err := d.raw.Read(func(listener uintptr) bool {
		c, failed = carrier.Accept(int(listener), d.local)
		return !errors.Is(failed, unix.EAGAIN)
	})
	if err != nil {
		return nil, err
	}
	return c, failed
}

// strip takes the listener from the runtime's poller, which would wake a thread for each client: from now on the
// descriptor is bare, and a loop waits for it.
func (d *direct) strip(l net.Listener) error {
	var failed error
	err := d.raw.Control(func(fd uintptr) { d.fd, failed = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("duplicate the listener's descriptor: %w", err)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
		if name := u.Addr().String(); !strings.HasPrefix(name, "@") {
			d.path = name
		}
	}
	_ = errors.Join(d.file.Close(), l.Close())
	d.file = nil
	return nil
}

func (d *direct) close() {
	if d.file != nil {
		_ = d.file.Close()
		return
	}
	_ = unix.Close(d.fd)
	if d.path != "" {
		_ = os.Remove(d.path)
	}
}

// acceptNow is accept of a bare descriptor, without waiting: its error is EAGAIN when nobody is there.
func (d *direct) acceptNow() (*carrier.Conn, error) { return carrier.Accept(d.fd, d.local) }
