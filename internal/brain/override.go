package brain

import (
	"time"

	"github.com/usher-pg/usher/internal/scaler"
)

// override is an operator's target for the pools of a database.
type override = scaler.Override

// Override sets the target of a database's pools until a time, in place of what is expected and measured. An emergency
// still raises it. A zero until takes it back; false: there was none.
func (b *Brain) Override(database string, o scaler.Override) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	_, there := b.overrides[database]
	if o.Until.IsZero() {
		delete(b.overrides, database)
	} else {
		b.overrides[database] = o
	}
	return there
}

// overrideOf is the operator's target for a database, if there is one.
func (b *Brain) overrideOf(database string, now time.Time) override {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	o := b.overrides[database]
	if !o.Until.IsZero() && !now.Before(o.Until) {
		delete(b.overrides, database)
		return override{}
	}
	return o
}
