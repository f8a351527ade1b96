package brain

import (
	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/scaler"
	"github.com/usher-pg/usher/internal/staffing"
	"github.com/usher-pg/usher/pool"
)

// charge is a pool in the brain's care, and what is known of it from looking.
type charge struct {
	Pool
	sample pool.Sample // the last one
	// unrecorded says that the history did not take it, and that this was told.
	unrecorded bool

	// Demand since the last decision.
	demand float64
	looks  int
	// What requests are like, as far as it was ever known.
	load staffing.Load

	told     int         // the target that was wished for
	limit    int         // what ordinary requests were limited to; 0: never
	scaled   scaler.Pool // as it was decided about last, without what is expected of it
	decision scaler.Decision
	changes  map[scaler.Cause]uint64 // of the target
}

// newCharge is a pool that nothing was decided about yet.
func newCharge(p Pool) *charge {
	return &charge{
		Pool: p, scaled: scaler.Pool{Name: p.Name, Rules: scalingRules(&p, 0)}, changes: map[scaler.Cause]uint64{},
	}
}

// look takes a sample.
func (c *charge) look() pool.Sample {
	s := c.Engine.Sample()
	c.demand += float64(s.Demand())
	c.looks++
	c.sample = s
	return s
}

// record is the sample as history takes it.
func record(s pool.Sample) history.Sample {
	return history.Sample{
		Busy: s.Busy, Waiting: s.Waiting, Requests: s.Arrived,
		Services: s.Served, ServiceSum: s.ServiceSum, ServiceSquares: s.ServiceSquares,
		Refused: s.Refused, Limit: s.Limit, Down: s.Down, Held: s.Held,
	}
}

// impaired reports whether critical work waits that must not: somebody has to decide at once.
func (c *charge) impaired() bool { return c.sample.Late > 0 || c.sample.ReserveBusy > 0 }

// observed is what has been asked for since the last decision, and begins anew.
func (c *charge) observed() scaler.Observed {
	o := scaler.Observed{
		Unknown: c.looks == 0, Open: max(0, c.sample.Open-c.Options.Size.Reserve), Load: c.load,
		Late: c.sample.Late, Reserve: c.sample.ReserveBusy, Outage: c.sample.Down || c.sample.Held,
	}
	if c.looks > 0 {
		o.Demand = c.demand / float64(c.looks)
	}
	c.demand, c.looks = 0, 0
	return o
}

// leastServed is how many requests it takes to say what requests are like.
const leastServed = 30

// learn takes what requests are like from a bucket, if it knows. service is of the bucket's requests.
func (c *charge) learn(b history.Bucket) {
	if b.Service <= 0 || b.Arrivals < leastServed {
		return
	}
	c.load.Service, c.load.ServiceSpread = b.Service, b.ServiceSpread
	if b.ArrivalSpread > 0 {
		c.load.ArrivalSpread = b.ArrivalSpread
	}
}

// wish tells the pool its target, unless it knows. 0: the brain has none for it.
func (c *charge) wish(target int) {
	if target != c.told {
		c.Engine.WishTarget(wishOfBrain, target)
		c.told = target
	}
}

// wishOfBrain is who wishes; others are emergency measures and logins.
const wishOfBrain = "brain"
