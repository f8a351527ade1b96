package carrier

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// mode is what a Conn is in.
type mode uint8

const (
	accepted  mode = iota // goroutine mode that has not had to wait yet
	goroutine             // goroutine mode that waits by the runtime's poller
	loop
	closed
)

func (m mode) String() string { return [...]string{"accepted", "goroutine", "loop", "closed"}[m] }

// moves are the modes that may follow a mode.
var moves = [...][]mode{
	accepted:  {goroutine, loop, closed},
	goroutine: {loop, closed},
	loop:      {closed},
	closed:    {},
}

// become is the only place where the mode changes.
func (c *Conn) become(to mode, fd int, w waiter) {
	allowed := false
	for _, m := range moves[c.mode] {
		allowed = allowed || m == to
	}
	if !allowed {
		panic(fmt.Sprintf("bug: carrier goes from mode %v to mode %v", c.mode, to))
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.mode, c.fd, c.waiter = to, fd, w
}

// attach makes the descriptor of an accepted Conn one that the runtime's poller waits for.
func (c *Conn) attach() error {
	file := os.NewFile(uintptr(c.fd), "socket")
	c.become(goroutine, -1, file)
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if err := file.SetDeadline(c.deadline); err != nil {
		return fmt.Errorf("wait for socket: %w", err) // the poller did not take it
	}
	return nil
}

// Detach ends goroutine mode: from now on Read and Write are system calls on a descriptor. It still belongs
// to the Conn: Close closes it.
//
// A Conn that never had to wait keeps its descriptor. Any other takes one of its own, and closes what it
// waited by, and with it the registration with the runtime's poller. If there is no descriptor to be had
// (EMFILE), the Conn stays in goroutine mode and can still be written to.
func (c *Conn) Detach() (fd int, err error) {
	if c.mode == accepted {
		c.become(loop, c.fd, nil)
		return c.fd, nil
	}
	if c.mode != goroutine {
		panic(fmt.Sprintf("bug: Detach of a carrier in mode %v", c.mode))
	}
	sc, ok := c.waiter.(syscall.Conn)
	if !ok {
		return -1, fmt.Errorf("detach: %T has no descriptor", c.waiter)
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
	// The duplicate shares the file status flags, so it is non-blocking as everything the poller waits for is.
	// Closing the original closes no connection: it is not its last descriptor.
	w := c.waiter
	c.become(loop, fd, nil)
	_ = w.Close()
	return fd, nil
}

// Detached reports whether the Conn is in loop mode.
func (c *Conn) Detached() bool { return c.mode == loop }

// FD is the descriptor in loop mode, -1 otherwise.
func (c *Conn) FD() int {
	if c.mode != loop {
		return -1
	}
	return c.fd
}
