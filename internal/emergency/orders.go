package emergency

import (
	"sync"
	"time"

	"github.com/usher-pg/usher/pool"
)

// Opening is a reserve that is open. Its zero value is one that is not.
type Opening struct {
	Lane  pool.Lane     // the lowest that may take from it at once
	Until time.Duration // by the clock of the pools
}

// Order is an operator's order to open the reserve of a database's pools.
type Order struct {
	Opening
	End   time.Time // Until on the wall
	Entry uint64    // in the Ledger
}

// Orders are those in force. They hold for pools that are made later, too. Its zero value has none.
type Orders struct {
	// mutex guards what follows.
	mutex sync.Mutex
	given map[string]Order // by database; empty: all
}

// Put notes an order for one database or, if it is empty, for all.
func (o *Orders) Put(database string, order Order) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.given == nil {
		o.given = map[string]Order{}
	}
	o.given[database] = order
}

// Take takes back the order for one database or, if it is empty, every order.
func (o *Orders) Take(database string) []Order {
	return o.takeThose(func(d string, _ Order) bool { return database == "" || d == database })
}

// Expire takes back the orders whose time has come.
func (o *Orders) Expire(now time.Duration) []Order {
	return o.takeThose(func(_ string, order Order) bool { return now >= order.Until })
}

func (o *Orders) takeThose(which func(database string, order Order) bool) []Order {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	var taken []Order
	for database, order := range o.given {
		if which(database, order) {
			taken = append(taken, order)
			delete(o.given, database)
		}
	}
	return taken
}

// ForAll reports whether there is an order for all databases.
func (o *Orders) ForAll() bool {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	_, all := o.given[""]
	return all
}

// Of is what holds for a database: its own order, or else the one for all.
func (o *Orders) Of(database string) Opening {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if order, ok := o.given[database]; ok {
		return order.Opening
	}
	return o.given[""].Opening
}
