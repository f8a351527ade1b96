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
	var fd int
	var from unix.Sockaddr
	var failed error
	err := d.raw.Read(func(listener uintptr) bool {
		fd, from, failed = acceptAt(int(listener))
		return failed != unix.EAGAIN
	})
	if err == nil && failed != nil {
		err = os.NewSyscallError("accept4", failed)
	}
	if err != nil {
		return nil, err
	}
	return d.accepted(fd, from)
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
func (d *direct) acceptNow() (*carrier.Conn, error) {
	fd, from, err := acceptAt(d.fd)
	if err != nil {
		return nil, os.NewSyscallError("accept4", err)
	}
	return d.accepted(fd, from)
}

// acceptAt accepts once, whatever interrupts it and whoever has left meanwhile.
func acceptAt(listener int) (fd int, from unix.Sockaddr, err error) {
	for {
		fd, from, err = unix.Accept4(listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != unix.EINTR && err != unix.ECONNABORTED {
			return fd, from, err
		}
	}
}

func (d *direct) accepted(fd int, from unix.Sockaddr) (*carrier.Conn, error) {
	local := d.local
	if local == nil {
		own, err := unix.Getsockname(fd)
		if err != nil {
			_ = unix.Close(fd)
			return nil, fmt.Errorf("accepted connection: %w", err)
		}
		local = address(own)
	}
	return carrier.Accepted(fd, local, address(from)), nil
}

// address makes an address of package net.
func address(s unix.Sockaddr) net.Addr {
	switch s := s.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: net.IP(s.Addr[:]), Port: s.Port}
	case *unix.SockaddrInet6:
		a := &net.TCPAddr{IP: net.IP(s.Addr[:]), Port: s.Port}
		if s.ZoneId != 0 {
			if i, err := net.InterfaceByIndex(int(s.ZoneId)); err == nil {
				a.Zone = i.Name
			}
		}
		return a
	case *unix.SockaddrUnix:
		return &net.UnixAddr{Net: "unix", Name: s.Name}
	}
	return &net.UnixAddr{Net: "unix"}
}
