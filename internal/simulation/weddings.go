package simulation

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/history"
)

// What weddings are like.
const (
	evenings, mornings, fridays = 8.0, 4.0, 1.5 // on average, a week
	guestsMedian, guestsSpread  = 100.0, 0.5
	perGuest                    = 0.14 // connections, in the beginning
	surpriseSpread              = 0.25 // how differently the same number of guests behaves
	trickle                     = 0.3  // of the load is there when it begins, having come in the hour and a half before
	lateShare                   = 0.03 // are published on the day
	cancelShare, ghostShare     = 0.05, 0.01
)

// season is how many weddings there are in a month, 1 on average.
var season = [...]float64{0.35, 0.4, 0.6, 0.9, 1.4, 1.6, 1.5, 1.6, 1.4, 0.9, 0.5, 0.5}

// wedding is one that is planned, with what becomes of it.
type wedding struct {
	calendar.Event
	published, cancelled time.Time // cancelled: zero if it takes place
	happens              bool
	load                 float64 // when all have come
}

// marry plans the year's weddings, and those of the weeks after it, which are in the calendar at its end.
func (w *World) marry(r *rand.Rand) {
	for day := 0; day < w.days+14; day++ {
		local := w.at(0).In(w.zone).AddDate(0, 0, day)
		busy := season[local.Month()-1]
		switch local.Weekday() {
		case time.Friday:
			w.plan(r, local, poissonNumber(r, fridays*busy), 16, 6)
		case time.Saturday:
			w.plan(r, local, poissonNumber(r, mornings*busy), 10, 4)
			w.plan(r, local, poissonNumber(r, evenings*busy), 15, 8)
		}
	}
	slices.SortFunc(w.weddings, func(a, b wedding) int { return a.Start.Compare(b.Start) })
	for i := range w.weddings {
		if w.weddings[i].happens {
			w.celebrate(&w.weddings[i])
		}
	}
}

// plan is n weddings of a day, half of which begin at an hour, and the others around it.
func (w *World) plan(r *rand.Rand, day time.Time, n, hour, long int) {
	for range n {
		minutes := 0
		if r.IntN(2) == 0 {
			minutes = 30 * (r.IntN(6) - 2)
		}
		start := time.Date(day.Year(), day.Month(), day.Day(), hour, minutes, 0, 0, w.zone)
		guests := math.Round(guestsMedian * math.Exp(guestsSpread*r.NormFloat64()))
		e := wedding{
			Event: calendar.Event{
				ID: fmt.Sprintf("w%d", len(w.weddings)), Name: "Wedding", Kind: "wedding", Start: start,
				End:    start.Add(time.Duration(long*60-60+r.IntN(120)) * time.Minute).Truncate(history.Step),
				Guests: max(15, min(guests, 500)),
			},
			published: start.Add(-time.Duration(30+r.IntN(270)) * 24 * time.Hour), happens: true,
		}
		switch x := r.Float64(); {
		case x < lateShare:
			e.published = start.Add(-time.Duration(r.IntN(10)+1) * time.Hour)
		case x < lateShare+cancelShare:
			e.happens, e.cancelled = false, start.Add(-time.Duration(1+r.IntN(30*24))*time.Hour)
		case x < lateShare+cancelShare+ghostShare:
			e.happens = false // and nobody has told the calendar
		}
		e.load = perGuest * e.Guests * math.Exp(surpriseSpread*r.NormFloat64()-surpriseSpread*surpriseSpread/2)
		w.weddings = append(w.weddings, e)
	}
}

// celebrate adds a wedding's load: guests trickle in, come at its beginning, and leave from its end on.
func (w *World) celebrate(e *wedding) {
	begin, end := w.bucket(e.Start), w.bucket(e.End)
	for b := begin - 18; b < end+12; b++ {
		if b < 0 || b >= len(w.level) {
			continue
		}
		load := e.load * w.grown(b)
		switch {
		case b < begin:
			load *= trickle * float64(b-begin+18) / 18
		case b == begin:
			w.jump[b] += (1 - trickle) * load
		case b > end:
			load *= 1 - float64(b-end)/12
		case b > begin+24:
			load *= 0.85
		}
		w.level[b] += load
	}
}

// calendar is what is in the calendar at a time, from a while before it.
func (w *World) calendar(now time.Time, before time.Duration) []calendar.Event {
	var list []calendar.Event
	for i := range w.weddings {
		e := &w.weddings[i]
		if e.Start.After(now.Add(-before)) && !e.published.After(now) && (e.cancelled.IsZero() || e.cancelled.After(now)) {
			list = append(list, e.Event)
		}
	}
	return list
}

// changed reports whether the calendar has changed between two times, for events before another.
func (w *World) changed(from, to, before time.Time) bool {
	for i := range w.weddings {
		e := &w.weddings[i]
		if e.Start.After(before) {
			break
		}
		if e.End.After(from) && (within(e.published, from, to) || within(e.cancelled, from, to)) {
			return true
		}
	}
	return false
}

func within(t, from, to time.Time) bool { return t.After(from) && !t.After(to) }

// poissonNumber is a random number with that mean.
func poissonNumber(r *rand.Rand, mean float64) int {
	n, product, limit := 0, r.Float64(), math.Exp(-mean)
	for product > limit {
		n++
		product *= r.Float64()
	}
	return n
}
