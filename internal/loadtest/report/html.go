package report

import (
	"bytes"
	_ "embed" // for page.html
	"fmt"
	"html/template"
	"strings"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"triple": triple,
	"rate":   func(l Lane, p *Phase) string { return fmt.Sprintf("%.0f", float64(l.Served)/p.Length.Seconds()) },
	"cpu":    usageText,
	"class":  func(s State) string { return strings.ReplaceAll(string(s), " ", "-") },
	"whole":  func(v float64) string { return fmt.Sprintf("%.0f", v) },
	"errors": errorLines,
	"ms":     Milliseconds,
	"mean":   meanWait,
	"ref":    func(q Quantiles) *Quantiles { return &q },
}).Parse(pageText))

// pageView is the report as the page shows it.
type pageView struct {
	*Report
	Bad    []located
	Phases []phaseView
	Beside []besideRow
}

// located is a verdict with where it belongs.
type located struct {
	Phase string
	Verdict
}

// phaseView is a phase of all sides.
type phaseView struct {
	Name, Title, Story string
	State              State // of all its verdicts
	Verdicts           int
	Table              bool
	Sides              []sideView
	Charts             []chartRow
}

type sideView struct {
	*Side
	Phase *Phase
}

// chartRow is one chart of all sides, on the same axis.
type chartRow struct {
	Title string
	Log   bool
	Limit bool
	Cells []chartCell
}

type chartCell struct {
	Side   string
	Curves []curveName
	SVG    template.HTML
}

type curveName struct{ Name, Class string }

// HTML is the report as one page.
func HTML(r *Report) ([]byte, error) {
	view := pageView{Report: r}
	if len(r.Sides) > 1 {
		view.Beside = besideRows(r)
	}
	for i := range r.Sides[0].Phases {
		p := &r.Sides[0].Phases[i]
		for _, v := range p.Verdicts {
			if v.State == Failed || v.State == Invalid {
				view.Bad = append(view.Bad, located{p.Title, v})
			}
		}
		view.Phases = append(view.Phases, phaseViewOf(r, p))
	}
	var b bytes.Buffer
	if err := page.Execute(&b, view); err != nil {
		return nil, fmt.Errorf("render the page: %w", err)
	}
	return b.Bytes(), nil
}

func phaseViewOf(r *Report, first *Phase) phaseView {
	v := phaseView{
		Name: first.Name, Title: first.Title, Story: first.Story, State: first.state(), Verdicts: len(first.Verdicts),
		Table: len(first.Lanes) > 0,
	}
	for i := range r.Sides {
		if p := r.Sides[i].Phase(first.Name); p != nil {
			v.Sides = append(v.Sides, sideView{&r.Sides[i], p})
		}
	}
	if len(first.Seconds) == 0 || len(first.Verdicts) == 0 {
		return v // nothing that changes over time, or nothing that matters
	}
	for i, c := range chartsOf(first, r.Objective) {
		row := chartRow{Title: c.title, Log: c.log, Limit: c.limit > 0}
		top := 0.0
		for _, s := range v.Sides {
			top = max(top, chartsOf(s.Phase, r.Objective)[i].top())
		}
		for _, s := range v.Sides {
			row.Cells = append(row.Cells, cellOf(s, chartsOf(s.Phase, r.Objective)[i], top))
		}
		v.Charts = append(v.Charts, row)
	}
	return v
}

func cellOf(s sideView, c chart, top float64) chartCell {
	cell := chartCell{Side: s.Name}
	for _, line := range c.curves {
		cell.Curves = append(cell.Curves, curveName{line.name, line.class})
	}
	if len(c.curves) > 0 {
		cell.SVG = c.draw(top)
	}
	return cell
}
