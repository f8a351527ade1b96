package relay

import (
	"fmt"

	"github.com/usher-pg/usher/internal/prepared"
	"github.com/usher-pg/usher/internal/session"
	"github.com/usher-pg/usher/internal/wire"
	engine "github.com/usher-pg/usher/pool"
)

// newServer makes a server connection of what a dialer opened, and chooses its loop.
func (p *Pool) newServer(conn *Opened, rules *Rules) (*server, error) {
	l := p.relay.loops[int(p.next.Add(1))%len(p.relay.loops)]
	token, err := l.slots.reserve()
	if err != nil {
		_ = conn.Carrier.Close()
		return nil, err
	}
	s := &server{
		id:       p.relay.ids.Add(1),
		pool:     p,
		handle:   conn,
		status:   idleStatus,
		settings: session.Reported(conn.Parameters),
	}
	s.loop, s.token = l, token
	s.base = s.settings
	s.cache = prepared.NewCache(rules.mapped())
	if err := s.take(conn.Carrier, conn.TLS); err != nil {
		l.slots.renounce(token)
		_ = conn.Carrier.Close()
		return nil, fmt.Errorf("hand the server connection to a loop: %w", err)
	}
	return s, nil
}

// arrive is the server connection's first act on its loop.
func (s *server) arrive() {
	l := s.loop
	s.opened = l.now
	l.slots.put(seat{token: s.token, server: s})
	l.servers[serverNew]++
	s.become(serverIdle)
	err := s.watch()
	resource, grant, ok := s.pool.engine.OpenedIn(s, s.epoch, l.now)
	s.resource = resource
	if ok {
		l.grants = append(l.grants, grant)
	}
	if err != nil {
		s.broken(err)
		return
	}
	s.lookInside()
}

// retire closes an idle server connection that the engine has already let go.
func (s *server) retire() {
	if s.fd < 0 {
		return
	}
	s.write(terminate)
	s.cache.Clear()
	s.hangUp()
	s.loop.slots.drop(s.token)
	s.become(serverGone)
}

// refused refuses a waiting client's request.
func (c *client) refused(r engine.Refusal[*server]) {
	if !c.pool.engine.AcceptRefusal(r) {
		return
	}
	c.become(clientIdle)
	c.fail(c.pool.explain(r.Err, 0))
	c.resume()
}

var terminate = wire.AppendEmpty(nil, wire.Terminate)
