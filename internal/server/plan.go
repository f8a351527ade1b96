package server

import (
	"github.com/usher-pg/usher/internal/config"
)

// fate is what a reload does to a pool.
type fate int

const (
	keep      fate = iota // it gets the new rules
	reconnect             // and its server connections are replaced as they come free
	end                   // its clients are told that it is gone
)

func (f fate) String() string { return [...]string{"keep", "reconnect", "end"}[f] }

// fateOf decides about a pool: it ends when the configuration has none for its database any more, or when
// another user would have to serve clients of several users.
func fateOf(key routeKey, before identity, s *settings) (fate, config.Pool, identity) {
	p, ok := s.config.Pool(key.database)
	if !ok || key.user == "" && p.User == "" {
		return end, config.Pool{}, identity{}
	}
	after := identityOf(&p, key.user, s.users)
	if before.equal(after) {
		return keep, p, after
	}
	return reconnect, p, after
}

// reload gives every pool its new rules, and takes out those that are gone, which it returns.
func (rs *routes) reload(s *settings) []*route {
	rs.mutex.Lock()
	rs.settings = s
	for server, b := range rs.budgets {
		b.SetMax(budgetOf(s.config, server))
	}
	var gone []*route
	rs.made = 0
	for key, r := range rs.byKey {
		what, p, id := fateOf(key, r.identity, s)
		if what == end {
			r.gone = true
			delete(rs.byKey, key)
			gone = append(gone, r)
			continue
		}
		if key.onDemand(s.config) {
			rs.made++
		}
		r.config, r.identity = p, id
		r.pool.Configure(rulesOf(&p, r.dialerLocked(s)), what == reconnect)
	}
	rs.mutex.Unlock()
	rs.makeEager()
	return gone
}

// makeEager makes the pools that do not wait for their first client: those whose user the configuration
// names.
func (rs *routes) makeEager() {
	rs.mutex.Lock()
	defer rs.mutex.Unlock()
	for _, name := range rs.settings.config.PoolNames() {
		key := routeKey{database: name}
		if rs.byKey[key] == nil && name != config.Fallback && rs.settings.config.Pools[name].User != "" {
			rs.makeLocked(key)
		}
	}
}
