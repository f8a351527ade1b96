package simulation

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/usher-pg/usher/internal/chance"
	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/scaler"
)

func berlin(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// anySeed is one that is easily typed.
func anySeed(t *testing.T) uint64 {
	t.Helper()
	return chance.Seed(t) % 1000
}

func TestAYearIsTheSameForTheSameSeed(t *testing.T) {
	t.Parallel()
	seed, zone := anySeed(t), berlin(t)
	a, b, other := NewWorld(seed, zone, 40), NewWorld(seed, zone, 40), NewWorld(seed+1, zone, 40)
	if !slices.Equal(a.level, b.level) || !slices.Equal(a.noise, b.noise) {
		t.Error("they differ")
	}
	if slices.Equal(a.level, other.level) {
		t.Error("another seed gives the same year")
	}
}

// TestTheYearIsAsItIsTold: multiples of ordinary demand, by the clock on the wall also in summer; growth; events.
func TestTheYearIsAsItIsTold(t *testing.T) {
	t.Parallel()
	seed := anySeed(t)
	w := NewWorld(seed, berlin(t), year)
	type hour struct {
		day  time.Weekday
		hour int
	}
	sums, counts := map[hour]float64{}, map[hour]float64{}
	kinds := map[trouble]int{}
	for b := range w.buckets() {
		local := w.at(b).In(w.zone)
		kinds[w.trouble[b]]++
		if w.trouble[b] == none {
			h := hour{local.Weekday(), local.Hour()}
			sums[h] += math.Log(w.level[b] / w.ordinary[b])
			counts[h]++
		}
		if w.mean(b) < 0 || w.peak(b) < w.mean(b)/2 || math.IsNaN(w.mean(b)) {
			t.Fatalf("%v: mean %v, peak %v", local, w.mean(b), w.peak(b))
		}
	}
	for h, want := range map[hour][2]float64{
		{time.Tuesday, 20}: {1, 1}, {time.Friday, 20}: {1.7, 3.5}, {time.Saturday, 11}: {3.5, 6.5},
		{time.Saturday, 19}: {6.5, 12}, {time.Sunday, 15}: {2.9, 3.1}, {time.Monday, 3}: {1, 1},
	} {
		if got := math.Exp(sums[h] / counts[h]); got < want[0]-1e-9 || got > want[1]+1e-9 {
			t.Errorf("%v at %d: %.2f times ordinary, expected %v", h.day, h.hour, got, want)
		}
	}
	for _, kind := range []trouble{out, silence, storm, viral} {
		if kinds[kind] == 0 && kinds[saturated] == 0 {
			t.Errorf("there is no trouble of kind %d: %v", kind, kinds)
		}
	}
	if late := w.ordinary[(year-1)*bucketsADay] / w.ordinary[0]; math.Abs(late-growth) > 0.02 {
		t.Errorf("it grows by %.2f", late)
	}
}

// TestTheCalendarKnowsWhatHasBeenPublished and not what has been cancelled.
func TestTheCalendarKnowsWhatHasBeenPublished(t *testing.T) {
	t.Parallel()
	w := NewWorld(anySeed(t), berlin(t), 120)
	now := w.at(100 * bucketsADay)
	known := map[string]bool{}
	for _, e := range w.calendar(now, 1000*time.Hour) {
		known[e.ID] = true
	}
	for i := range w.weddings {
		e := &w.weddings[i]
		want := !e.published.After(now) && (e.cancelled.IsZero() || e.cancelled.After(now)) &&
			e.Start.After(now.Add(-1000*time.Hour))
		if known[e.ID] != want {
			t.Errorf("%+v at %v: known is %t", e, now, !want)
		}
	}
	if len(known) == 0 {
		t.Error("nothing is known")
	}
}

// TestWhoExceedsWhatIsOpenWaits: with half of what is needed everybody waits until what has queued up is worked off;
// with more than enough nobody does; requests are counted alike.
func TestWhoExceedsWhatIsOpenWaits(t *testing.T) {
	t.Parallel()
	q := queue{world: &World{most: 100}, target: 50}
	if got := q.pass(100, fine, none); got < 100 || q.late[none] != 1000 || q.backlog != 500 {
		t.Errorf("of twice as many: %+v, observed %v", q.outcome, got)
	}
	if q.pass(0, fine, none); q.backlog != 0 || q.late[none] != 1000 {
		t.Errorf("worked off: %+v", q.outcome)
	}
	if q.pass(10, fine, none); q.late[none] > 1000.001 || q.requests[none] != 1100 || q.seconds != 1500 {
		t.Errorf("enough: %+v", q.outcome)
	}
	for range 100 {
		q.pass(100, fine, none)
	}
	if q.backlog != 50*queueMost.Seconds() || !q.turned {
		t.Errorf("nobody is turned away: %v wait", q.backlog)
	}
	q.open(90, time.Time{})
	if q.capacity() != 60 { // forty are cold, and are being opened
		t.Errorf("capacity %d", q.capacity())
	}
	q.open(90, time.Time{}.Add(fine))
	if q.capacity() != 70 {
		t.Errorf("capacity %d once they are open", q.capacity())
	}
	q.open(90, time.Time{}.Add(warmUp))
	if q.capacity() != 90 {
		t.Errorf("capacity %d once they are warm", q.capacity())
	}
}

// noisy is a forecaster that knows the future but for some noise: what policies are tested with.
func noisy(w *World) Forecaster {
	return func(in forecast.Input) forecast.Forecast {
		f := forecast.Forecast{Pool: in.Pool, Issued: in.Now, Zone: in.Zone}
		r := rand.New(rand.NewPCG(uint64(in.Now.Unix()), 1))
		for t := in.Now; t.Before(in.Now.Add(in.Far)); t = t.Add(history.Step) {
			b := min(w.bucket(t), w.buckets()-1)
			mean := w.level[b] * math.Exp(0.05*r.NormFloat64())
			f.Points = append(f.Points, forecast.Point{
				Start: t, Width: history.Step, P05: mean * 0.8, P50: mean, P90: mean * 1.2, P95: mean * 1.25,
				Base: w.ordinary[b], Multiplier: mean / w.ordinary[b],
			})
		}
		return f
	}
}

// TestPolicies: five weeks with forecasts that are good. All predictable spikes are prepared for, and without forecasts
// hardly any; static never lets anybody wait. That is so of nearly all worlds, but not of each, so these are always the
// same.
func TestPolicies(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 2, 3} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			testPolicies(t, seed)
		})
	}
}

func testPolicies(t *testing.T, seed uint64) {
	t.Helper()
	o := Defaults(berlin(t))
	o.Days = 33
	o.Forecaster = noisy(NewWorld(seed, o.Zone, o.Days))
	r := Run(seed, o)
	if r.Predictable < 2 || r.Policies[Ours].Prepared != r.Predictable || r.Policies[Static].Prepared != r.Predictable ||
		r.Policies[Reactive].Prepared*2 > r.Predictable {
		t.Errorf("spikes: %+v", r)
	}
	ours, reactive, static := r.Policies[Ours], r.Policies[Reactive], r.Policies[Static]
	if ours.Late > reactive.Late/2 || static.Late > 1e-7 || ours.Hours > static.Hours/2 || reactive.Hours > ours.Hours {
		t.Errorf("waits and hours: %+v", r)
	}
	s := Summarise([]Result{r, r})
	if _, err := json.Marshal(s); err != nil {
		t.Error(err)
	}
	text := s.String()
	for _, words := range []string{"wedding-year, 2 years", "static peak", "reactive only", "ours", "oracle"} {
		if !strings.Contains(text, words) {
			t.Errorf("%q is not in:\n%s", words, text)
		}
	}
}

func TestNoYearsHaveASummary(t *testing.T) {
	t.Parallel()
	if s := Summarise(nil); s.Scenario != Scenario {
		t.Errorf("%+v", s)
	}
}

// TestReactiveIsTheSameScaler: its rules are those of ours.
func TestReactiveIsTheSameScaler(t *testing.T) {
	t.Parallel()
	o := Defaults(berlin(t))
	w := NewWorld(1, o.Zone, 30)
	a, b := newReactive(w, o), newOurs(w, o)
	if a.pool.Rules != b.pool.Rules || a.pool.Rules.Opens != scaler.Defaults(1, 1).Opens {
		t.Errorf("%+v and %+v", a.pool.Rules, b.pool.Rules)
	}
}
