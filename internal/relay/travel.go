package relay

// travel brings an idle server connection to the loop of the client it was granted to.
func (s *server) travel(c *client) {
	if c.place != clientWaiting {
		c.become(clientWaiting)
	}
	c.coming = s
	from, to := s.loop, c.loop
	from.reactor.Post(func() {
		s.sendQueued()
		if s.fd >= 0 {
			s.unwatch()
			from.slots.drop(s.token)
			from.servers[s.place]--
		}
		to.run(nil, func() { c.arrived(s) })
	})
}

// arrived goes on with a client whose server connection has come from another loop, or broke on its way: then the
// client, which is queued nowhere, asks again.
func (c *client) arrived(s *server) {
	l := c.loop
	wanted := c.coming == s
	if wanted {
		c.coming = nil
	}
	if s.fd < 0 || !s.settleDown(l) {
		c.pool.open(l, c.pool.engine.Discard(s.resource, l.now))
		if wanted {
			c.become(clientIdle)
			c.resume()
		}
		return
	}
	if !wanted { // the request was cancelled, or the client is gone
		s.giveBack(l)
		return
	}
	c.link(s)
}

// settleDown makes a server connection that has left its loop at home on another.
func (s *server) settleDown(l *loop) bool {
	token, err := l.slots.reserve()
	if err != nil {
		s.loop, s.place = l, serverGone
		s.close()
		return false
	}
	s.loop, s.token = l, token
	l.servers[s.place]++
	l.slots.put(seat{token: token, server: s})
	if err := s.watch(); err != nil {
		s.hangUp()
		l.slots.drop(token)
		s.become(serverGone)
		return false
	}
	return true
}
