//go:build !linux

package relay

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

func readSocket(fd int, b []byte) (int, syscall.Errno) {
	n, err := unix.Read(fd, b)
	return n, errnoOf(err)
}

func writeSocket(fd int, b []byte) (int, syscall.Errno) {
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
