package forecast

import (
	"math"
	"slices"
)

// profile is what events bring: learned from all of them together, from those of a kind, and from those of a kind at
// hours alike, each shrunk towards the one before.
type profile struct {
	hs     *happenings
	shapes []shape // by part
	// size is the exponent of guests: 1 says twice the guests are twice the load, 0 that their number does not matter.
	size float64
	// base is the exponent of what is usual at the hour: 1 says that an event multiplies it, 0 that it adds to it.
	base float64
}

// How learning is held back. A unit is the information of one event.
const (
	pullZero   = 0.3 // towards nothing, of what all events have in common
	pullKind   = 4.0 // of a kind towards that
	pullPart   = 4.0 // of a part towards its kind
	pullSmooth = 2.0 // of a shape towards straight lines
	// sizePrior and sizePull are the exponent of guests to begin with, and the strength of that, in squared logarithms.
	sizePrior, sizePull = 0.8, 1.0
	// halfEvents is after how many further days with events one counts half as much: platforms change.
	halfEvents = 40.0
	// mostRows bounds from how many slots profiles are learned: the latest.
	mostRows = 6000
	// baseRows is how many of these decide whether events add or multiply.
	baseRows = 2000
	// arenaSize is how many events near rows are allocated at a time.
	arenaSize = 16384
	// huber is beyond how many usual deviations a slot counts less.
	huber = 1.345
	// usualMiss is the part of what was seen that a shape may be off and be as usual: where nothing else deviates, the
	// events themselves would be taken for outliers.
	usualMiss = 0.25
	// sweeps of the coordinate descent. It converges to less than anybody sees.
	sweeps = 60
)

// row is a slot within reach of events.
type row struct {
	at     float64 // its middle, in slots
	excess float64 // demand beyond what is usual, in mean demands at level 1
	usual  float64 // what is usual then, in the same unit
	scale  float64 // the unit of what events bring then
	weight float64
	cut    bool
	near   []near
	sums   []partSum
}

// near is an event that reaches a row, and the parts of the knots that matter. There are hundreds of thousands of them,
// so that their size is time.
type near struct {
	h     *happening
	parts [nearKnots]float64
	knots [nearKnots]uint8
	n     uint8
}

// nearKnots is at most two of the start, two of the end, and the plateau.
const nearKnots = 5

type knotPart struct {
	knot int
	part float64
}

// partSum is all events of a part that reach a row, by knot, with their guests.
type partSum struct {
	part  int
	knots []knotPart
}

// learn finds profiles in the slots within reach of events, where level and week say what is usual.
func learn(g *grid, w *week, level []float64, hs *happenings) *profile {
	p := &profile{hs: hs, shapes: make([]shape, len(hs.parts)), base: 1}
	p.resize(sizePrior)
	rows := p.rows(g, w, level)
	if len(rows) == 0 || w.mean == 0 {
		return p
	}
	p.sum(rows)
	best, bestBase := math.Inf(1), 1.0
	some := rows[max(0, len(rows)-baseRows):]
	for _, base := range []float64{0, 0.5, 1} {
		p.rescale(some, base)
		common, _ := p.fit(some, all, nil, &shape{}, pullZero)
		if off := miss(some, &common); off < best {
			best, bestBase = off, base
		}
	}
	p.rescale(rows, bestBase)
	common, _ := p.fit(rows, all, nil, &shape{}, pullZero)
	p.spread(common)
	p.resize(p.guests(rows))
	p.sum(rows)
	common, _ = p.fit(rows, all, nil, &shape{}, pullZero)
	p.spread(common)
	p.descend(rows, common)
	return p
}

func all(int) bool { return true }

// rescale sets the exponent of what is usual.
func (p *profile) rescale(rows []row, base float64) {
	p.base = base
	for i := range rows {
		rows[i].scale = p.scale(rows[i].usual)
	}
}

// resize sets the exponent of guests.
func (p *profile) resize(size float64) {
	p.size = size
	for i := range p.hs.list {
		h := &p.hs.list[i]
		h.times = 1
		if h.ratio != 1 {
			h.times = math.Pow(h.ratio, size)
		}
	}
}

// sum puts the events of a part together, row by row: a Saturday has dozens, and they are looked at often.
func (p *profile) sum(rows []row) {
	sums := make([]shape, len(p.hs.parts))
	var arena []knotPart
	for i := range rows {
		r := &rows[i]
		r.sums = r.sums[:0]
		for j := range r.near {
			n := &r.near[j]
			for i, k := range n.knots[:n.n] {
				sums[n.h.part][k] += n.parts[i] * n.h.times
			}
			if !slices.ContainsFunc(r.sums, func(s partSum) bool { return s.part == n.h.part }) {
				r.sums = append(r.sums, partSum{part: n.h.part})
			}
		}
		for j := range r.sums {
			s := &r.sums[j]
			if cap(arena)-len(arena) < knots {
				arena = make([]knotPart, 0, arenaSize)
			}
			first := len(arena)
			for k, v := range sums[s.part] {
				if v != 0 {
					arena = append(arena, knotPart{k, v})
				}
			}
			s.knots = arena[first:]
			sums[s.part] = shape{}
		}
	}
}

// descend learns kinds, then their parts.
func (p *profile) descend(rows []row, common shape) {
	known := 0
	for k := range p.hs.kinds {
		if p.hs.kinds[k].known {
			known++
		}
	}
	for k := range p.hs.kinds {
		if known == 1 {
			break // it is what all have in common
		}
		of := func(part int) bool { return p.hs.parts[part].kind == k }
		s, any := p.fit(rows, of, p.shapes, &common, pullKind)
		for i := range p.hs.parts {
			if any && of(i) {
				p.shapes[i] = s
			}
		}
	}
	parents := slices.Clone(p.shapes)
	for i := range p.hs.parts {
		of := func(part int) bool { return part == i }
		if s, any := p.fit(rows, of, parents, &parents[i], pullPart); any {
			p.shapes[i] = s
		}
	}
}

func (p *profile) spread(s shape) {
	for i := range p.shapes {
		p.shapes[i] = s
	}
}

// rows gathers what there is to learn from, the latest last.
func (p *profile) rows(g *grid, w *week, level []float64) []row {
	var rows []row
	var arena []near // rows have their part of it: they are many, and live together
	days, counted := 0.0, -1
	for i := len(g.value) - 1; i >= 0 && len(rows) < mostRows; i-- {
		if !g.event[i] || g.still[i] {
			continue
		}
		at := float64(g.first) + float64(i) + 0.5
		r := row{at: at, cut: g.cut[i]}
		if math.IsNaN(g.value[i]) {
			continue
		}
		if cap(arena)-len(arena) < len(p.hs.list) {
			arena = make([]near, 0, max(arenaSize, len(p.hs.list)))
		}
		first := len(arena)
		p.hs.around(at, func(h *happening) {
			if h.extra {
				return
			}
			n := near{h: h}
			h.knotsAt(at, func(k int, part float64) {
				n.knots[n.n], n.parts[n.n] = uint8(k), part
				n.n++
			})
			if n.n > 0 {
				arena = append(arena, n)
			}
		})
		if r.near = arena[first:]; len(r.near) == 0 {
			continue
		}
		if day := i / cellsDay; day != counted {
			days, counted = days+1, day
		}
		r.usual = w.cells[g.cells[i]] / w.mean
		r.excess = g.value[i]/level[i]/w.mean - r.usual
		r.weight = math.Exp2(-days / halfEvents)
		rows = append(rows, r)
	}
	slices.Reverse(rows)
	p.count(rows)
	return rows
}

// count tells kinds and parts how often they were seen.
func (p *profile) count(rows []row) {
	seen := map[*happening]bool{}
	type dayOf struct{ kind, day int }
	days := map[dayOf]bool{}
	for i := range rows {
		for _, n := range rows[i].near {
			p.hs.kinds[n.h.kind].known = true
			if seen[n.h] || !n.h.past {
				continue
			}
			seen[n.h] = true
			p.hs.parts[n.h.part].seen++
			if d := (dayOf{n.h.kind, int(n.h.start) / cellsDay}); !days[d] {
				days[d] = true
				p.hs.kinds[n.h.kind].days++
			}
		}
	}
}

// scale is the unit of what events bring where so much is usual, both in mean demands.
func (p *profile) scale(usual float64) float64 {
	switch p.base {
	case 0:
		return 1
	case 1:
		return usual
	}
	return math.Pow(max(usual, 1e-9), p.base)
}

// brings is how much an event adds to a row by a shape, before scaling.
func (n *near) brings(s *shape) float64 {
	sum := 0.0
	for i, k := range n.knots[:n.n] {
		sum += n.parts[i] * s[k]
	}
	return sum * n.h.times
}

func (s *partSum) brings(by *shape) float64 {
	sum := 0.0
	for _, k := range s.knots {
		sum += k.part * by[k.knot]
	}
	return sum
}

// normal is the normal equations of a fit.
type normal struct {
	gram   [knots][knots]float64
	target [knots]float64
	unit   float64 // the information of one event at a knot
}

// fit learns a shape from the events of the parts that of accepts, taking those of others for what shapes say, and is
// held towards parent as if that had been seen in pull events. It says whether there was anything to learn from.
func (p *profile) fit(rows []row, of func(part int) bool, shapes []shape, parent *shape, pull float64) (shape, bool) {
	s, found := *parent, false
	var off []float64
	for pass := range 3 {
		e, deviation := &normal{unit: unit(rows)}, math.Inf(1)
		if pass > 0 {
			deviation = usualDeviation(off)
		}
		off = off[:0]
		for i := range rows {
			r := &rows[i]
			var x [knots]float64
			rest, any := r.excess, false
			for j := range r.sums {
				n := &r.sums[j]
				if !of(n.part) {
					rest -= r.scale * n.brings(&shapes[n.part])
					continue
				}
				any = true
				for _, k := range n.knots {
					x[k.knot] += r.scale * k.part
				}
			}
			if !any {
				continue
			}
			found = true
			missed := rest - dot(&x, &s)
			if r.cut && missed < 0 && pass > 0 {
				continue // at least this, and more was expected: it does not contradict
			}
			off = append(off, math.Abs(missed))
			usual := max(deviation, usualMiss*math.Abs(rest))
			weight := r.weight * min(1, huber*usual/max(math.Abs(missed), 1e-12))
			e.add(&x, rest, weight)
		}
		if !found {
			return s, false
		}
		e.solve(&s, parent, pull)
	}
	return s, true
}

// unit is what one event tells about one knot, were nothing else near.
func unit(rows []row) float64 {
	sum := 0.0
	for i := range rows {
		sum += sqr(rows[i].scale)
	}
	return sum / float64(max(len(rows), 1))
}

func (e *normal) add(x *[knots]float64, rest, weight float64) {
	var at [knots]int
	n := 0
	for k, v := range x {
		if v != 0 {
			at[n] = k
			n++
		}
	}
	for _, a := range at[:n] {
		v := weight * x[a]
		e.target[a] += v * rest
		for _, b := range at[:n] {
			e.gram[a][b] += v * x[b]
		}
	}
}

// solve is coordinate descent on the equations with pulls, where no knot is below 0: nothing that comes takes away.
func (e *normal) solve(s, parent *shape, pull float64) {
	pull *= max(e.unit, 1e-6)
	smooth := pullSmooth * max(e.unit, 1e-6)
	for range sweeps {
		for k := range s {
			sum, weight := e.target[k]+pull*parent[k], e.gram[k][k]+pull
			for j, g := range e.gram[k] {
				if j != k {
					sum -= g * s[j]
				}
			}
			for _, j := range [2]int{k - 1, k + 1} {
				if j >= 0 && j < plateau && k < plateau && (j < startKnots) == (k < startKnots) {
					sum += smooth * (s[j] - parent[j] + parent[k])
					weight += smooth
				}
			}
			s[k] = max(0, sum/weight)
		}
	}
}

func dot(x *[knots]float64, s *shape) float64 {
	sum := 0.0
	for k, v := range x {
		sum += v * s[k]
	}
	return sum
}

// usualDeviation is the standard deviation that a median of absolute deviations stands for.
func usualDeviation(off []float64) float64 {
	if len(off) == 0 {
		return 1
	}
	list := slices.Clone(off)
	slices.Sort(list)
	return max(1.4826*list[len(list)/2], 1e-6)
}

// miss is how far off a shape is, in total.
func miss(rows []row, s *shape) float64 {
	off := 0.0
	for i := range rows {
		r, sum := &rows[i], 0.0
		for j := range r.sums {
			sum += r.sums[j].brings(s)
		}
		off += r.weight * math.Abs(r.excess-r.scale*sum)
	}
	return off
}

// guests learns the exponent: the slope of what events brought over how many came, by logarithms.
func (p *profile) guests(rows []row) float64 {
	type sums struct{ brought, expected float64 }
	of := map[*happening]*sums{}
	for i := range rows {
		r := &rows[i]
		total := 0.0
		for j := range r.near {
			total += r.near[j].brings(&p.shapes[r.near[j].h.part])
		}
		for j := range r.near {
			n := &r.near[j]
			own := n.brings(&p.shapes[n.h.part])
			if own < total/2 || own == 0 || r.cut {
				continue // the others decide what is seen
			}
			if of[n.h] == nil {
				of[n.h] = &sums{}
			}
			of[n.h].brought += own * r.scale * (r.excess - r.scale*(total-own))
			of[n.h].expected += sqr(own * r.scale)
		}
	}
	up, down := sizePull*sizePrior, sizePull
	for i := range p.hs.list {
		h := &p.hs.list[i]
		if of[h] == nil || of[h].expected == 0 || h.ratio == 1 {
			continue
		}
		log := math.Log(h.ratio)
		brought := math.Log(max(0.2, min(5, of[h].brought/of[h].expected))) + p.size*log
		up, down = up+log*brought, down+sqr(log)
	}
	return max(0, min(1.5, up/down))
}

// of is what one event brings at a time, before scaling.
func (p *profile) of(h *happening, at float64) float64 {
	s, sum := &p.shapes[h.part], 0.0
	h.knotsAt(at, func(k int, part float64) { sum += part * s[k] })
	return sum * h.times
}

// at is what all events bring at a time, where so much is usual, in mean demands at level 1.
func (p *profile) at(at, usual float64) float64 {
	sum := 0.0
	p.hs.around(at, func(h *happening) { sum += p.of(h, at) })
	return sum * p.scale(usual)
}
