package loadtest

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/pool"
)

func TestEverySeatIsInALane(t *testing.T) {
	t.Parallel()
	for _, clients := range []int{minClients, 41, 333, 10_000, 99_999} {
		sum := 0
		for lane, n := range seatsOf(clients) {
			if n < 1 {
				t.Errorf("lane %s has none of %d clients", laneName(lane), clients)
			}
			sum += n
		}
		if sum != clients {
			t.Errorf("%d seats for %d clients", sum, clients)
		}
	}
	if got := seatsOf(10_000); got != [pool.Lanes]int{500, 2000, 5000, 2500} {
		t.Errorf("of 10,000: %v", got)
	}
}

// offered is the highest rate of a phase, by lane and of all.
func offered(p phase) (lanes map[string]float64, sum float64) {
	lanes = map[string]float64{}
	for _, l := range p.loads {
		for _, point := range l.Rate {
			lanes[l.Lane] = max(lanes[l.Lane], point.Rate)
		}
		sum += lanes[l.Lane]
	}
	return lanes, sum
}

func TestThePlanOffersWhatItsStoriesSay(t *testing.T) {
	t.Parallel()
	o := Defaults()
	const capacity = 4000.0
	loads := map[string]float64{}
	lanes := map[string]map[string]float64{}
	for _, p := range plan(o, capacity) {
		lanes[p.name], loads[p.name] = offered(p)
		for _, l := range p.loads {
			if last := l.Rate[len(l.Rate)-1]; last.At != p.length || l.Rate[0].At != 0 {
				t.Errorf("%s: the rate of %s ends at %v of %v", p.name, l.Lane, last.At, p.length)
			}
		}
	}
	for name, want := range map[string]float64{
		phaseFullHouse:  fullHouseLoad * capacity,
		phaseSaturday:   saturdayPeak * capacity,
		phaseStroke:     saturdayPeak * capacity,
		phaseIncident:   (incidentLoad + incidentCritical) * capacity,
		phaseHeld:       capacity/float64(o.Pool)*float64(o.Reserve)*heldCriticalShare + heldOthers*capacity,
		phaseColdStroke: saturdayPeak * capacity,
		phaseCold:       saturdayPeak * capacity,
	} {
		if math.Abs(loads[name]-want) > 0.01 {
			t.Errorf("%s: %v requests a second, want %v", name, loads[name], want)
		}
	}
	if got := lanes[phaseIncident]; got["critical"] != 200 || got["normal"] <= got["low"] || got["high"] != 0 {
		t.Errorf("the incident: %v", got)
	}
	first, last := plan(o, capacity)[1].loads[0].Rate[0].Rate, plan(o, capacity)[1].loads[0].Rate[1].Rate
	if math.Abs(last/first-saturdayRamp) > 1e-9 {
		t.Errorf("Saturday evening grows %v times", last/first)
	}
}

func TestPhasesCanBeChosenAndScaled(t *testing.T) {
	t.Parallel()
	o := Defaults()
	total := calibration(o).length
	var names []string
	for _, p := range plan(o, 1) {
		names = append(names, p.name)
		total += p.length
	}
	if got := append([]string{phaseDoors}, names...); !slices.Equal(got, PhaseNames()) {
		t.Errorf("the plan has %v, want %v", got, PhaseNames())
	}
	if total > 8*time.Minute {
		t.Errorf("it takes %v", total)
	}
	o.Phases, o.TimeScale = []string{phaseHeld, phaseSaturday}, 0.1
	chosen := plan(o, 1)
	if len(chosen) != 2 || chosen[0].name != phaseSaturday || chosen[0].length != 12*time.Second ||
		chosen[1].length != minLength {
		t.Errorf("%+v", chosen)
	}
}

func TestTheCapacityIsTheMedianWithoutTheFirstSecond(t *testing.T) {
	t.Parallel()
	if got, err := capacityOf([]uint64{9999, 100, 300, 200, 900, 250}); err != nil || got != 250 {
		t.Errorf("%v, %v", got, err)
	}
	for _, served := range [][]uint64{nil, {1, 2}, {5, 0, 0, 0}} {
		if got, err := capacityOf(served); err == nil {
			t.Errorf("%v of %v", got, served)
		}
	}
}

func TestWorkIsReadFromADescription(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		description     string
		sameClock       bool
		sql             string
		keys, beganInto int
	}{
		{"lookup", false, "select payload from usher_load_test where id = $1", tableRows, 0},
		{"lookup", true, "select payload, " + beganColumn + " from usher_load_test where id = $1", tableRows, 2},
		{"wait:4ms", false, "select payload, pg_sleep(0.004) from usher_load_test where id = $1", tableRows, 0},
		{"wait:1.5s", true, "select payload, " + beganColumn + ", pg_sleep(1.5) from usher_load_test where id = $1",
			tableRows, 2},
		{"select 1", true, "select 1", 0, 0},
	} {
		w, err := workOf(tt.description, true, tt.sameClock)
		if err != nil || w.SQL != tt.sql || w.Keys != tt.keys || w.BeganColumn != tt.beganInto || !w.Simple ||
			w.text == "" {
			t.Errorf("%s: %+v, %v", tt.description, w, err)
		}
	}
	for _, bad := range []string{"", "wait", "wait:", "wait:0s", "wait:1h", "wait:soon", "sleep"} {
		if w, err := workOf(bad, false, false); err == nil {
			t.Errorf("%q is work: %+v", bad, w)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	good := Defaults()
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	quick := Defaults()
	quick.Quick()
	if err := quick.Check(); err != nil {
		t.Error(err)
	}
	for says, change := range map[string]func(*Options){
		"clients":              func(o *Options) { o.Clients = minClients - 1 },
		"a pool of":            func(o *Options) { o.Pool = 0 },
		"of lane normal":       func(o *Options) { o.Clients, o.Pool = 100, 60 },
		"a reserve of":         func(o *Options) { o.Reserve = 0 },
		"objective":            func(o *Options) { o.Objective = 0 },
		"time scale":           func(o *Options) { o.TimeScale = 0 },
		"cannot compare":       func(o *Options) { o.Compare = "odyssey" },
		"there is no phase":    func(o *Options) { o.Phases = []string{"sunday"} },
		"must be a URL":        func(o *Options) { o.DSN = "host=db user=app" },
		"must name its user":   func(o *Options) { o.DSN = "postgres://db/app" },
		"or a statement":       func(o *Options) { o.Work = "nothing" },
		"want a time between ": func(o *Options) { o.Work = "wait:9h" },
	} {
		o := Defaults()
		change(&o)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want one with %q", err, says)
		}
	}
}
