package socket

import (
	"syscall"
	"unsafe"
)

// Reading and writing sockets that never block needs no word to Go's scheduler, which an ordinary system call gives
// twice. And recv and send do not pass through the file layer as read and write do, which in a process of several
// threads counts references with atomic instructions and checks the file's position. Together: 6 % of the CPU of a
// transaction.

// Receive reads once: 0 and no error at the end of the stream, EAGAIN when nothing is there.
func Receive(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
	return int(n), errno
}

// Send writes once, and says how much the socket took.
func Send(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), syscall.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}
