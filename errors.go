package usher

import (
	"errors"
	"fmt"
	"strings"
	"time"

	engine "github.com/usher-pg/usher/pool"
)

// Why a request is refused. They are wrapped in an [AcquireError]: ask with [errors.Is].
var (
	ErrQueueFull    = engine.ErrQueueFull
	ErrQueueTimeout = engine.ErrQueueTimeout
	ErrHopeless     = engine.ErrHopeless
	ErrShed         = engine.ErrShed
	ErrDown         = engine.ErrDown
	ErrClosed       = engine.ErrClosed

	// ErrNoPool is for a pool that the config does not name.
	ErrNoPool = errors.New("no such pool")
	// ErrUnfit ends a request that was given one unfit server connection after another.
	ErrUnfit = errors.New("no server connection was fit for use")
)

// AcquireError says why a request got no server connection.
type AcquireError struct {
	Pool string
	Lane Lane
	// Err is one of the errors above, that of the context, or that of PoolConfig.PrepareConn.
	Err error
	// Cause is why the server could not be reached, with ErrDown.
	Cause error
	// Waited is how long the request was in the queue.
	Waited time.Duration
	// Expected is how long a request that comes now is expected to wait; 0 if nothing is known. It is a fair
	// answer to the question when to try again.
	Expected time.Duration
}

func (e *AcquireError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "acquire from pool %q (lane %v", e.Pool, e.Lane)
	if e.Waited > 0 {
		fmt.Fprintf(&b, ", waited %v", e.Waited.Round(time.Microsecond))
	}
	if e.Expected > 0 {
		fmt.Fprintf(&b, ", expected wait %v", e.Expected.Round(time.Microsecond))
	}
	fmt.Fprintf(&b, "): %v", e.Err)
	if e.Cause != nil {
		fmt.Fprintf(&b, ": %v", e.Cause)
	}
	return b.String()
}

// Unwrap lets errors.Is and errors.As see both errors.
func (e *AcquireError) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Cause}
}
