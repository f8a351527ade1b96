package server

import (
	"context"
	"errors"
	"strings"

	"github.com/usher-pg/usher/internal/backend"
	"github.com/usher-pg/usher/internal/console"
	"github.com/usher-pg/usher/internal/login"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/relay"
	"github.com/usher-pg/usher/internal/wire"
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
		return s.consoles.seat(c, s.settings.Load().config)
	}
	ctx, cancel := context.WithDeadline(ctx, c.Deadline)
	defer cancel()
	if err := s.orders.awaitUnsuspended(ctx); err != nil {
		return pgerr.LoginTimeout.With().Because(err)
	}
	now := s.settings.Load()
	wanted, err := wishesOf(c, now.config.IgnoreStartupParameters)
	if err != nil {
		return err
	}
	r, err := s.routes.enter(c.Database, c.User)
	if err != nil {
		return err
	}
	err = s.seatAt(ctx, r, c, wanted)
	if gone := s.routes.leave(r); gone && err == nil {
		r.pool.Remove(ctx, pgerr.PoolGone) // it was not among the clients when the others were told
	}
	return err
}

// seatAt seats a client at its pool.
func (s *Server) seatAt(ctx context.Context, r *route, c *login.Client, wishes wishes) error {
	if s.orders.isDisabled(c.Database) {
		return pgerr.DatabaseDisabled.With(c.Database)
	}
	if c.ScramKeys != nil && r.pool.User() == c.User {
		r.keys.Store(c.ScramKeys)
	}
	if c.Replication == "" && len(wishes.settings) > 0 && !r.pool.Held() {
		if err := s.vet(ctx, r, wishes.settings); err != nil {
			return err
		}
	}
	guest := &relay.Guest{
		Carrier:  c.Carrier,
		TLS:      c.TLS,
		Remote:   c.Remote,
		Local:    c.Local,
		Params:   wishes.settings,
		Protocol: c.Protocol,
		Lane:     wishes.lane,
		Welcome:  c.Welcome,
	}
	if c.Replication != "" {
		return s.seatAlone(ctx, r, guest, c.Replication)
	}
	return worded(s.relay.Seat(ctx, r.pool, guest), r.key)
}

// vet has parameters tried that no client of the pool has asked for yet.
func (s *Server) vet(ctx context.Context, r *route, params []wire.Param) error {
	if len(r.vetting.unknown(params)) == 0 {
		return nil
	}
	dial, limit := s.routes.ownDial(r)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return r.vetting.vet(ctx, dial, params)
}

// seatAlone seats a replication connection, which has a server connection of its own.
func (s *Server) seatAlone(ctx context.Context, r *route, guest *relay.Guest, replication string) error {
	dial, limit := s.routes.ownDial(r)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	dial.Replication = replication
	dial.Params = ownParams(dial.Params, guest.Params)
	opened, err := open(ctx, dial)
	if err != nil {
		return worded(pgerr.ServerLogin.With().Because(err), r.key)
	}
	if err := s.relay.SeatAlone(ctx, r.pool, guest, opened); err != nil {
		_ = opened.Carrier.Close()
		return err
	}
	return nil
}

// ownParams are the start-up parameters of a server connection that is one client's own: the pool's, and what
// the client asked for.
func ownParams(params, own []wire.Param) []wire.Param {
	all := append([]wire.Param(nil), params...)
	for _, o := range own {
		i := 0
		for i < len(all) && !strings.EqualFold(all[i].Name, o.Name) {
			i++
		}
		if i < len(all) {
			all[i] = o
		} else {
			all = append(all, o)
		}
	}
	return all
}

// worded lets a client have the server's own words about why there is no server connection: that the database
// does not exist, say. It learns nothing about the authentication of a user it has never heard of, and is not
// sent what has no SQLSTATE or no message, which clients fail on.
func worded(err error, key routeKey) error {
	refusal, ok := errors.AsType[*backend.ServerError](err)
	if !ok || len(refusal.Code()) != sqlstateLen || refusal.Message() == "" {
		return err
	}
	if key.user == "" && strings.HasPrefix(refusal.Code(), authorizationClass) {
		return err
	}
	return refusal
}

const (
	sqlstateLen = 5
	// authorizationClass begins the SQLSTATEs of class "Invalid Authorization Specification".
	authorizationClass = "28"
)
