//go:build !linux

package crowd

import (
	"time"

	"github.com/usher-pg/usher/internal/reactor"
)

// alarm leaves waking to the poller, which may be a millisecond late.
type alarm struct{}

const alarmToken = ^reactor.Token(0) - 1

func (alarm) open(*reactor.Loop) error { return nil }

func (alarm) close() {}

func (alarm) rang() {}

func (alarm) until(now, wake time.Duration) time.Duration { return max(0, wake-now) }
