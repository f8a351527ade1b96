package watch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/emergency"
	"github.com/usher-pg/usher/internal/relay"
	"github.com/usher-pg/usher/internal/routing"
	"github.com/usher-pg/usher/internal/status"
)

// Watch sees to emergencies. Its methods are safe for concurrent use.
type Watch struct {
	relay  *relay.Relay
	routes *routing.Table
	config func() *config.Config // in force now
	log    *slog.Logger

	ledger emergency.Ledger
	orders emergency.Orders

	// mutex guards told: what each pool was told about its reserve last.
	mutex sync.Mutex
	told  map[*relay.Pool]emergency.Opening
}

// New makes a Watch over the pools of a table.
func New(r *relay.Relay, routes *routing.Table, inForce func() *config.Config, log *slog.Logger) *Watch {
	return &Watch{relay: r, routes: routes, config: inForce, log: log}
}

// step is how often pools are looked at: often enough for a window of a second.
const step = time.Second

// Run sees to it that emergencies begin and end, until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	pools := map[*relay.Pool]*watched{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			w.expireOrders()
			w.openReserves()
			w.watchStatements(ctx, pools)
		}
	}
}

// List is the record of emergencies: those in force first, then the latest that ended first.
func (w *Watch) List() []status.Emergency { return w.ledger.List() }

// byItself is who begins and ends what nobody has ordered.
const byItself = "usher"

// begin writes one into the ledger and the log.
func (w *Watch) begin(e status.Emergency) uint64 {
	attrs := describe(&e)
	if !e.Until.IsZero() {
		attrs = append(attrs, "until", e.Until)
	}
	w.log.Warn("emergency begins", append(attrs, "by", e.By, "reason", e.Reason)...)
	return w.ledger.Begin(e)
}

// end does the same at its end.
func (w *Watch) end(entry uint64, at time.Time, by, reason string) {
	e := w.ledger.End(entry, at, by, reason)
	w.log.Warn("emergency ends", append(describe(&e),
		"lasted", at.Sub(e.Since).Round(time.Millisecond), "by", by, "reason", reason)...)
}

func describe(e *status.Emergency) []any {
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
