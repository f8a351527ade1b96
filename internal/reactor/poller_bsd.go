//go:build darwin || freebsd || netbsd || openbsd || dragonfly

package reactor

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// poller is kqueue. A pipe wakes it: EVFILT_USER is not everywhere. Read and write are two filters, so one descriptor
// may be reported twice in a turn. Tokens are kept here by descriptor, because Udata is a pointer the garbage collector
// would have to know.
type poller struct {
	queue  int
	waker  [2]int
	tokens map[int]Token
	events [batch]unix.Kevent_t
}

func (p *poller) open() (err error) {
	p.tokens = map[int]Token{}
	if p.queue, err = unix.Kqueue(); err != nil {
		return fmt.Errorf("kqueue: %w", err)
	}
	unix.CloseOnExec(p.queue)
	if err = unix.Pipe(p.waker[:]); err != nil {
		return errors.Join(fmt.Errorf("pipe: %w", err), unix.Close(p.queue))
	}
	for _, fd := range p.waker {
		unix.CloseOnExec(fd)
		if err = unix.SetNonblock(fd, true); err != nil {
			return fmt.Errorf("pipe: %w", err)
		}
	}
	return p.change(p.waker[0], unix.EVFILT_READ, unix.EV_ADD)
}

func (p *poller) close() {
	_ = unix.Close(p.waker[0])
	_ = unix.Close(p.waker[1])
	_ = unix.Close(p.queue)
}

func (p *poller) wake() { _, _ = unix.Write(p.waker[1], []byte{0}) }

func (p *poller) change(fd, filter, flags int) error {
	var change [1]unix.Kevent_t
	unix.SetKevent(&change[0], fd, filter, flags)
	_, err := unix.Kevent(p.queue, change[:], nil, nil)
	return err
}

func (p *poller) add(fd int, token Token, interest Interest) error {
	p.tokens[fd] = token
	return p.modify(fd, token, 0, interest)
}

func (p *poller) modify(fd int, _ Token, old, interest Interest) error {
	for _, f := range []struct {
		bit    Interest
		filter int
	}{{Read, unix.EVFILT_READ}, {Write, unix.EVFILT_WRITE}} {
		flags := unix.EV_ADD
		if interest&f.bit == 0 {
			flags = unix.EV_DELETE
		}
		if old&f.bit != interest&f.bit {
			if err := p.change(fd, f.filter, flags); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *poller) remove(fd int, old Interest) error {
	delete(p.tokens, fd)
	return p.modify(fd, 0, old, 0)
}

func (p *poller) wait(sleep time.Duration) (int, error) {
	timeout := unix.NsecToTimespec(int64(sleep))
	n, err := unix.Kevent(p.queue, nil, p.events[:], &timeout)
	if err == unix.EINTR {
		return 0, nil
	}
	return n, err
}

func (p *poller) event(i int) (Token, Event, bool) {
	e := &p.events[i]
	fd := int(e.Ident)
	if fd == p.waker[0] {
		var sink [256]byte
		_, _ = unix.Read(fd, sink[:])
		return 0, 0, false
	}
	token, known := p.tokens[fd]
	var event Event
	switch e.Filter {
	case unix.EVFILT_READ:
		event = Readable
	case unix.EVFILT_WRITE:
		event = Writable
	}
	if e.Flags&unix.EV_EOF != 0 {
		event |= Hangup
		if e.Fflags != 0 || e.Filter == unix.EVFILT_WRITE {
			event |= Broken
		}
	}
	return token, event, known
}
