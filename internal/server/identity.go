package server

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/backend"
	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/relay"
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
func (r *route) dialConfigLocked(s *settings) *backend.Config {
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
func (r *route) dialerLocked(s *settings) relay.Dialer {
	config, id := r.dialConfigLocked(s), r.identity
	return func(ctx context.Context) (*relay.Opened, error) {
		now := *config
		now.Credentials = auth.NewCredentials(id.user, id.secret, r.keys.Load())
		return open(ctx, &now)
	}
}

// ownDial is how a server connection outside of the pool is opened, and how long that may take.
func (rs *routes) ownDial(r *route) (*backend.Config, time.Duration) {
	rs.mutex.Lock()
	defer rs.mutex.Unlock()
	dial := r.dialConfigLocked(rs.settings)
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
