package forecast

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/history"
)

// BenchmarkMakeYear is a pool with a year of history and 5,000 events, most of them on the same evenings. The bar is
// 150 ms.
func BenchmarkMakeYear(b *testing.B) {
	in := wedding(1, 365*24*time.Hour, 5000)
	b.ReportAllocs()
	for b.Loop() {
		if f := Make(in); f.Rung != RungEvents {
			b.Fatalf("rung %d", f.Rung)
		}
	}
}

// wedding is a platform's year until a Thursday in June: days and nights, weddings at weekends, noise.
func wedding(seed uint64, length time.Duration, events int) Input {
	random := rand.New(rand.NewPCG(seed, seed))
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	in := Input{Pool: "orders", Now: time.Date(2026, 6, 18, 12, 0, 0, 0, zone), Zone: zone}
	in.Rules.Priors = DefaultPriors()
	from := in.Now.Add(-length)
	days := int(length.Hours()/24) + 14
	perWeek := events * 7 / days
	for i := range events {
		week := i / max(perWeek, 1)
		day := from.AddDate(0, 0, 7*week)
		for day.Weekday() != time.Saturday {
			day = day.AddDate(0, 0, 1)
		}
		day = day.AddDate(0, 0, []int{0, 0, 0, 0, 1, -1}[random.IntN(6)])
		start := time.Date(day.Year(), day.Month(), day.Day(), 14+random.IntN(5), 0, 0, 0, zone)
		in.Events = append(in.Events, calendar.Event{
			ID: fmt.Sprint("w", i), Kind: "wedding", Start: start,
			End: start.Add(time.Duration(4+random.IntN(5)) * time.Hour), Guests: float64(40 + random.IntN(200)),
		})
	}
	hs := newHappenings(in.Events, nil, in.Now, zone)
	for t := from; t.Before(in.Now); t = t.Add(history.Step) {
		local := t.In(zone)
		base := 10 + 8*math.Sin(float64(local.Hour()-8)/24*2*math.Pi)
		mass := 0.0
		hs.around(slots(t), func(h *happening) { mass += h.mass(slots(t)) * h.guests / 120 })
		mean := base * (1 + mass*0.3) * math.Exp(0.1*random.NormFloat64())
		in.History = append(in.History, history.Bucket{
			Start: t.UTC(), Width: history.Step, Samples: 300, Mean: mean, Max: mean,
		})
	}
	return in
}
