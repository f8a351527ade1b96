package server

import (
	"context"
	"time"

	"github.com/usher-pg/usher/internal/relay"
	"github.com/usher-pg/usher/internal/routing"
	"github.com/usher-pg/usher/internal/status"
)

// gathering is what several sections of one snapshot are made from, so that they agree.
type gathering struct {
	ctx    context.Context
	server *Server
	now    time.Time
	clock  time.Duration // the relay's, at the same moment
	routes []*routing.Route
	views  map[*relay.Pool]*relay.PoolView // nil if no section needs them
}

// countedSections are made from counts that the relay is asked for once.
const countedSections = status.SectionPools | status.SectionStats

// Snapshot is usher now.
func (s *Server) Snapshot(ctx context.Context, sections status.Sections) (*status.Snapshot, error) {
	shot := &status.Snapshot{
		Version: s.options.Version, Now: time.Now(), StartedAt: s.started, State: s.orders.state(),
	}
	g := &gathering{ctx: ctx, server: s, now: shot.Now, clock: s.relay.Now(), routes: s.routes.Of("")}
	if sections&countedSections != 0 {
		g.views = s.relay.Pools(ctx)
	}
	for _, section := range []struct {
		wanted status.Sections
		fill   func(*status.Snapshot)
	}{
		{status.SectionClients, g.clients},
		{status.SectionServers, g.servers},
		{status.SectionPools, g.pools},
		{status.SectionDatabases, g.databases},
		{status.SectionUsers, g.users},
		{status.SectionStats, g.stats},
		{status.SectionLists, g.lists},
		{status.SectionConfig, g.config},
		{status.SectionLoops, g.loops},
		{status.SectionMemory, g.memory},
		{status.SectionListeners, g.listeners},
		{status.SectionLogins, g.logins},
		{status.SectionAcquisitions, g.acquisitions},
		{status.SectionEmergencies, func(shot *status.Snapshot) { shot.Emergencies = s.watch.List() }},
		{status.SectionForecasts, func(shot *status.Snapshot) { shot.Forecasts = s.brain.Forecasts() }},
		{status.SectionScaling, g.scaling},
		{status.SectionCalendars, g.calendars},
		{status.SectionTuning, func(shot *status.Snapshot) { shot.Tuning = s.brain.Tuning() }},
	} {
		if sections.Has(section.wanted) {
			section.fill(shot)
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return shot, nil
}

// at is a time of the relay's clock on the wall.
func (g *gathering) at(d time.Duration) time.Time {
	return g.now.Add(d - g.clock).Truncate(time.Microsecond)
}

func (g *gathering) config(shot *status.Snapshot) {
	for _, r := range g.server.settings.Load().Config.Rows() {
		shot.Config = append(shot.Config, status.ConfigRow{
			Key: r.Key, Value: r.Value, Default: r.Default, Changeable: r.Changeable,
		})
	}
}

func (g *gathering) loops(shot *status.Snapshot) {
	for i, l := range g.server.relay.Loops(g.ctx) {
		shot.Loops = append(shot.Loops, status.Loop{ID: i, Clients: l.Clients, Servers: l.Servers})
	}
}

func (g *gathering) memory(shot *status.Snapshot) {
	kept := 0
	for _, l := range g.server.relay.Loops(g.ctx) {
		kept += l.Kept
	}
	shot.Memory = []status.Memory{{Name: "loop_buffers", Size: 1, Free: kept, Total: kept}}
}

func (g *gathering) listeners(shot *status.Snapshot) {
	shot.Listeners = g.server.listeners()
}

func (g *gathering) logins(shot *status.Snapshot) {
	shot.Logins = g.server.counts.logins()
	shot.Logins.InProgress = g.server.loginsUnderWay()
}

func (g *gathering) stats(shot *status.Snapshot) {
	totals := g.server.totalsOf(g.views)
	for _, database := range sortedKeys(totals) {
		t := totals[database]
		shot.Stats = append(shot.Stats, status.DatabaseStats{
			Database: database, Totals: t, Averages: g.server.counts.averages(g.now, database, t),
		})
	}
}

func (g *gathering) lists(shot *status.Snapshot) {
	l := &status.Lists{Pools: len(g.routes), LoginClients: g.server.loginsUnderWay()}
	for _, r := range g.routes {
		l.UsedClients += r.Pool.Seated()
		stat := r.Pool.Stat()
		l.UsedServers += stat.Open + stat.Opening
	}
	l.Databases = len(g.databaseNames())
	l.Users = len(g.userNames())
	shot.Lists = l
}
