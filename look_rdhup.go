//go:build linux

package usher

import "golang.org/x/sys/unix"

// hangUp is what poll says when the server will send no more, whatever is still to be read.
const hangUp = unix.POLLRDHUP | unix.POLLHUP | unix.POLLERR
