package tuner

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/chance"
)

// tick is how often a simulated server is observed.
const tick = 250 * time.Millisecond

// walk is a tuner with a server.
type walk struct {
	t      *testing.T
	rules  Rules
	state  State
	server *server
	steps  []Step
}

// tick goes on to the next observation, and holds what holds always.
func (w *walk) tick() {
	o := w.server.serve(w.limit(), tick)
	before := w.state
	var steps []Step
	w.state, steps = Decide(w.state, w.rules, o, w.server.now)
	w.steps = append(w.steps, steps...)
	if w.state.Limit < w.rules.Min || w.state.Limit > w.rules.Max {
		w.t.Fatalf("limit %d of rules %+v", w.state.Limit, w.rules)
	}
	quiet := o.Failing || o.Event != "" && before.Found || !w.rules.Probe
	if quiet && w.state.Limit != w.state.Size {
		w.t.Fatalf("at %v size %d is tried beside %d in spite of %+v", w.server.now, w.state.Limit, w.state.Size, o)
	}
	for _, step := range steps {
		if step.Reason == "" {
			w.t.Fatalf("%v has no reason", step)
		}
	}
}

// resume begins anew with a lesson, as it was written down.
func (w *walk) resume(text []byte) {
	var l Lesson
	if err := json.Unmarshal(text, &l); err != nil {
		w.t.Fatal(err)
	}
	var steps []Step
	w.state, steps = Resume(l, w.rules, w.server.now)
	w.steps = append(w.steps, steps...)
}

// limit is what holds before the first decision, too.
func (w *walk) limit() int {
	if w.state.Limit == 0 {
		return w.rules.Max
	}
	return w.state.Limit
}

func (w *walk) run(span time.Duration) {
	for end := w.server.now + span; w.server.now < end; {
		w.tick()
	}
}

// find goes on until the size is found, or for so long, and says how long it took.
func (w *walk) find(most time.Duration) time.Duration {
	began := w.server.now
	for w.tick(); !w.state.Found && w.server.now-began < most; {
		w.tick()
	}
	return w.server.now - began
}

// part is the throughput of the size that holds, of the best there is.
func (w *walk) part() float64 {
	return w.server.can(float64(w.state.Size)) / w.server.best(w.rules.Max)
}

// followed is how many servers' statements change.
const followed = 12

// shape is a curve of which the peak is anywhere between 2 and 200.
func shape(random *rand.Rand) *server {
	s := &server{
		lambda: 100 + 5000*random.Float64(), alpha: 0.3 * random.Float64() * random.Float64(),
		clients: 300, drift: 0.01, random: random,
	}
	s.peaksAt(2 * math.Pow(100, random.Float64()))
	return s
}

// TestItFindsASizeNearTheBest: for curves of many shapes, from both ends, with the noise of a quiet and of a noisy
// machine. Noise of 20% in each second hides 10% now and then, so a few may miss.
func TestItFindsASizeNearTheBest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		noise    float64 // of a second
		misses   float64 // the part that may be more than 10% below the best
		typical  time.Duration
		slow     time.Duration // nineteen of twenty are quicker
		searches float64       // throughput during the search, of the best, on average
	}{
		{"quiet", 0.03, 0.05, 105 * time.Second, 3 * time.Minute, 0.75},
		{"noisy", 0.10, 0.10, 2 * time.Minute, 4 * time.Minute, 0.75},
		{"wild", 0.20, 0.15, 3 * time.Minute, 6 * time.Minute, 0.75},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			random := chance.Random(t)
			for _, start := range []int{2, 100} {
				misses, meanwhile := 0, 0.0
				var times []time.Duration
				for range servers {
					w := &walk{t: t, rules: Standard(1, 100), server: shape(random)}
					w.rules.Start, w.server.noise = start, test.noise
					took := w.find(time.Hour)
					times = append(times, took)
					meanwhile += w.server.done / took.Seconds() / w.server.best(100) / float64(servers)
					if w.part() < 0.9 {
						misses++
					}
					if w.part() < 0.4 || !w.state.Found || w.state.Cost.Trials > 20 {
						t.Errorf("from %d: size %d does %.2f of the best, after %d trials in %v; %+v",
							start, w.state.Size, w.part(), w.state.Cost.Trials, took, w.server)
					}
				}
				slices.Sort(times)
				typical, slow := times[servers/2], times[servers*95/100]
				t.Logf("from %d: %d of %d miss, half took %v, 95%% took %v, the longest %v, %.2f of the best meanwhile",
					start, misses, servers, typical, slow, times[servers-1], meanwhile)
				if float64(misses) > test.misses*float64(servers) || typical > test.typical || slow > test.slow ||
					meanwhile < test.searches {
					t.Errorf("from %d: that is more than %+v", start, test)
				}
			}
		})
	}
}

// searched is a walk on some server that has found a size, and a minute more.
func searched(t *testing.T, random *rand.Rand) *walk {
	t.Helper()
	w := &walk{t: t, rules: Standard(1, 100), server: shape(random)}
	w.server.noise = 0.05
	w.find(time.Hour)
	w.run(time.Minute)
	return w
}

// TestItFollowsOtherStatements: the search begins anew when the same number of connections does much more or less.
func TestItFollowsOtherStatements(t *testing.T) {
	t.Parallel()
	random := chance.Random(t)
	misses := 0
	for range followed {
		w := searched(t, random)
		did := w.server.can(float64(w.state.Size))
		w.server.alpha, w.server.beta = 0.05, 0
		w.server.peaksAt(4 * math.Pow(10, random.Float64()))
		change := 2.0
		if random.IntN(2) == 0 {
			change = 0.5
		}
		w.server.lambda *= change * did / w.server.can(float64(w.state.Size))
		w.run(6 * time.Minute)
		if w.part() < 0.9 {
			misses++
		}
	}
	if misses > followed/4 {
		t.Errorf("%d of %d are not near the best after the change", misses, followed)
	}
}

// TestChecksFindWhatChangesSlowly: the best size moves, and the one that holds does the same as ever.
func TestChecksFindWhatChangesSlowly(t *testing.T) {
	t.Parallel()
	for _, peak := range []float64{3, 40} {
		w := &walk{t: t, rules: Standard(1, 100), server: shape(chance.Random(t))}
		w.server.noise, w.server.alpha = 0.03, 0
		w.server.peaksAt(12)
		w.find(time.Hour)
		did := w.server.can(float64(w.state.Size))
		w.server.peaksAt(peak)
		w.server.lambda *= did / w.server.can(float64(w.state.Size))
		w.run(2 * time.Hour)
		if w.part() < 0.85 {
			t.Errorf("size %d of a peak at %v does %.2f of the best after two hours", w.state.Size, peak, w.part())
		}
	}
}

// TestWhatChecksCost: over two hours of full load, next to nothing.
func TestWhatChecksCost(t *testing.T) {
	t.Parallel()
	w := &walk{t: t, rules: Standard(1, 100), server: shape(chance.Random(t))}
	w.server.noise, w.server.alpha, w.server.drift = 0.05, 0.02, 0.01
	w.server.peaksAt(12)
	w.find(time.Hour)
	before := w.server.done
	w.state.Cost = Cost{}
	w.run(2 * time.Hour)
	lost := w.state.Cost.Lost / (w.server.done - before)
	t.Logf("%d trials, %v at other sizes, %.3f%% of the throughput lost", w.state.Cost.Trials, w.state.Cost.Away, 100*lost)
	if lost > 0.005 || w.state.Cost.Trials == 0 || w.state.Cost.Away > 3*time.Minute {
		t.Errorf("checks cost %.3f%%: %+v", 100*lost, w.state.Cost)
	}
}

// TestNothingIsTakenFromALoadThatFits: whatever share of what the server can do comes, after a search from any size
// nobody waits, or those who began to before it become fewer.
func TestNothingIsTakenFromALoadThatFits(t *testing.T) {
	t.Parallel()
	random := chance.Random(t)
	for range 15 {
		w := &walk{t: t, rules: Standard(1, 100), server: shape(random)}
		w.rules.Start = 1 + random.IntN(100)
		w.server.noise, w.server.clients = 0.05, 0
		w.server.rate = (0.1 + 0.7*random.Float64()) * w.server.best(100)
		w.run(6 * time.Minute)
		before := w.server.backlog // of the time before the search, perhaps
		w.run(2 * time.Minute)
		if w.server.backlog > 30*w.server.rate && w.server.backlog >= before {
			t.Errorf("from %d: with size %d (%s) %.0f requests wait while %.0f/s come and %.0f/s could be done: %+v",
				w.rules.Start, w.state.Size, w.state.Why, w.server.backlog, w.server.rate, w.server.best(100), w.server)
		}
	}
}

// TestWhateverIsObserved: limits hold, trials keep away from events and outages (see walk.tick), and nothing breaks,
// whatever comes in which order, with numbers that are none and a clock that jumps.
func TestWhateverIsObserved(t *testing.T) {
	t.Parallel()
	random := chance.Random(t)
	for range 10 {
		least := 1 + random.IntN(5)
		w := &walk{t: t, rules: Standard(least, least+random.IntN(200)), server: shape(random)}
		w.server.noise = 0.3 * random.Float64()
		for range 60 {
			switch random.IntN(10) {
			case 0:
				w.server.event = []string{"", "a wedding"}[random.IntN(2)]
			case 1:
				w.server.impaired = !w.server.impaired
			case 2:
				w.server.failing = !w.server.failing
			case 3:
				w.server.clients, w.server.rate = random.IntN(2)*random.IntN(300), 2*random.Float64()*w.server.best(100)
			case 4:
				w.rules.Probe = !w.rules.Probe
			case 5:
				least = 1 + random.IntN(5)
				w.rules.Min, w.rules.Max = least, least+random.IntN(200)
			case 6:
				w.rules.On = random.IntN(4) > 0
			case 7:
				w.server.peaksAt(1 + 50*random.Float64())
			case 8:
				w.server.now += time.Duration(random.Int64N(int64(2*time.Hour))) - time.Hour
			case 9:
				o := w.server.serve(w.limit(), tick)
				bad := []float64{math.NaN(), math.Inf(1), -1, 1e300}
				o.Busy, o.Waiting = bad[random.IntN(4)], bad[random.IntN(4)]
				o.Completed, o.Held = random.Uint64(), time.Duration(random.Int64())-math.MaxInt64/2
				w.state, _ = Decide(w.state, w.rules, o, w.server.now)
			}
			w.run(time.Duration(random.IntN(30)) * time.Second)
		}
		text, err := json.Marshal(w.state.Curve())
		if err != nil || strings.Contains(string(text), "null") && len(w.state.Curve()) > 0 {
			t.Fatalf("the curve as JSON: %s, %v", text, err)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		least, most int
		want        []int
	}{
		{1, 1, []int{1}},
		{1, 2, []int{1, 2}},
		{1, 100, []int{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 100}},
		{5, 20, []int{5, 6, 8, 12, 16, 20}},
		{MostConnections, MostConnections, []int{MostConnections}},
	} {
		if got := Standard(test.least, test.most).sizes(); !slices.Equal(got, test.want) {
			t.Errorf("%d to %d: %v, expected %v", test.least, test.most, got, test.want)
		}
	}
	for i := range rungsMost {
		if got := nearest(float64(rung(i))); got != i {
			t.Errorf("%d is nearest to rung %d, expected %d", rung(i), got, i)
		}
	}
	if nearest(0) != 0 || nearest(1e12) != rungsMost-1 {
		t.Error("what is beyond the ladder is not at its ends")
	}
}

func TestImpossibleRulesAreABug(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Rules){
		"no connection":  func(r *Rules) { r.Min = 0 },
		"max below min":  func(r *Rules) { r.Max = r.Min - 1 },
		"too many":       func(r *Rules) { r.Max = MostConnections + 1 },
		"no step":        func(r *Rules) { r.Step = 1 },
		"a step of NaN":  func(r *Rules) { r.Step = math.NaN() },
		"no tolerance":   func(r *Rules) { r.Tolerance = 0 },
		"all tolerance":  func(r *Rules) { r.Tolerance = 1 },
		"no time at all": func(r *Rules) { r.Longest = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "bug: ") {
					t.Errorf("accepted, or no bug: %q", text)
				}
			}()
			r := Standard(2, 100)
			change(&r)
			Decide(State{}, r, Observed{}, 0)
		})
	}
}

// TestTheCurveShowsInflationOfALoadThatFits: as concurrency comes and goes by itself, service times tell.
func TestTheCurveShowsInflationOfALoadThatFits(t *testing.T) {
	t.Parallel()
	w := &walk{t: t, rules: Standard(1, 100), server: &server{lambda: 100, alpha: 0.2, random: chance.Random(t)}}
	w.server.peaksAt(20)
	for _, part := range []float64{0.3, 0.6, 0.9} {
		w.server.rate = part * w.server.best(100)
		w.run(time.Minute)
	}
	points := w.state.Curve()
	if len(points) < 3 || w.state.Size != 100 || w.state.Cost.Trials > 0 {
		t.Fatalf("size %d after %d trials: %+v", w.state.Size, w.state.Cost.Trials, points)
	}
	for i, p := range points {
		if i > 0 && p.Service <= points[i-1].Service || p.Full > 0 || p.Size {
			t.Errorf("point %d: %+v", i, points)
		}
		if want := p.Busy / w.server.can(max(1, p.Busy)); math.Abs(p.Service/want-1) > 0.1 {
			t.Errorf("%v busy: service %v s, expected %v", p.Busy, p.Service, want)
		}
	}
}

func TestOneBadBlockDecidesNothing(t *testing.T) {
	t.Parallel()
	x := trial{candidate: 4, pairs: 7, ratios: [pairsMost]float64{0.2, 0.21, -3, 0.19, 0.2, 0.18, 0.22}}
	mean, _, _ := x.estimate(priorNoise * priorNoise)
	if mean < 0.15 || mean > 0.21 {
		t.Errorf("the mean is %v", mean)
	}
}

func TestPoolsShareTheLimit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		limit   int
		demands []float64
		want    []int
	}{
		{"one pool", 10, []float64{50}, []int{10}},
		{"nobody is limited by what is free", 10, []float64{3, 2}, []int{10, 10}},
		{"little is given", 10, []float64{50, 1.5}, []int{8, 2}},
		{"the rest is the same for all", 12, []float64{50, 100, 1, 30}, []int{4, 4, 1, 3}},
		{"at least one", 2, []float64{50, 0, 50, 0.1}, []int{1, 1, 1, 1}},
		{"more than wanted", 11, []float64{5.5, 4, 0}, []int{6, 4, 1}},
		{"no pool", 10, nil, []int{}},
	} {
		if got := Share(test.limit, test.demands); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, expected %v", test.name, got, test.want)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	s := &server{lambda: 1000, alpha: 0.02, clients: 200, random: rand.New(rand.NewPCG(1, 1))}
	s.peaksAt(8)
	state, r, o := State{}, Standard(1, 100), s.serve(8, tick)
	for i := 0; b.Loop(); i++ {
		state, _ = Decide(state, r, o, time.Duration(i)*tick)
	}
}
