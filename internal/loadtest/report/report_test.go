package report

import (
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/status"
	"github.com/usher-pg/usher/pool"
)

// evening is a report with everything in it.
func evening() *Report {
	quantiles := Quantiles{Count: 100, P50: time.Millisecond, P99: 4 * time.Millisecond, P999: 2 * time.Second}
	lane := func(name string, acquisition *Quantiles) Lane {
		return Lane{
			Name: name, Clients: 5, Arrived: 100, Served: 90, Failed: 7, Unfinished: 2, Unsent: 1, Emergencies: 3,
			Acquisition: acquisition, Began: &quantiles, Latency: quantiles,
			Failures: []Failure{{"53300", "queue <full> & closed", 7}},
		}
	}
	phase := func(acquisition *Quantiles) Phase {
		p := Phase{
			Name: "incident", Title: "Incident", Story: "too much is asked", Length: 3 * time.Second,
			Lanes:    []Lane{lane("critical", acquisition), lane("low", acquisition)},
			Lateness: quantiles, Usage: []Usage{{"usher", 0.25}},
			Verdicts: []Verdict{{Passed, "critical is fast"}, {Failed, "low is <slow>"}},
		}
		for i := range 3 {
			p.Seconds = append(p.Seconds, Second{
				Open: 40, Busy: 10 * i, Waiting: i,
				Lanes: []LaneSecond{
					{Lane: "critical", Arrived: 10, Served: 10, Acquisition: time.Duration(i) * time.Millisecond},
					{Lane: "low", Arrived: 20, Failed: 3, Waiting: 7, Backlog: 2},
				},
			})
		}
		return p
	}
	doors := Phase{
		Name: "doors", Title: "Doors open", Story: "all come", Length: time.Second,
		Doors:    &Doors{Inside: 10, Length: time.Second, Parallel: 4, Logins: quantiles},
		Verdicts: []Verdict{{Passed, "all are inside"}},
	}
	other := phase(nil)
	other.MeanWait, other.MeanWaitKnown = 1500*time.Millisecond, true
	return &Report{
		Made: time.Date(2026, 11, 28, 18, 0, 0, 0, time.UTC), Line: "FAIL: <10ms", Clients: 10,
		Objective: 10 * time.Millisecond, Settings: []Setting{{"machine", "a fast one"}},
		Sides: []Side{
			{Name: "usher", Version: "1", Judged: true, Capacity: 4000, Phases: []Phase{doors, phase(&quantiles)}},
			{Name: "pgbouncer", Version: "2", Capacity: 3900, Phases: []Phase{doors, other}},
		},
	}
}

func TestTheTextHasEverythingThatWasFound(t *testing.T) {
	t.Parallel()
	text := Text(evening())
	squeezed := regexp.MustCompile(` +`).ReplaceAllString(text, " ")
	for _, want := range []string{
		"\nusher 1, capacity 4000 transactions a second\n",
		"\nIncident: too much is asked; 3 s\n",
		"\n critical 5 100 30 10 3 1.00 / 4.00 / 2000 1.00 / 4.00 / 2000 1.00 / 4.00 / 2000\n",
		"\n critical 5 100 30 10 3 - 1.00 / 4.00 / 2000 1.00 / 4.00 / 2000\n",
		"errors, low: 7 × 53300 queue <full> & closed\n",
		"errors, low: 2 × without an answer", "errors, low: 1 × never sent",
		"requests have waited for 1500 ms on average", "CPU in cores: usher 0.25",
		"\n failed low is <slow>\n", "10 logins, 4 at a time: 10 a second",
		"\nIncident usher 4.00 / 2000 4.00 / 2000 4.00 / 2000 10 90 10\n",
		"\nIncident pgbouncer mean of all lanes 1500 4.00 / 2000 4.00 / 2000 10 90 10\n",
		"\nmachine a fast one\n",
	} {
		if !strings.Contains(squeezed, want) {
			t.Errorf("it lacks %q:\n%s", want, text)
		}
	}
}

func TestThePageNeedsNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	page, err := HTML(evening())
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for _, bad := range []string{
		"http:", "https:", "<script", "src=", "url(", "@import", "<link", "NaN", "ZgotmplZ", "<full>", "<slow>",
	} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, want := range []string{
		"FAIL: &lt;10ms", "prefers-color-scheme: dark", "low is &lt;slow&gt;", "queue &lt;full&gt; &amp; closed",
		"pgbouncer does not measure it", `<polyline class="curve critical"`, `<a href="#incident">`, `id="incident"`,
		"10 clients inside after 1000 ms",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if open, closed := strings.Count(text, "<svg"), strings.Count(text, "</svg>"); open != 11 || closed != open {
		t.Errorf("%d charts begin and %d end, want 11: six a side, but one", open, closed)
	}
}

func TestJSONCanBeReadBack(t *testing.T) {
	t.Parallel()
	text, err := JSON(evening())
	if err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(evening(), &got); diff != "" {
		t.Error(diff)
	}
}

func TestFiguresHaveThreeDigits(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "<0.01 ms", 9 * time.Microsecond: "<0.01 ms", 10 * time.Microsecond: "0.01 ms",
		1234 * time.Microsecond: "1.23 ms", 12340 * time.Microsecond: "12.3 ms", 123400 * time.Microsecond: "123 ms",
		5 * time.Second: "5000 ms",
	} {
		if got := Milliseconds(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}

func TestQuantilesAreThoseOfTheBuckets(t *testing.T) {
	t.Parallel()
	var h pool.Histogram
	for range 99 {
		h.Record(time.Millisecond)
	}
	h.Record(time.Second)
	q := QuantilesOf(status.BucketsOf(&h))
	if q.Count != 100 || q.P50 > 1100*time.Microsecond || q.P99 != q.P50 || q.P999 < time.Second || q.Max != q.P999 {
		t.Errorf("%+v", q)
	}
}

func TestAnAxisEndsAtARoundNumberAboveAll(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		log   bool
		top   float64
		ticks []float64
	}{
		{false, 0, []float64{0, 0.5, 1}},
		{false, 3, []float64{0, 1, 2, 3}},
		{false, 7, []float64{0, 2, 4, 6, 8}},
		{false, 40, []float64{0, 10, 20, 30, 40}},
		{false, 7800, []float64{0, 2000, 4000, 6000, 8000}},
		{true, 0, []float64{0.01, 0.1}},
		{true, 12, []float64{0.01, 0.1, 1, 10, 100}},
	} {
		s := newScale(tt.log, tt.top)
		near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
		if diff := cmp.Diff(tt.ticks, s.ticks, near); diff != "" {
			t.Errorf("up to %v: %s", tt.top, diff)
		}
		if low, high := s.y(s.ticks[0]), s.y(s.ticks[len(s.ticks)-1]); low != plotBottom || math.Abs(high-plotTop) > 0.01 {
			t.Errorf("up to %v: from %v to %v", tt.top, low, high)
		}
	}
	s := newScale(true, 10) // three decades, from 0.01 ms
	if want := plotBottom - 2*(plotBottom-plotTop)/3; s.y(0) != plotBottom || math.Abs(s.y(1)-want) > 0.01 {
		t.Errorf("zero is at %v, 1 ms at %v, want %v", s.y(0), s.y(1), want)
	}
}

func TestACurveHasGapsWhereThereIsNoValue(t *testing.T) {
	t.Parallel()
	c := curve{values: []float64{1, 2, math.NaN(), 3, math.NaN(), 4, 5}}
	s := newScale(false, 10)
	got := c.pieces(func(second float64) float64 { return second }, s)
	var lengths []int
	for _, piece := range got {
		lengths = append(lengths, len(strings.Fields(piece)))
	}
	if diff := cmp.Diff([]int{2, 2, 2}, lengths); diff != "" {
		t.Errorf("%q: %s", got, diff)
	}
	if !strings.HasPrefix(got[1], "4.0,") {
		t.Errorf("the value of the fourth second is at %s", got[1])
	}
}

func TestTheWorstVerdictIsThePhases(t *testing.T) {
	t.Parallel()
	for want, states := range map[State][]State{
		Shown: {Shown}, Passed: {Passed, Shown}, Failed: {Passed, Failed, Shown}, Invalid: {Failed, Invalid, Passed},
	} {
		p := Phase{}
		for _, s := range states {
			p.Verdicts = append(p.Verdicts, Verdict{State: s})
		}
		if got := p.state(); got != want {
			t.Errorf("of %v: %s, want %s", states, got, want)
		}
	}
}
