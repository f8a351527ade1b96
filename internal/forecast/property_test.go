package forecast

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/chance"
	"github.com/usher-pg/usher/internal/history"
)

// wild is an input of any kind, hostile buckets and events included.
func wild(random *rand.Rand, zones []*time.Location) Input {
	now := saturday.Add(time.Duration(random.IntN(400*24*60)) * time.Minute)
	in := Input{Now: now, Zone: zones[random.IntN(len(zones))], Far: 4 * 24 * time.Hour}
	odd := []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 1e300, MostDemand, 0, 5e-324}
	scale := math.Pow(10, random.Float64()*6-3)
	step := history.Step * time.Duration(3+random.IntN(10))
	for t := now.AddDate(0, 0, -random.IntN(40)); t.Before(now.Add(time.Hour)); t = t.Add(step) {
		b := history.Bucket{
			Start: t, Width: step, Mean: scale * (1 + random.Float64()), CutOff: random.IntN(20) == 0,
			Outage: random.IntN(50) == 0,
		}
		switch random.IntN(40) {
		case 0:
			b.Mean = odd[random.IntN(len(odd))]
		case 1:
			b.Width = time.Duration(random.Int64())
		case 2:
			continue
		}
		in.History = append(in.History, b)
	}
	for i := range random.IntN(60) {
		in.Events = append(in.Events, wildEvent(random, now, i))
	}
	if random.IntN(2) == 0 {
		in.Rules.Priors = DefaultPriors()
	}
	if random.IntN(2) == 0 {
		in.Rules.Normal = scale
	}
	if random.IntN(4) == 0 {
		in.Rules.Cap = scale * 2
	}
	for i := range in.Calibration.Logs {
		in.Calibration.Logs[i][random.IntN(classes)][random.IntN(quantiles)] = random.NormFloat64()
	}
	return in
}

func wildEvent(random *rand.Rand, now time.Time, i int) calendar.Event {
	start := now.Add(time.Duration(random.IntN(60*24*60)-50*24*60) * time.Minute)
	e := calendar.Event{
		ID: fmt.Sprint(i), Kind: []string{"wedding", "sale", ""}[random.IntN(3)], Start: start,
		End: start.Add(time.Duration(random.IntN(600)) * time.Minute), Guests: float64(random.IntN(300)),
	}
	switch random.IntN(20) {
	case 0:
		e.Guests = math.NaN()
	case 1:
		e.Guests = math.Inf(1)
	case 2:
		e.End = start.AddDate(200, 0, 0)
	case 3:
		e.End = start.Add(-time.Hour)
	case 4:
		e.Kind = KindHoliday
	}
	return e
}

// TestWhateverIsGiven: no forecast is NaN, negative, out of order or beyond the cap, each point says why, the order of
// history and calendar does not matter, and an event that is imagined never lowers.
func TestWhateverIsGiven(t *testing.T) {
	t.Parallel()
	random := chance.Random(t)
	zones := []*time.Location{
		nil, zone(t, "America/Los_Angeles"), zone(t, "Asia/Kathmandu"), zone(t, "Australia/Lord_Howe"),
	}
	for i := range wildInputs {
		in := wild(random, zones)
		f := Make(in)
		check(t, &in, &f)
		shuffled := in
		shuffled.History = append([]history.Bucket(nil), in.History...)
		shuffled.Events = append([]calendar.Event(nil), in.Events...)
		random.Shuffle(len(shuffled.History), func(i, j int) {
			shuffled.History[i], shuffled.History[j] = shuffled.History[j], shuffled.History[i]
		})
		again := Make(shuffled)
		if diff := cmp.Diff(f.Points, again.Points); diff != "" {
			t.Fatalf("input %d: the order of history matters:\n%.2000s", i, diff)
		}
		in.Extra = []calendar.Event{wildEvent(random, in.Now.AddDate(0, 0, 10), -1)}
		if in.Extra[0].Kind == KindHoliday {
			continue // its days may have less
		}
		more := Make(in)
		for k := range f.Points {
			if a, b := f.Points[k].P50, more.Points[k].P50; b < a*(1-1e-9) {
				t.Fatalf("input %d: with %+v %v becomes %v at %v (%s; %s)", i, in.Extra[0], a, b, f.Points[k].Start,
					f.Points[k].Why, more.Points[k].Why)
			}
		}
	}
}

func check(t *testing.T, in *Input, f *Forecast) {
	t.Helper()
	if (f.Absent == "") != (len(f.Points) > 0) {
		t.Fatalf("absent %q, and %d points", f.Absent, len(f.Points))
	}
	most := float64(MostDemand)
	if in.Rules.Cap > 0 {
		most = in.Rules.Cap
	}
	for i := range f.Points {
		p := &f.Points[i]
		if !(0 <= p.P05 && p.P05 <= p.P50 && p.P50 <= p.P90 && p.P90 <= p.P95 && p.P95 <= most && p.Base >= 0) {
			t.Fatalf("a point out of order: %+v", p)
		}
		if !(p.Multiplier >= 0) || p.Why == "" {
			t.Fatalf("a point without multiple or reason: %+v", p)
		}
		if q := p.At(0.7); !(q >= p.P50 && q <= p.P90) {
			t.Fatalf("P70 is %v of %+v", q, p)
		}
	}
}
