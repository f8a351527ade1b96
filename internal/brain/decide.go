package brain

import (
	"encoding/json"
	"time"

	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/scaler"
)

// house is a database server, and what was decided for its pools.
type house struct {
	brain  *Brain
	server string

	scaled  scaler.State
	decided time.Time
	tuning  tuning
}

func (b *Brain) house(server string) *house {
	h := b.houses[server]
	if h == nil {
		h = &house{brain: b, server: server}
		b.houses[server] = h
	}
	return h
}

// step decides what is due.
func (h *house) step(charges []*charge, now time.Time) {
	h.tune(charges, now)
	due := now.Sub(h.decided) >= decideEvery || now.Before(h.decided)
	for _, c := range charges {
		due = due || c.impaired()
	}
	if due {
		h.decided = now
		h.decide(charges, now)
	}
}

// decide decides on the targets of all pools of the server, and carries it out.
func (h *house) decide(charges []*charge, now time.Time) {
	pools := make([]scaler.Pool, len(charges))
	for i, c := range charges {
		c.scaled = scaler.Pool{
			Name: c.Name, Rules: scalingRules(&c.Pool, h.tuning.useful(charges)), Observed: c.observed(),
		}
		pools[i] = c.scaled
		pools[i].Forecast, pools[i].Override = h.brain.forecastOf(c.Name), h.brain.overrideOf(c.Database, now)
	}
	budget := charges[0].Budget // that of their server
	for _, c := range charges {
		budget = c.besideReserve(budget)
	}
	state, decisions := scaler.Decide(now, pools, budget, h.scaled)
	h.scaled = state
	byPool := map[string]scaler.Decision{}
	for _, d := range decisions {
		byPool[d.Pool] = d
	}
	for _, c := range charges {
		d, ok := byPool[c.Name]
		if !ok || !d.Acts {
			c.wish(0)
		} else {
			c.wish(d.Target)
		}
		c.decision = d
		if d.Changed {
			c.changes[d.Cause]++
			h.brain.audit(d)
		}
	}
}

// audit writes a decision down that changes something.
func (b *Brain) audit(d scaler.Decision) {
	attrs := []any{
		"pool", d.Pool, "from", d.From, "to", d.Target, "cause", d.Cause.String(), "reason", d.Reason,
		"mode", d.Mode.String(),
	}
	if d.Acts {
		b.log.Info("target changes", attrs...)
	} else {
		b.log.Debug("target would change", attrs...)
	}
	if text, ok := b.asText(d.Pool, d); ok {
		b.keeper.SaveDecision(d.Pool, d.At, text)
	}
}

// asText is what is to be written down of a pool, as JSON. A clock that shows a year beyond all calendars has no form
// there; that must not end usher.
func (b *Brain) asText(pool string, what any) (text []byte, ok bool) {
	text, err := json.Marshal(what)
	if err != nil {
		b.log.Error("not written down", "pool", pool, "error", err)
	}
	return text, err == nil
}

// forecastOf is what is expected of a pool; nil: nothing was forecast yet.
func (b *Brain) forecastOf(pool string) *forecast.Forecast {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if o := b.outlooks[pool]; o != nil && !o.forecast.Issued.IsZero() {
		return &o.forecast
	}
	return nil
}
