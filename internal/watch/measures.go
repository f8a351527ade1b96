package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/emergency"
	"github.com/usher-pg/usher/internal/relay"
	"github.com/usher-pg/usher/internal/routing"
	"github.com/usher-pg/usher/internal/status"
	engine "github.com/usher-pg/usher/pool"
)

// wishOfMeasures is who wishes for the target that measures raise.
const wishOfMeasures = "emergency measures"

// watched is a pool that has had critical statements.
type watched struct {
	route  *routing.Route
	rules  emergency.Rules
	state  emergency.State
	pace   relay.Pace // when it was looked at last
	ledger map[measure]uint64
}

// measure names what can be in force once in a pool.
type measure struct {
	what emergency.Measure
	lane engine.Lane
}

// watchStatements lets every pool's measures be decided on.
func (w *Watch) watchStatements(ctx context.Context, pools map[*relay.Pool]*watched) {
	c := w.config()
	rules, targets := map[*relay.Pool]emergency.Rules{}, map[*relay.Pool]time.Duration{}
	routes := w.routes.Of("")
	for _, r := range routes {
		if p, ok := c.Pool(r.Database); ok {
			rules[r.Pool] = measureRules(&p)
			targets[r.Pool] = p.Emergency.StatementTarget
		}
	}
	paces := w.relay.Paces(ctx, targets)
	if ctx.Err() != nil {
		return // some loops have not answered
	}
	for _, r := range routes {
		pace, critical := paces[r.Pool]
		p := pools[r.Pool]
		if p == nil && critical {
			p = &watched{route: r, rules: rules[r.Pool], pace: pace, ledger: map[measure]uint64{}}
			pools[r.Pool] = p
		}
		if p != nil {
			w.decide(p, rules[r.Pool], pace)
		}
	}
	for pool, p := range pools {
		if _, there := rules[pool]; !there {
			for _, entry := range p.ledger {
				w.end(entry, time.Now(), byItself, "the pool is gone")
			}
			delete(pools, pool)
		}
	}
}

// measureRules are the configuration's in the words of the decision.
func measureRules(p *config.Pool) emergency.Rules {
	e := &p.Emergency
	return emergency.Rules{
		Target:    e.StatementTarget,
		SlowShare: float64(e.SlowShare) / 100,
		Window:    e.Window,
		Hold:      e.Hold,
		Shed:      map[config.Shedding]int{config.ShedLow: 1, config.ShedNormal: 2}[e.Shed],
	}
}

// decide carries out what is decided about a pool.
func (w *Watch) decide(p *watched, rules emergency.Rules, pace relay.Pace) {
	before := p.pace
	if rules.Target != p.rules.Target || pace.Statements < before.Statements {
		before = relay.Pace{Statements: pace.Statements, Slow: pace.Slow} // what was slow has a new meaning
	}
	p.rules, p.pace = rules, pace
	pool := p.route.Pool
	stat := pool.Stat()
	o := emergency.Observed{Target: max(stat.Target, stat.Busy), Max: stat.Max}
	if !pool.Held() { // who waits for RESUME is not slow
		o.Statements, o.Slow, o.Late = pace.Statements-before.Statements, pace.Slow-before.Slow, pace.Late
	}
	state, steps := emergency.Decide(p.state, rules, o, w.relay.Now())
	p.state = state
	if len(steps) == 0 {
		return
	}
	for _, step := range steps {
		w.enter(p, step)
	}
	pool.Shed(fmt.Sprintf("critical statements take longer than %v", rules.Target), emergency.Lanes(state.Shed)...)
	pool.WishTarget(wishOfMeasures, state.Target)
}

// enter writes a step into the ledger.
func (w *Watch) enter(p *watched, step emergency.Step) {
	m := measure{step.Measure, step.Lane}
	if entry, ok := p.ledger[m]; ok {
		reason := step.Reason
		if step.Begins {
			reason = "it is raised further"
		}
		w.end(entry, time.Now(), byItself, reason)
		delete(p.ledger, m)
	}
	if !step.Begins {
		return
	}
	e := status.Emergency{
		Database: p.route.Database, User: p.route.Pool.User(), Kind: status.EmergencyByItself,
		Measure: status.MeasureTarget, Target: step.Target,
		Since: time.Now(), By: byItself, Reason: step.Reason,
	}
	if step.Measure == emergency.Shed {
		e.Measure, e.Lane = status.MeasureShed, step.Lane.String()
	}
	p.ledger[m] = w.begin(e)
}
