package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/relay"
	engine "github.com/usher-pg/usher/pool"
)

// maxMade bounds the pools made on demand, for users who log in to the server as themselves and for databases
// that the fallback pool serves: some 100 kB each, mostly histograms.
const maxMade = 1000

// routeKey names a pool. user is empty where the configuration says who logs in to the server: all clients
// share that pool then.
type routeKey struct {
	database string
	user     string
}

// keyOf is the pool of a client. ok is false if there is no such database.
func keyOf(c *config.Config, database, user string) (key routeKey, ok bool) {
	p := c.Pools[database]
	if p == nil {
		p = c.Pools[config.Fallback]
	}
	switch {
	case p == nil:
		return routeKey{}, false
	case p.User != "":
		return routeKey{database: database}, true
	}
	return routeKey{database, user}, true
}

// onDemand reports whether a pool is made when its first client comes, and not with the configuration.
func (k routeKey) onDemand(c *config.Config) bool {
	return k.user != "" || c.Pools[k.database] == nil || k.database == config.Fallback
}

// route is a pool and what it was made from.
type route struct {
	key     routeKey
	pool    *relay.Pool
	vetting *vetting
	// keys are those of the latest client that logged in as the server's user, for pass-through.
	keys atomic.Pointer[auth.Keys]

	// The following are guarded by routes.mutex.
	config   config.Pool
	identity identity
	budget   *engine.Budget
	entering int           // clients on their way to a seat
	unused   time.Duration // since when, by Relay.Now, it has had no client; negative while it has one
	gone     bool          // it has been taken out
}

// routes is which pool a client belongs to.
type routes struct {
	relay  *relay.Relay
	orders *orders

	// mutex guards what follows and the fields of routes marked so. Nothing below it waits.
	mutex    sync.Mutex
	settings *settings
	byKey    map[routeKey]*route
	budgets  map[string]*engine.Budget // by database server
	made     int                       // routes that are on demand
}

func newRoutes(r *relay.Relay, o *orders, s *settings) *routes {
	return &routes{
		relay: r, orders: o, settings: s, byKey: map[routeKey]*route{}, budgets: map[string]*engine.Budget{},
	}
}

// enter finds the pool of a client, or makes it. The caller calls leave when the client has its seat or is
// refused.
func (rs *routes) enter(database, user string) (*route, error) {
	rs.mutex.Lock()
	defer rs.mutex.Unlock()
	c := rs.settings.config
	key, ok := keyOf(c, database, user)
	if !ok {
		return nil, pgerr.NoSuchDatabase.With(database)
	}
	r := rs.byKey[key]
	if r == nil {
		if key.onDemand(c) && rs.made >= maxMade {
			return nil, pgerr.TooManyClients.With().WithHint("Too many different databases and users are in use.")
		}
		r = rs.makeLocked(key)
	}
	r.entering++
	r.unused = -1
	return r, nil
}

// leave ends enter. It reports whether the route was taken out meanwhile.
func (rs *routes) leave(r *route) (gone bool) {
	rs.mutex.Lock()
	defer rs.mutex.Unlock()
	r.entering--
	return r.gone
}

// makeLocked makes the pool of a key that the configuration has a pool for.
func (rs *routes) makeLocked(key routeKey) *route {
	s := rs.settings
	p, ok := s.config.Pool(key.database)
	if !ok {
		panic("bug: route without a pool in the configuration")
	}
	r := &route{
		key: key, vetting: newVetting(), config: p,
		identity: identityOf(&p, key.user, s.users), budget: rs.budgetLocked(p.Target),
	}
	r.pool = rs.relay.AddPool(key.database, r.identity.user, rulesOf(&p, r.dialerLocked(s)), r.budget)
	rs.byKey[key] = r
	if key.onDemand(s.config) {
		rs.made++
	}
	if rs.orders.paused(key.database) {
		pauseAtOnce(r.pool)
	}
	return r
}

// unlimited stands in for the budget of a server that has none in the configuration, because a reload may
// give it one.
const unlimited = 1 << 30

func (rs *routes) budgetLocked(t config.Target) *engine.Budget {
	server := t.Server()
	b := rs.budgets[server]
	if b == nil {
		b = engine.NewBudget(budgetOf(rs.settings.config, server))
		rs.budgets[server] = b
	}
	return b
}

func budgetOf(c *config.Config, server string) int {
	if n := c.Budgets[server]; n > 0 {
		return n
	}
	return unlimited
}

// all is every route, or those of one database.
func (rs *routes) all(database string) []*route {
	rs.mutex.Lock()
	defer rs.mutex.Unlock()
	var found []*route
	for _, r := range rs.byKey {
		if database == "" || r.key.database == database {
			found = append(found, r)
		}
	}
	return found
}

// pauseAtOnce pauses a pool without waiting for what runs.
func pauseAtOnce(p *relay.Pool) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.Pause(ctx)
}
