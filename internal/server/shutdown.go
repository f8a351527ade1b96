package server

import (
	"context"
	"sync"
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
	var emptied <-chan struct{}
	ticker := time.NewTicker(drainStep)
	defer ticker.Stop()
	for ctx.Err() == nil {
		switch s.orders.ending() {
		case status.ShutdownImmediate:
			return
		case status.ShutdownWaitForServers:
			if emptied == nil {
				emptied = s.empty(ctx)
			}
			if s.relay.EndIdle(ctx) == 0 {
				return
			}
		case status.ShutdownWaitForClients:
			if s.seated() == 0 {
				return
			}
		}
		select {
		case <-emptied:
			return
		case <-s.wish: // another mode
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// empty pauses every pool. The channel is closed when no server connection of a pool is left.
func (s *Server) empty(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	var pools sync.WaitGroup
	for _, r := range s.routes.Of("") {
		pools.Go(func() { _ = r.Pool.Pause(ctx) })
	}
	go func() {
		pools.Wait()
		if ctx.Err() == nil {
			close(done)
		}
	}()
	return done
}

// seated is how many clients there are, the console's not counted.
func (s *Server) seated() int {
	n := 0
	for _, r := range s.routes.Of("") {
		n += r.Pool.Seated()
	}
	return n
}
