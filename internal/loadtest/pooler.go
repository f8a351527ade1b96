package loadtest

import (
	"context"
	"fmt"
	"time"

	"github.com/usher-pg/usher/internal/status"
	"github.com/usher-pg/usher/pool"
)

const (
	// poolerPatience is how long a pooler may take to answer.
	poolerPatience = 20 * time.Second
	// readPatience is how long it may take to say how it is.
	readPatience = 5 * time.Second
	// spareClients is how many more than ours a pooler is told to allow.
	spareClients = 100
)

// pooler is what is measured.
type pooler interface {
	name() string
	version() string
	address() string // where clients connect
	namesLanes() bool
	read(ctx context.Context, pool string) (reading, error)
	process() *child
	stop() error
}

// reading is a pool at a moment. What a pooler does not tell is zero.
type reading struct {
	at                                     time.Time
	waiting                                [pool.Lanes]int
	acquisition                            [pool.Lanes]status.Buckets // since the pooler's start
	emergencies                            [pool.Lanes]uint64         // likewise
	open, busy, idle, opening, reserveUsed int

	// PgBouncer's: the sum of all waits and the number of requests since its start.
	waited   time.Duration
	requests uint64
}

// awaitAnswer reads a pooler until that works.
func awaitAnswer(ctx context.Context, p pooler) error {
	ctx, cancel := context.WithTimeoutCause(ctx, poolerPatience, fmt.Errorf("no answer within %v", poolerPatience))
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		_, err := p.read(ctx, preparedPool)
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-p.process().exited:
			return fmt.Errorf("%s has ended: %w\n%s", p.name(), err, p.process().lastLog())
		case <-ctx.Done():
			return fmt.Errorf("%w (last: %w)\n%s", context.Cause(ctx), err, p.process().lastLog())
		}
	}
}
