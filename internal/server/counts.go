package server

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usher-pg/usher/internal/backend"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/relay"
	"github.com/usher-pg/usher/internal/status"
)

// counts remembers what the relay does not: totals of pools that are gone, and totals of earlier for the
// averages.
type counts struct {
	started   time.Time
	accepted  atomic.Uint64 // clients that said who they are
	succeeded atomic.Uint64
	cancels   atomic.Uint64

	// mutex guards what follows.
	mutex    sync.Mutex
	retired  map[string]status.Totals // by database, of pools that are gone
	windows  map[string]*status.Window
	refusals map[string]uint64 // by SQLSTATE
}

func newCounts(started time.Time) *counts {
	return &counts{
		started: started, retired: map[string]status.Totals{}, windows: map[string]*status.Window{},
		refusals: map[string]uint64{},
	}
}

// retire keeps the totals of a pool that ends, so that those of its database never fall.
func (c *counts) retire(database string, t status.Totals) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.retired[database] = c.retired[database].Add(t)
}

// complete adds to totals by database those of pools that are gone.
func (c *counts) complete(totals map[string]status.Totals) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for database, t := range c.retired {
		totals[database] = totals[database].Add(t)
	}
}

// mark begins a new period of the averages.
func (c *counts) mark(now time.Time, totals map[string]status.Totals) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for database, t := range totals {
		c.windowLocked(database).Mark(now, t)
	}
}

// averages are those of one database.
func (c *counts) averages(now time.Time, database string, t status.Totals) status.Averages {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.windowLocked(database).Averages(now, t)
}

func (c *counts) windowLocked(database string) *status.Window {
	w := c.windows[database]
	if w == nil {
		w = status.NewWindow(c.started, status.Totals{})
		c.windows[database] = w
	}
	return w
}

// totals are what the clients of each database have had.
func (s *Server) totals(ctx context.Context) map[string]status.Totals {
	return s.totalsOf(s.relay.Pools(ctx))
}

func (s *Server) totalsOf(views map[*relay.Pool]*relay.PoolView) map[string]status.Totals {
	totals := map[string]status.Totals{}
	for _, r := range s.routes.Of("") {
		t := totals[r.Database]
		if v := views[r.Pool]; v != nil {
			t = t.Add(totalsFrom(v.Counters))
		}
		totals[r.Database] = t
	}
	s.counts.complete(totals)
	return totals
}

// poolTotals are the totals by pool.
func (s *Server) poolTotals(ctx context.Context) map[*relay.Pool]status.Totals {
	totals := map[*relay.Pool]status.Totals{}
	for p, v := range s.relay.Pools(ctx) {
		totals[p] = totalsFrom(v.Counters)
	}
	return totals
}

// totalsFrom is the relay's counters in status' words.
func totalsFrom(c relay.Counters) status.Totals {
	return status.Totals{
		Assignments:     c.Assignments,
		Transactions:    c.Transactions,
		Queries:         c.Queries,
		Received:        c.Received,
		Sent:            c.Sent,
		TransactionTime: uint64(c.InTransact.Microseconds()),
		QueryTime:       uint64(c.InQuery.Microseconds()),
		WaitTime:        uint64(c.Waited.Microseconds()),
		ClientParses:    c.ClientParses,
		ServerParses:    c.ServerParses,
		Binds:           c.Binds,
		ClientLogins:    c.Logins,
	}
}

// seated counts a client that has been given a seat, or refused one: by the SQLSTATE of what it is told.
func (c *counts) seated(err error) {
	if err == nil {
		c.succeeded.Add(1)
		return
	}
	code := "none"
	if told, ok := errors.AsType[*pgerr.Error](err); ok {
		code = told.Row.Code
	} else if told, ok := errors.AsType[*backend.ServerError](err); ok {
		code = told.Code()
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.refusals[code]++
}

// logins are the clients that came so far.
func (c *counts) logins() *status.Logins {
	l := &status.Logins{Accepted: c.accepted.Load(), Succeeded: c.succeeded.Load(), Cancels: c.cancels.Load()}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, code := range sortedKeys(c.refusals) {
		l.Refused = append(l.Refused, status.Count{Reason: code, Count: c.refusals[code]})
	}
	return l
}
