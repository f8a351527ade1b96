package forecast

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/history"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// past is history until now, in quarters of an hour, of what demand says for the wall clock.
func past(now time.Time, days int, demand func(local time.Time) float64) []history.Bucket {
	var list []history.Bucket
	for t := now.AddDate(0, 0, -days); t.Before(now); t = t.Add(15 * time.Minute) {
		list = append(list, history.Bucket{Start: t, Width: 15 * time.Minute, Mean: demand(t)})
	}
	return list
}

// pointAt is the point that a time is in.
func pointAt(t testing.TB, f *Forecast, at time.Time) *Point {
	t.Helper()
	for i := range f.Points {
		if p := &f.Points[i]; !at.Before(p.Start) && at.Before(p.Start.Add(p.Width)) {
			return p
		}
	}
	t.Fatalf("there is no point at %v", at)
	return nil
}

// near fails unless a value is within a part of what is expected.
func expectNear(t testing.TB, what string, got, want, part float64) {
	t.Helper()
	if !(math.Abs(got-want) <= part*want) {
		t.Errorf("%s is %.3f, expected %.3f within %.0f%%", what, got, want, 100*part)
	}
}

// saturday is the day of the week's evening in the tests' months.
var saturday = time.Date(2026, 6, 20, 20, 0, 0, 0, time.UTC)

func TestWithoutHistoryTheRulesHold(t *testing.T) {
	t.Parallel()
	in := Input{Now: saturday.AddDate(0, 0, -3), Rules: Rules{Normal: 8, Priors: DefaultPriors()}}
	f := Make(in)
	if f.Rung != RungNothing || f.Absent != "" {
		t.Fatalf("rung %v, absent %q", f.Rung, f.Absent)
	}
	for _, test := range []struct {
		at   time.Time
		want float64
	}{
		{saturday, 80},                                // Saturday evening
		{saturday.Add(-10 * time.Hour), 40},           // morning
		{saturday.AddDate(0, 0, -1), 16},              // Friday evening
		{saturday.AddDate(0, 0, 1), 24},               // Sunday
		{saturday.AddDate(0, 0, 3), 8},                // Tuesday
		{saturday.Add(4*time.Hour + time.Minute), 80}, // after midnight it is still Saturday evening
		{saturday.Add(6 * time.Hour), 8},
	} {
		p := pointAt(t, &f, test.at)
		if p.P50 != test.want || p.P90 != test.want || p.Base != 8 {
			t.Errorf("%v: %+v, expected %v", test.at, p, test.want)
		}
	}
	if len(f.Spikes) == 0 || f.Spikes[0].Ratio != 10 && f.Spikes[0].Ratio != 5 {
		t.Errorf("spikes: %+v", f.Spikes)
	}
}

func TestWithoutHistoryAndNormalThereIsNoForecastAndAReason(t *testing.T) {
	t.Parallel()
	f := Make(Input{Now: saturday})
	if f.Absent == "" || f.Points != nil {
		t.Errorf("absent %q, %d points", f.Absent, len(f.Points))
	}
}

// TestEvidenceOverridesARule is the table of research: a rule of 10x, the truth 4x.
func TestEvidenceOverridesARule(t *testing.T) {
	t.Parallel()
	for n, want := range []float64{0: 10, 1: 5.4, 2: 4.8, 3: 4.6, 4: 4.4, 8: 4.2} {
		if want == 0 {
			continue
		}
		expectNear(t, fmt.Sprint(n, " occurrences"), yield(10, 4, float64(n)), want, 0.012)
		rule := []Prior{{"evening", time.Saturday, 14 * time.Hour, 24 * time.Hour, 10}}
		now := saturday.AddDate(0, 0, -2)
		in := Input{Now: now, Rules: Rules{Normal: 10, Priors: rule}}
		in.History = past(now, 7*n, func(at time.Time) float64 {
			if at.Weekday() == time.Saturday && at.Hour() >= 14 {
				return 40
			}
			return 10
		})
		f := Make(in)
		expectNear(t, fmt.Sprint(n, " weeks of history"), pointAt(t, &f, saturday).Multiplier, want, 0.03)
	}
}

func TestARuleThatIsWrongByFarIsCorrectedWithinThreeOccurrences(t *testing.T) {
	t.Parallel()
	for _, truth := range []float64{4, 25} {
		if off := yield(10, truth, 3) / truth; off > 1.2 || off < 1/1.2 {
			t.Errorf("10x for %vx is off by %.2f after three occurrences", truth, off)
		}
	}
}

// weddings are events on each of a number of Saturdays until, and one in the future each week.
func weddings(from, until time.Time, start, length time.Duration) []calendar.Event {
	var list []calendar.Event
	for day := from; day.Before(until); day = day.AddDate(0, 0, 1) {
		if day.Weekday() == time.Saturday {
			at := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, day.Location()).Add(start)
			list = append(list, calendar.Event{
				ID: at.Format(time.DateOnly), Kind: "wedding", Start: at, End: at.Add(length), Guests: 100,
			})
		}
	}
	return list
}

func TestASaturdayWithoutWeddingsIsLessThanTheRule(t *testing.T) {
	t.Parallel()
	now := saturday.AddDate(0, 0, -3)
	in := Input{Now: now, Rules: Rules{Normal: 10, Priors: DefaultPriors()}}
	in.Events = weddings(now.AddDate(0, 0, -60), now.AddDate(0, 0, 6), 16*time.Hour, 8*time.Hour)
	f := Make(in)
	with, without := pointAt(t, &f, saturday).Multiplier, pointAt(t, &f, saturday.AddDate(0, 0, 7)).Multiplier
	if !(with > 8 && with < 16) || !(without < with/2) || !(without >= 1) {
		t.Errorf("with a wedding %.1fx, without %.1fx, and the rule is 10x", with, without)
	}
}

func TestEventsAddAndDoNotMultiply(t *testing.T) {
	t.Parallel()
	now := saturday.AddDate(0, 0, -3)
	in := Input{Now: now, Events: weddings(now.AddDate(0, 0, -120), now.AddDate(0, 0, 7), 16*time.Hour, 6*time.Hour)}
	// There were two at once, once: else two would be more than can be believed.
	double := in.Events[len(in.Events)-3]
	in.Events = append(in.Events, double)
	in.History = past(now, 120, func(at time.Time) float64 {
		switch {
		case !at.Before(double.Start) && at.Before(double.End):
			return 90
		case at.Weekday() == time.Saturday && at.Hour() >= 16 && at.Hour() < 22:
			return 50 // 5x
		}
		return 10
	})
	one := Make(in)
	expectNear(t, "one wedding", pointAt(t, &one, saturday).Multiplier, 5, 0.1)
	second := in.Events[len(in.Events)-2]
	second.ID = "second"
	in.Extra = []calendar.Event{second}
	two := Make(in)
	expectNear(t, "two weddings", pointAt(t, &two, saturday).Multiplier, 9, 0.15)
	if why := pointAt(t, &two, saturday).Why; !strings.HasPrefix(why, "2 weddings, 200 guests (learned n=17)") {
		t.Errorf("why: %q", why)
	}
	// A week later there is none. This model knows Saturdays only with weddings, and what they are without.
	expectNear(t, "no wedding", pointAt(t, &one, saturday.AddDate(0, 0, 7)).Multiplier, 1, 0.1)
	if one.Rung != RungEvents {
		t.Errorf("rung %v", one.Rung)
	}
}

func TestTheSameWallClockOnTheDayTheClocksChange(t *testing.T) {
	t.Parallel()
	berlin := zone(t, "Europe/Berlin")
	for _, change := range []time.Time{
		time.Date(2026, 3, 29, 0, 0, 0, 0, berlin), time.Date(2026, 10, 25, 0, 0, 0, 0, berlin),
	} {
		now := change.AddDate(0, 0, -2)
		in := Input{Now: now, Zone: berlin, Far: 7 * 24 * time.Hour}
		in.History = past(now, 42, func(at time.Time) float64 {
			if h := at.In(berlin).Hour(); h >= 9 && h < 12 {
				return 60
			}
			return 6
		})
		f := Make(in)
		for day := range 5 {
			for hour, want := range map[int]float64{7: 6, 10: 60, 13: 6} {
				at := time.Date(change.Year(), change.Month(), change.Day()+day, hour, 30, 0, 0, berlin)
				expectNear(t, at.String(), pointAt(t, &f, at).P50, want, 0.02)
			}
		}
		for i := range f.Points[1:] {
			if p := &f.Points[i]; !p.Start.Add(p.Width).Equal(f.Points[i+1].Start) {
				t.Fatalf("after %v comes %v", p.Start, f.Points[i+1].Start)
			}
		}
	}
}

// wave is a day that is the same every day.
func wave(at time.Time) float64 { return 20 + 10*math.Sin(float64(at.Hour())/24*2*math.Pi) }

func TestWhatWasCutOffRaisesAndNeverLowers(t *testing.T) {
	t.Parallel()
	now := saturday.AddDate(0, 0, -3)
	in := Input{Now: now, History: past(now, 35, wave)}
	clean := Make(in)
	for _, test := range []struct {
		demand float64
		raises bool
	}{{4, false}, {60, true}} {
		in.History = past(now, 35, wave)
		for i := range in.History {
			if b := &in.History[i]; b.Start.Hour() == 12 && b.Start.Day()%3 > 0 { // two days of three
				b.Mean, b.CutOff = test.demand, true
			}
		}
		cut := Make(in)
		at := now.AddDate(0, 0, 1).Truncate(24 * time.Hour).Add(12*time.Hour + 30*time.Minute)
		before, after := pointAt(t, &clean, at).P50, pointAt(t, &cut, at).P50
		switch {
		case test.raises && after < 1.5*before:
			t.Errorf("cut off at %v: %v after %v", test.demand, after, before)
		case !test.raises && math.Abs(after-before) > 0.02*before:
			t.Errorf("cut off at %v: %v after %v", test.demand, after, before)
		}
	}
}

func TestOutagesDoNotCount(t *testing.T) {
	t.Parallel()
	now := saturday.AddDate(0, 0, -3)
	in := Input{Now: now, History: past(now, 35, wave)}
	clean := Make(in)
	for name, mark := range map[string]func(*history.Bucket){
		"marked":   func(b *history.Bucket) { b.Mean, b.Outage = 0, true },
		"unmarked": func(b *history.Bucket) { b.Mean = 0 },
	} {
		in.History = past(now, 35, wave)
		for i := range in.History {
			if b := &in.History[i]; now.Sub(b.Start) < 10*time.Hour {
				mark(b)
			}
		}
		f := Make(in)
		for _, hours := range []time.Duration{1, 5, 30} {
			at := now.Add(hours * time.Hour)
			expectNear(t, name, pointAt(t, &f, at).P50, pointAt(t, &clean, at).P50, 0.02)
		}
		if !slices.ContainsFunc(f.Notes, func(s string) bool { return strings.HasPrefix(s, "outages of") }) {
			t.Errorf("%s: notes %q", name, f.Notes)
		}
	}
}

func TestALevelThatShiftsIsFollowed(t *testing.T) {
	t.Parallel()
	now := saturday.AddDate(0, 0, -3)
	for _, factor := range []float64{3, 0.4} {
		in := Input{Now: now}
		in.History = past(now, 60, func(at time.Time) float64 {
			if now.Sub(at) < 4*24*time.Hour {
				return wave(at) * factor
			}
			return wave(at)
		})
		f := Make(in)
		at := now.AddDate(0, 0, 2)
		expectNear(t, fmt.Sprint("after a shift by ", factor), pointAt(t, &f, at).P50, factor*wave(at), 0.2)
		if !slices.ContainsFunc(f.Notes, func(s string) bool { return strings.HasPrefix(s, "the level shifted") }) {
			t.Errorf("notes %q", f.Notes)
		}
	}
}

func TestOneWildDayShiftsNothing(t *testing.T) {
	t.Parallel()
	now := saturday.AddDate(0, 0, -3)
	in := Input{Now: now}
	in.History = past(now, 60, func(at time.Time) float64 {
		if age := now.Sub(at); age > 48*time.Hour && age < 60*time.Hour {
			return 8 * wave(at)
		}
		return wave(at)
	})
	f := Make(in)
	at := now.AddDate(0, 0, 2)
	expectNear(t, "two days after", pointAt(t, &f, at).P50, wave(at), 0.1)
}

func TestAHolidayIsMuchLikeASunday(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 30, 12, 0, 0, 0, time.UTC) // a Saturday
	in := Input{Now: now}
	in.History = past(now, 60, func(at time.Time) float64 {
		if at.Weekday() == time.Sunday {
			return 5
		}
		return 40
	})
	thursday := time.Date(2026, 6, 4, 0, 0, 0, 0, time.UTC)
	in.Events = []calendar.Event{{ID: "h", Kind: KindHoliday, Start: thursday, End: thursday.AddDate(0, 0, 1)}}
	f := Make(in)
	p := pointAt(t, &f, thursday.Add(12*time.Hour))
	if p.P50 > 15 || p.P50 < 5 || !strings.Contains(p.Why, "holiday") {
		t.Errorf("on the holiday: %+v", p)
	}
	expectNear(t, "the day after", pointAt(t, &f, thursday.Add(36*time.Hour)).P50, 40, 0.05)
}

func TestTheLadder(t *testing.T) {
	t.Parallel()
	now := saturday.AddDate(0, 0, -3)
	for days, want := range map[int]Rung{0: RungNothing, 1: RungLevel, 7: RungWeek, 14: RungWeeks} {
		f := Make(Input{Now: now, History: past(now, days, wave), Rules: Rules{Normal: 3}})
		if f.Rung != want || len(f.Points) == 0 {
			t.Errorf("%d days: rung %v, expected %v", days, f.Rung, want)
		}
		if days > 0 {
			at := now.Add(30 * time.Hour)
			expectNear(t, fmt.Sprint(days, " days"), pointAt(t, &f, at).P50, wave(at), 0.1)
		}
	}
}

func TestAForecastStaysBelowWhatCanBeBelieved(t *testing.T) {
	t.Parallel()
	now := saturday.AddDate(0, 0, -3)
	in := Input{Now: now, Events: weddings(now.AddDate(0, 0, -120), now.AddDate(0, 0, 7), 16*time.Hour, 6*time.Hour)}
	in.History = past(now, 120, func(at time.Time) float64 {
		if at.Weekday() == time.Saturday && at.Hour() >= 16 && at.Hour() < 22 {
			return 50
		}
		return 10
	})
	in.Extra = []calendar.Event{in.Events[len(in.Events)-1]}
	in.Extra[0].Guests = 1e9
	f := Make(in)
	p := pointAt(t, &f, saturday)
	expectNear(t, "the bound", p.P95, beliefTop*50, 0.1)
	if !strings.Contains(p.Why, "bounded") {
		t.Errorf("why: %q", p.Why)
	}
	in.Rules.Cap = 30
	f = Make(in)
	if p := pointAt(t, &f, saturday); p.P50 != 30 || p.P95 != 30 {
		t.Errorf("with a cap of 30: %+v", p)
	}
}

func TestForecastsBesideAreMixedInByTheirErrors(t *testing.T) {
	t.Parallel()
	now := saturday.AddDate(0, 0, -3)
	in := Input{Now: now}
	in.History = past(now, 35, func(at time.Time) float64 { return 10 + float64(at.Minute()%4) + float64(at.Day()%5) })
	plain := Make(in)
	in.Beside = []Beside{{Name: "other", Start: now, Step: time.Hour, Values: slices.Repeat([]float64{100}, 400)}}
	at := now.Add(30 * time.Hour)
	for _, test := range []struct {
		off  float64
		from float64
		to   float64
	}{{0, 0, 20}, {0.001, 90, 101}, {50, 0, 20}} {
		in.Beside[0].Error = test.off
		f := Make(in)
		if v := pointAt(t, &f, at).P50; v < test.from || v > test.to {
			t.Errorf("beside one that is off by %v: %v, without it %v", test.off, v, pointAt(t, &plain, at).P50)
		}
	}
}
