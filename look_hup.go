//go:build unix && !linux

package usher

import "golang.org/x/sys/unix"

// hangUp is what poll says when both directions are shut. A server that has closed its own only is noisy.
const hangUp = unix.POLLHUP | unix.POLLERR
