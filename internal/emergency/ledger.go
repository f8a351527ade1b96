package emergency

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/usher-pg/usher/internal/status"
)

// MaxPast bounds how many emergencies that have ended a Ledger remembers.
const MaxPast = 100

// Ledger is the record of emergencies: those in force, and the latest that have ended. Its zero value is empty.
type Ledger struct {
	// mutex guards what follows.
	mutex sync.Mutex
	last  uint64 // entry
	open  map[uint64]status.Emergency
	past  []status.Emergency // the latest last
}

// Begin notes an emergency and returns its entry.
func (l *Ledger) Begin(e status.Emergency) uint64 {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.open == nil {
		l.open = map[uint64]status.Emergency{}
	}
	l.last++
	l.open[l.last] = e
	return l.last
}

// End notes that one has ended, and returns it.
func (l *Ledger) End(entry uint64, at time.Time, by, reason string) status.Emergency {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	e, ok := l.open[entry]
	if !ok {
		panic("bug: an emergency ends that is not in force")
	}
	delete(l.open, entry)
	e.Ended, e.EndedBy, e.EndReason = at, by, reason
	if len(l.past) == MaxPast {
		l.past = slices.Delete(l.past, 0, 1)
	}
	l.past = append(l.past, e)
	return e
}

// List is what is in force and then what has ended, each the latest first.
func (l *Ledger) List() []status.Emergency {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	var all []status.Emergency
	for _, entry := range slices.Backward(slices.Sorted(maps.Keys(l.open))) {
		all = append(all, l.open[entry])
	}
	for _, e := range slices.Backward(l.past) {
		all = append(all, e)
	}
	return all
}
