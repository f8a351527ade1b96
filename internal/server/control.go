package server

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/usher-pg/usher/internal/relay"
	"github.com/usher-pg/usher/internal/status"
)

var _ status.Controller = (*Server)(nil)

// known refuses the name of a database that no client could ask for. Empty, all databases, is known.
func (s *Server) known(database string) error {
	if database == "" {
		return nil
	}
	c := s.settings.Load().Config
	if c.Pools[database] == nil && len(s.routes.Of(database)) == 0 {
		return status.NoPool(database)
	}
	return nil
}

// BeginEmergency opens the reserve of one database's pools, or of all, to more lanes for a time.
func (s *Server) BeginEmergency(ctx context.Context, order status.EmergencyOrder) error {
	if err := s.known(order.Pool); err != nil {
		return err
	}
	return s.inTurn(ctx, func() error { return s.watch.Begin(order) })
}

// EndEmergency ends what BeginEmergency began, for one database or for all.
func (s *Server) EndEmergency(ctx context.Context, database, by string) error {
	if err := s.known(database); err != nil {
		return err
	}
	return s.inTurn(ctx, func() error { return s.watch.End(database, by) })
}

// each does something to the pools of one database, or all, at the same time.
func (s *Server) each(database string, act func(*relay.Pool) error) error {
	var group errgroup.Group
	for _, r := range s.routes.Of(database) {
		group.Go(func() error { return act(r.Pool) })
	}
	return group.Wait()
}

// inTurn carries out an order that another one must not overtake on its way to the pools.
func (s *Server) inTurn(ctx context.Context, give func() error) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s.turn }()
	return give()
}

// pauseStep is how often a PAUSE looks whether what it waits for has happened.
const pauseStep = 10 * time.Millisecond

// Pause holds what begins, of one database or of all, and returns when what runs has finished.
func (s *Server) Pause(ctx context.Context, database string) error {
	if err := s.known(database); err != nil {
		return err
	}
	if err := s.inTurn(ctx, func() error { return s.pause(database) }); err != nil {
		return err
	}
	ticker := time.NewTicker(pauseStep)
	defer ticker.Stop()
	for s.orders.paused(database) {
		if s.open(database) == 0 {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return errResumed
}

var errResumed = status.Refuse(status.WrongState, "resumed before everything was paused")

func (s *Server) pause(database string) error {
	if err := s.orders.pause(database); err != nil {
		return err
	}
	s.log.Info("paused", "database", database)
	for _, r := range s.routes.Of(database) {
		r.PauseAtOnce()
	}
	return nil
}

// open is how many server connections the pools of a database, or all, have open.
func (s *Server) open(database string) int {
	n := 0
	for _, r := range s.routes.Of(database) {
		n += r.Pool.Stat().Open
	}
	return n
}

// Resume ends Pause, Kill and Suspend.
func (s *Server) Resume(ctx context.Context, database string) error {
	if err := s.known(database); err != nil {
		return err
	}
	return s.inTurn(ctx, func() error { return s.resume(ctx, database) })
}

func (s *Server) resume(ctx context.Context, database string) error {
	wasSuspended, err := s.orders.resume(database)
	if err != nil {
		return err
	}
	s.log.Info("resumed", "database", database)
	if wasSuspended {
		s.relay.Unsuspend(ctx)
	}
	for _, r := range s.routes.Of(database) {
		r.Pool.Resume()
	}
	// The loops do it by and by. When they have answered they have done it, and a PAUSE that follows is not
	// undone.
	s.relay.Loops(ctx)
	return nil
}

// Disable refuses new clients of a database.
func (s *Server) Disable(_ context.Context, database string) error { return s.disable(database, true) }

// Enable ends Disable.
func (s *Server) Enable(_ context.Context, database string) error { return s.disable(database, false) }

func (s *Server) disable(database string, yes bool) error {
	if err := s.known(database); err != nil {
		return err
	}
	s.orders.disable(database, yes)
	s.log.Info("disabled or enabled", "database", database, "disabled", yes)
	return nil
}

// Reconnect replaces the server connections that are open now as they come free.
func (s *Server) Reconnect(_ context.Context, database string) error {
	if err := s.known(database); err != nil {
		return err
	}
	return s.each(database, func(p *relay.Pool) error {
		p.Reconnect()
		return nil
	})
}

// Kill drops clients and server connections, and leaves the pools paused.
func (s *Server) Kill(ctx context.Context, database string) error {
	if err := s.known(database); err != nil {
		return err
	}
	return s.inTurn(ctx, func() error {
		if err := s.orders.pause(database); err != nil {
			return err
		}
		s.log.Info("killed", "database", database)
		return s.each(database, func(p *relay.Pool) error { return p.Kill(ctx) })
	})
}

// WaitClose returns when the server connections that Reconnect has marked are closed.
func (s *Server) WaitClose(ctx context.Context, database string) error {
	if err := s.known(database); err != nil {
		return err
	}
	return s.each(database, func(p *relay.Pool) error { return p.WaitClosed(ctx) })
}

// KillClient drops one client.
func (s *Server) KillClient(ctx context.Context, id uint64) error {
	if !s.relay.KillClient(ctx, id) {
		return status.ErrClientNotFound
	}
	return nil
}

// Suspend stops reading from all clients and servers, and returns when everything that had been read is sent.
func (s *Server) Suspend(ctx context.Context) error {
	return s.inTurn(ctx, func() error {
		if err := s.orders.suspend(); err != nil {
			return err
		}
		s.log.Info("suspended")
		return s.relay.Suspend(ctx)
	})
}
