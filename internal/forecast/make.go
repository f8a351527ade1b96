package forecast

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/history"
)

// Make forecasts. It never fails: what it cannot do, the forecast says. The same input gives the same forecast.
func Make(in Input) Forecast {
	in = in.checked()
	f := Forecast{Pool: in.Pool, Issued: in.Now, Until: in.Now.Add(ValidFor), Zone: in.Zone, Calibration: in.Calibration}
	m := learnModel(&in)
	f.Rung, f.Days = m.rung, m.grid.days()
	f.Notes = m.notes()
	if m.rung == RungNothing && in.Rules.Normal == 0 {
		f.Absent = fmt.Sprintf("%.1f days of history are known, 1 is needed, or a configured normal load", f.Days)
		return f
	}
	s := m.newSpread()
	m.weigh(s.error)
	m.points(&f, s)
	f.Spikes = Spikes(f.Points, in.Rules.LeastSpike)
	return f
}

// checked puts defaults and limits in place, and leaves out rules that cannot be meant.
func (in Input) checked() Input {
	in.Zone = zoneOf(in.Zone)
	in.Now = in.Now.Truncate(history.Step)
	if in.Fine <= 0 {
		in.Fine = FineDefault
	}
	if in.Far <= 0 {
		in.Far = FarDefault
	}
	in.Fine, in.Far = min(in.Fine, mostFine), min(in.Far, mostFar)
	if !(in.Rules.Normal > 0 && in.Rules.Normal <= MostDemand) {
		in.Rules.Normal = 0
	}
	if !(in.Rules.Cap > 0 && in.Rules.Cap <= MostDemand) {
		in.Rules.Cap = 0
	}
	if !(in.Rules.LeastSpike > 0) {
		in.Rules.LeastSpike = LeastSpikeDefault
	}
	in.Rules.Priors = slices.DeleteFunc(slices.Clone(in.Rules.Priors), func(p Prior) bool { return !p.valid() })
	return in
}

// notes are what a reader should know.
func (m *model) notes() []string {
	var notes []string
	g := m.grid
	if g.refused > 0 {
		notes = append(notes, fmt.Sprintf("%d buckets of history cannot be true and were passed over", g.refused))
	}
	if g.outages > 0 {
		notes = append(notes, fmt.Sprintf("outages of %v in all do not count", g.outages.Round(time.Minute)))
	}
	if n := len(g.buckets); n > 0 {
		if age := m.in.Now.Sub(time.Unix(g.buckets[n-1].end(), 0)); age >= time.Hour {
			notes = append(notes, fmt.Sprintf("history ends %v ago", age.Round(time.Minute)))
		}
		if share := float64(g.known) / float64(len(g.value)); share < 0.9 {
			notes = append(notes, fmt.Sprintf("history is known for %.0f%% of its time", 100*share))
		}
	}
	if !m.level.shifted.IsZero() && m.in.Now.Sub(m.level.shifted) < 14*24*time.Hour {
		notes = append(notes, fmt.Sprintf("the level shifted to %.2g times before %s",
			m.level.factor, m.level.shifted.In(m.zone).Format("Mon 2 Jan")))
	}
	return notes
}

// points fills the forecast.
func (m *model) points(f *Forecast, s *spread) {
	fine, far := m.in.Now.Add(m.in.Fine), m.in.Now.Add(m.in.Far)
	fine = fine.Add(time.Hour - 1).Truncate(time.Hour) // hours begin on the hour
	f.Points = make([]Point, 0, int(m.in.Fine/history.Step)+int((m.in.Far-m.in.Fine)/time.Hour)+1)
	for t := m.in.Now; t.Before(far); {
		width := history.Step
		if !t.Before(fine) {
			width = time.Hour
		}
		f.Points = append(f.Points, m.point(t, width, s))
		t = t.Add(width)
	}
}

func (m *model) point(t time.Time, width time.Duration, s *spread) Point {
	ahead := t.Sub(m.in.Now)
	o := m.mean(t, width, ahead, len(m.grid.value))
	p := Point{Start: t, Width: width, P50: o.demand, Base: o.base, Multiplier: Ratio(o.demand, o.base)}
	m.quantiles(&p, o, ahead, s)
	m.explain(&p, o)
	return p
}

// quantiles fills them in. What stands on rules alone is a planning value: its quantiles are those of what is usual.
func (m *model) quantiles(p *Point, o moment, ahead time.Duration, s *spread) {
	if m.rung == RungNothing {
		p.P05, p.P90, p.P95 = p.P50, p.P50, p.P50
		return
	}
	wide := 0
	if p.Width > m.grid.finest {
		wide = 1
	}
	h, class := horizonOf(ahead), classOf(p.Start.Add(p.Width/2).In(m.zone), p.Multiplier)
	of := p.P50
	if !o.sure {
		of, class = min(o.base, o.demand), classOf(p.Start.In(m.zone), 1)
	}
	most := MostDemand * 1.0
	if m.in.Rules.Cap > 0 {
		most = m.in.Rules.Cap
	}
	if m.rung > RungNothing {
		most = min(most, max(beliefTop*m.grid.top, p.P50))
	}
	var v [quantiles]float64
	for q, level := range levels {
		log := math.Log(s.factor(wide, h, class, level)) * m.in.Calibration.factor(h, class, q)
		v[q] = min(most, max(0, p.P50+(of+s.small)*(math.Exp(log)-1)))
	}
	p.P05 = min(v[low], p.P50)
	p.P90 = max(v[high], p.P50)
	p.P95 = max(v[higher], p.P90)
}

// explain says why a point is what it is.
func (m *model) explain(p *Point, o moment) {
	counts := make([]int, len(m.hs.kinds))
	guests, seen := 0.0, math.MaxInt
	from, to := slots(p.Start), slots(p.Start.Add(p.Width))
	m.hs.around((from+to)/2, func(h *happening) {
		counts[h.kind]++
		guests += h.guests
		seen = min(seen, m.hs.kinds[h.kind].days)
		p.Events = append(p.Events, h.id)
	})
	var parts []string
	for k, n := range counts {
		if n > 0 {
			parts = append(parts, count(n, m.hs.kinds[k].name))
		}
	}
	if len(parts) > 0 {
		if guests > 0 {
			parts = append(parts, fmt.Sprintf("%.0f guests", guests))
		}
		how := fmt.Sprintf("learned n=%d", seen)
		if seen < learnedFrom {
			how = fmt.Sprintf("assumed, n=%d", seen)
		}
		parts[len(parts)-1] += " (" + how + ")"
	}
	if o.prior >= 0 && priorWeight(o.seen) > 0.02 {
		r := &m.in.Rules.Priors[o.prior]
		parts = append(parts, fmt.Sprintf("%s: rule %.3gx has %.0f%% of the say", r.Name, r.Multiple,
			100*priorWeight(o.seen)))
	}
	if m.hs.holiday((from + to) / 2) {
		parts = append(parts, "holiday: much like a Sunday")
	}
	if o.bound {
		parts = append(parts, "bounded: more than can be believed")
	}
	if len(parts) == 0 {
		parts = append(parts, m.usually(p.Start))
	}
	p.Why = strings.Join(parts, ", ")
}

// usually says what the usual is known from.
func (m *model) usually(t time.Time) string {
	switch n := m.seen[cellAt(t.In(m.zone))]; {
	case m.rung == RungNothing:
		return "the configured normal load"
	case n == 0:
		return "days like it"
	case n == 1:
		return "the same time last week"
	default:
		return fmt.Sprintf("usual for the hour, %.0f weeks", n)
	}
}

func count(n int, kind string) string {
	if kind == "" {
		kind = "event"
	}
	if n == 1 {
		return "1 " + kind
	}
	return fmt.Sprintf("%d %ss", n, kind)
}

// At is a quantile from the middle up, between and beyond those that are given as the normal distribution has it.
func (p *Point) At(q float64) float64 {
	if q <= 0.5 {
		return p.P50
	}
	normal := func(q float64) float64 { return math.Sqrt2 * math.Erfinv(2*q-1) }
	if q <= 0.9 {
		return p.P50 + (p.P90-p.P50)*normal(q)/normal(0.9)
	}
	return p.P90 + (p.P95-p.P90)*(normal(q)-normal(0.9))/(normal(0.95)-normal(0.9))
}
