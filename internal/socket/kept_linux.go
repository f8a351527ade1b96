package socket

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// From linux/io_uring.h.
const (
	featBundles        = 1 << 14 // of Linux 6.10; there, a socket that is forgotten is let go at once
	registerUpdate     = 6
	registerFiles      = 13
	registerSparse     = 1 << 0
	entryFixedFile     = 1 << 0
	mostKept           = 32 << 10 // 256 kB of the kernel's memory; sockets with higher numbers are not kept
	registerFilesBytes = unsafe.Sizeof(tableOfFiles{})
)

// tableOfFiles is struct io_uring_rsrc_register.
type tableOfFiles struct {
	count, flags         uint32
	reserved, data, tags uint64
}

// filesUpdate is struct io_uring_files_update.
type filesUpdate struct {
	offset, reserved uint32
	fds              uint64
}

// makeTable makes room for sockets that are kept. Where it cannot, none are.
func (b *Batch) makeTable(features uint32) {
	var limit unix.Rlimit
	if features&featBundles == 0 || unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return
	}
	table := tableOfFiles{count: uint32(min(limit.Cur, mostKept)), flags: registerSparse}
	if b.register(registerFiles, unsafe.Pointer(&table), registerFilesBytes) == 0 {
		b.kept = make([]bool, table.count)
	}
}

// Keep makes the operations of a socket cheaper: the kernel need not look it up, nor count who uses it, each time. With
// thousands of sockets that is memory which is in no cache: 0.95 times the CPU of a transaction with 9,000 clients. It
// stays open, for its peer too, until Forget, which has to come before it is closed. Both belong to the thread of the
// batch.
func (b *Batch) Keep(fd int) {
	if fd >= 0 && fd < len(b.kept) && !b.kept[fd] {
		b.kept[fd] = b.update(fd, int32(fd)) == 0
	}
}

// Forget ends Keep, if there was one.
func (b *Batch) Forget(fd int) {
	if b.isKept(fd) {
		b.kept[fd] = false
		b.update(fd, -1)
	}
}

func (b *Batch) isKept(fd int) bool { return fd >= 0 && fd < len(b.kept) && b.kept[fd] }

// update puts a descriptor, or with -1 none, where the number of the socket says.
func (b *Batch) update(fd int, to int32) syscall.Errno {
	b.keeping = to // in b, which does not move
	u := filesUpdate{offset: uint32(fd), fds: uint64(uintptr(unsafe.Pointer(&b.keeping)))}
	return b.register(registerUpdate, unsafe.Pointer(&u), 1)
}

func (b *Batch) register(what uintptr, argument unsafe.Pointer, count uintptr) syscall.Errno {
	_, _, errno := syscall.RawSyscall6(unix.SYS_IO_URING_REGISTER, uintptr(b.ring), what, uintptr(argument), count, 0, 0)
	return errno
}
