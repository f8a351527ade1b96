package config

import "time"

// Shedding is the highest lane whose requests emergency measures may refuse.
type Shedding string

// How far lanes are shed, from the lowest up.
const (
	ShedOff    Shedding = "off"
	ShedLow    Shedding = "low"
	ShedNormal Shedding = "normal" // low first, then normal
)

// Emergency is what a pool does when its critical lane is in trouble.
type Emergency struct {
	StatementTarget      time.Duration // 0: there are no measures
	SlowShare            int           // percent
	Window               time.Duration
	Hold                 time.Duration
	Shed                 Shedding
	EndIdleInTransaction time.Duration // 0: nobody is ended
}

// defaultEmergency is on: it concerns pools with critical statements only, which somebody must have made critical.
func defaultEmergency() Emergency {
	return Emergency{
		StatementTarget: 50 * time.Millisecond, SlowShare: 5, Window: 10 * time.Second, Hold: 30 * time.Second,
		Shed: ShedNormal,
	}
}

func emergencyRows() []row[PoolOptions] {
	return []row[PoolOptions]{
		{Option{
			Path: "emergency.statement_target", Reloadable: true,
			Doc: "How long a statement of lane critical may take, from reading it to the end of its answer, the wait for " +
				"a server connection included. When too many take longer, emergency measures begin: lanes are shed and the " +
				"pool's target is raised, see docs/emergencies.md. A pool without critical statements never has any. 0 turns " +
				"them off.",
		}, func(o *PoolOptions) value {
			return span{&o.Emergency.StatementTarget, time.Millisecond, time.Hour, true}
		}},
		{Option{
			Path: "emergency.slow_share", Reloadable: true,
			Doc: "How many of the critical statements may take longer than statement_target. Measures end when at most half " +
				"as many do.",
		}, func(o *PoolOptions) value { return percent{&o.Emergency.SlowShare, 1, 50} }},
		{Option{
			Path: "emergency.window", Reloadable: true,
			Doc: "How long more than slow_share must have been slow before a measure begins, and again before the next one.",
		}, func(o *PoolOptions) value { return span{&o.Emergency.Window, time.Second, time.Hour, false} }},
		{Option{
			Path: "emergency.hold", Reloadable: true,
			Doc: "How long critical statements must have been fine before a measure ends, and again before the next one does. " +
				"It doubles, up to 16 times itself, while what was let in again makes them slow again.",
		}, func(o *PoolOptions) value { return span{&o.Emergency.Hold, time.Second, time.Hour, false} }},
		{Option{
			Path: "emergency.shed", Reloadable: true,
			Doc: "Which requests measures may refuse: with normal those of lane low and, when that does not help, of lane " +
				"normal; with low only those; with off none. Their clients stay connected and are told why.",
		}, func(o *PoolOptions) value {
			return choice[Shedding]{&o.Emergency.Shed, []Shedding{ShedOff, ShedLow, ShedNormal}}
		}},
		{Option{
			Path: "emergency.end_idle_in_transaction", Reloadable: true,
			Doc: "The last resort, off by default: when a critical request has waited longer than lanes.acquire_slo and " +
				"the reserve is used up, the client of a lower lane that has been idle in its transaction longest is ended, " +
				"if it has been for at least so long. Its transaction is rolled back. 0 is never.",
		}, func(o *PoolOptions) value { return timeout(&o.Emergency.EndIdleInTransaction) }},
	}
}
