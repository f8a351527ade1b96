package server

import (
	"context"
	"time"

	"github.com/usher-pg/usher/internal/status"
)

// lookStep is how often unused pools and changed files are looked for.
const lookStep = 5 * time.Second

// The program's own pages are trimmed soon after the start, which needs most of those that nothing else does, and again
// every trimStep.
const (
	firstTrim = time.Second
	trimStep  = 5 * time.Second
)

// keepUp does what is to be done from time to time, until ctx ends.
func (s *Server) keepUp(ctx context.Context) error {
	look, mark := time.NewTicker(lookStep), time.NewTicker(status.DefaultStatsPeriod)
	trimmed := time.NewTimer(firstTrim)
	defer trimmed.Stop()
	defer look.Stop()
	defer mark.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-mark.C:
			s.counts.mark(time.Now(), s.totals(ctx))
		case <-trimmed.C:
			if err := trim(); err != nil {
				s.log.Debug("memory not trimmed", "error", err)
			}
			trimmed.Reset(trimStep)
		case <-look.C:
			for _, r := range s.routes.Evict(s.relay.Now()) {
				s.remove(ctx, r)
			}
			if files := s.settings.Load().Changed(); len(files) > 0 {
				s.reread(ctx, files)
			}
		}
	}
}
