package reactor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poller is epoll with an eventfd for waking.
type poller struct {
	epoll  int
	waker  int
	events [batch]unix.EpollEvent
	quiet  bool // the last wait ended without an event
}

const wakeToken = ^Token(0)

func (p *poller) open() (err error) {
	if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll_create1: %w", err)
	}
	if p.waker, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return errors.Join(fmt.Errorf("eventfd: %w", err), unix.Close(p.epoll))
	}
	return p.add(p.waker, wakeToken, Read)
}

func (p *poller) close() {
	_ = unix.Close(p.waker)
	_ = unix.Close(p.epoll)
}

func (p *poller) wake() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	_, _ = unix.Write(p.waker, one[:]) // EAGAIN: the counter is full, so the loop is awake anyway
}

func (p *poller) control(op, fd int, token Token, interest Interest) error {
	event := unix.EpollEvent{Events: unix.EPOLLRDHUP}
	if interest&Read != 0 {
		event.Events |= unix.EPOLLIN
	} else {
		event.Events = 0 // a half-closed peer might be reported for ever; EPOLLHUP and EPOLLERR always are
	}
	if interest&Write != 0 {
		event.Events |= unix.EPOLLOUT
	}
	if interest&Once != 0 {
		event.Events |= unix.EPOLLET
	}
	*(*Token)(unsafe.Pointer(&event.Fd)) = token // the kernel's union epoll_data: Fd and Pad are its two halves
	return unix.EpollCtl(p.epoll, op, fd, &event)
}

func (p *poller) add(fd int, token Token, interest Interest) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, token, interest)
}

func (p *poller) modify(fd int, token Token, _, interest Interest) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, token, interest)
}

func (p *poller) remove(fd int, _ Interest) error {
	return unix.EpollCtl(p.epoll, unix.EPOLL_CTL_DEL, fd, nil)
}

// wait waits in two steps. The first, short one is not told to Go's scheduler: under load it is the only one, and
// the scheduler's monitor thread, which looks after threads that are in a system call, stays asleep (it took 6 to 9
// % of the CPU). Only a loop that has nothing to do waits in the second, in which its processor is free for other
// goroutines and the garbage collector need not wait for it. Who was woken by the clock alone has no load, and goes to
// the second at once: as long as a processor is not free, the monitor looks every 20 µs (1.40 % of a core for an usher
// with ten pools and nothing to do; with this 0.25 %).
func (p *poller) wait(sleep time.Duration) (n int, err error) {
	// Round up, so that the loop does not spin through the last millisecond before something is due.
	timeout := int((sleep + time.Millisecond - 1) / time.Millisecond)
	if !p.quiet || timeout == 0 {
		p.quiet = false
		n, err = p.waitShortly(min(timeout, busyWait))
		if n > 0 || err != nil || timeout <= busyWait {
			return n, err
		}
	}
	n, err = unix.EpollWait(p.epoll, p.events[:], timeout)
	if p.quiet = n == 0; err == unix.EINTR {
		return 0, nil
	}
	return n, err
}

// waitShortly is the first step.
func (p *poller) waitShortly(milliseconds int) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll),
		uintptr(unsafe.Pointer(&p.events[0])), batch, uintptr(milliseconds), 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EINTR:
		return 0, nil
	default:
		return 0, errno
	}
}

// busyWait is the length of the first step in milliseconds: no more than a collection of garbage may well wait.
const busyWait = 2

func (p *poller) event(i int) (Token, Event, bool) {
	e := &p.events[i]
	token := *(*Token)(unsafe.Pointer(&e.Fd))
	if token == wakeToken {
		var count [8]byte
		_, _ = unix.Read(p.waker, count[:])
		return 0, 0, false
	}
	var event Event
	if e.Events&unix.EPOLLIN != 0 {
		event |= Readable
	}
	if e.Events&unix.EPOLLOUT != 0 {
		event |= Writable
	}
	if e.Events&unix.EPOLLRDHUP != 0 {
		event |= Hangup
	}
	if e.Events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		event |= Hangup | Broken
	}
	return token, event, true
}
