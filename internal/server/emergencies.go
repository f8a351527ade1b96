package server

import (
	"context"
	"sync"
	"time"

	"github.com/usher-pg/usher/internal/emergency"
	"github.com/usher-pg/usher/internal/relay"
	"github.com/usher-pg/usher/internal/status"
)

// emergencies are those an operator has ordered, and the record of all.
type emergencies struct {
	ledger emergency.Ledger
	orders emergency.Orders

	// mutex guards told: what each pool was told about its reserve last.
	mutex sync.Mutex
	told  map[*relay.Pool]emergency.Opening
}

// watchStep is how often pools are looked at: often enough for a window of a second.
const watchStep = time.Second

// watchEmergencies sees to it that emergencies begin and end, until ctx ends.
func (s *Server) watchEmergencies(ctx context.Context) error {
	ticker := time.NewTicker(watchStep)
	defer ticker.Stop()
	pools := map[*relay.Pool]*watched{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			s.expireOrders()
			s.openReserves()
			s.watchStatements(ctx, pools)
		}
	}
}

// byItself is who begins and ends what nobody has ordered.
const byItself = "usher"

// beginEmergency writes one into the ledger and the log.
func (s *Server) beginEmergency(e status.Emergency) uint64 {
	attrs := describeEmergency(&e)
	if !e.Until.IsZero() {
		attrs = append(attrs, "until", e.Until)
	}
	s.log.Warn("emergency begins", append(attrs, "by", e.By, "reason", e.Reason)...)
	return s.emergencies.ledger.Begin(e)
}

// endEmergency does the same at its end.
func (s *Server) endEmergency(entry uint64, at time.Time, by, reason string) {
	e := s.emergencies.ledger.End(entry, at, by, reason)
	s.log.Warn("emergency ends", append(describeEmergency(&e),
		"lasted", at.Sub(e.Since).Round(time.Millisecond), "by", by, "reason", reason)...)
}

func describeEmergency(e *status.Emergency) []any {
	pool := e.Database
	if pool == "" {
		pool = "all"
	}
	attrs := []any{"kind", string(e.Kind), "measure", string(e.Measure), "pool", pool}
	if e.User != "" {
		attrs = append(attrs, "user", e.User)
	}
	if e.Lane != "" {
		attrs = append(attrs, "lane", e.Lane)
	}
	if e.Target > 0 {
		attrs = append(attrs, "target", e.Target)
	}
	return attrs
}

// BeginEmergency opens the reserve of one database's pools, or of all, to more lanes for a time.
func (s *Server) BeginEmergency(ctx context.Context, order status.EmergencyOrder) error {
	if err := s.known(order.Pool); err != nil {
		return err
	}
	lane, span, err := order.Check()
	if err != nil {
		return err
	}
	if err := s.haveReserve(order.Pool); err != nil {
		return err
	}
	return s.inTurn(ctx, func() error {
		s.endOrders(s.emergencies.orders.Take(order.Pool), order.By, "another order takes its place")
		now := time.Now()
		o := emergency.Order{
			Opening: emergency.Opening{Lane: lane, Until: s.relay.Now() + span}, End: now.Add(span),
		}
		o.Entry = s.beginEmergency(status.Emergency{
			Database: order.Pool, Kind: status.EmergencyByOperator, Measure: status.MeasureReserve, Lane: lane.String(),
			Since: now, Until: o.End, By: order.By, Reason: order.Reason,
		})
		s.emergencies.orders.Put(order.Pool, o)
		s.openReserves()
		return nil
	})
}

// haveReserve refuses to open a reserve that is not there.
func (s *Server) haveReserve(database string) error {
	c := s.settings.Load().Config
	if database != "" {
		if p, ok := c.Pool(database); !ok || p.Size.Reserve == 0 {
			return status.Refuse(status.WrongState, "database %s has no reserve: its size.reserve is 0", database)
		}
		return nil
	}
	for _, p := range c.Pools {
		if p.Size.Reserve > 0 {
			return nil
		}
	}
	return status.Refuse(status.WrongState, "no database has a reserve: size.reserve is 0 everywhere")
}

// EndEmergency ends what BeginEmergency began, for one database or for all.
func (s *Server) EndEmergency(ctx context.Context, database, by string) error {
	if err := s.known(database); err != nil {
		return err
	}
	return s.inTurn(ctx, func() error {
		orders := &s.emergencies.orders
		taken := orders.Take(database)
		switch {
		case len(taken) > 0:
		case database != "" && orders.ForAll():
			return status.Refuse(status.WrongState, "the emergency is one of all databases, use EMERGENCY OFF")
		default:
			return status.ErrNoEmergency
		}
		s.endOrders(taken, by, "ordered")
		s.openReserves()
		return nil
	})
}

func (s *Server) endOrders(orders []emergency.Order, by, reason string) {
	for _, o := range orders {
		s.endEmergency(o.Entry, time.Now(), by, reason)
	}
}

// expireOrders notes which have ended by themselves. Their pools know already.
func (s *Server) expireOrders() {
	for _, o := range s.emergencies.orders.Expire(s.relay.Now()) {
		s.endEmergency(o.Entry, o.End, byItself, "its time is over")
	}
}

// openReserves tells every pool that has not been told yet whether its reserve is open.
func (s *Server) openReserves() {
	e := &s.emergencies
	routes := s.routes.Of("")
	e.mutex.Lock()
	defer e.mutex.Unlock()
	told := make(map[*relay.Pool]emergency.Opening, len(routes))
	for _, r := range routes {
		wanted := e.orders.Of(r.Database)
		if wanted != e.told[r.Pool] {
			r.Pool.OpenReserve(wanted.Lane, wanted.Until)
		}
		told[r.Pool] = wanted
	}
	e.told = told
}

func (g *gathering) emergencies(shot *status.Snapshot) {
	shot.Emergencies = g.server.emergencies.ledger.List()
}
