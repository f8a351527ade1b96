package scaler

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/forecast"
)

// outlookOf has a row each quarter of an hour for a day, then each hour; rows say what one demands and its target.
func outlookOf(
	begins time.Time, zone string, days int, rows func(n int, at time.Time) (p50 float64, target int),
) Outlook {
	o := Outlook{Timezone: zone}
	for at := begins; at.Before(begins.AddDate(0, 0, days)); {
		width := 15 * time.Minute
		if at.Sub(begins) >= forecast.FineDefault {
			width = time.Hour
		}
		p50, target := rows(len(o.Points), at)
		o.Points = append(o.Points, Row{Point: forecast.Point{Start: at, Width: width, P50: p50}, Target: target})
		at = at.Add(width)
	}
	return o
}

func flat(int, time.Time) (float64, int) { return 1, 2 }

func TestDigestIsTheGreatestOfEachHourThenOfEachDay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		outlook Outlook
		rows    int
		some    map[int]string // rows by their index
	}{
		"nothing is expected": {Outlook{Timezone: "UTC"}, 0, nil},
		"an hour's greatest demand, with its greatest target": {
			outlookOf(noon, "UTC", 1, func(n int, _ time.Time) (float64, int) {
				return []float64{1, 9, 3, 2}[n%4], []int{12, 10, 20, 11}[n%4]
			}), 24, map[int]string{0: "Sat 12:15 9 20", 23: "Sun 11:15 9 20"},
		},
		"of equals the first": {outlookOf(noon, "UTC", 1, flat), 24, map[int]string{0: "Sat 12:00 1 2"}},
		"a day's greatest": {
			// What is left of Sunday after 24 hours is a day too, and days are those of the zone, not of UTC.
			outlookOf(noon, "Europe/Berlin", 3, func(_ int, at time.Time) (float64, int) {
				return float64(at.Hour()), at.Hour() + 1
			}), 24 + 3, map[int]string{24: "Sun 23:00 21 22", 25: "Mon 01:00 23 24", 26: "Tue 01:00 23 24"},
		},
		"an unknown zone is UTC": {outlookOf(noon, "Mars/Olympus", 1, flat), 24, map[int]string{1: "Sat 13:00 1 2"}},
		"the hour that comes twice is two": {
			outlookOf(time.Date(2026, 10, 24, 22, 0, 0, 0, time.UTC), "Europe/Berlin", 1, flat), 24,
			map[int]string{2: "Sun 02:00 1 2", 3: "Sun 02:00 1 2", 4: "Sun 03:00 1 2"},
		},
	} {
		zone, err := time.LoadLocation(test.outlook.Timezone)
		if err != nil {
			zone = time.UTC
		}
		rows := test.outlook.Digest()
		if len(rows) != test.rows {
			t.Errorf("%s: %d rows, want %d", name, len(rows), test.rows)
			continue
		}
		for i, want := range test.some {
			r := &rows[i]
			if got := fmt.Sprintf("%s %g %d", r.Start.In(zone).Format("Mon 15:04"), r.P50, r.Target); got != want {
				t.Errorf("%s: row %d is %s, want %s", name, i, got, want)
			}
		}
	}
}

func TestDigestChangesNothing(t *testing.T) {
	t.Parallel()
	rows := func(n int, _ time.Time) (float64, int) { return float64(n % 7), n % 5 }
	o, same := outlookOf(noon, "UTC", 2, rows), outlookOf(noon, "UTC", 2, rows)
	o.Digest()
	if diff := cmp.Diff(same, o); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func TestAnActionIsThePrescalingOfTheSpikeARowIsPartOf(t *testing.T) {
	t.Parallel()
	o := Outlook{Timezone: "Europe/Berlin", Spikes: []Spike{
		{Start: noon.Add(5 * time.Hour), End: noon.Add(7 * time.Hour), Prescale: noon.Add(4 * time.Hour)},
		{Start: noon.Add(12 * time.Hour), End: noon.Add(13 * time.Hour), Prescale: noon.Add(9 * time.Hour)},
	}}
	for after, want := range map[time.Duration]string{
		0:                             "",
		5*time.Hour - time.Nanosecond: "",
		5 * time.Hour:                 "prescale 18:00",
		7*time.Hour - time.Nanosecond: "prescale 18:00",
		7 * time.Hour:                 "",
		12 * time.Hour:                "prescale Sat 23:00", // it is Sunday in Berlin
	} {
		row := Row{Point: forecast.Point{Start: noon.Add(after)}}
		if got := o.Action(&row); got != want {
			t.Errorf("%v after noon: %q, want %q", after, got, want)
		}
	}
}

func TestLimitLeavesOutWhatBeginsLater(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration][2]int{
		-time.Hour: {0, 0}, 0: {0, 0}, 1: {1, 1}, time.Hour: {4, 1}, time.Hour + 1: {5, 2}, 99 * time.Hour: {96, 2},
	} {
		o := outlookOf(noon, "UTC", 1, flat)
		o.Spikes = []Spike{{Start: noon, End: noon.Add(9 * time.Hour)}, {Start: noon.Add(time.Hour)}}
		o.Limit(noon.Add(after))
		if got := [2]int{len(o.Points), len(o.Spikes)}; got != want {
			t.Errorf("until %v after noon: %v points and spikes, want %v", after, got, want)
		}
	}
}
