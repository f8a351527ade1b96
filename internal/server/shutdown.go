package server

import (
	"context"
	"time"

	"github.com/usher-pg/usher/internal/status"
)

// drainStep is how often a shutdown looks whether what it waits for has happened.
const drainStep = 50 * time.Millisecond

// Shutdown begins to end usher and returns at once.
func (s *Server) Shutdown(_ context.Context, mode status.ShutdownMode) error {
	if err := s.orders.shutDown(mode); err != nil {
		return err
	}
	s.log.Info("shutdown begins", "mode", string(mode))
	select {
	case s.wish <- struct{}{}:
	default: // it has not looked yet
	}
	return nil
}

// awaitEnd returns when usher is to end at once: a shutdown has been carried out, or something failed.
func (s *Server) awaitEnd(ctx context.Context, services, data *stage) {
	select {
	case <-ctx.Done():
	case <-s.logins.ctx.Done():
	case <-services.ctx.Done():
	case <-data.ctx.Done():
	case <-s.wish:
		s.shutDoors()
		if limit := s.options.DrainLimit; limit > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
		s.drain(ctx, data.ctx)
	}
	_ = s.orders.shutDown(status.ShutdownImmediate) // so that it shows
}

// drain returns when what the mode of the shutdown waits for has happened, or ctx or the relay has ended.
func (s *Server) drain(ctx, data context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(data, cancel)()
	ticker := time.NewTicker(drainStep)
	defer ticker.Stop()
	for ctx.Err() == nil && !s.drained(ctx) {
		select {
		case <-s.wish: // another mode
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// drained brings the end nearer, and reports whether nobody has to be waited for.
func (s *Server) drained(ctx context.Context) bool {
	switch s.orders.ending() {
	case status.ShutdownWaitForClients:
		return s.seated() == 0
	case status.ShutdownWaitForServers:
		for _, r := range s.routes.Of("") {
			r.PauseAtOnce()
		}
		return s.relay.EndIdle(ctx) == 0 || s.open("") == 0
	}
	return true
}

// seated is how many clients there are, the console's not counted.
func (s *Server) seated() int {
	n := 0
	for _, r := range s.routes.Of("") {
		n += r.Pool.Seated()
	}
	return n
}
