package carrier

import (
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/socket"
)

// Accept is Accepted for the next client of a bare listener that never blocks, whatever interrupts it and whoever has
// left meanwhile. local is the address of all its clients, nil if each has its own. The error is EAGAIN when nobody is
// there.
func Accept(listener int, local net.Addr) (*Conn, error) {
	for {
		fd, from, errno := socket.Accept(listener)
		switch errno {
		case 0:
			return ofAccepted(fd, local, from)
		case unix.EINTR, unix.ECONNABORTED:
		default:
			return nil, os.NewSyscallError("accept4", errno)
		}
	}
}

func ofAccepted(fd int, local, from net.Addr) (*Conn, error) {
	if local == nil {
		var errno syscall.Errno
		if local, errno = socket.Local(fd); errno != 0 {
			_ = unix.Close(fd)
			return nil, os.NewSyscallError("getsockname", errno)
		}
	}
	return Accepted(fd, local, from), nil
}
