package backtest

import (
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/forecast"
)

// The words of the package's comment in figures.
const (
	windowLead = time.Hour
	windowTail = 5 * time.Hour
	busyFrom   = 2.0
	caughtFrom = 1.6
)

// plans are the quantiles that are tried for preparing.
var plans = []float64{0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95}

// normal is the median demand outside windows by time of the week.
type normal struct {
	zone *time.Location
	of   map[weekTime]float64
}

type weekTime struct {
	day     time.Weekday
	minutes int
}

func weekTimeAt(local time.Time) weekTime {
	return weekTime{local.Weekday(), local.Hour()*60 + local.Minute()}
}

func newNormal(r *replay) normal {
	lists := map[weekTime][]float64{}
	for t := r.first; t.Before(r.last); t = t.Add(r.slot) {
		if mean, cut, ok := r.known.Mean(t, r.slot); ok && !cut && !r.inWindow(t) {
			lists[weekTimeAt(t)] = append(lists[weekTimeAt(t)], mean)
		}
	}
	n := normal{zone: r.o.Zone, of: map[weekTime]float64{}}
	for at, list := range lists {
		slices.Sort(list)
		n.of[at] = (list[len(list)/2] + list[(len(list)-1)/2]) / 2
	}
	return n
}

// inWindow reports whether the slot that begins at t is in a window.
func (r *replay) inWindow(t time.Time) bool {
	for i := range r.events {
		e := &r.events[i]
		if e.Kind != forecast.KindHoliday && t.Add(r.slot).After(e.Start.Add(-windowLead)) &&
			t.Before(e.Start.Add(windowTail)) {
			return true
		}
	}
	return false
}

// volume is what was forecast beside what came.
type volume struct {
	demand, over, under float64
	busy, caught        int
}

func (v *volume) add(demand, foreseen, normal float64, known bool) {
	v.demand += demand
	v.over += max(0, foreseen-demand)
	v.under += max(0, demand-foreseen)
	if known && demand > 0 && demand >= busyFrom*normal {
		v.busy++
		if foreseen >= caughtFrom*normal {
			v.caught++
		}
	}
}

func (v *volume) sum(o volume) {
	v.demand, v.over, v.under = v.demand+o.demand, v.over+o.over, v.under+o.under
	v.busy, v.caught = v.busy+o.busy, v.caught+o.caught
}

// covered counts points and how many of them were within what was promised.
type covered struct {
	points   int
	interval int // from P05 to P95
	below90  int
}

func (c *covered) sum(o covered) {
	c.points, c.interval, c.below90 = c.points+o.points, c.interval+o.interval, c.below90+o.below90
}

// day is how a day's forecast did.
type day struct {
	date    time.Time
	events  int
	all     volume   // every point, by the middle forecast
	windows []volume // slots in windows, by plan
	cover   covered
	inside  covered // of these, in windows
}

// score compares a day with its forecast.
func (r *replay) score(from, until time.Time, f *forecast.Forecast) day {
	d := day{date: from, windows: make([]volume, len(plans))}
	for i := range r.events {
		if s := r.events[i].Start; !s.Before(from) && s.Before(until) {
			d.events++
		}
	}
	first, _ := slices.BinarySearchFunc(f.Points, from, func(p forecast.Point, t time.Time) int {
		return p.Start.Compare(t)
	})
	points := f.Points[first:]
	for i := range points {
		p := &points[i]
		if !p.Start.Before(until) {
			break
		}
		demand, cut, ok := r.known.Mean(p.Start, p.Width)
		if !ok || cut {
			continue
		}
		d.all.add(demand, p.P50, 0, false)
		d.cover.add(p, demand)
		if r.counts(p.Start) {
			d.inside.add(p, demand)
		}
	}
	for t := from; t.Before(until); t = t.Add(r.slot) {
		d.scoreSlot(r, t, points)
	}
	return d
}

// counts reports whether a slot counts as one in a window.
func (r *replay) counts(t time.Time) bool { return len(r.events) == 0 || r.inWindow(t) }

func (d *day) scoreSlot(r *replay, t time.Time, points []forecast.Point) {
	demand, cut, ok := r.known.Mean(t, r.slot)
	if !ok || cut || !r.counts(t) {
		return
	}
	usual, known := r.normal.of[weekTimeAt(t)]
	for i, q := range plans {
		sum, n := 0.0, 0.0
		for j := range points {
			if p := &points[j]; !p.Start.Before(t) && p.Start.Before(t.Add(r.slot)) {
				sum, n = sum+p.At(q), n+1
			}
		}
		if n == 0 {
			return
		}
		d.windows[i].add(demand, sum/n, usual, known)
	}
}

func (c *covered) add(p *forecast.Point, demand float64) {
	c.points++
	if demand >= p.P05 && demand <= p.P95 {
		c.interval++
	}
	if demand <= p.P90 {
		c.below90++
	}
}
