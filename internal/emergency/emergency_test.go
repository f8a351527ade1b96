package emergency

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/chance"
	"github.com/usher-pg/usher/internal/status"
	"github.com/usher-pg/usher/pool"
)

func TestTheLowestLanesAreShedFirst(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]pool.Lane{pool.Low, pool.Normal}, Lanes(Sheddable)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if Lanes(0) != nil {
		t.Error("nothing is shed, and lanes are named")
	}
}

func TestMoreLanesThanMayBeShedAreABug(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("three lanes are shed")
		}
	}()
	Decide(State{}, Rules{Target: time.Second, Shed: Sheddable + 1}, Observed{}, 0)
}

// TestWhateverIsObserved: at random, a step begins or ends exactly what it says, steps keep their distance, no more is
// shed than may be, the target stays within the pool's, and silence ends everything.
func TestWhateverIsObserved(t *testing.T) {
	t.Parallel()
	random := chance.Random(t)
	for range 200 {
		r := standard()
		r.Shed = random.IntN(Sheddable + 1)
		r.Window = time.Duration(1+random.IntN(20)) * time.Second
		r.Hold = time.Duration(1+random.IntN(20)) * time.Second
		w := &walk{t: t, rules: r, max: 1 + random.IntN(30)}
		for range 20 {
			rate, share := random.IntN(200), random.Float64()*random.Float64()
			for range random.IntN(60) {
				n := random.IntN(rate + 1)
				w.second(Observed{
					Statements: uint64(n), Slow: uint64(float64(n) * share), Late: random.IntN(5) / 4, Target: 1, Max: w.max,
				})
			}
		}
		for range 5 * int(r.Hold/time.Second) * holdMost {
			w.second(Observed{Max: w.max})
		}
		if w.state.InForce() {
			t.Errorf("in spite of silence: %+v", w.state)
		}
	}
}

// walk follows a pool's state by its steps.
type walk struct {
	t       *testing.T
	rules   Rules
	max     int
	now     time.Duration
	state   State
	shed    []pool.Lane
	target  int
	stepped time.Duration
	steps   int
}

func (w *walk) second(o Observed) {
	w.now += time.Second
	var steps []Step
	w.state, steps = Decide(w.state, w.rules, o, w.now)
	for _, step := range steps {
		if w.steps++; step.Reason == "" {
			w.t.Errorf("%v has no reason", step)
		}
		distance := w.rules.Hold
		if step.Begins {
			distance = w.rules.Window
		}
		if w.steps > 1 && w.now-w.stepped < distance {
			w.t.Errorf("%v: %v comes %v after the step before", w.now, step, w.now-w.stepped)
		}
		w.stepped = w.now
		switch {
		case step.Measure == Shed && step.Begins:
			w.shed = append(w.shed, step.Lane)
		case step.Measure == Shed:
			w.shed = slices.DeleteFunc(w.shed, func(l pool.Lane) bool { return l == step.Lane })
		default:
			w.target = step.Target
		}
	}
	if !slices.Equal(w.shed, Lanes(w.state.Shed)) || w.target != w.state.Target {
		w.t.Fatalf("steps say %v and %d, the state %+v", w.shed, w.target, w.state)
	}
	if w.state.Shed > w.rules.Shed || w.state.Target > w.max {
		w.t.Fatalf("more than the rules allow: %+v", w.state)
	}
}

func TestTheLedgerRemembersWhatIsInForceAndTheLatestThatEnded(t *testing.T) {
	t.Parallel()
	var l Ledger
	at := time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)
	first := l.Begin(status.Emergency{Database: "first", Since: at})
	for i := range MaxPast + 5 {
		entry := l.Begin(status.Emergency{Database: fmt.Sprint(i), Since: at})
		e := l.End(entry, at.Add(time.Minute), "ann", "over")
		if e.Database != fmt.Sprint(i) || e.EndedBy != "ann" || e.EndReason != "over" || e.InForce() {
			t.Fatalf("ended: %+v", e)
		}
	}
	second := l.Begin(status.Emergency{Database: "second", Since: at})
	list := l.List()
	if len(list) != 2+MaxPast || list[0].Database != "second" || list[1].Database != "first" || !list[1].InForce() ||
		list[2].Database != fmt.Sprint(MaxPast+4) || list[len(list)-1].Database != "5" {
		t.Errorf("%d entries: %+v", len(list), list)
	}
	l.End(first, at, "", "")
	l.End(second, at, "", "")
	defer func() {
		if recover() == nil {
			t.Error("what has ended ends again")
		}
	}()
	l.End(first, at, "", "")
}

func TestOrders(t *testing.T) {
	t.Parallel()
	var o Orders
	order := func(lane pool.Lane, until time.Duration, entry uint64) Order {
		return Order{Opening: Opening{lane, until}, Entry: entry}
	}
	entries := func(orders []Order) (list []uint64) {
		for _, order := range orders {
			list = append(list, order.Entry)
		}
		slices.Sort(list)
		return list
	}
	expect := func(what string, got, want []uint64) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: orders %v, expected %v", what, got, want)
		}
	}
	expect("of nothing", entries(o.Take("")), nil)
	o.Put("", order(pool.High, 20, 1))
	o.Put("shop", order(pool.Low, 10, 2))
	if o.Of("shop").Lane != pool.Low || o.Of("blog").Lane != pool.High || !o.ForAll() {
		t.Error("a database's own order does not go before the one for all")
	}
	expect("too early", entries(o.Expire(9)), nil)
	expect("at its time", entries(o.Expire(10)), []uint64{2})
	if o.Of("shop").Lane != pool.High {
		t.Error("behind its own order the one for all does not hold")
	}
	o.Put("shop", order(pool.Low, 30, 3))
	expect("one", entries(o.Take("shop")), []uint64{3})
	expect("which has none", entries(o.Take("shop")), nil)
	o.Put("shop", order(pool.Low, 30, 4))
	expect("all", entries(o.Take("")), []uint64{1, 4})
	if o.Of("shop") != (Opening{}) || o.ForAll() {
		t.Error("what was taken back still holds")
	}
}
