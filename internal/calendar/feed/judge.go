package feed

import (
	"fmt"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
)

// judge decides which editions are believed. It is pure.
//
// An edition that has lost most of the future is more often a broken export than that many cancellations; and when it
// is cancellations, some hours of too many connections harm nobody. How much future an edition has is a number of
// events and not their IDs, because some programs make new ones each time.
type judge struct {
	shrunk         float64
	believe, ahead time.Duration

	since time.Time // when the edition that is doubted came; zero: none is
	least int       // how many events it has in the time that is looked at
}

// doubt says why an edition is not believed, or "" when it is. good is the one that is.
func (j *judge) doubt(good, next *calendar.Set, now time.Time) string {
	had, has := good.StartingIn(now, now.Add(j.ahead)), next.StartingIn(now, now.Add(j.ahead))
	if float64(has) >= j.shrunk*float64(had) {
		j.forget()
		return ""
	}
	// What is looked at is the same stretch of time each time, so that no event leaves it by beginning.
	if !j.since.IsZero() && j.counted(next) < j.least {
		j.forget() // it has shrunk again
	}
	if j.since.IsZero() {
		j.since = now
		j.least = j.counted(next)
	}
	if now.Sub(j.since) >= j.believe {
		j.forget()
		return ""
	}
	return fmt.Sprintf("has %d events ahead instead of %d; believed when it is still so at %s",
		has, had, j.since.Add(j.believe).UTC().Format("2006-01-02 15:04Z"))
}

// forget ends the doubt: the edition that is believed is there again.
func (j *judge) forget() { j.since = time.Time{} }

func (j *judge) counted(s *calendar.Set) int {
	return s.StartingIn(j.since.Add(j.believe), j.since.Add(j.ahead))
}
