package web

import (
	"github.com/usher-pg/usher/internal/status"
)

// Ready says whether a load balancer should send clients here, and if not, why.
//
// usher is ready when it accepts clients and at least one of its pools can serve them. A paused usher is ready: clients
// wait, which is what PAUSE is for; sending them elsewhere would defeat it. A pool that has not been used yet counts as
// able. One pool that works is enough, because a balancer can only take all of usher out, and with it the pools whose
// database is well.
func Ready(s *status.Snapshot) (ready bool, why string) {
	switch s.State {
	case status.ShuttingDown:
		return false, "shutting down"
	case status.Suspended:
		return false, "suspended"
	case status.Active, status.Paused:
	}
	if len(s.Listeners) == 0 {
		return false, "not listening"
	}
	if len(s.Pools) == 0 {
		return true, ""
	}
	for i := range s.Pools {
		if !s.Pools[i].Failing {
			return true, ""
		}
	}
	return false, "no database server can be reached"
}
