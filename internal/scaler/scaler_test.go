package scaler

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/staffing"
)

func TestRulesThatCannotBeAreABug(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*Rules){
		"max below min": func(r *Rules) { r.Max = 1 },
		"quantile":      func(r *Rules) { r.Quantile = math.NaN() },
		"no ramp":       func(r *Rules) { r.Opens = 0 },
		"enter":         func(r *Rules) { r.Enter = 1.2 },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: nobody minds", name)
				}
			}()
			p := Pool{Rules: Defaults(2, 10)}
			spoil(&p.Rules)
			Decide(noon, []Pool{p}, 0, State{})
		}()
	}
}

// chance is random numbers, and says how to have them again.
func chance(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("USHER_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed: USHER_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, seed))
}

// TestWhateverIsObserved: at random, with hostile numbers among them, targets keep to their bounds, the budget and the
// ramps, every decision has a reason and is JSON, and nothing of the input is changed.
func TestWhateverIsObserved(t *testing.T) {
	t.Parallel()
	random := chance(t)
	for range 4 {
		w := &walk{t: t, random: random, now: noon, budget: 60 + random.IntN(200)}
		for i := range 3 {
			p := Pool{Name: strconv.Itoa(i), Rules: Defaults(random.IntN(10), 20+random.IntN(100))}
			p.Rules.Mode, p.Rules.Priority = Scale, random.IntN(2)
			p.Rules.Opens = 0.1 + 2*random.Float64()
			w.pools = append(w.pools, p)
		}
		for range 80 {
			w.step()
		}
	}
}

// walk follows three pools.
type walk struct {
	t      *testing.T
	random *rand.Rand
	now    time.Time
	budget int
	pools  []Pool
	state  State
}

func (w *walk) step() {
	passed := time.Duration(w.random.IntN(60)) * time.Second
	w.now = w.now.Add(passed)
	for i := range w.pools {
		w.change(&w.pools[i])
	}
	before := slices.Clone(w.pools)
	last := w.state
	var decisions []Decision
	w.state, decisions = Decide(w.now, w.pools, w.budget, last)
	if diff := cmp.Diff(before, w.pools, cmp.Comparer(same), cmp.Comparer(pointers)); diff != "" {
		w.t.Fatalf("the input was changed:\n%s", diff)
	}
	sum := 0
	for i, d := range decisions {
		r, s := w.pools[i].Rules, last.Pools[d.Pool]
		sum += d.Target
		if d.Target < r.Min || d.Target > r.most() {
			w.t.Fatalf("%+v: outside of its bounds", d)
		}
		rise := float64(d.Target - d.From)
		if d.Target > d.atOnce(d.Target) && rise > s.Rise+r.Opens*passed.Seconds()+1e-6 {
			w.t.Fatalf("%+v: rises by %v in %v", d, rise, passed)
		}
		budget := slices.ContainsFunc(d.Notes, func(n string) bool { return strings.HasPrefix(n, "the budget") })
		if step := max(1, float64(d.From)*shrinkPart); d.Cause != Manual && !budget && -rise > step && d.From <= r.most() {
			w.t.Fatalf("%+v: falls by %v", d, -rise)
		}
		if d.Reason == "" {
			w.t.Fatalf("%+v has no reason", d)
		}
		if _, err := json.Marshal(d); err != nil {
			w.t.Fatal(err)
		}
	}
	if sum > max(w.budget, w.minimums()) {
		w.t.Fatalf("%d of a budget of %d: %+v", sum, w.budget, decisions)
	}
	w.monotone(last, decisions)
}

// monotone: without forecasts no target would have been greater.
func (w *walk) monotone(last State, decisions []Decision) {
	without := slices.Clone(w.pools)
	for i := range without {
		without[i].Forecast = nil
	}
	_, others := Decide(w.now, without, 0, last)
	_, alone := Decide(w.now, w.pools, 0, last)
	for i := range others {
		stays := others[i].Cause == Kept && others[i].From == others[i].Target
		if others[i].Target > alone[i].Target && !stays {
			w.t.Fatalf("a forecast lowers: %+v\nwithout: %+v", alone[i], others[i])
		}
	}
}

func (w *walk) minimums() int {
	sum := 0
	for _, p := range w.pools {
		sum += p.Rules.Min
	}
	return sum
}

func same(a, b float64) bool { return a == b || a != a && b != b }

func pointers(a, b *forecast.Forecast) bool { return a == b }

// change is what may happen to a pool.
func (w *walk) change(p *Pool) {
	r := w.random
	odd := []float64{math.NaN(), math.Inf(1), -1, 0, 1e300}
	switch r.IntN(40) {
	case 0:
		p.Observed.Demand = odd[r.IntN(len(odd))]
	case 1, 2, 3:
		p.Observed = Observed{Demand: 80 * r.Float64() * r.Float64(), Load: staffing.Load{
			Service: time.Duration(r.IntN(int(time.Second))), ServiceSpread: 3 * r.Float64(),
			ArrivalSpread: odd[r.IntN(len(odd))],
		}}
	case 4:
		p.Observed.Late = r.IntN(2)
	case 5:
		p.Observed.Outage = r.IntN(2) == 0
	case 6:
		p.Override = Override{r.IntN(200), w.now.Add(time.Duration(r.IntN(600)) * time.Second), "ann", ""}
	case 7:
		p.Forecast = nil
	case 8, 9:
		s := &stage{now: w.now}
		p.Forecast = s.expect(p.Name, float64(r.IntN(60)))
		for i := range p.Forecast.Points {
			if point := &p.Forecast.Points[i]; i%40 < 10 {
				point.P50, point.P90, point.Multiplier = 4*point.P50, 4*point.P90, 4
			}
			if r.IntN(20) == 0 {
				p.Forecast.Points[i].P90 = odd[r.IntN(len(odd))]
			}
		}
	case 10:
		p.Rules.Cap = r.IntN(3) * 30
	}
}

func TestThePlanShowsWhatIsOpenWhen(t *testing.T) {
	t.Parallel()
	s := &stage{t: t, now: noon}
	p := Pool{Name: "shop", Rules: Defaults(2, 100), Forecast: s.expect("shop", 8)}
	p.Observed = Observed{Demand: 8, Open: 12, Load: staffing.Load{Service: 5 * time.Millisecond}}
	s.spike(p.Forecast, strings.Fields("18:00 2h x12 5 weddings"))
	o := Plan(noon, p, 12, 150)
	if len(o.Spikes) != 1 {
		t.Fatalf("spikes: %+v", o.Spikes)
	}
	spike := o.Spikes[0]
	if spike.Needed != 144 || spike.Shortfall != 44 || spike.Why != "5 weddings" ||
		spike.Prescale.After(spike.Start.Add(-45*time.Minute)) || spike.Prescale.Before(spike.Start.Add(-47*time.Minute)) {
		t.Errorf("the spike: %+v", spike)
	}
	for _, test := range []struct {
		clock  string
		target int
	}{{"12:00", 12}, {"17:05", 12}, {"17:20", 100}, {"19:55", 100}, {"20:25", 100}, {"20:30", 12}} {
		i := slices.IndexFunc(o.Points, func(r Row) bool { return r.Start.Format("15:04") == test.clock })
		if got := o.Points[i].Target; got != test.target {
			t.Errorf("at %s %d are planned, expected %d", test.clock, got, test.target)
		}
	}
	if _, err := json.Marshal(o); err != nil {
		t.Error(err)
	}
	p.Forecast.Points[3].P90, p.Forecast.Points[4].Multiplier = math.NaN(), math.Inf(1)
	p.Forecast.Points[80].P90, p.Forecast.Points[81].P50 = math.Inf(1), math.NaN()
	if _, err := json.Marshal(Plan(noon, p, 12, 0)); err != nil {
		t.Errorf("what is no number: %v", err)
	}
	if o := Plan(noon.Add(7*time.Hour), p, 12, 0); !strings.Contains(o.Absent, "too old") || len(o.Points) > 0 {
		t.Errorf("too old: %+v", o)
	}
}

// TestAPlanOfLessIsTheSame as that of all, as far as it goes: of random forecasts and rules.
func TestAPlanOfLessIsTheSame(t *testing.T) {
	t.Parallel()
	r := chance(t)
	for range 300 {
		s := &stage{t: t, now: noon}
		p := Pool{Name: "shop", Rules: Defaults(2, 2+r.IntN(200)), Forecast: s.expect("shop", float64(1+r.IntN(30)))}
		p.Observed.Load = staffing.Load{Service: time.Duration(r.IntN(int(100 * time.Millisecond)))}
		p.Rules.Lead = time.Duration(r.IntN(90)) * time.Minute
		p.Rules.Hold = time.Duration(r.IntN(90)) * time.Minute
		p.Rules.Opens = 0.01 + r.Float64()
		for range r.IntN(4) {
			s.spike(p.Forecast, []string{
				noon.Add(time.Duration(r.IntN(300)) * 5 * time.Minute).Format("15:04"),
				strconv.Itoa(1+r.IntN(300)) + "m", "x" + strconv.Itoa(2+r.IntN(9)), "people",
			})
		}
		now := noon.Add(time.Duration(r.IntN(300)) * time.Minute)
		until := now.Add(time.Duration(r.IntN(1800))*time.Minute - time.Hour)
		want, got := Plan(now, p, 12, 150), PlanUntil(now, until, p, 12, 150)
		want.Limit(until)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("from %v until %v (-all +part):\n%s", now, until, diff)
		}
	}
}

func TestHorizons(t *testing.T) {
	t.Parallel()
	s := &stage{t: t, now: noon}
	p := Pool{Name: "shop", Rules: Defaults(2, 100), Forecast: s.expect("shop", 10)}
	p.Observed.Load.Service = 5 * time.Millisecond
	s.spike(p.Forecast, strings.Fields("14:00 1h x4"))
	var got []string
	for _, h := range Horizons(noon, p) {
		got = append(got, h.Within.String()+" P"+strconv.Itoa(int(100*h.Quantile))+" "+
			strconv.FormatFloat(h.Demand, 'g', 4, 64)+" "+strconv.Itoa(h.Connections))
	}
	want := []string{
		"5m0s P50 10 13", "5m0s P90 12 15", "5m0s P95 12.5 16", "30m0s P50 10 13", "30m0s P90 12 15", "30m0s P95 12.5 16",
		"1h0m0s P50 10 13", "1h0m0s P90 12 15", "1h0m0s P95 12.5 16", "6h0m0s P50 40 50", "6h0m0s P90 48 60",
		"6h0m0s P95 50 63", "24h0m0s P50 40 50", "24h0m0s P90 48 60", "24h0m0s P95 50 63",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if list := Horizons(noon, Pool{}); list != nil {
		t.Errorf("without a forecast: %+v", list)
	}
}

// BenchmarkDecide is what deciding for a pool costs, with a spike ahead.
func BenchmarkDecide(b *testing.B) {
	s := &stage{t: &testing.T{}, now: noon}
	p := Pool{Name: "shop", Rules: Defaults(2, 1000), Forecast: s.expect("shop", 50)}
	p.Observed = Observed{Demand: 40, Load: staffing.Load{Service: 50 * time.Millisecond, ArrivalSpread: 3}}
	s.spike(p.Forecast, strings.Fields("13:00 1h x4"))
	state, _ := Decide(noon, []Pool{p}, 0, State{})
	for b.Loop() {
		Decide(noon.Add(5*time.Minute), []Pool{p}, 0, state)
	}
}
