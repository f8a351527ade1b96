package forecast

import (
	"math"
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
		if diff := cmp.Diff(test.want, Spikes(test.points, test.least), nearly); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestQuantilesWidenUntilTheyHold(t *testing.T) {
	t.Parallel()
	f := Forecast{Issued: saturday, Zone: time.UTC}
	demand := map[time.Time]float64{}
	for i := range 48 {
		at := saturday.Add(time.Duration(i) * history.Step)
		f.Points = append(f.Points, Point{
			Start: at, Width: history.Step, P05: 9, P50: 10, P90: 11, P95: 12, Multiplier: 1,
		})
		demand[at] = 10
		if i%4 == 0 {
			demand[at] = 20 // a quarter is above all quantiles, none is below
		}
	}
	came := func(start time.Time, _ time.Duration) (float64, bool, bool) { return demand[start], false, true }
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
