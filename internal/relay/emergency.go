package relay

import (
	"time"

	engine "github.com/usher-pg/usher/pool"
)

// OpenReserve lets requests of this lane and those above it take from the reserve at once, until a time of Relay.Now.
// A later call replaces an earlier one.
func (p *Pool) OpenReserve(lane engine.Lane, until time.Duration) {
	p.engine.OpenReserve(lane, until)
	p.ring()
}
