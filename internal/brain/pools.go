package brain

import (
	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/pool"
)

// Pool is a pool as the brain sees it: what is decided about it, and what can be seen and done. It never sees a
// connection.
type Pool struct {
	// Name is what it is called in the history, and by those who ask: its database, and its user after a slash where each
	// user has a pool.
	Name     string
	Database string
	User     string

	// Server is the database server, and Budget what all its pools may have together; 0: no limit.
	Server string
	Budget int

	Options config.PoolOptions
	Engine  Engine
}

// besideReserve is what a budget leaves for targets beside the pool's reserve, which is open in any case. 0: there is
// no budget.
func (p *Pool) besideReserve(budget int) int {
	if budget == 0 {
		return 0
	}
	return max(1, budget-p.Options.Size.Reserve)
}

// Engine is a pool's.
type Engine interface {
	Sample() pool.Sample
	// WishTarget says how many server connections somebody wants open; 0: it is not for them to say.
	WishTarget(who string, n int)
	// LimitTo bounds how many ordinary requests may have at once, at least 1, at most the pool's Max.
	LimitTo(n int)
}

// NameOf is the name of a pool. fixed says that all its clients log in to the server as one user.
func NameOf(database, user string, fixed bool) string {
	if fixed {
		return database
	}
	return database + "/" + user
}
