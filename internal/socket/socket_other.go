//go:build !linux

package socket

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// Receive reads once: 0 and no error at the end of the stream, EAGAIN when nothing is there.
func Receive(fd int, b []byte) (int, syscall.Errno) {
	n, err := unix.Read(fd, b)
	return n, errnoOf(err)
}

// Send writes once, and says how much the socket took.
func Send(fd int, b []byte) (int, syscall.Errno) {
	n, err := unix.Write(fd, b)
	return n, errnoOf(err)
}

func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if err != nil && !errors.As(err, &errno) {
		return syscall.EIO
	}
	return errno
}
