package server

import (
	"context"
	"time"

	"github.com/usher-pg/usher/internal/status"
)

const (
	// lookStep is how often unused pools and changed files are looked for.
	lookStep = 5 * time.Second
	// unusedFor is how long a pool that was made on demand is kept without a client; PgBouncer's
	// autodb_idle_timeout is an hour, but costs less.
	unusedFor = 10 * time.Minute
	// failingFor is the same for a pool that has no server connection because the server refuses it, as it does
	// when the database does not exist.
	failingFor = 10 * time.Second
)

// keepUp does what is to be done from time to time, until ctx ends.
func (s *Server) keepUp(ctx context.Context) error {
	look, mark := time.NewTicker(lookStep), time.NewTicker(status.DefaultStatsPeriod)
	defer look.Stop()
	defer mark.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-mark.C:
			s.counts.mark(time.Now(), s.totals(ctx))
		case <-look.C:
			for _, r := range s.routes.evict(s.relay.Now()) {
				s.remove(ctx, r)
			}
			if files := changed(s.settings.Load().stamps); len(files) > 0 {
				s.reread(ctx, files)
			}
		}
	}
}
