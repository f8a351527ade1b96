package pgxpool

import (
	"time"

	"github.com/usher-pg/usher"
	engine "github.com/usher-pg/usher/pool"
)

// Stat is a snapshot of a pool in pgxpool's words.
type Stat struct{ s usher.Stat }

// Stat takes a snapshot.
func (p *Pool) Stat() *Stat { return &Stat{p.pool.Stat()} }

// Usher is the snapshot in usher's words, by lane.
func (s *Stat) Usher() usher.Stat { return s.s }

// AcquireCount is how many connections were acquired so far.
func (s *Stat) AcquireCount() int64 { return sum(s.s.Granted[:]) }

// AcquireDuration is how long these took together.
func (s *Stat) AcquireDuration() time.Duration { return s.s.TotalWait }

// AcquiredConns is how many are acquired now.
func (s *Stat) AcquiredConns() int32 { return int32(s.s.Busy) }

// CanceledAcquireCount is how many requests were cancelled while they waited.
func (s *Stat) CanceledAcquireCount() int64 { return sum(s.s.Cancelled[:]) }

// ConstructingConns is how many are being opened.
func (s *Stat) ConstructingConns() int32 { return int32(s.s.Opening) }

// EmptyAcquireCount is how many acquired connections had to be waited for.
func (s *Stat) EmptyAcquireCount() int64 { return sum(s.s.Waited[:]) }

// EmptyAcquireWaitTime is how long they were waited for.
func (s *Stat) EmptyAcquireWaitTime() time.Duration { return s.s.TotalWait }

// IdleConns is how many are idle.
func (s *Stat) IdleConns() int32 { return int32(s.s.Idle) }

// MaxConns is how many may be acquired at the same time, the reserve not counted.
func (s *Stat) MaxConns() int32 { return int32(s.s.Max) }

// TotalConns is how many are acquired, idle or being opened.
func (s *Stat) TotalConns() int32 { return int32(s.s.Open + s.s.Opening) }

// NewConnsCount is how many were begun to be opened so far.
func (s *Stat) NewConnsCount() int64 { return int64(s.s.Opens) }

// MaxLifetimeDestroyCount is how many were closed for their age.
func (s *Stat) MaxLifetimeDestroyCount() int64 { return int64(s.s.Closed[engine.CloseLifetime]) }

// MaxIdleDestroyCount is how many were closed because they had been idle for too long.
func (s *Stat) MaxIdleDestroyCount() int64 { return int64(s.s.Closed[engine.CloseIdle]) }

func sum(counts []uint64) int64 {
	total := uint64(0)
	for _, n := range counts {
		total += n
	}
	return int64(total)
}
