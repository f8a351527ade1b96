package forecast

import (
	"math"
	"slices"
	"time"
)

// week is what is usual without events, by the wall clock, where the level is 1.
type week struct {
	cells [cellsWeek]float64
	// plain is each time of day on days without rules of thumb: what a prior's multiple is of.
	plain [cellsDay]float64
	// seen is how many weeks each cell has been seen in, old ones counting less.
	seen  [cellsWeek]float64
	mean  float64 // of cells
	small float64 // what is added before logarithms: below it, ratios mean nothing
}

// halfWeek is after how long what was observed counts half as much in the usual week.
const halfWeek = 6 * 7 * cellsDay

// adjustedWeight is what an observation during events counts after what they bring has been taken off, beside one
// without.
const adjustedWeight = 0.2

// smallPart of mean demand is added before logarithms.
const smallPart = 0.02

// observation is a slot's value as it would be at level 1 without events.
type observation struct {
	value, weight float64
	cut           bool
}

// newWeek learns the usual week. level is each slot's, excess what events multiply it by; both nil in the first pass.
func newWeek(g *grid, priors []Prior, level, multiple []float64) *week {
	w := &week{}
	byCell := make([][]observation, cellsWeek)
	for i, v := range g.value {
		if math.IsNaN(v) || g.still[i] || g.event[i] && multiple == nil {
			continue
		}
		o := observation{v, math.Exp2(-float64(len(g.value)-i) / halfWeek), g.cut[i]}
		if level != nil {
			o.value /= level[i]
		}
		if g.event[i] {
			o.value /= multiple[i]
			o.weight *= adjustedWeight
		}
		byCell[g.cells[i]] = append(byCell[g.cells[i]], o)
	}
	w.measure(byCell)
	w.shrink(byCell, priors)
	return w
}

// measure finds the size of things.
func (w *week) measure(byCell [][]observation) {
	sum, n := 0.0, 0.0
	for _, list := range byCell {
		for _, o := range list {
			sum, n = sum+o.weight*o.value, n+o.weight
		}
	}
	if n > 0 {
		w.mean = sum / n
	}
	w.small = max(smallPart*w.mean, 1e-3)
}

func (w *week) log(v float64) float64 { return math.Log(v + w.small) }

func (w *week) exp(v float64) float64 { return max(0, math.Exp(v)-w.small) }

// shrink pulls each cell towards the same time on days like it, by as much as it is unsure and they agree.
func (w *week) shrink(byCell [][]observation, priors []Prior) {
	var median, noise [cellsWeek]float64
	for c, list := range byCell {
		median[c], w.seen[c] = middle(list)
		for _, o := range list {
			noise[c] += o.weight * sqr(clip(w.log(o.value)-w.log(median[c]), 1))
		}
		noise[c] /= max(w.seen[c], 1e-9)
	}
	w.fillPlain(&median, priors)
	for day := range 7 {
		for q := range cellsDay {
			c := cell(day*cellsDay + q)
			parent := w.alike(&median, c)
			// Around the cell: how far its day is from days alike, and how far its weeks are from each other.
			apart, within, n := 0.0, 0.0, 0.0
			for d := -4; d <= 4; d++ {
				near := c.next(d)
				if near.day() != c.day() || w.seen[near] == 0 {
					continue
				}
				apart += sqr(w.log(median[near]) - w.log(w.alike(&median, near)))
				within += noise[near]
				n++
			}
			pull := mostPull
			if n > 0 {
				between := max(apart/n-within/n/max(w.seen[c], 1), 0)
				pull = clip(within/n/max(between, 1e-6), mostPull)
			}
			have := w.seen[c]
			if priorAt(priors, c) >= 0 {
				pull = 0 // the rule of thumb is what it is held by
			}
			if have == 0 {
				w.cells[c] = parent
				continue
			}
			w.cells[c] = w.exp((have*w.log(median[c]) + pull*w.log(parent)) / (have + pull))
		}
	}
	w.smooth()
}

// mostPull is how many weeks of observations days alike can count as.
const mostPull = 2.0

// alike is the same time of day on other days of the kind: workdays resemble each other.
func (w *week) alike(median *[cellsWeek]float64, c cell) float64 {
	sum, n := 0.0, 0.0
	for day := time.Sunday; day <= time.Saturday; day++ {
		other := cell(int(day)*cellsDay + c.quarter())
		if day != c.day() && restful(day) == restful(c.day()) && w.seen[other] > 0 {
			sum, n = sum+w.log(median[other]), n+1
		}
	}
	if n == 0 {
		return w.plain[c.quarter()]
	}
	return w.exp(sum / n)
}

func restful(d time.Weekday) bool { return d == time.Saturday || d == time.Sunday }

// fillPlain finds the plain day: medians over the days that no rule of thumb is about.
func (w *week) fillPlain(median *[cellsWeek]float64, priors []Prior) {
	var known []float64
	for q := range cellsDay {
		var list, any []float64
		for day := range 7 {
			c := cell(day*cellsDay + q)
			if w.seen[c] == 0 {
				continue
			}
			p := priorAt(priors, c)
			if p < 0 {
				any, list = append(any, median[c]), append(list, median[c])
			} else {
				any = append(any, median[c]/priors[p].Multiple)
			}
		}
		if len(list) == 0 {
			list = any
		}
		w.plain[q] = math.NaN()
		if len(list) > 0 {
			slices.Sort(list)
			w.plain[q] = list[len(list)/2]
			known = append(known, w.plain[q])
		}
	}
	slices.Sort(known)
	for q := range w.plain {
		if math.IsNaN(w.plain[q]) && len(known) > 0 {
			w.plain[q] = known[len(known)/2]
		} else if math.IsNaN(w.plain[q]) {
			w.plain[q] = w.mean
		}
	}
}

// smooth lets neighbours in time help each other.
func (w *week) smooth() {
	var smooth [cellsWeek]float64
	for c := range smooth {
		before, after := w.cells[cell(c).next(-1)], w.cells[cell(c).next(1)]
		smooth[c] = (before + 2*w.cells[c] + after) / 4
	}
	w.cells = smooth
}

// middle is the weighted median, and the sum of the weights. What was cut off counts where it is above the rest.
func middle(list []observation) (median, weight float64) {
	slices.SortFunc(list, func(a, b observation) int {
		switch {
		case a.value < b.value:
			return -1
		case a.value > b.value:
			return 1
		}
		return 0
	})
	clean := 0.0
	for _, o := range list {
		if !o.cut {
			clean += o.weight
		}
	}
	whole := quantile(list, clean == 0, 0.5)
	for _, o := range list {
		if o.cut && o.value > whole {
			clean += o.weight
		}
	}
	if clean == 0 {
		for _, o := range list {
			clean += o.weight
		}
		// All of it is lower bounds: the upper ones are the truer.
		return quantile(list, true, 0.9), clean
	}
	above := slices.Clone(list)
	above = slices.DeleteFunc(above, func(o observation) bool { return o.cut && o.value <= whole })
	return quantile(above, true, 0.5), clean
}

// quantile is of a sorted list, by weight.
func quantile(list []observation, cut bool, q float64) float64 {
	total := 0.0
	for _, o := range list {
		if cut || !o.cut {
			total += o.weight
		}
	}
	at, last := 0.0, 0.0
	for _, o := range list {
		if o.cut && !cut {
			continue
		}
		if at += o.weight; at >= q*total {
			// Between two that are equally near, their middle.
			if at == q*total {
				last = o.value
				continue
			}
			if last != 0 {
				return (last + o.value) / 2
			}
			return o.value
		}
	}
	return last
}

// around is the usual demand at a time of the wall clock, drawn straight between the middles of cells.
func (w *week) around(local time.Time, of func(cell) float64) float64 {
	seconds := local.Minute()%15*60 + local.Second()
	c := cellAt(local)
	part := float64(seconds)/slotSeconds - 0.5
	if part < 0 {
		return of(c)*(1+part) - of(c.next(-1))*part
	}
	return of(c)*(1-part) + of(c.next(1))*part
}

func sqr(v float64) float64 { return v * v }

// clip limits a value in both directions.
func clip(v, most float64) float64 { return max(-most, min(most, v)) }
