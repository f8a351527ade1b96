package crowd

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/reactor"
)

// alarm wakes the loop to the microsecond: epoll's own timeout counts whole milliseconds, and arrivals are closer
// together than that.
type alarm struct {
	fd    int
	armed time.Duration // on the loop's clock; 0: not armed
}

const alarmToken = ^reactor.Token(0) - 1 // the last one is the reactor's waker

func (a *alarm) open(l *reactor.Loop) error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("open a timer: %w", err)
	}
	a.fd = fd
	if err := l.Add(fd, alarmToken, reactor.Read); err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("watch the timer: %w", err)
	}
	return nil
}

func (a *alarm) close() { _ = unix.Close(a.fd) }

// rang takes notice.
func (a *alarm) rang() {
	var count [8]byte
	_, _ = unix.Read(a.fd, count[:])
	a.armed = 0
}

// until arms the alarm for a time and says how long the loop may sleep.
func (a *alarm) until(now, wake time.Duration) time.Duration {
	left := wake - now
	if left <= 0 {
		return 0
	}
	if a.armed > now && a.armed <= wake {
		return left // it rings early enough
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(left))}
	if err := unix.TimerfdSettime(a.fd, 0, &spec, nil); err == nil {
		a.armed = wake
	}
	return left
}
