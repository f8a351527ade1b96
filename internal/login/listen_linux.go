package login

import (
	"fmt"

	"golang.org/x/sys/unix"
)

const keepIdle = unix.TCP_KEEPIDLE

// deferSeconds is how long a client that says nothing stays with the kernel: PgBouncer's tcp_defer_accept.
const deferSeconds = 45

// deferAccept makes the kernel keep a connection to itself until there is something to read from it.
func deferAccept(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, deferSeconds); err != nil {
		return fmt.Errorf("set TCP_DEFER_ACCEPT: %w", err)
	}
	return nil
}
