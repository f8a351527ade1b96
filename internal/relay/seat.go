package relay

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/lanes"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
)

// Guest is a client that has logged in and is to be seated.
type Guest struct {
	Carrier  *carrier.Conn
	TLS      *tls.Conn // nil without TLS
	Remote   net.Addr
	Local    net.Addr
	Params   []wire.Param // start-up parameters that are settings of its session
	Protocol uint32
	Lowered  bool        // it has asked for a higher lane than it may
	Grant    lanes.Grant // its Lane is what the client has asked for at login

	// Welcome tells the client that it is logged in.
	Welcome func(params []wire.Param, processID uint32, secret []byte) error
}

// Seat takes over a client: it is welcomed, and its descriptor goes to a loop. After an error the client is still the
// caller's, to be told and closed.
func (r *Relay) Seat(ctx context.Context, p *Pool, g *Guest) error {
	params, err := p.Parameters(ctx)
	if err != nil {
		return err
	}
	return r.seat(p, g, params, nil)
}

// seat seats a client of a pool with these parameters. here is the loop it is called on, nil for none.
func (r *Relay) seat(p *Pool, g *Guest, params []wire.Param, here *loop) error {
	begin, err := p.begin(params, g.Params)
	if err != nil {
		return pgerr.InvalidParameter.With(err.Error()).Because(err)
	}
	if r.seated.Add(1) > int64(r.limits.Clients) {
		r.seated.Add(-1)
		return pgerr.TooManyClients.With()
	}
	p.clients.Add(1)
	c, err := r.welcome(p, g, begin.welcome)
	if err != nil {
		r.seated.Add(-1)
		p.clients.Add(-1)
		return err
	}
	c.lowered = g.Lowered
	c.tracker.Start(begin.settings)
	c.patience = begin.settings.StatementTimeout()
	if here == c.loop {
		c.sit()
	} else {
		c.loop.reactor.Post(c.sit)
	}
	return nil
}

// welcome finds the client a place and tells it.
func (r *Relay) welcome(p *Pool, g *Guest, params []wire.Param) (*client, error) {
	l := r.loops[int(r.next.Add(1))%len(r.loops)]
	token, err := l.slots.reserve()
	if err != nil {
		return nil, pgerr.TooManyClients.With().Because(err)
	}
	processID := r.keys.processID(l.index, token)
	c := &client{
		conn:    conn{loop: l, token: token},
		id:      r.ids.Add(1),
		pool:    p,
		lane:    g.Grant.Lane,
		chosen:  g.Grant.Lane,
		grant:   g.Grant,
		version: g.Protocol,
		remote:  g.Remote,
		local:   g.Local,
	}
	c.waiter.Owner = c
	err = g.Welcome(params, processID, r.keys.secretOf(processID, token, g.Protocol))
	if err == nil {
		err = c.take(g.Carrier, g.TLS)
	}
	if err != nil {
		l.slots.renounce(token)
		return nil, err
	}
	return c, nil
}

// take makes a descriptor of a connection that was a goroutine's.
func (c *conn) take(from *carrier.Conn, secured *tls.Conn) (err error) {
	if c.fd, err = from.Detach(); err != nil {
		return err
	}
	if secured != nil {
		c.secure = &secure{tls: secured, carrier: from}
		c.divert()
		return nil
	}
	if n := from.Buffered(); n > 0 {
		c.stash = make([]byte, n)
		_, err = from.Read(c.stash)
	}
	return err
}

// sit is the client's first act on its loop.
func (c *client) sit() {
	l := c.loop
	l.now = l.reactor.Now()
	c.seated, c.last = l.now, l.now
	c.waiter.Owner = c
	c.stats().Logins++
	if c.lowered {
		c.stats().LanesLowered++
	}
	l.slots.put(seat{token: c.token, client: c})
	l.clients[clientNew]++
	c.become(clientIdle)
	if err := c.watch(); err != nil {
		c.gone(err)
		return
	}
	c.resume() // what came with the login
	c.lookInside()
	l.deliver()
}
