package server

import (
	"cmp"
	"maps"
	"slices"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/relay"
	"github.com/usher-pg/usher/internal/routing"
	"github.com/usher-pg/usher/internal/status"
	engine "github.com/usher-pg/usher/pool"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func (g *gathering) pools(shot *status.Snapshot) {
	shot.Pools = make([]status.Pool, 0, len(g.routes))
	for _, r := range g.routes {
		if v := g.views[r.Pool]; v != nil { // else it was taken out meanwhile
			shot.Pools = append(shot.Pools, g.pool(r, v))
		}
	}
	for _, b := range g.server.routes.Budgets() {
		shot.Budgets = append(shot.Budgets, status.Budget{Server: b.Server, Limit: b.Limit, Used: b.Used})
	}
}

func (g *gathering) pool(r *routing.Route, v *relay.PoolView) status.Pool {
	stat, o := r.Pool.Stat(), g.server.orders
	p := status.Pool{
		Name:     r.Database,
		Database: r.Database,
		User:     r.Pool.User(),
		Mode:     r.Pool.Mode().String(),
		Clients:  clientCounts(v, r.Pool.Held()),
		Servers:  serverCounts(v, &stat),
		MaxWait:  stat.OldestWait,
		Paused:   o.paused(r.Database),
		Disabled: o.isDisabled(r.Database),

		Min:         stat.Min,
		Max:         stat.Max,
		Target:      stat.Target,
		Limit:       stat.Limit,
		Busy:        stat.Busy,
		Reserve:     stat.Reserve,
		ReserveUsed: stat.ReserveBusy,
		Budget:      routing.Limit(r.Budget),

		Opened:     stat.Opens - stat.OpenFailures - uint64(stat.Opening),
		OpenFailed: stat.OpenFailures,
		Pinned:     v.Pinned,
		IdleEnded:  v.Counters.IdleEnded,
		Service:    status.DistributionOf(stat.Service),
	}
	for reason, n := range stat.Closed {
		p.Closed = append(p.Closed, status.Count{Reason: engine.CloseReason(reason).String(), Count: n})
	}
	for reason, n := range stat.Refused {
		p.Refused = append(p.Refused, status.Count{Reason: engine.Reason(reason).String(), Count: n})
	}
	p.Exceeded = []status.Count{
		{Reason: "lowered", Count: v.Counters.LanesLowered}, {Reason: "refused", Count: v.Counters.LanesRefused},
	}
	for _, reason := range sortedKeys(v.Pins) {
		p.Pins = append(p.Pins, status.Count{Reason: reason, Count: v.Pins[reason]})
	}
	for lane := range engine.Lane(engine.Lanes) {
		p.Emergencies += stat.Emergencies[lane]
		p.Lanes = append(p.Lanes, status.Lane{
			Name:        lane.String(),
			Waiting:     stat.Waiting[lane],
			Requests:    stat.Arrived[lane],
			Cancelled:   stat.Cancelled[lane],
			Emergencies: stat.Emergencies[lane],
			Shed:        stat.Shed[lane],
			Shedding:    r.Pool.Sheds(lane),
			Acquisition: status.DistributionOf(&stat.Acquisition[lane]),
			Statement:   status.DistributionOf(cmp.Or(v.Statements[lane], new(engine.Histogram))),
		})
	}
	if err := r.Pool.LastError(); err != nil {
		p.LastError, p.Failing = err.Error(), stat.Open == 0
	}
	return p
}

func (g *gathering) acquisitions(shot *status.Snapshot) {
	for _, r := range g.routes {
		stat := r.Pool.Stat()
		for lane := range engine.Lane(engine.Lanes) {
			shot.Acquisitions = append(shot.Acquisitions, status.Acquisition{
				Pool: r.Database, User: r.Pool.User(), Lane: lane.String(),
				Buckets: status.BucketsOf(&stat.Acquisition[lane]),
			})
		}
	}
}

func clientCounts(v *relay.PoolView, held bool) status.ClientCounts {
	c := status.ClientCounts{Idle: v.Clients["idle"], Linked: v.Clients["linked"]}
	if held {
		c.Held = v.Clients["waiting"]
	} else {
		c.Waiting = v.Clients["waiting"]
	}
	return c
}

func serverCounts(v *relay.PoolView, stat *engine.Stat) status.ServerCounts {
	return status.ServerCounts{
		Active:        v.Servers["linked"],
		BeingCanceled: v.Servers["cancelling"],
		Idle:          v.Servers["idle"],
		Tested:        v.Servers["resetting"],
		Login:         stat.Opening,
	}
}

// databaseNames are those of the configuration and those that the fallback serves now.
func (g *gathering) databaseNames() []string {
	names := map[string]struct{}{}
	for name := range g.server.settings.Load().Config.Pools {
		names[name] = struct{}{}
	}
	for _, r := range g.routes {
		names[r.Database] = struct{}{}
	}
	return sortedKeys(names)
}

func (g *gathering) databases(shot *status.Snapshot) {
	c := g.server.settings.Load().Config
	clients, servers := map[string]int{}, map[string]int{}
	for _, r := range g.routes {
		stat := r.Pool.Stat()
		clients[r.Database] += r.Pool.Seated()
		servers[r.Database] += stat.Open + stat.Opening
	}
	for _, name := range g.databaseNames() {
		p, ok := c.Pool(name)
		if !ok {
			continue // taken out meanwhile
		}
		_, own := c.Pools[name]
		d := describe(&p)
		d.FromFallback = !own
		d.CurrentClients, d.CurrentServers = clients[name], servers[name]
		d.Paused, d.Disabled = g.server.orders.paused(name), g.server.orders.isDisabled(name)
		shot.Databases = append(shot.Databases, d)
	}
}

// describe is what the configuration says about a database.
func describe(p *config.Pool) status.Database {
	return status.Database{
		Name:                  p.Name,
		Host:                  p.Target.Host,
		Port:                  p.Target.Port,
		ServerDatabase:        p.Target.Database,
		ForceUser:             p.User,
		PoolSize:              p.Size.Max,
		MinPoolSize:           p.Size.Min,
		ReservePoolSize:       p.Size.Reserve,
		ServerLifetime:        p.Timeouts.ServerLifetime,
		PoolMode:              string(p.Mode),
		ServerTLSMode:         string(p.TLS.SSLMode),
		DefaultLane:           engine.Normal.String(),
		QueueTimeout:          p.Timeouts.QueryWait,
		AcquisitionObjective:  p.Lanes.AcquireSLO,
		PreparedStatementsMax: p.PreparedStatements,
	}
}

// userNames are the users in whose name there are pools.
func (g *gathering) userNames() []string {
	names := map[string]struct{}{}
	for _, r := range g.routes {
		names[r.Pool.User()] = struct{}{}
	}
	return sortedKeys(names)
}

func (g *gathering) users(shot *status.Snapshot) {
	byName := map[string]*status.User{}
	for _, name := range g.userNames() {
		byName[name] = &status.User{Name: name, PoolSize: -1, ReservePoolSize: -1}
	}
	for _, r := range g.routes {
		u, stat := byName[r.Pool.User()], r.Pool.Stat()
		u.CurrentClients += r.Pool.Seated()
		u.CurrentServers += stat.Open + stat.Opening
	}
	for _, name := range sortedKeys(byName) {
		shot.Users = append(shot.Users, *byName[name])
	}
}
