package server

import (
	"context"

	"github.com/usher-pg/usher/internal/console"
	"github.com/usher-pg/usher/internal/login"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/relay"
	"github.com/usher-pg/usher/internal/routing"
)

// Seat gives a client that has logged in to its pool, or to the console. It is login.Seating.
func (s *Server) Seat(ctx context.Context, c *login.Client) error {
	err := s.seat(ctx, c)
	s.counts.seated(err)
	return err
}

func (s *Server) seat(ctx context.Context, c *login.Client) error {
	if s.orders.ending() != "" {
		return pgerr.ShuttingDown.With()
	}
	if console.IsConsole(c.Database) {
		return s.consoles.seat(c, s.settings.Load().Config)
	}
	ctx, cancel := context.WithDeadline(ctx, c.Deadline)
	defer cancel()
	if err := s.orders.awaitUnsuspended(ctx); err != nil {
		return pgerr.LoginTimeout.With().Because(err)
	}
	now := s.settings.Load()
	wanted, err := wishesOf(c, now.Config.IgnoreStartupParameters)
	if err != nil {
		return err
	}
	r, err := s.routes.Enter(c.Database, c.User)
	if err != nil {
		return err
	}
	err = s.seatAt(ctx, r, c, wanted)
	gone := s.routes.Leave(r)
	switch {
	case err == nil && gone:
		r.Pool.Remove(ctx, pgerr.PoolGone) // it was not among the clients when the others were told
	case err != nil && s.routes.Abandon(r):
		r.Pool.Remove(ctx, pgerr.PoolGone)
	}
	return err
}

// seatAt seats a client at its pool.
func (s *Server) seatAt(ctx context.Context, r *routing.Route, c *login.Client, wishes wishes) error {
	if s.orders.isDisabled(c.Database) {
		return pgerr.DatabaseDisabled.With(c.Database)
	}
	s.routes.Offer(r, c.User, c.ScramKeys)
	guest, err := s.guestOf(c, &wishes)
	if err != nil {
		return err
	}
	if c.Replication != "" {
		return r.Worded(s.seatAlone(ctx, r, guest, c.Replication))
	}
	if err := s.routes.Vet(ctx, r, wishes.settings); err != nil {
		return err
	}
	return r.Worded(s.relay.Seat(ctx, r.Pool, guest))
}

func (s *Server) guestOf(c *login.Client, wishes *wishes) (*relay.Guest, error) {
	grant, lowered, err := grantOf(s.settings.Load().Lanes, c, wishes)
	if err != nil {
		return nil, err
	}
	return &relay.Guest{
		Carrier:  c.Carrier,
		TLS:      c.TLS,
		Remote:   c.Remote,
		Local:    c.Local,
		Params:   wishes.settings,
		Protocol: c.Protocol,
		Grant:    grant,
		Lowered:  lowered,
		Welcome:  c.Welcome,
	}, nil
}

// Watch is login.Prompt's.
func (s *Server) Watch(fd int, ready func() bool) (stop func(), err error) {
	return s.relay.Watch(fd, ready)
}

// SeatNow is login.Prompt's: Seat for a client that gets its seat without waiting. What is unusual is left to Seat.
func (s *Server) SeatNow(c *login.Client) bool {
	if console.IsConsole(c.Database) || c.Replication != "" || s.orders.concern(c.Database) {
		return false
	}
	wanted, err := wishesOf(c, s.settings.Load().Config.IgnoreStartupParameters)
	if err != nil {
		return false
	}
	guest, err := s.guestOf(c, &wanted)
	if err != nil {
		return false
	}
	r, err := s.routes.Enter(c.Database, c.User)
	if err != nil {
		return false
	}
	seated := s.routes.Vetted(r, wanted.settings) && s.relay.SeatNow(r.Pool, guest)
	gone := s.routes.Leave(r)
	if !seated {
		return false
	}
	if gone {
		s.logins.run(func(ctx context.Context) error {
			r.Pool.Remove(ctx, pgerr.PoolGone) // it was not among the clients when the others were told
			return nil
		})
	}
	s.counts.accepted.Add(1)
	s.counts.seated(nil)
	return true
}

// seatAlone seats a replication connection, which has a server connection of its own.
func (s *Server) seatAlone(ctx context.Context, r *routing.Route, guest *relay.Guest, kind string) error {
	opened, err := s.routes.Open(ctx, r, kind, guest.Params)
	if err != nil {
		return err
	}
	if err := s.relay.SeatAlone(ctx, r.Pool, guest, opened); err != nil {
		_ = opened.Carrier.Close()
		return err
	}
	return nil
}
