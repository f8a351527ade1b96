package relay

import (
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/pgerr"
	engine "github.com/usher-pg/usher/pool"
)

func TestTheGreatestWishIsTheTarget(t *testing.T) {
	t.Parallel()
	p := one()
	p.rules.Engine = engine.Config{Min: 1, Max: 5}
	w := p.start(t)
	for _, step := range []struct {
		who    string
		n      int
		target int
	}{
		{"a", 3, 3}, {"b", 2, 3}, {"b", 4, 4}, {"c", 9, 5}, {"c", 0, 4}, {"b", 0, 3}, {"b", 0, 3}, {"a", 0, 1},
	} {
		w.pool.WishTarget(step.who, step.n)
		if got := w.pool.Stat().Target; got != step.target {
			t.Errorf("%s wishes for %d: the target is %d, expected %d", step.who, step.n, got, step.target)
		}
	}
	w.eventually("what was wished for is open", func() bool { return w.pool.Stat().Opening == 0 })
}

func TestShedLanesAreToldWhy(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	low, normal := w.seatIn(engine.Low), w.seatIn(engine.Normal)
	low.ask("T D(1) C(SELECT_1) Z(I)", query("SELECT pid"))
	w.pool.Shed("it burns", engine.Low)
	low.ask("E(53300) Z(I)", query("SELECT pid"))
	normal.ask("T D(1) C(SELECT_1) Z(I)", query("SELECT pid"))
	if hint := w.pool.explain(engine.ErrShed, time.Second).Hint; !strings.Contains(hint, "in force: it burns.") {
		t.Errorf("the hint is %q", hint)
	}
	if !w.pool.Sheds(engine.Low) || w.pool.Sheds(engine.Normal) {
		t.Error("the pool does not know whom it sheds")
	}
	w.pool.Shed("")
	low.ask("T D(1) C(SELECT_1) Z(I)", query("SELECT pid"))
	if stat := w.pool.Stat(); stat.Shed != [engine.Lanes]uint64{engine.Low: 1} {
		t.Errorf("shed %v", stat.Shed)
	}
}

func TestAnOpenReserveServesAtOnce(t *testing.T) {
	t.Parallel()
	p := one()
	p.rules.Engine.Reserve = 1
	w := p.start(t)
	w.eventually("the reserve is open", func() bool { return w.pool.Stat().Open == 2 })
	a, b := w.seat(), w.seat()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	b.send(query("SELECT 'b'"))
	b.waiting()
	w.pool.OpenReserve(engine.Normal, w.Now()+patience)
	b.want("T D(b) C(SELECT_1) Z(I)")
	w.pool.OpenReserve(engine.Normal, 0)
	b.send(query("SELECT 'b'"))
	b.waiting()
	a.ask("C(COMMIT) Z(I)", query("COMMIT"))
	b.want("T D(b) C(SELECT_1) Z(I)")
}

// TestPaces: critical statements that took too long, and those that have taken too long already, whether they run or
// wait; but not those an operator holds.
func TestPaces(t *testing.T) {
	t.Parallel()
	const target = 20 * time.Millisecond
	w := of(1).start(t)
	pace := func() Pace { return w.Paces(t.Context(), map[*Pool]time.Duration{w.pool: target})[w.pool] }
	expect := func(what string, want Pace) {
		t.Helper()
		if got := pace(); got != want {
			t.Errorf("%s: %+v, expected %+v", what, got, want)
		}
	}
	a, b, low := w.seatIn(engine.Critical), w.seatIn(engine.Critical), w.seatIn(engine.Low)
	low.ask("T D(1) C(SELECT_1) Z(I)", query("SELECT pid"))
	expect("nothing critical", Pace{})
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	quick := pace()
	if quick.Statements != 1 || quick.Late != 0 {
		t.Errorf("one statement: %+v", quick)
	}
	w.pass(2 * target)
	expect("who is idle in a transaction is not late", quick)
	a.send(query("SELECT wait"))
	b.send(query("SELECT 'b'"))
	low.send(query("SELECT 'low'"))
	b.waiting()
	low.waiting()
	w.pass(2 * target)
	expect("one runs and one waits", Pace{1, quick.Slow, 2})
	w.toy.release <- struct{}{}
	a.want("T D(released) C(SELECT_1) Z(T)")
	expect("one has ended", Pace{2, quick.Slow + 1, 1})
	w.pool.Hold()
	expect("who is held is not late", Pace{2, quick.Slow + 1, 0})
	w.pool.Resume()
	a.ask("C(COMMIT) Z(I)", query("COMMIT"))
	b.want("T D(b) C(SELECT_1) Z(I)")
	low.want("T D(low) C(SELECT_1) Z(I)")
	if got := pace(); got.Statements != 4 || got.Late != 0 || got.Slow < quick.Slow+2 {
		t.Errorf("at the end: %+v", got)
	}
}

// rescuing is a world with the last resort.
func rescuing(n, loops int, limit time.Duration) *plan {
	p := of(n)
	p.loops = loops
	p.rules.EndIdle = limit
	return p
}

func TestTheOneIdleLongestEndsForACriticalRequest(t *testing.T) {
	t.Parallel()
	for _, loops := range []int{1, 3} {
		w := rescuing(3, loops, 20*time.Millisecond).start(t)
		oldest, younger, above := w.seatIn(engine.Low), w.seatIn(engine.High), w.seatIn(engine.Critical)
		above.ask("C(BEGIN) Z(T)", query("BEGIN"))
		oldest.ask("C(BEGIN) Z(T)", query("BEGIN"))
		w.pass(30 * time.Millisecond)
		younger.ask("C(BEGIN) Z(T)", query("BEGIN"))
		w.pass(30 * time.Millisecond)
		critical := w.seatIn(engine.Critical)
		critical.ask("T D(in_time) C(SELECT_1) Z(I)", query("SELECT 'in time'"))
		oldest.want("E(" + pgerr.EndedForCritical.Code + ")")
		oldest.wantEnd()
		younger.ask("C(COMMIT) Z(I)", query("COMMIT"))
		above.ask("C(COMMIT) Z(I)", query("COMMIT"))
		if n := w.Pools(t.Context())[w.pool].Counters.IdleEnded; n != 1 {
			t.Errorf("%d clients are counted as ended, expected one", n)
		}
		w.eventually("nobody looks any more", func() bool { return !w.pool.attended.Load() })
	}
}

// TestEachCriticalRequestEndsOne, one after the other.
func TestEachCriticalRequestEndsOne(t *testing.T) {
	t.Parallel()
	const n = 3
	w := rescuing(n, 2, time.Millisecond).start(t)
	var holders, critical []*guest
	for range n {
		g := w.seatIn(engine.Normal)
		g.ask("C(BEGIN) Z(T)", query("BEGIN"))
		holders = append(holders, g)
	}
	for range n {
		g := w.seatIn(engine.Critical)
		g.send(query("BEGIN"))
		critical = append(critical, g)
	}
	for _, g := range critical {
		g.want("C(BEGIN) Z(T)")
	}
	for _, g := range holders {
		g.want("E(25P03)")
	}
	for _, g := range critical {
		g.ask("C(COMMIT) Z(I)", query("COMMIT"))
	}
}

// TestWhoIsNotIdleInATransactionStays, and so does everybody where the option is off or the reserve is not used up.
func TestWhoIsNotIdleInATransactionStays(t *testing.T) {
	t.Parallel()
	short := time.Millisecond
	for name, row := range map[string]struct {
		lane       engine.Lane
		limit      time.Duration
		hold, done func(w *world, g *guest)
	}{
		"the option is off": {engine.Low, 0, beginIdle, commitIdle},
		"not long enough":   {engine.Low, patience, beginIdle, commitIdle},
		"of lane critical":  {engine.Critical, short, beginIdle, commitIdle},
		"a statement runs": {
			engine.Low, short,
			func(_ *world, g *guest) { g.send(query("SELECT wait")); g.linked() },
			func(w *world, g *guest) { w.toy.release <- struct{}{}; g.want("T D(released) C(SELECT_1) Z(I)") },
		},
		"a batch is open": {
			engine.Low, short,
			func(_ *world, g *guest) {
				g.ask("C(BEGIN) Z(T)", query("BEGIN"))
				g.ask("1", parse("", "SELECT 'x'"), empty('H'))
			},
			func(_ *world, g *guest) {
				g.ask("2 T D(x) C(SELECT_1) Z(T)", batch(""))
				g.ask("C(COMMIT) Z(I)", query("COMMIT"))
			},
		},
		"half a message is here": {
			engine.Low, short,
			func(_ *world, g *guest) {
				g.ask("C(BEGIN) Z(T)", query("BEGIN"))
				g.send(query("COMMIT")[:6])
				g.taken()
			},
			func(_ *world, g *guest) { g.ask("C(COMMIT) Z(I)", query("COMMIT")[6:]) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := rescuing(1, 1, row.limit).start(t)
			holder, critical := w.seatIn(row.lane), w.seatIn(engine.Critical)
			row.hold(w, holder)
			critical.send(query("SELECT 'at last'"))
			critical.waiting()
			w.pass(engine.DefaultSLO + 5*rescueStep)
			row.done(w, holder)
			critical.want("T D(at_last) C(SELECT_1) Z(I)")
		})
	}
}

func beginIdle(_ *world, g *guest)  { g.ask("C(BEGIN) Z(T)", query("BEGIN")) }
func commitIdle(_ *world, g *guest) { g.ask("C(COMMIT) Z(I)", query("COMMIT")) }
