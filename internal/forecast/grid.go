package forecast

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/history"
)

// A slot is a quarter of an hour, counted from the Unix epoch. Everything is learned in slots: every zone in use is a
// multiple of them away from UTC, so that a slot is a quarter of an hour of the wall clock too, on each day of the
// year.
type slot int64

const slotSeconds = 15 * 60

func slotAt(t time.Time) slot { return slot(floorDiv(t.Unix(), slotSeconds)) }

func (s slot) time() time.Time { return time.Unix(int64(s)*slotSeconds, 0) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// A cell is a quarter of an hour of the week by the wall clock, from Sunday 00:00.
type cell int

const (
	cellsDay  = 96
	cellsWeek = 7 * cellsDay
)

func cellAt(local time.Time) cell {
	return cell(int(local.Weekday())*cellsDay + (local.Hour()*60+local.Minute())/15)
}

func (c cell) day() time.Weekday { return time.Weekday(c / cellsDay) }
func (c cell) quarter() int      { return int(c % cellsDay) }

// next is the cell n quarters of an hour of the wall clock later.
func (c cell) next(n int) cell { return cell(((int(c)+n)%cellsWeek + cellsWeek) % cellsWeek) }

// grid is history in slots.
type grid struct {
	first slot
	cells []cell
	// value is mean demand, NaN where nothing is known that counts.
	value []float64
	cut   []bool // value is a lower bound
	event []bool // within reach of an event
	still []bool // a holiday

	// buckets are those that count, in order, and finest is how long the shortest of them is.
	buckets []observed
	finest  time.Duration
	refused int // buckets that cannot be true
	outages time.Duration
	known   int // slots with a value
	top     float64
}

// observed is what counts of a bucket, in Unix seconds: a year of whole buckets is much to carry.
type observed struct {
	start, width int64
	mean         float64
	cut          bool
}

func (o *observed) end() int64 { return o.start + o.width }

func (o *observed) time() time.Time { return time.Unix(o.start, 0) }

// newGrid sorts out what can be learned from. Order does not matter.
func newGrid(buckets []history.Bucket, now time.Time, zone *time.Location) *grid {
	g := &grid{finest: history.Step}
	g.take(buckets, now)
	if len(g.buckets) == 0 {
		return g
	}
	finest, last := int64(math.MaxInt64), int64(math.MinInt64)
	for i := range g.buckets {
		last, finest = max(last, g.buckets[i].end()-1), min(finest, g.buckets[i].width)
	}
	g.finest = time.Duration(finest) * time.Second
	g.first = slot(floorDiv(g.buckets[0].start, slotSeconds))
	n := int(slot(floorDiv(last, slotSeconds))-g.first) + 1
	g.cells = make([]cell, n)
	for i := range g.cells {
		g.cells[i] = cellAt((g.first + slot(i)).time().In(zone))
	}
	g.fill(n)
	g.dropZeros()
	g.outline()
	return g
}

// take keeps the buckets that count, in order.
func (g *grid) take(buckets []history.Bucket, now time.Time) {
	oldest := now.Add(-memory)
	g.buckets = make([]observed, 0, len(buckets))
	sorted := true
	for i := range buckets {
		b := &buckets[i]
		switch {
		case b.Start.Before(oldest) || b.End().After(now):
			continue
		case b.Width < time.Second || b.Width > 24*time.Hour || !(b.Mean >= 0 && b.Mean <= MostDemand):
			g.refused++
			continue
		case b.Outage:
			g.outages += b.Width
			continue
		}
		o := observed{b.Start.Unix(), int64(b.Width / time.Second), b.Mean, b.CutOff}
		if n := len(g.buckets); n > 0 && g.buckets[n-1].start >= o.start {
			sorted = false
		}
		g.buckets = append(g.buckets, o)
	}
	if sorted {
		return
	}
	slices.SortFunc(g.buckets, func(a, b observed) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.width, b.width), cmp.Compare(a.mean, b.mean),
			cmp.Compare(flag(a.cut), flag(b.cut)))
	})
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// fill puts the buckets into slots, weighted by how long each is in it.
func (g *grid) fill(n int) {
	g.value, g.cut = make([]float64, n), make([]bool, n)
	g.event, g.still = make([]bool, n), make([]bool, n)
	weight := make([]float64, n)
	for i := range g.buckets {
		b := &g.buckets[i]
		from, to := b.start, b.end()
		for s := slot(floorDiv(from, slotSeconds)); int64(s)*slotSeconds < to; s++ {
			begin := int64(s) * slotSeconds
			part := float64(min(to, begin+slotSeconds) - max(from, begin))
			at := int(s - g.first)
			g.value[at] += part * b.mean
			weight[at] += part
			g.cut[at] = g.cut[at] || b.cut
		}
	}
	for i := range g.value {
		if weight[i] < slotSeconds/3 {
			g.value[i] = math.NaN()
			continue
		}
		g.value[i] /= weight[i]
	}
}

// deadFor is how long a pool must be without any demand, in slots, for that to be an outage nobody noted, and deadMost
// how long it may last and still be one: a pool nobody uses for longer is a pool nobody uses.
const deadFor, deadMost = 2, 24 * 4

// dropZeros makes silences missing that stand out among much.
func (g *grid) dropZeros() {
	var dead [][2]int
	for i := 0; i < len(g.value); i++ {
		from := i
		for i < len(g.value) && g.value[i] == 0 {
			i++
		}
		if n := i - from; n >= deadFor && n <= deadMost {
			dead = append(dead, [2]int{from, i})
		}
	}
	if len(dead) == 0 || g.oftenIdle() {
		return
	}
	for _, d := range dead {
		for i := d[0]; i < d[1]; i++ {
			g.value[i] = math.NaN()
		}
		g.outages += time.Duration(d[1]-d[0]) * slotSeconds * time.Second
	}
}

// oftenIdle reports whether silence is nothing special here.
func (g *grid) oftenIdle() bool {
	used := make([]float64, 0, len(g.value))
	known := 0
	for _, v := range g.value {
		if !math.IsNaN(v) {
			known++
		}
		if v > 0 {
			used = append(used, v)
		}
	}
	if len(used) < known*3/4 {
		return true
	}
	slices.Sort(used)
	return used[len(used)/100] < 1
}

// topRank is which of the largest values is taken for the most ever seen: the very largest may be an accident.
const topRank = 3

func (g *grid) outline() {
	var largest [topRank]float64
	for _, v := range g.value {
		if math.IsNaN(v) {
			continue
		}
		g.known++
		for i := range largest {
			if v > largest[i] {
				v, largest[i] = largest[i], v
			}
		}
	}
	g.top = largest[min(topRank, max(g.known, 1))-1]
}

// days is how much is known.
func (g *grid) days() float64 { return float64(g.known) / cellsDay }
