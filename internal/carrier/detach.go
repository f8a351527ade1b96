package carrier

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Detach ends goroutine mode: it takes a descriptor of its own and closes the net.Conn, and with it its
// registration with the runtime's poller. The descriptor still belongs to the Conn: Close closes it.
//
// If there is no descriptor to be had (EMFILE), the Conn stays in goroutine mode and can still be written to.
func (c *Conn) Detach() (fd int, err error) {
	if c.nc == nil {
		panic("bug: carrier detached twice")
	}
	sc, ok := c.nc.(syscall.Conn)
	if !ok {
		return -1, fmt.Errorf("detach: %T has no descriptor", c.nc)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("detach: %w", err)
	}
	var dupErr error
	err = raw.Control(func(s uintptr) { fd, dupErr = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) })
	if err == nil {
		err = dupErr
	}
	if err != nil {
		return -1, fmt.Errorf("detach: duplicate the descriptor: %w", err)
	}
	// The duplicate shares the file status flags, so it is non-blocking as everything from package net is.
	// Closing the original closes no connection: it is not its last descriptor.
	_ = c.nc.Close()
	c.nc, c.fd = nil, fd
	return fd, nil
}

// Detached reports whether the Conn is in loop mode.
func (c *Conn) Detached() bool { return c.nc == nil }

// FD is the descriptor in loop mode, -1 otherwise.
func (c *Conn) FD() int { return c.fd }
