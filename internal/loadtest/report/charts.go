package report

import (
	"math"
	"time"
)

// chartsOf are the charts of a phase, the same ones in the same order for every side. One that a pooler has no figures
// for has no curves.
func chartsOf(p *Phase, objective time.Duration) []chart {
	limit := milliseconds(objective)
	return []chart{
		{
			title: "p99 acquisition, by usher's own clock, ms", log: true, limit: limit,
			curves: laneCurves(p, func(l *LaneSecond) float64 { return latency(l.Acquisition, l.Served) },
				func(l *Lane) bool { return l.Acquisition != nil }),
		},
		{
			title: "p99 from the intended send until PostgreSQL began, ms", log: true, limit: limit,
			curves: laneCurves(p, func(l *LaneSecond) float64 { return latency(l.Began, l.Served) },
				func(l *Lane) bool { return l.Began != nil }),
		},
		{
			title: "p99 end to end, by the client's clock, ms", log: true,
			curves: laneCurves(p, func(l *LaneSecond) float64 { return latency(l.Latency, l.Served) }, nil),
		},
		{title: "requests a second", curves: rateCurves(p)},
		{title: "requests that wait, in the pooler or for a client", curves: waitingCurves(p)},
		{title: "server connections", curves: poolCurves(p)},
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// latency is NaN for a second in which nothing was served.
func latency(d time.Duration, served uint64) float64 {
	if served == 0 {
		return math.NaN()
	}
	return milliseconds(d)
}

// laneCurves draws a value of each lane that has one.
func laneCurves(p *Phase, value func(*LaneSecond) float64, has func(*Lane) bool) []curve {
	var curves []curve
	for i := range p.Lanes {
		lane := &p.Lanes[i]
		if has != nil && !has(lane) {
			continue
		}
		c := curve{name: lane.Name, class: lane.Name}
		for j := range p.Seconds {
			v := math.NaN()
			if l := p.Seconds[j].lane(lane.Name); l != nil {
				v = value(l)
			}
			c.values = append(c.values, v)
		}
		curves = append(curves, c)
	}
	return curves
}

func (s *Second) lane(name string) *LaneSecond {
	for i := range s.Lanes {
		if s.Lanes[i].Lane == name {
			return &s.Lanes[i]
		}
	}
	return nil
}

// waitingCurves has a curve for each lane, or one for all where the pooler knows no lanes.
func waitingCurves(p *Phase) []curve {
	curves := laneCurves(p, func(l *LaneSecond) float64 { return float64(l.Waiting + l.Backlog) },
		func(l *Lane) bool { return l.Acquisition != nil })
	if len(curves) > 0 {
		return curves
	}
	return []curve{p.overSeconds("all lanes", "all", func(s *Second) float64 {
		n := 0
		for _, l := range s.Lanes {
			n += l.Backlog
		}
		return float64(n + s.Waiting)
	})}
}

func rateCurves(p *Phase) []curve {
	sum := func(of func(*LaneSecond) uint64) func(*Second) float64 {
		return func(s *Second) float64 {
			n := uint64(0)
			for i := range s.Lanes {
				n += of(&s.Lanes[i])
			}
			return float64(n)
		}
	}
	return []curve{
		p.overSeconds("offered", "offered", sum(func(l *LaneSecond) uint64 { return l.Arrived })),
		p.overSeconds("served", "served", sum(func(l *LaneSecond) uint64 { return l.Served })),
		p.overSeconds("refused", "refused", sum(func(l *LaneSecond) uint64 { return l.Failed })),
	}
}

func poolCurves(p *Phase) []curve {
	return []curve{
		p.overSeconds("open", "open", func(s *Second) float64 { return float64(s.Open) }),
		p.overSeconds("busy", "busy", func(s *Second) float64 { return float64(s.Busy) }),
		p.overSeconds("of the reserve", "reserve", func(s *Second) float64 { return float64(s.ReserveUsed) }),
	}
}

func (p *Phase) overSeconds(name, class string, value func(*Second) float64) curve {
	c := curve{name: name, class: class}
	for i := range p.Seconds {
		c.values = append(c.values, value(&p.Seconds[i]))
	}
	return c
}
