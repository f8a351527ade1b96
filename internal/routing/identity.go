package routing

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/backend"
	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/relay"
	"github.com/usher-pg/usher/internal/wire"
)

// identity is where the server connections of a pool lead and as whom. When it changes, those that are open
// belong to somebody else.
type identity struct {
	place
	secret auth.Secret
}

// place is what of an identity can be compared.
type place struct {
	target      config.Target
	user        string
	tls         config.ServerTLS
	application string
	options     string
}

// identityOf is a pool's identity for a client's user. The password is the pool's own, or stands in the users
// file.
func identityOf(p *config.Pool, user string, users *auth.Users) identity {
	id := identity{place: place{
		target: p.Target, user: user, tls: p.TLS, application: p.ApplicationName, options: p.ServerOptions,
	}}
	if p.User != "" {
		id.user = p.User
	}
	if p.User != "" && p.Password != "" {
		id.secret = auth.PlainSecret(string(p.Password))
	} else if known, ok := users.Lookup(id.user); ok {
		id.secret = known.Secret
	}
	return id
}

func (id identity) equal(other identity) bool {
	return id.place == other.place && id.secret.Equal(other.secret)
}

// serverKeepAlive finds out within a minute that a database server is gone, so that its pool can open new
// connections.
var serverKeepAlive = net.KeepAliveConfig{
	Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3,
}

// dialConfigLocked is how a server connection of a route is opened, but for the credentials.
func (r *Route) dialConfigLocked(s *Settings) *backend.Config {
	p := &r.config
	network, address := p.Target.Network()
	trusted := s.serverTLS[tlsFiles(p)]
	return &backend.Config{
		Network:   network,
		Address:   address,
		Database:  p.Target.Database,
		Params:    serverParams(p),
		SSLMode:   sslModes[p.TLS.SSLMode],
		DirectTLS: p.TLS.Negotiation == config.NegotiateDirect,
		TLS:       func() *tls.Config { return trusted },
		KeepAlive: serverKeepAlive,
	}
}

// dialerLocked opens server connections of a route.
func (r *Route) dialerLocked(s *Settings) relay.Dialer {
	config, id, warmUp := r.dialConfigLocked(s), r.identity, r.config.WarmUp
	return func(ctx context.Context) (*relay.Opened, error) {
		now := *config
		now.Credentials = auth.NewCredentials(id.user, id.secret, r.keys.Load())
		now.WarmUp = warmUp
		return open(ctx, &now)
	}
}

// Offer lets a route log in to its server by the keys a client has shown, if they are the keys of its user.
func (t *Table) Offer(r *Route, user string, keys *auth.Keys) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if keys != nil && r.identity.user == user {
		r.keys.Store(keys)
	}
}

// Vet has start-up parameters tried that no client of the route has asked for yet. Its error is the server's.
func (t *Table) Vet(ctx context.Context, r *Route, params []wire.Param) error {
	if t.Vetted(r, params) {
		return nil
	}
	dial, limit := t.ownDial(r)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return r.vetting.vet(ctx, dial, params)
}

// Vetted reports whether Vet has nothing to try.
func (t *Table) Vetted(r *Route, params []wire.Param) bool {
	return len(params) == 0 || len(r.vetting.unknown(params)) == 0 || r.Pool.Held()
}

// Open opens a server connection outside of the pool, for a client that speaks the replication protocol.
func (t *Table) Open(ctx context.Context, r *Route, replication string, params []wire.Param) (
	*relay.Opened, error,
) {
	dial, limit := t.ownDial(r)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	dial.Replication, dial.Params = replication, ownParams(dial.Params, params)
	opened, err := open(ctx, dial)
	if err != nil {
		return nil, pgerr.ServerLogin.With().Because(err)
	}
	return opened, nil
}

// ownDial is how a server connection outside of the pool is opened, and how long that may take.
func (t *Table) ownDial(r *Route) (*backend.Config, time.Duration) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	dial := r.dialConfigLocked(t.settings)
	dial.Credentials = auth.NewCredentials(r.identity.user, r.identity.secret, r.keys.Load())
	return dial, connectTimeout(&r.config)
}

// open opens one server connection.
func open(ctx context.Context, c *backend.Config) (*relay.Opened, error) {
	conn, err := backend.Dial(ctx, c)
	if err != nil {
		return nil, err
	}
	return &relay.Opened{
		Carrier:    conn.Carrier,
		TLS:        conn.TLS,
		ProcessID:  conn.ProcessID,
		Parameters: conn.Params,
		Cancel:     conn.Cancel,
	}, nil
}
