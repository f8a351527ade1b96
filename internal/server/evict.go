package server

import (
	"time"
)

// evict takes out the pools made on demand that nobody has used for a while, and returns them.
func (rs *routes) evict(now time.Duration) []*route {
	rs.mutex.Lock()
	defer rs.mutex.Unlock()
	var gone []*route
	for key, r := range rs.byKey {
		if !key.onDemand(rs.settings.config) {
			continue
		}
		if r.entering > 0 || r.pool.Seated() > 0 {
			r.unused = -1
			continue
		}
		if r.unused < 0 {
			r.unused = now
		}
		patience := unusedFor
		if r.pool.LastError() != nil && r.pool.Stat().Open == 0 {
			patience = failingFor
		}
		if now-r.unused < patience {
			continue
		}
		r.gone = true
		delete(rs.byKey, key)
		rs.made--
		gone = append(gone, r)
	}
	return gone
}
