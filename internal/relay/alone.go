package relay

import (
	"context"

	"github.com/usher-pg/usher/internal/session"
)

// SeatAlone takes over a client with a server connection of its own, which nobody else ever gets: a replication
// connection. What the server reported is the client's welcome. After an error both are still the caller's.
func (r *Relay) SeatAlone(_ context.Context, p *Pool, g *Guest, opened *Opened) error {
	c, err := r.welcome(p, g, opened.Parameters)
	if err != nil {
		return err
	}
	c.replicating = true
	c.tracker.Start(session.Reported(opened.Parameters))
	s, err := p.newServer(opened, &Rules{Mode: ModeSession})
	if err != nil {
		c.loop.slots.renounce(c.token)
		c.close()
		return err
	}
	if s.loop != c.loop {
		s.loop.slots.renounce(s.token)
		s.loop = c.loop
		if s.token, err = c.loop.slots.reserve(); err != nil {
			c.loop.slots.renounce(c.token)
			c.close()
			s.close()
			return err
		}
	}
	p.clients.Add(1)
	r.seated.Add(1)
	c.loop.reactor.Post(func() { c.sitWith(s) })
	return nil
}

// sitWith is the first act on its loop of a client that brings its server connection.
func (c *client) sitWith(s *server) {
	l := c.loop
	l.now = l.reactor.Now()
	s.opened = l.now
	l.slots.put(seat{token: s.token, server: s})
	l.servers[serverNew]++
	c.server, s.client = s, c
	s.become(serverLinked)
	l.slots.put(seat{token: c.token, client: c})
	l.clients[clientNew]++
	c.become(clientIdle)
	c.become(clientLinked)
	c.seated, c.last = l.now, l.now
	if err := s.watch(); err != nil {
		s.broken(err)
		return
	}
	if err := c.watch(); err != nil {
		c.gone(err)
		return
	}
	c.resume()
	c.lookInside()
	l.deliver()
}

// alone reports whether a server connection is outside the pool.
func (s *server) alone() bool { return s.resource == nil }
