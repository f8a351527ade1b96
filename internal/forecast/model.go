package forecast

import (
	"fmt"
	"math"
	"time"
)

// model is what history and calendar teach.
type model struct {
	in     *Input
	zone   *time.Location
	grid   *grid
	week   *week
	level  *level
	hs     *happenings
	events *profile
	expect *expectation
	rung   Rung
	// seen is how many days each quarter of an hour of the week has been seen on.
	seen   [cellsWeek]float64
	beside []mixed
}

// learnModel learns in two passes: what is usual is found beside events, then what they bring, then both again with
// what they bring taken off.
func learnModel(in *Input) *model {
	m := &model{in: in, zone: in.Zone}
	m.grid = newGrid(in.History, in.Now, in.Zone)
	m.hs = newHappenings(in.Events, in.Extra, in.Now, in.Zone)
	m.hs.mark(m.grid)
	g := m.grid
	m.week = newWeek(g, in.Rules.Priors, nil, nil)
	m.level = newLevel(g, m.week, nil)
	m.week = newWeek(g, in.Rules.Priors, m.level.all(), nil)
	m.level = newLevel(g, m.week, nil)
	m.events = learn(g, m.week, m.level.all(), m.hs)
	if m.anyEvents() {
		multiple := m.multiples()
		m.week = newWeek(g, in.Rules.Priors, m.level.all(), multiple)
		m.level = newLevel(g, m.week, multiple)
	}
	m.foresee()
	m.climb()
	return m
}

func (m *model) anyEvents() bool {
	for _, e := range m.grid.event {
		if e {
			return true
		}
	}
	return false
}

// multiples is what events multiplied each slot of the past by.
func (m *model) multiples() []float64 {
	g := m.grid
	all := make([]float64, len(g.value))
	for i := range all {
		all[i] = 1
		if g.event[i] {
			usual := m.week.cells[g.cells[i]] / max(m.week.mean, 1e-9)
			all[i] += m.events.at(float64(g.first)+float64(i)+0.5, usual) / max(usual, 1e-3)
		}
	}
	return all
}

// foresee puts the rules of thumb beside the calendar, as far as that is known around now.
func (m *model) foresee() {
	priors := m.in.Rules.Priors
	m.expect = &expectation{
		priors: priors, usual: make([]float64, len(priors)), share: make([]float64, len(priors)), unit: unitDefault,
	}
	for i, v := range m.grid.value {
		if !math.IsNaN(v) {
			m.seen[m.grid.cells[i]]++
		}
	}
	from, to := math.Inf(1), math.Inf(-1)
	for i := range m.hs.list {
		if h := &m.hs.list[i]; !h.extra {
			from, to = min(from, h.start), max(to, h.end)
		}
	}
	now := slots(m.in.Now)
	from, to = max(from, now-13*cellsWeek), min(to, now+2*cellsWeek)
	if len(priors) == 0 || from >= to {
		return
	}
	// Whole weeks, so that each hour of the week counts alike.
	n := int(math.Ceil((to-from)/cellsWeek)) * cellsWeek
	cells, mass := make([]cell, n), make([]float64, n)
	first := slot(math.Floor(from))
	for i := range cells {
		s := first + slot(i)
		cells[i] = cellAt(s.time().In(m.zone))
		mass[i] = m.mass(float64(s)+0.5, false)
	}
	m.expect = expect(priors, cells, mass)
}

// mass is how much of usual events there is at a time, before anything is learned.
func (m *model) mass(at float64, extra bool) float64 {
	sum := 0.0
	m.hs.around(at, func(h *happening) {
		if extra || !h.extra {
			sum += h.mass(at) * h.times
		}
	})
	return sum
}

// climb finds the rung of the ladder that the model stands on.
func (m *model) climb() {
	switch days := m.grid.days(); {
	case days < 1:
		m.rung = RungNothing
	case days < 7:
		m.rung = RungLevel
	case days < 14:
		m.rung = RungWeek
	default:
		m.rung = RungWeeks
	}
	for _, k := range m.hs.kinds {
		if k.days >= learnedFrom && m.rung >= RungWeeks {
			m.rung = RungEvents
		}
	}
}

// learnedFrom is how often something must have been seen for it to be known rather than assumed.
const learnedFrom = 3

// A moment is what is expected at one time.
type moment struct {
	demand float64
	base   float64 // without events
	sure   bool    // it stands on what was seen: quantiles mean something
	bound  bool    // it would have been more, beyond belief
	prior  int     // the rule of thumb that has a say, or -1
	seen   float64 // how often the hours of that rule, or the kind of event, were seen
}

// at is what is expected at a time, issued so long before, with the level as known before the slot of the index.
func (m *model) at(t time.Time, ahead time.Duration, known int) moment {
	local := t.In(m.zone)
	c, at := cellAt(local), slots(t)
	prior := priorAt(m.in.Rules.Priors, c)
	if m.rung == RungNothing {
		rule := m.expect.multiple(c, m.mass(at, true))
		return m.limit(moment{base: m.in.Rules.Normal, demand: m.in.Rules.Normal * rule, prior: prior}, true)
	}
	level := m.level.at(known, ahead)
	usual := m.week.around(local, func(c cell) float64 { return m.week.cells[c] })
	if m.hs.holiday(at) {
		sunday := m.week.around(local.AddDate(0, 0, -int(local.Weekday())),
			func(c cell) float64 { return m.week.cells[c] })
		usual = math.Exp((1-holidayWeight)*math.Log(usual+m.week.small)+holidayWeight*math.Log(sunday+m.week.small)) -
			m.week.small
	}
	usual = max(usual, 0)
	usual = m.mix(t, usual*level) / max(level, 1e-12)
	b := m.bring(at, usual)
	o := m.limit(moment{
		base: level * usual, demand: level * (usual + b.excess), prior: prior, seen: b.seen, sure: b.seen >= learnedFrom,
	}, false)
	if prior < 0 {
		return o
	}
	o.base = level * m.week.around(local, func(c cell) float64 { return m.week.plain[c.quarter()] })
	o.seen = m.seen[c]
	o.sure = o.sure && o.seen >= learnedFrom
	if o.base > 0 {
		o.demand = o.base * yield(m.expect.multiple(c, b.mass), max(o.demand/o.base, leastMultiple), o.seen)
	}
	return m.limit(o, true)
}

// leastMultiple is the least that is taken for learned, of what has to be a factor.
const leastMultiple = 1e-3

// brought is what events bring at a time.
type brought struct {
	excess float64 // at level 1
	mass   float64
	seen   float64 // on how many days the least known of their kinds was seen; infinite without events
}

// bring adds up what the kinds of events bring, each as much as it is known: what is learned takes over from what is
// assumed of any event.
func (m *model) bring(at, usual float64) brought {
	var mass, learned [mostKinds]float64
	b := brought{seen: math.Inf(1)}
	m.hs.around(at, func(h *happening) {
		b.seen = min(b.seen, float64(m.hs.kinds[h.kind].days))
		mass[h.kind] += h.mass(at) * h.times
		learned[h.kind] += m.events.of(h, at)
	})
	if math.IsInf(b.seen, 1) {
		return b
	}
	unit := max(usual, m.week.small)
	scale := 0.0
	if m.week.mean > 0 {
		scale = m.events.scale(usual/m.week.mean) * m.week.mean
	}
	for k := range m.hs.kinds {
		if mass[k] == 0 && learned[k] == 0 {
			continue
		}
		b.mass += mass[k]
		b.excess += unit * (yield(1+m.expect.unit*mass[k], 1+learned[k]*scale/unit, float64(m.hs.kinds[k].days)) - 1)
	}
	return b
}

// holidayWeight is by how much a holiday resembles a Sunday rather than its day of the week.
const holidayWeight = 0.7

// beliefTop is how many times the most ever seen may be forecast.
const beliefTop = 1.5

// limit keeps absurd forecasts away: what was learned by what was seen, rules by the cap only.
func (m *model) limit(o moment, rules bool) moment {
	most := MostDemand * 1.0
	if m.in.Rules.Cap > 0 {
		most = m.in.Rules.Cap
	}
	if !rules && m.rung > RungNothing {
		most = min(most, max(beliefTop*m.grid.top, o.base))
	}
	if o.demand > most {
		o.demand, o.bound = most, true
	}
	o.base = min(o.base, most)
	if !(o.demand >= 0) || !(o.base >= 0) {
		panic(fmt.Sprintf("bug: forecast of %v over %v", o.demand, o.base))
	}
	return o
}

// mixed is a forecast beside ours with its say.
type mixed struct {
	of     *Beside
	weight float64
}

// besidePower says how much more a smaller error counts when forecasts are mixed; research of the M4 series.
const besidePower = 3

// weigh gives forecasts beside ours their say, by how far each was off.
func (m *model) weigh(own float64) {
	if own <= 0 {
		return
	}
	for i := range m.in.Beside {
		b := &m.in.Beside[i]
		if b.Error > 0 && b.Step > 0 && m.rung >= RungWeeks {
			m.beside = append(m.beside, mixed{b, math.Pow(own/b.Error, besidePower)})
		}
	}
}

// mix puts what is usual together with what others say of the same time.
func (m *model) mix(t time.Time, usual float64) float64 {
	sum, weight := usual, 1.0
	for _, x := range m.beside {
		i := int(t.Sub(x.of.Start) / x.of.Step)
		if t.Before(x.of.Start) || i >= len(x.of.Values) || !(x.of.Values[i] >= 0 && x.of.Values[i] <= MostDemand) {
			continue
		}
		sum, weight = sum+x.weight*x.of.Values[i], weight+x.weight
	}
	return sum / weight
}
