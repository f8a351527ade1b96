package routing

import (
	"time"
)

const (
	// unusedFor is how long a pool that was made on demand is kept without a client; PgBouncer's
	// autodb_idle_timeout is an hour, but costs less.
	unusedFor = 10 * time.Minute
	// failingFor is the same for a pool that has no server connection because the server refuses it, as it does
	// when the database does not exist.
	failingFor = 10 * time.Second
)

// Abandon takes out a pool that was made on demand for a client who could not be seated, because its database
// does not exist, say: otherwise it would go on trying to reach its server, and there are as many names as a
// client can think of. It does nothing, and reports false, if the pool is of use to somebody or ever was.
func (t *Table) Abandon(r *Route) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if r.gone || !r.key.onDemand(t.settings.Config) || r.entering > 0 || r.Pool.Seated() > 0 ||
		r.Pool.Reported() != nil {
		return false
	}
	t.takeOutLocked(r)
	return true
}

// takeOutLocked takes out a pool that was made on demand.
func (t *Table) takeOutLocked(r *Route) {
	r.gone = true
	delete(t.byKey, r.key)
	t.made--
}

// Evict takes out the pools made on demand that nobody has used for a while, and returns them.
func (t *Table) Evict(now time.Duration) []*Route {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	var gone []*Route
	for key, r := range t.byKey {
		if !key.onDemand(t.settings.Config) {
			continue
		}
		if r.entering > 0 || r.Pool.Seated() > 0 {
			r.unused = -1
			continue
		}
		if r.unused < 0 {
			r.unused = now
		}
		patience := unusedFor
		if r.Pool.LastError() != nil && r.Pool.Stat().Open == 0 {
			patience = failingFor
		}
		if now-r.unused < patience {
			continue
		}
		t.takeOutLocked(r)
		gone = append(gone, r)
	}
	return gone
}
