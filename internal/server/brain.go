package server

import (
	"context"

	"github.com/usher-pg/usher/internal/brain"
	"github.com/usher-pg/usher/internal/scaler"
	"github.com/usher-pg/usher/internal/status"
)

// newBrain makes what sees to the sizes of pools.
func (s *Server) newBrain() *brain.Brain {
	return brain.New(brain.Options{
		Pools: s.brainPools, Config: s.inForce, Folder: s.options.Folder, Clock: s.options.Clock, Log: s.log.Logger,
	})
}

// brainPools are the pools as the brain sees them.
func (s *Server) brainPools() []brain.Pool {
	c := s.inForce()
	routes := s.routes.Of("")
	pools := make([]brain.Pool, 0, len(routes))
	for _, r := range routes {
		p, ok := c.Pool(r.Database)
		if !ok {
			continue // taken out meanwhile
		}
		pools = append(pools, brain.Pool{
			Name: brain.NameOf(r.Database, r.Pool.User(), p.User != ""), Database: r.Database, User: r.Pool.User(),
			Server: p.Target.Server(), Budget: c.Budgets[p.Target.Server()], Options: p.PoolOptions, Engine: r.Pool,
		})
	}
	return pools
}

// Scale sets the target of a database's pools for a time.
func (s *Server) Scale(_ context.Context, order status.ScaleOrder) error {
	if err := s.known(order.Pool); err != nil {
		return err
	}
	span, err := order.Check()
	if err != nil {
		return err
	}
	if p, ok := s.inForce().Pool(order.Pool); ok && order.Target > p.Size.Max {
		return status.Refuse(status.InvalidValue, "size.max of database %s is %d", order.Pool, p.Size.Max)
	}
	s.brain.Override(order.Pool, scaler.Override{
		Target: order.Target, Until: s.brain.Now().Add(span), By: order.By, Reason: order.Reason,
	})
	s.log.Warn("target set by an operator", "pool", order.Pool, "target", order.Target, "for", span, "by", order.By,
		"reason", order.Reason)
	return nil
}

// EndScale takes back what Scale has set.
func (s *Server) EndScale(_ context.Context, database, by string) error {
	if err := s.known(database); err != nil {
		return err
	}
	if !s.brain.Override(database, scaler.Override{}) {
		return status.Refuse(status.WrongState, "no target is set for database %s", database)
	}
	s.log.Warn("target no longer set by an operator", "pool", database, "by", by)
	return nil
}

func (g *gathering) scaling(shot *status.Snapshot) {
	b := g.server.brain
	shot.Scaling, shot.Shortfalls, shot.History = b.Scaling(), b.Shortfalls(), b.History()
}

func (g *gathering) calendars(shot *status.Snapshot) {
	shot.Calendars, shot.Events = g.server.brain.Calendars()
}
