package watch

import (
	"time"

	"github.com/usher-pg/usher/internal/emergency"
	"github.com/usher-pg/usher/internal/relay"
	"github.com/usher-pg/usher/internal/status"
)

// Begin opens the reserve of one database's pools, or of all, to more lanes for a time. Orders come one at a time.
func (w *Watch) Begin(order status.EmergencyOrder) error {
	lane, span, err := order.Check()
	if err != nil {
		return err
	}
	if err := w.haveReserve(order.Pool); err != nil {
		return err
	}
	w.endOrders(w.orders.Take(order.Pool), order.By, "another order takes its place")
	now := time.Now()
	o := emergency.Order{
		Opening: emergency.Opening{Lane: lane, Until: w.relay.Now() + span}, End: now.Add(span),
	}
	o.Entry = w.begin(status.Emergency{
		Database: order.Pool, Kind: status.EmergencyByOperator, Measure: status.MeasureReserve, Lane: lane.String(),
		Since: now, Until: o.End, By: order.By, Reason: order.Reason,
	})
	w.orders.Put(order.Pool, o)
	w.openReserves()
	return nil
}

// haveReserve refuses to open a reserve that is not there.
func (w *Watch) haveReserve(database string) error {
	c := w.config()
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

// End ends what Begin began, for one database or for all.
func (w *Watch) End(database, by string) error {
	taken := w.orders.Take(database)
	switch {
	case len(taken) > 0:
	case database != "" && w.orders.ForAll():
		return status.Refuse(status.WrongState, "the emergency is one of all databases, use EMERGENCY OFF")
	default:
		return status.ErrNoEmergency
	}
	w.endOrders(taken, by, "ordered")
	w.openReserves()
	return nil
}

func (w *Watch) endOrders(orders []emergency.Order, by, reason string) {
	for _, o := range orders {
		w.end(o.Entry, time.Now(), by, reason)
	}
}

// expireOrders notes which have ended by themselves. Their pools know already.
func (w *Watch) expireOrders() {
	for _, o := range w.orders.Expire(w.relay.Now()) {
		w.end(o.Entry, o.End, byItself, "its time is over")
	}
}

// openReserves tells every pool that has not been told yet whether its reserve is open.
func (w *Watch) openReserves() {
	routes := w.routes.Of("")
	w.mutex.Lock()
	defer w.mutex.Unlock()
	told := make(map[*relay.Pool]emergency.Opening, len(routes))
	for _, r := range routes {
		wanted := w.orders.Of(r.Database)
		if wanted != w.told[r.Pool] {
			r.Pool.OpenReserve(wanted.Lane, wanted.Until)
		}
		told[r.Pool] = wanted
	}
	w.told = told
}
