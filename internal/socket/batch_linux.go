package socket

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Batch does several sends or receives in one system call, by io_uring. It belongs to the thread that made it.
type Batch struct {
	ring    int
	memory  []byte // the rings
	second  []byte // the entries
	entries []sqe

	tail     *uint32 // of the submissions, ours
	mask     uint32
	done     *uint32 // of the completions, the kernel's
	seen     *uint32 // of the completions, ours
	doneMask uint32
	results  []cqe

	kept    []bool // by the number of the socket
	keeping int32

	count int
	out   []int32
}

// sqe is struct io_uring_sqe, as far as sends and receives need it.
type sqe struct {
	opcode   uint8
	flags    uint8
	priority uint16
	fd       int32
	offset   uint64
	address  uint64
	length   uint32
	message  uint32 // MSG_ flags
	user     uint64
	_        [3]uint64
}

// cqe is struct io_uring_cqe.
type cqe struct {
	user   uint64
	result int32
	flags  uint32
}

// params is struct io_uring_params.
type params struct {
	entries, completions, flags, cpu, idle, features, queue uint32
	_                                                       [3]uint32
	sq                                                      struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		address                                             uint64
	}
	cq struct {
		head, tail, mask, entries, overflow, cqes, flags, _ uint32
		address                                             uint64
	}
}

// From linux/io_uring.h.
const (
	setupSingleIssuer = 1 << 12
	setupDeferTaskrun = 1 << 13
	featSingleMmap    = 1 << 0
	enterGetEvents    = 1 << 0
	offsetRings       = 0
	offsetEntries     = 0x10000000
	opSend            = 26
	opReceive         = 27
)

// NewBatch makes room for size operations, a power of two. It fails where the kernel is older than 5.6, and where
// io_uring is forbidden, as in many containers.
func NewBatch(size int) (*Batch, error) {
	// The flags, which the kernel knows from 6.1 on, promise what is true anyway, and save it some work.
	ring, p, err := setup(size, setupSingleIssuer|setupDeferTaskrun)
	if errors.Is(err, unix.EINVAL) {
		ring, p, err = setup(size, 0)
	}
	if err != nil {
		return nil, err
	}
	b := &Batch{ring: ring, out: make([]int32, size)}
	if err := b.mapRings(p); err != nil {
		b.Close()
		return nil, err
	}
	b.makeTable(p.features)
	return b, nil
}

func setup(size int, flags uint32) (ring int, p *params, err error) {
	p = &params{flags: flags}
	fd, _, errno := syscall.Syscall(unix.SYS_IO_URING_SETUP, uintptr(size), uintptr(unsafe.Pointer(p)), 0)
	if errno != 0 {
		return 0, nil, fmt.Errorf("io_uring_setup: %w", errno)
	}
	return int(fd), p, nil
}

func (b *Batch) mapRings(p *params) error {
	if p.features&featSingleMmap == 0 {
		return fmt.Errorf("io_uring: %w", unix.ENOSYS)
	}
	length := max(p.sq.array+p.entries*4, p.cq.cqes+p.completions*uint32(unsafe.Sizeof(cqe{})))
	var err error
	b.memory, err = unix.Mmap(b.ring, offsetRings, int(length), unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return fmt.Errorf("io_uring: map the rings: %w", err)
	}
	b.second, err = unix.Mmap(b.ring, offsetEntries, int(p.entries)*int(unsafe.Sizeof(sqe{})),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return fmt.Errorf("io_uring: map the entries: %w", err)
	}
	b.entries = unsafe.Slice((*sqe)(unsafe.Pointer(&b.second[0])), p.entries)
	at := func(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&b.memory[offset])) }
	b.tail, b.mask = at(p.sq.tail), *at(p.sq.mask)
	b.seen, b.done, b.doneMask = at(p.cq.head), at(p.cq.tail), *at(p.cq.mask)
	b.results = unsafe.Slice((*cqe)(unsafe.Pointer(&b.memory[p.cq.cqes])), p.completions)
	for i := range p.entries {
		*at(p.sq.array + 4*i) = i
	}
	return nil
}

// Len is how many operations wait for Run.
func (b *Batch) Len() int { return b.count }

// Send adds a send. p must stay as it is until Run.
func (b *Batch) Send(fd int, p []byte) { b.add(opSend, fd, p, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT) }

// Receive adds a receive.
func (b *Batch) Receive(fd int, p []byte) { b.add(opReceive, fd, p, unix.MSG_DONTWAIT) }

func (b *Batch) add(opcode uint8, fd int, p []byte, flags uint32) {
	i := (*b.tail + uint32(b.count)) & b.mask
	how := uint8(0)
	if b.isKept(fd) {
		how = entryFixedFile
	}
	b.entries[i] = sqe{
		opcode: opcode, flags: how, fd: int32(fd), address: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(p)))),
		length: uint32(len(p)), message: flags, user: uint64(b.count),
	}
	b.count++
}

// Run carries out what was added. result is called for each, in their order, with what the system call would have
// returned; EINTR and EAGAIN mean that nothing was done. After an error the batch is of no use any more, but result has
// been called for all: with EAGAIN for those that were not carried out.
func (b *Batch) Run(result func(i, n int, errno syscall.Errno)) error {
	n := b.count
	b.count = 0
	err := b.enter(n)
	for i, r := range b.out[:n] {
		if r < 0 {
			result(i, 0, syscall.Errno(-r))
		} else {
			result(i, int(r), 0)
		}
	}
	return err
}

// enter hands n entries to the kernel, and collects their results in out.
func (b *Batch) enter(n int) error {
	for i := range n {
		b.out[i] = -int32(unix.EAGAIN)
	}
	atomic.StoreUint32(b.tail, *b.tail+uint32(n))
	submit, wait := n, n
	for wait > 0 {
		taken, _, errno := syscall.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(b.ring), uintptr(submit),
			uintptr(wait), enterGetEvents, 0, 0)
		switch errno {
		case 0:
			submit -= int(taken)
		case unix.EINTR:
		default:
			return fmt.Errorf("io_uring_enter: %w", errno)
		}
		head, tail := *b.seen, atomic.LoadUint32(b.done)
		for ; head != tail; head++ {
			c := &b.results[head&b.doneMask]
			b.out[c.user] = c.result
			wait--
		}
		atomic.StoreUint32(b.seen, head)
	}
	return nil
}

// Close ends the batch. What was added and not carried out is not.
func (b *Batch) Close() {
	_ = unix.Close(b.ring)
	for _, m := range [][]byte{b.memory, b.second} {
		if m != nil {
			_ = unix.Munmap(m)
		}
	}
}
