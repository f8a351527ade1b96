package relay

import (
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/lanes"
	"github.com/usher-pg/usher/internal/wire"
	engine "github.com/usher-pg/usher/pool"
)

// statements are what a pool has recorded of a lane.
func (w *world) statementsOf(lane engine.Lane) *engine.Histogram {
	w.t.Helper()
	h := w.Pools(w.t.Context())[w.pool].Statements[lane]
	if h == nil {
		return new(engine.Histogram)
	}
	return h
}

// pass waits until the relay's clock has gone on.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	until := w.Now() + d
	w.eventually("time passes", func() bool { return w.Now() > until })
}

func (w *world) seatIn(lane engine.Lane) *guest {
	w.t.Helper()
	g, err := w.trySeat(newcomer{protocol: wire.Version30, grant: lanes.Grant{Lane: lane}})
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// took is how long something took, as a client sees it: not less than what the relay measures inside.
func (w *world) took(f func()) time.Duration {
	begin := w.Now()
	f()
	return w.Now() - begin
}

// TestAStatementsTimeBeginsWhenItIsRead: it has the wait for a server connection in it, but not what a client thinks
// between two statements of a transaction.
func TestAStatementsTimeBeginsWhenItIsRead(t *testing.T) {
	t.Parallel()
	const wait = 50 * time.Millisecond
	w := one().start(t)
	a, b := w.seatIn(engine.Low), w.seatIn(engine.Critical)
	bound := w.took(func() { a.ask("C(BEGIN) Z(T)", query("BEGIN")) })
	b.send(query("SELECT 'b'"))
	b.waiting()
	w.pass(wait)
	bound += w.took(func() { a.ask("C(COMMIT) Z(I)", query("COMMIT")) })
	b.want("T D(b) C(SELECT_1) Z(I)")
	bound += w.took(func() { a.ask("E(42601) Z(I)", query("nonsense")) })
	if h := w.statementsOf(engine.Low); h.Count() != 3 || h.Sum() > bound {
		t.Errorf("low: %d statements took %v, expected 3 and at most %v", h.Count(), h.Sum(), bound)
	}
	if h := w.statementsOf(engine.Critical); h.Count() != 1 || h.Sum() < wait {
		t.Errorf("critical: %d statements took %v, expected one and at least %v", h.Count(), h.Sum(), wait)
	}
	if h := w.statementsOf(engine.Normal); h.Count() != 0 {
		t.Errorf("normal: %d statements, expected none", h.Count())
	}
}

// TestABatchIsOneStatement, from its first message behind a Flush to its ReadyForQuery.
func TestABatchIsOneStatement(t *testing.T) {
	t.Parallel()
	const wait = 50 * time.Millisecond
	w := one().start(t)
	a := w.seatIn(engine.High)
	a.ask("1 t T", parse("s", "SELECT 'a'"), describe(wire.KindStatement, "s"), empty(wire.Flush))
	w.pass(wait)
	bound := w.took(func() { a.ask("2 T D(a) C(SELECT_1) Z(I)", batch("s")) })
	if h := w.statementsOf(engine.High); h.Count() != 1 || h.Sum() > bound {
		t.Errorf("%d statements took %v, expected one and at most %v", h.Count(), h.Sum(), bound)
	}
	a.ask("2 T D(a) C(SELECT_1) Z(I) 2 T D(a) C(SELECT_1) Z(I)", batch("s"), batch("s"))
	if h := w.statementsOf(engine.High); h.Count() != 3 {
		t.Errorf("%d statements, expected 3", h.Count())
	}
}
