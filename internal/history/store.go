package history

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// MostBuckets bounds what Range returns: more than four years at full resolution, 76 MB.
	MostBuckets = 450_000
	// MostRecords bounds how many forecasts or decisions are returned at once.
	MostRecords = 10_000
	// MostRecordBytes bounds them by their size.
	MostRecordBytes = 64 << 20
	// MostContent bounds one of them: a forecast of 14 days in five-minute points with eight numbers each is 400 kB of
	// JSON.
	MostContent = 1 << 20
	// MostPools bounds how many pools Pools returns.
	MostPools = 10_000
	// longestPool bounds a pool's name: PostgreSQL's names have 63 bytes, and a cluster puts a node's name before one.
	longestPool = 256
)

var (
	// ErrCorrupt is wrapped by errors about a store whose contents are damaged. Opening it anew is what helps.
	ErrCorrupt = errors.New("the history is damaged")
	// ErrTooMuch is wrapped when more was asked for than is returned at once: ask for a shorter time.
	ErrTooMuch = errors.New("more than is read at once")
)

// Store keeps buckets, forecasts as they were issued, decisions, and events that took place. All methods are safe for
// concurrent use, and what has returned without an error is on disk. Times are kept to the microsecond and returned in
// UTC. Errors wrap ErrInvalid if trying again is of no use.
type Store interface {
	// Append adds buckets of a pool, in any order, as [Combine] does. All are kept or none. Trying again is harmless.
	Append(ctx context.Context, pool string, buckets []Bucket) error
	// Range returns the buckets of a pool that begin at from or later, and before to, in order.
	Range(ctx context.Context, pool string, from, to time.Time) ([]Bucket, error)
	// Pools names those that have buckets, in order.
	Pools(ctx context.Context) ([]string, error)

	// SaveForecast keeps a forecast. One of the same pool and time is replaced.
	SaveForecast(ctx context.Context, pool string, issued time.Time, forecast []byte) error
	// Forecasts returns those issued at from or later, and before to, in order.
	Forecasts(ctx context.Context, pool string, from, to time.Time) ([]Record, error)
	// SaveDecision keeps a decision. The same content of the same pool and time is kept once.
	SaveDecision(ctx context.Context, pool string, at time.Time, decision []byte) error
	// Decisions returns the last of those made at from or later, and before to, in order. The limit is at most
	// MostRecords.
	Decisions(ctx context.Context, pool string, from, to time.Time, limit int) ([]Record, error)

	// SaveEvents keeps events that took place, as [Renew] does. All are kept or none. Trying again is harmless. Of more
	// than MostEvents those that began last are kept.
	SaveEvents(ctx context.Context, events []Event) error
	// Events returns those that ended at from or later and began before to, in order of source, start, end, name and
	// twin. What of them cannot be, because somebody else wrote it, is left out.
	Events(ctx context.Context, from, to time.Time) ([]Event, error)

	// Retain puts old buckets together and forgets what is older than it is to be kept.
	Retain(ctx context.Context, now time.Time, keep Retention) error
	Close() error
}

// Record is a forecast or a decision.
type Record struct {
	At      time.Time
	Content []byte
}

// Retention is how long things are kept, in days that have buckets, of any pool. Days are counted rather than
// reckoned by the clock alone, because a clock that jumps ahead must not throw a history away; and one that stands in
// the past keeps all.
type Retention struct {
	Full      int // buckets as they were recorded
	Coarse    int // and then put together by the hour; events are kept for as long as both
	Forecasts int
	Decisions int
}

// CoarseWidth is how wide buckets become when they are old.
const CoarseWidth = time.Hour

// DefaultRetention keeps what a forecast learns the shape of days from for two months, and three years of hours, so
// that each season is there more than once. A year's decisions are an audit's.
func DefaultRetention() Retention {
	return Retention{Full: 60, Coarse: 3 * 365, Forecasts: 60, Decisions: 365}
}

// Check says what is wrong with a retention.
func (r Retention) Check() error {
	const most = 100 * 365
	for name, days := range map[string]int{
		"full": r.Full, "coarse": r.Coarse, "forecasts": r.Forecasts, "decisions": r.Decisions,
	} {
		if days < 1 || days > most {
			return fmt.Errorf("%w retention: %s is %d days: expected 1 to %d", ErrInvalid, name, days, most)
		}
	}
	return nil
}

// Cut is the beginning of the first day that is kept: days before now, but never after the oldest of so many days that
// have buckets. oldest is zero if there are fewer; then so is Cut, which keeps all.
func Cut(now time.Time, days int, oldest time.Time) time.Time {
	if oldest.IsZero() || !sane(now) {
		return time.Time{}
	}
	cut := now.AddDate(0, 0, -days)
	if oldest.Before(cut) {
		cut = oldest
	}
	if !sane(cut) {
		return time.Time{}
	}
	return floor(cut, Widest)
}

// CheckAppend says why a store cannot take buckets.
func CheckAppend(pool string, buckets []Bucket) error {
	if err := CheckPool(pool); err != nil {
		return err
	}
	for i := range buckets {
		if err := buckets[i].Check(); err != nil {
			return err
		}
	}
	return nil
}

// CheckRecord says why a store cannot take a forecast or a decision.
func CheckRecord(pool string, at time.Time, content []byte) error {
	switch {
	case !sane(at):
		return fmt.Errorf("%w record: the clock shows the year %d", ErrInvalid, at.Year())
	case len(content) > MostContent:
		return fmt.Errorf("%w record: it has %d bytes: expected at most %d", ErrInvalid, len(content), MostContent)
	}
	return CheckPool(pool)
}

// CheckPool says why a store cannot take a pool's name.
func CheckPool(name string) error {
	if name == "" || len(name) > longestPool || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return fmt.Errorf("%w name of a pool, %.80q: expected 1 to %d bytes of UTF-8", ErrInvalid, name, longestPool)
	}
	return nil
}

// Clamp is a time as stores compare it: one that no bucket and no record can have becomes the nearest that one can.
func Clamp(t time.Time) time.Time {
	switch {
	case t.Before(earliest):
		return earliest.UTC()
	case t.After(latest):
		return latest
	}
	return t.UTC()
}
