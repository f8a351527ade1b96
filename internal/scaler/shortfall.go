package scaler

import (
	"fmt"
	"time"
)

// Shortfall is a stretch of time in which more is expected to be needed than there is to give.
type Shortfall struct {
	// Pool is whose own size is too small; empty: the budget is, for all pools together.
	Pool   string    `json:"pool,omitempty"`
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Peak   time.Time `json:"peak_at"`
	Needed int       `json:"needed"` // at the peak
	Have   int       `json:"have"`
	Why    string    `json:"why"`
}

// Missing is how many connections lack at the peak.
func (s Shortfall) Missing() int { return s.Needed - s.Have }

// shortfallStep is how finely shortfalls are looked for, shortfallAhead how far.
const (
	shortfallStep  = time.Hour
	shortfallAhead = 14 * 24 * time.Hour
	// shortfallGap joins shortfalls with no more than this between them.
	shortfallGap = 3 * time.Hour
)

// Shortfalls are those of the next 14 days, in order, with those of pools before those of the budget. Pools that are
// Off, or have no forecast, count with what they have open. It is meant to be called when there is a new forecast.
func Shortfalls(now time.Time, pools []Pool, budget int) []Shortfall {
	var list []Shortfall
	start := now.Truncate(shortfallStep)
	total := make([]int, int(shortfallAhead/shortfallStep))
	why := make([]string, len(total))
	for i := range pools {
		p := &pools[i]
		needs, reasons := p.needs(start, now, len(total))
		most := p.Rules.most()
		list = append(list, gather(p.Name, start, needs, reasons, most)...)
		for k, n := range needs {
			total[k] += max(p.Rules.Min, min(n, most))
			if reasons[k] != "" {
				why[k] += "; " + p.Name + ": " + reasons[k]
			}
		}
	}
	if budget > 0 {
		for k := range why {
			if len(why[k]) > 2 {
				why[k] = why[k][2:]
			}
		}
		list = append(list, gather("", start, total, why, budget)...)
	}
	return list
}

// needs is what a pool is expected to need in so many steps from start, and why.
func (p *Pool) needs(start, now time.Time, steps int) ([]int, []string) {
	needs, reasons := make([]int, steps), make([]string, steps)
	if p.Rules.Mode == Off || usable(p.Forecast, now) != "" {
		for k := range needs {
			needs[k] = p.Observed.Open
		}
		return needs, reasons
	}
	demands := make([]float64, steps)
	for i := from(p.Forecast, now); i < len(p.Forecast.Points); i++ {
		point := &p.Forecast.Points[i]
		k := int(point.Start.Sub(start) / shortfallStep)
		if k < 0 || k >= steps {
			continue
		}
		if demand := p.Rules.planned(point); demand > demands[k] {
			demands[k], reasons[k] = demand, point.Why
		}
	}
	for k, demand := range demands {
		needs[k] = p.expects(demand)
	}
	return needs, reasons
}

// gather makes one shortfall of steps that are near each other.
func gather(pool string, start time.Time, needs []int, reasons []string, have int) []Shortfall {
	var list []Shortfall
	for k, n := range needs {
		if n <= have {
			continue
		}
		at := start.Add(time.Duration(k) * shortfallStep)
		if len(list) == 0 || at.Sub(list[len(list)-1].End) > shortfallGap {
			list = append(list, Shortfall{Pool: pool, Start: at, Have: have})
		}
		s := &list[len(list)-1]
		s.End = at.Add(shortfallStep)
		if n > s.Needed {
			s.Needed, s.Peak, s.Why = n, at, reasons[k]
		}
	}
	return list
}

// String is the shortfall as a line of a log.
func (s Shortfall) String() string {
	what := "the budget"
	if s.Pool != "" {
		what = "pool " + s.Pool
	}
	text := fmt.Sprintf("%s is short of %d connections: %d are expected to be needed at %s, there are %d", what,
		s.Missing(), s.Needed, s.Peak.UTC().Format("2006-01-02 15:04 UTC"), s.Have)
	if s.Why != "" {
		text += "; " + s.Why
	}
	return text
}
