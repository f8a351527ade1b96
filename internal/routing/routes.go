package routing

import (
	"cmp"
	"context"
	"maps"
	"slices"
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
// that the fallback pool serves: some 50 kB each, mostly histograms.
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

// Route is a pool and what it was made from.
type Route struct {
	Pool     *relay.Pool
	Database string // a client asks for
	Budget   *engine.Budget

	key     routeKey
	vetting *vetting
	// keys are those of the latest client that logged in as the server's user, for pass-through.
	keys atomic.Pointer[auth.Keys]

	// The following are guarded by Table.mutex.
	config   config.Pool
	identity identity
	entering int           // clients on their way to a seat
	unused   time.Duration // since when, by Relay.Now, it has had no client; negative while it has one
	gone     bool          // it has been taken out
}

// Table is which pool a client belongs to. Its methods may be called by any goroutine.
type Table struct {
	relay  *relay.Relay
	paused func(database string) bool

	// mutex guards what follows and the fields of routes marked so. Nothing below it waits.
	mutex    sync.Mutex
	settings *Settings
	byKey    map[routeKey]*Route
	budgets  map[string]*engine.Budget // by database server
	made     int                       // routes that are on demand
}

// New is a Table without pools. paused tells whether a pool of a database begins paused; it must not wait.
func New(r *relay.Relay, paused func(database string) bool, s *Settings) *Table {
	return &Table{
		relay: r, paused: paused, settings: s,
		byKey: map[routeKey]*Route{}, budgets: map[string]*engine.Budget{},
	}
}

// Enter finds the pool of a client, or makes it. The caller calls Leave when the client has its seat or is
// refused.
func (t *Table) Enter(database, user string) (*Route, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	c := t.settings.Config
	key, ok := keyOf(c, database, user)
	if !ok {
		return nil, pgerr.NoSuchDatabase.With(database)
	}
	r := t.byKey[key]
	if r == nil {
		if key.onDemand(c) && t.made >= maxMade {
			return nil, pgerr.TooManyClients.With().WithHint("Too many different databases and users are in use.")
		}
		r = t.makeLocked(key)
	}
	r.entering++
	r.unused = -1
	return r, nil
}

// Leave ends Enter. It reports whether the route was taken out meanwhile.
func (t *Table) Leave(r *Route) (gone bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	r.entering--
	return r.gone
}

// makeLocked makes the pool of a key that the configuration has a pool for.
func (t *Table) makeLocked(key routeKey) *Route {
	s := t.settings
	p, ok := s.Config.Pool(key.database)
	if !ok {
		panic("bug: route without a pool in the configuration")
	}
	r := &Route{
		Database: key.database, Budget: t.budgetLocked(p.Target), key: key, vetting: newVetting(),
		config: p, identity: identityOf(&p, key.user, s.Users),
	}
	r.Pool = t.relay.AddPool(key.database, r.identity.user, rulesOf(&p, r.dialerLocked(s)), r.Budget)
	t.byKey[key] = r
	if key.onDemand(s.Config) {
		t.made++
	}
	if t.paused(key.database) {
		r.PauseAtOnce()
	}
	return r
}

// unlimited stands in for the budget of a server that has none in the configuration, because a reload may
// give it one.
const unlimited = 1 << 30

func (t *Table) budgetLocked(target config.Target) *engine.Budget {
	server := target.Server()
	b := t.budgets[server]
	if b == nil {
		b = engine.NewBudget(budgetOf(t.settings.Config, server))
		t.budgets[server] = b
	}
	return b
}

func budgetOf(c *config.Config, server string) int {
	if n := c.Budgets[server]; n > 0 {
		return n
	}
	return unlimited
}

// Of is the routes of one database, or every route if it is empty, in the order of their names.
func (t *Table) Of(database string) []*Route {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	var found []*Route
	for _, r := range t.byKey {
		if database == "" || r.key.database == database {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *Route) int {
		return cmp.Or(cmp.Compare(a.key.database, b.key.database), cmp.Compare(a.key.user, b.key.user))
	})
	return found
}

// Budget is how many connections all pools may have open on a database server.
type Budget struct {
	Server      string
	Limit, Used int // a Limit of 0 is none
}

// Budgets are those of the database servers in use.
func (t *Table) Budgets() []Budget {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	var list []Budget
	for _, server := range slices.Sorted(maps.Keys(t.budgets)) {
		b := t.budgets[server]
		list = append(list, Budget{Server: server, Limit: Limit(b), Used: b.InUse()})
	}
	return list
}

// Limit is what a budget allows, 0 if it has no limit.
func Limit(b *engine.Budget) int {
	if n := b.Max(); n < unlimited {
		return n
	}
	return 0
}

// PauseAtOnce pauses the pool without waiting for what runs.
func (r *Route) PauseAtOnce() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = r.Pool.Pause(ctx) // the error says that something runs
}
