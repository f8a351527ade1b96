package relay

import (
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/lanes"
	"github.com/usher-pg/usher/internal/wire"
	engine "github.com/usher-pg/usher/pool"
)

// arrived are the requests that came in each lane.
func (w *world) arrived() [engine.Lanes]uint64 { return w.pool.Stat().Arrived }

func (w *world) counters() Counters { return w.Pools(w.t.Context())[w.pool].Counters }

// granted is a newcomer with a grant.
func granted(grant lanes.Grant) newcomer { return newcomer{protocol: wire.Version30, grant: grant} }

func TestAStatementChoosesItsLane(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		messages []byte
		want     string
		lane     engine.Lane
	}{
		"a query without a wish": {query("SELECT 'x'"), "T D(x) C(SELECT_1) Z(I)", engine.High},
		"a query, at its head": {
			query("/* usher:lane=critical */ SELECT 'x'"), "T D(x) C(SELECT_1) Z(I)", engine.Critical,
		},
		"a query, at its end": {query("SELECT 'x' /*lane='low'*/"), "T D(x) C(SELECT_1) Z(I)", engine.Low},
		"a batch": {
			join(parse("", "/* usher:lane=low */ SELECT 'x'"), batch("")), "1 2 T D(x) C(SELECT_1) Z(I)", engine.Low,
		},
		"a named statement when it is parsed": {
			join(parse("s", "/* usher:lane=low */ SELECT 'x'"), batch("s")), "1 2 T D(x) C(SELECT_1) Z(I)", engine.Low,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := one().start(t)
			g, err := w.trySeat(granted(lanes.Grant{Lane: engine.High, Highest: engine.Critical}))
			if err != nil {
				t.Fatal(err)
			}
			g.ask(c.want, c.messages)
			want := [engine.Lanes]uint64{}
			want[c.lane] = 1
			if got := w.arrived(); got != want {
				t.Errorf("requests by lane %v, want %v", got, want)
			}
		})
	}
}

func TestAPreparedStatementKeepsItsLane(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	g := w.seat()
	g.ask("1 Z(I)", parse("s", "/* usher:lane=critical */ SELECT 'x'"), endBatch())
	g.ask("2 T D(x) C(SELECT_1) Z(I)", batch("s"))
	g.ask("1 Z(I)", parse("", "SELECT 'y' /*lane='low'*/"), endBatch())
	g.ask("2 T D(y) C(SELECT_1) Z(I)", batch(""))
	if got, want := w.arrived(), [engine.Lanes]uint64{2, 0, 0, 2}; got != want {
		t.Errorf("requests by lane %v, want %v", got, want)
	}
}

func TestSetChoosesTheLaneOfWhatFollows(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	g := w.seat()
	g.ask("C(SET) Z(I)", query("SET usher.lane = 'critical'"))
	g.ask("T D(x) C(SELECT_1) Z(I)", query("SELECT 'x'"))
	if got, want := w.arrived(), [engine.Lanes]uint64{1, 0, 1, 0}; got != want {
		t.Errorf("after SET: requests by lane %v, want %v", got, want)
	}
	g.ask("C(BEGIN) Z(T)", query("BEGIN")) // critical
	g.ask("C(SET) Z(T)", query("SET usher.lane = 'low'"))
	g.ask("C(ROLLBACK) Z(I)", query("ROLLBACK"))
	g.ask("T D(x) C(SELECT_1) Z(I)", query("SELECT 'x'")) // critical
	if got, want := w.arrived(), [engine.Lanes]uint64{3, 0, 1, 0}; got != want {
		t.Errorf("after a SET that was rolled back: requests by lane %v, want %v", got, want)
	}
	g.ask("C(RESET) Z(I)", query("RESET usher.lane")) // critical
	g.ask("T D(x) C(SELECT_1) Z(I)", query("SELECT 'x'"))
	if got, want := w.arrived(), [engine.Lanes]uint64{4, 0, 2, 0}; got != want {
		t.Errorf("after RESET: requests by lane %v, want %v", got, want)
	}
}

func TestALaneMayBeSpelledInCapitals(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	g := w.seat()
	g.ask("C(SET) Z(I)", query("SET usher.lane = 'Critical'"))
	g.ask("T D(x) C(SELECT_1) Z(I)", query("SELECT 'x'"))
	if got, want := w.arrived(), [engine.Lanes]uint64{1, 0, 1, 0}; got != want {
		t.Errorf("requests by lane %v, want %v", got, want)
	}
}

func TestALaneThatIsNotGrantedIsLowered(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	g, err := w.trySeat(granted(lanes.Grant{Lane: engine.Normal, Highest: engine.High}))
	if err != nil {
		t.Fatal(err)
	}
	g.ask("T D(x) C(SELECT_1) Z(I)", query("/* usher:lane=critical */ SELECT 'x'")) // high
	g.ask("C(SET) Z(I)", query("SET usher.lane = critical"))                        // normal
	g.ask("T D(x) C(SELECT_1) Z(I)", query("SELECT 'x'"))                           // high
	if got, want := w.arrived(), [engine.Lanes]uint64{0, 2, 1, 0}; got != want {
		t.Errorf("requests by lane %v, want %v", got, want)
	}
	if c := w.counters(); c.LanesLowered != 2 || c.LanesRefused != 0 {
		t.Errorf("%d lowered, %d refused", c.LanesLowered, c.LanesRefused)
	}
}

func TestALaneThatIsNotGrantedIsRefused(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	g, err := w.trySeat(granted(lanes.Grant{Lane: engine.Normal, Highest: engine.High, Refuse: true}))
	if err != nil {
		t.Fatal(err)
	}
	g.ask("E(42501) Z(I)", query("/* usher:lane=critical */ SELECT 'never'"))
	g.ask("E(42501) Z(I)", query("SET usher.lane = 'critical'"))
	g.ask("E(42501) Z(I)", parse("", "SELECT 'never' /*lane='critical'*/"), batch(""))
	g.ask("E(42501) Z(I)", parse("s", "/* usher:lane=critical */ SELECT 'never'"), batch("s"))
	g.ask("E(22023) Z(I)", query("SET usher.lane = 'urgent'"))
	g.ask("C(SET) Z(I)", query("SET usher.lane = high"))
	g.ask("C(SET) Z(I)", query("SET usher.lane = default"))
	g.ask("T D(x) C(SELECT_1) Z(I)", query("SELECT 'x'"))
	if c := w.counters(); c.LanesRefused != 4 {
		t.Errorf("%d refused", c.LanesRefused)
	}
}

func TestNobodyWaitsLongerThanItsStatementTimeout(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	b.ask("C(SET) Z(I)", query("SET statement_timeout = '30ms'"))
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	began := time.Now()
	b.ask("E(53300) Z(I)", query("SELECT 'never'"))
	if waited := time.Since(began); waited < 30*time.Millisecond {
		t.Errorf("refused after %v", waited)
	}
	a.ask("C(COMMIT) Z(I)", query("COMMIT"))
	b.ask("T D(b) C(SELECT_1) Z(I)", query("SELECT 'b'"))
	b.ask("C(RESET) Z(I)", query("RESET statement_timeout"))
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	b.send(query("SELECT 'b'"))
	b.waiting()
	a.ask("C(COMMIT) Z(I)", query("COMMIT"))
	b.want("T D(b) C(SELECT_1) Z(I)")
}
