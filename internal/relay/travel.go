package relay

// travel brings an idle server connection to the loop of the client it was granted to.
func (s *server) travel(c *client) {
	if c.place != clientWaiting {
		c.become(clientWaiting)
	}
	c.coming = s
	from, to := s.loop, c.loop
	from.reactor.Post(func() {
		if s.fd < 0 { // it broke meanwhile; the client, which is still queued nowhere, asks again
			to.run(nil, func() { c.arrived(nil) })
			return
		}
		_ = from.reactor.Remove(s.fd, s.interest)
		from.slots.drop(s.token)
		from.servers[s.place]--
		to.run(nil, func() { c.arrived(s) })
	})
}

// arrived goes on with a client whose server connection has come from another loop, or broke on its way.
func (c *client) arrived(s *server) {
	c.coming = nil
	if s != nil {
		l := c.loop
		s.loop = l
		l.servers[s.place]++
		token, ok := l.slots.take()
		s.token = token
		if ok {
			l.slots.put(token, nil, s)
		}
		if err := s.watch(); !ok || err != nil {
			s.broken(errNoSlot)
			s = nil
		}
	}
	switch {
	case c.place != clientWaiting:
		if s != nil {
			s.giveBack(c.loop)
		}
	case s == nil:
		c.become(clientIdle)
		c.resume()
	default:
		c.link(s)
	}
}
