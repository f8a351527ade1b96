package forecast

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/history"
)

func TestHoursOfRules(t *testing.T) {
	t.Parallel()
	late := Prior{Day: time.Saturday, From: 20 * time.Hour, To: 26 * time.Hour, Multiple: 2}
	for _, test := range []struct {
		day    time.Weekday
		hour   int
		inside bool
	}{
		{time.Saturday, 19, false}, {time.Saturday, 20, true}, {time.Saturday, 23, true}, {time.Sunday, 0, true},
		{time.Sunday, 1, true}, {time.Sunday, 2, false}, {time.Friday, 20, false},
	} {
		if c := cell(int(test.day)*cellsDay + test.hour*4); late.has(c) != test.inside {
			t.Errorf("%v %d:00: %v", test.day, test.hour, !test.inside)
		}
	}
	for _, p := range []Prior{
		{}, {Multiple: 2}, {Multiple: math.NaN(), To: time.Hour}, {Multiple: 2, To: 49 * time.Hour},
		{Multiple: -1, To: time.Hour},
		{Multiple: 2, To: time.Hour, Day: 7},
	} {
		if p.valid() {
			t.Errorf("%+v is valid", p)
		}
	}
}

// nearly compares without what arithmetic rounds.
var nearly = cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })

func TestSpikesBeginAtTwiceAndEndBelowOneAndAHalf(t *testing.T) {
	t.Parallel()
	points := func(multiples ...float64) []Point {
		var list []Point
		for i, m := range multiples {
			list = append(list, Point{
				Start: saturday.Add(time.Duration(i) * time.Hour), Width: time.Hour, Base: 10, P50: 10 * m, P90: 11 * m,
				Multiplier: m,
			})
		}
		return list
	}
	hour := func(i int) time.Time { return saturday.Add(time.Duration(i) * time.Hour) }
	for name, test := range map[string]struct {
		points []Point
		least  float64
		want   []Spike
	}{
		"none":         {points(1, 1.9, 2, 1.9), 2, nil},
		"one":          {points(1, 2.1, 3, 1.6, 1.4, 1), 2, []Spike{{hour(1), hour(4), hour(2), 33, 3, ""}}},
		"it flickers":  {points(2.1, 1.7, 2.1, 1.7, 1), 2, []Spike{{hour(0), hour(4), hour(0), 23.1, 2.1, ""}}},
		"until end":    {points(1, 3), 2, []Spike{{hour(1), hour(2), hour(1), 33, 3, ""}}},
		"not worth it": {points(1, 3), 21, nil},
	} {
		if diff := cmp.Diff(test.want, spikes(test.points, test.least), nearly); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWhatIf(t *testing.T) {
	t.Parallel()
	berlin := zone(t, "Europe/Berlin")
	at := time.Date(2026, 6, 20, 18, 0, 0, 0, berlin)
	for text, want := range map[string]struct {
		guests float64
		length time.Duration
		kind   string
	}{
		"guests=300 at 2026-06-20T18:00":                       {300, WhatIfDuration, ""},
		"guests=300 at 2026-06-20T16:00Z for 90m":              {300, 90 * time.Minute, ""},
		"kind=wedding guests=2.5e2 for 2h at 2026-06-20T18:00": {250, 2 * time.Hour, "wedding"},
		"at 2026-06-20T18:00":                                  {0, WhatIfDuration, ""},
	} {
		e, err := WhatIf(text, berlin)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if !e.Start.Equal(at) || e.End.Sub(e.Start) != want.length || e.Guests != want.guests || e.Kind != want.kind {
			t.Errorf("%s: %+v", text, e)
		}
	}
	for _, text := range []string{
		"", "guests=300", "guests=-1 at 2026-06-20T18:00", "guests=NaN at 2026-06-20T18:00", "at", "at noon",
		"at 2026-06-20T18:00 for -1h", "at 2026-06-20T18:00 for 900h", "guests=300 on 2026-06-20T18:00",
	} {
		if _, err := WhatIf(text, berlin); err == nil || !strings.Contains(err.Error(), "expected guests=300 at") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzWhatIf(f *testing.F) {
	f.Add("guests=300 at 2026-06-20T18:00 for 5h kind=wedding")
	f.Add("at 2026-06-20T18:00Z")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := WhatIf(text, time.UTC)
		if err == nil && (e.End.Before(e.Start) || e.ID == "" || !(e.Guests >= 0)) {
			t.Errorf("%q: %+v", text, e)
		}
	})
}

func TestAccuracyIsOfWhatWasSaidInTime(t *testing.T) {
	t.Parallel()
	began := saturday.Truncate(24 * time.Hour)
	forecast := func(hours int, demand float64) Forecast {
		f := Forecast{Issued: began.Add(time.Duration(hours) * time.Hour)}
		for i := range 24 {
			p := Point{
				Start: f.Issued.Add(time.Duration(i) * time.Hour), Width: time.Hour, Base: 10,
				P05: 8, P50: 10, P90: 12, P95: 13, Multiplier: 1,
			}
			if p.Start.Hour() == 18 {
				p.P50, p.P90, p.P95, p.Multiplier = demand, demand*1.2, demand*1.3, demand/10
			}
			f.Points = append(f.Points, p)
		}
		f.Spikes = spikes(f.Points, LeastSpikeDefault)
		return f
	}
	var came []history.Bucket
	for i := range 24 {
		b := history.Bucket{Start: began.Add(time.Duration(i) * time.Hour), Width: time.Hour, Mean: 10}
		if i == 18 {
			b.Mean = 40
		}
		came = append(came, b)
	}
	// The second says it right, but too late: an hour is needed.
	issued := []Forecast{forecast(18, 40), forecast(0, 30), forecast(12, 10)}
	a := Judge(issued, came, time.Hour, began.Add(24*time.Hour))
	want := Accuracy{
		Points: 23, WAPE: 30.0 / 260, BelowP90: 22.0 / 23, Interval: 22.0 / 23,
		Spikes: 1, Caught: 1, Lead: 18 * time.Hour,
	}
	if diff := cmp.Diff(want, a, nearly); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if none := Judge(nil, came, time.Hour, began); none != (Accuracy{}) {
		t.Errorf("of nothing: %+v", none)
	}
}

func TestQuantilesWidenUntilTheyHold(t *testing.T) {
	t.Parallel()
	f := Forecast{Issued: saturday, Zone: time.UTC}
	var came []history.Bucket
	for i := range 48 {
		at := saturday.Add(time.Duration(i) * history.Step)
		f.Points = append(f.Points, Point{
			Start: at, Width: history.Step, P05: 9, P50: 10, P90: 11, P95: 12, Multiplier: 1,
		})
		demand := 10.0
		if i%4 == 0 {
			demand = 20 // a quarter is above all quantiles, none is below
		}
		came = append(came, history.Bucket{Start: at, Width: history.Step, Mean: demand})
	}
	c := Calibration{}.Learn(&f, came, saturday, saturday.Add(4*time.Hour))
	class := classOf(saturday, 1)
	if l := c.Logs[0][class]; !(l[higher] > 0.1) || !(l[high] > 0.1) || !(l[low] < 0) {
		t.Errorf("learned %v", l)
	}
	for range 100 {
		c = c.Learn(&f, came, saturday, saturday.Add(4*time.Hour))
	}
	if l := c.Logs[0][class][higher]; l != calibrationMost {
		t.Errorf("the width is not bounded: %v", l)
	}
}

func TestTheTable(t *testing.T) {
	t.Parallel()
	berlin := zone(t, "Europe/Berlin")
	f := Forecast{
		Pool: "orders", Issued: time.Date(2026, 6, 19, 17, 0, 0, 0, berlin), Zone: berlin, Rung: RungEvents, Days: 61,
		Notes: []string{"history ends 2h0m0s ago"},
	}
	rows := []Row{
		{Point: Point{
			Start: time.Date(2026, 6, 20, 19, 0, 0, 0, berlin), P50: 402, P90: 480, Multiplier: 9.6,
			Why: "11 weddings, 1720 guests (learned n=14)",
		}, Target: 600, Short: true, Action: "prescale 18:30"},
		{Point: Point{
			Start: time.Date(2026, 6, 21, 4, 0, 0, 0, berlin), P50: 3.25, P90: 4, Multiplier: 1, Why: "usual",
		}},
	}
	a := Accuracy{Points: 100, WAPE: 0.11, BelowP90: 0.91, Spikes: 6, Caught: 6, Lead: 31 * time.Minute}
	got := Table(&f, rows, &a)
	want := `pool orders  tz Europe/Berlin  issued 2026-06-19 17:00
stands on weeks and events (61 days of history, rung 5 of 5)
note: history ends 2h0m0s ago
TIME (local)  P50  P90  xBASE  TARGET  ACTION          WHY
Sat 20 19:00  402  480  9.6    600!    prescale 18:30  11 weddings, 1720 guests (learned n=14)
Sun 21 04:00  3.2  4.0  1.0                            usual
accuracy: WAPE 11%, P90 coverage 91%, spikes 6/6 caught, mean lead 31m0s, 0 false
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	absent := Forecast{Pool: "new", Absent: "no history"}
	if text := Table(&absent, nil, nil); !strings.Contains(text, "no forecast: no history") {
		t.Errorf("absent: %s", text)
	}
}

func TestTheOutlineHasEachHourOfADayAndThenEachDay(t *testing.T) {
	t.Parallel()
	now := saturday.Truncate(24 * time.Hour)
	f := Make(Input{Now: now, Rules: Rules{Normal: 5, Priors: DefaultPriors()}})
	rows := Outline(&f)
	if len(rows) != 24+13 {
		t.Errorf("%d rows", len(rows))
	}
	if rows[24+6].P50 != 50 { // the Saturday after
		t.Errorf("the peak of the next Saturday: %+v", rows[24+6])
	}
	d := Describe(&f, nil, 24*time.Hour)
	if len(d.Points) != 288 || d.Points[0].Seconds != 300 || d.Timezone != "UTC" || d.Model.Rung != 0 {
		t.Errorf("%d points, %+v", len(d.Points), d.Points[0])
	}
}
