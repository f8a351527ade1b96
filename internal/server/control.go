package server

import (
	"context"

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

// each does something to the pools of one database, or all, at the same time.
func (s *Server) each(database string, act func(*relay.Pool) error) error {
	var group errgroup.Group
	for _, r := range s.routes.Of(database) {
		group.Go(func() error { return act(r.Pool) })
	}
	return group.Wait()
}

// Pause holds what begins, of one database or of all, and returns when what runs has finished.
func (s *Server) Pause(ctx context.Context, database string) error {
	if err := s.known(database); err != nil {
		return err
	}
	if err := s.orders.pause(database); err != nil {
		return err
	}
	s.log.Info("paused", "database", database)
	return s.each(database, func(p *relay.Pool) error { return p.Pause(ctx) })
}

// Resume ends Pause, Kill and Suspend.
func (s *Server) Resume(ctx context.Context, database string) error {
	if err := s.known(database); err != nil {
		return err
	}
	wasSuspended, err := s.orders.resume(database)
	if err != nil {
		return err
	}
	s.log.Info("resumed", "database", database)
	if wasSuspended {
		s.relay.Unsuspend(ctx)
	}
	return s.each(database, func(p *relay.Pool) error {
		p.Resume()
		return nil
	})
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
	if err := s.orders.pause(database); err != nil {
		return err
	}
	s.log.Info("killed", "database", database)
	return s.each(database, func(p *relay.Pool) error { return p.Kill(ctx) })
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
	if err := s.orders.suspend(); err != nil {
		return err
	}
	s.log.Info("suspended")
	return s.relay.Suspend(ctx)
}
