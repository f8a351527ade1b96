package report

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// chart is curves over the seconds of a phase.
type chart struct {
	title  string
	log    bool    // the axis; values below floor are drawn on it
	limit  float64 // a line to compare with; 0: none
	curves []curve
}

// curve is a line. Its class chooses the colour. NaN is a second without a value.
type curve struct {
	name, class string
	values      []float64
}

// The size of a chart, and of the plot in it, in the units of its viewBox.
const (
	chartWidth, chartHeight = 460.0, 200.0
	plotLeft, plotRight     = 52.0, 442.0
	plotTop, plotBottom     = 10.0, 172.0
	floor                   = 0.01 // ms: what is shorter does not matter here
)

// top is the largest value that is drawn, the limit included.
func (c chart) top() float64 {
	top := c.limit
	for _, line := range c.curves {
		for _, v := range line.values {
			if !math.IsNaN(v) {
				top = max(top, v)
			}
		}
	}
	return top
}

// scale maps values to heights.
type scale struct {
	log   bool
	top   float64 // where the axis ends
	ticks []float64
}

// newScale makes an axis that ends at a round number above top.
func newScale(log bool, top float64) scale {
	s := scale{log: log}
	if log {
		s.top = floor * 10
		for s.top < top {
			s.top *= 10
		}
		for t := floor; t <= s.top*1.001; t *= 10 {
			s.ticks = append(s.ticks, t)
		}
		return s
	}
	top = max(top, 1)
	step := roundStep(top / 4)
	for s.top < top {
		s.ticks = append(s.ticks, s.top)
		s.top += step
	}
	s.ticks = append(s.ticks, s.top)
	return s
}

// roundStep is the smallest of 1, 2, 5 and 10 times a power of ten that is not below x.
func roundStep(x float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= x*0.999 {
			return m * power
		}
	}
	return 10 * power
}

func (s scale) y(v float64) float64 {
	part := v / s.top
	if s.log {
		part = math.Log(max(v, floor)/floor) / math.Log(s.top/floor)
	}
	return plotBottom - part*(plotBottom-plotTop)
}

// draw renders the chart as SVG on an axis that ends at or above top.
func (c chart) draw(top float64) template.HTML {
	s := newScale(c.log, max(top, c.top()))
	seconds := 1
	for _, line := range c.curves {
		seconds = max(seconds, len(line.values))
	}
	x := func(second float64) float64 { return plotLeft + second/float64(seconds)*(plotRight-plotLeft) }
	var b strings.Builder
	put := func(format string, arguments ...any) { fmt.Fprintf(&b, format+"\n", arguments...) }
	put(`<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, chartWidth, chartHeight,
		template.HTMLEscapeString(c.title))
	for _, t := range s.ticks {
		put(`<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`, plotLeft, plotRight, s.y(t), s.y(t))
		put(`<text class="tick" x="%g" y="%.1f" text-anchor="end">%s</text>`, plotLeft-6, s.y(t)+3.5, tick(t))
	}
	step := max(1, roundStep(float64(seconds)/6))
	for at := 0.0; at <= float64(seconds); at += step {
		put(`<text class="tick" x="%.1f" y="%g" text-anchor="middle">%s s</text>`, x(at), plotBottom+16, tick(at))
	}
	if c.limit > 0 {
		put(`<line class="limit" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`, plotLeft, plotRight, s.y(c.limit), s.y(c.limit))
	}
	for _, line := range c.curves {
		for _, points := range line.pieces(x, s) {
			put(`<polyline class="curve %s" points="%s"><title>%s</title></polyline>`, line.class, points,
				template.HTMLEscapeString(line.name))
		}
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) // numbers, and texts that are escaped
}

// pieces are the runs of seconds that have values. The value of a second is drawn at its end.
func (c curve) pieces(x func(float64) float64, s scale) []string {
	var all []string
	var piece []string
	end := func() {
		if len(piece) == 1 { // a dot
			piece = append(piece, piece[0])
		}
		if len(piece) > 0 {
			all = append(all, strings.Join(piece, " "))
		}
		piece = nil
	}
	for i, v := range c.values {
		if math.IsNaN(v) {
			end()
			continue
		}
		piece = append(piece, fmt.Sprintf("%.1f,%.1f", x(float64(i+1)), s.y(v)))
	}
	end()
	return all
}

// tick is a number on an axis.
func tick(v float64) string {
	if v >= 10_000 && math.Mod(v, 1000) == 0 {
		return strconv.Itoa(int(v/1000)) + "k"
	}
	return strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64)
}
