//go:build unix

package usher

import "golang.org/x/sys/unix"

// look asks poll what a socket has.
func look(fd uintptr) sight {
	set := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | hangUp}}
	for {
		n, err := unix.Poll(set[:], 0)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return unseen
		case n == 0:
			return quiet
		case set[0].Revents&hangUp != 0:
			return gone
		default:
			return noisy
		}
	}
}
