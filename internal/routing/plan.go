package routing

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
func fateOf(key routeKey, before identity, s *Settings) (fate, config.Pool, identity) {
	p, ok := s.Config.Pool(key.database)
	if !ok || key.user == "" && p.User == "" {
		return end, config.Pool{}, identity{}
	}
	after := identityOf(&p, key.user, s.Users)
	if before.equal(after) {
		return keep, p, after
	}
	return reconnect, p, after
}

// Reload gives every pool its new rules, and takes out those that are gone, which it returns.
func (t *Table) Reload(s *Settings) []*Route {
	t.mutex.Lock()
	t.settings = s
	for server, b := range t.budgets {
		b.SetMax(budgetOf(s.Config, server))
	}
	var gone []*Route
	t.made = 0
	for key, r := range t.byKey {
		what, p, id := fateOf(key, r.identity, s)
		if what == end {
			r.gone = true
			delete(t.byKey, key)
			gone = append(gone, r)
			continue
		}
		if key.onDemand(s.Config) {
			t.made++
		}
		r.config, r.identity = p, id
		if what == reconnect {
			r.vetting.forget()
		}
		r.Pool.Configure(rulesOf(&p, r.dialerLocked(s)), what == reconnect)
	}
	t.mutex.Unlock()
	t.MakeNamed()
	return gone
}

// MakeNamed makes the pools that do not wait for their first client: those whose user the configuration
// names.
func (t *Table) MakeNamed() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for _, name := range t.settings.Config.PoolNames() {
		key := routeKey{database: name}
		if t.byKey[key] == nil && name != config.Fallback && t.settings.Config.Pools[name].User != "" {
			t.makeLocked(key)
		}
	}
}
