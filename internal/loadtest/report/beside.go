package report

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// besideText puts the poolers side by side: lane critical, and all others together, in each phase.
func besideText(b *strings.Builder, r *Report) {
	fmt.Fprintf(b, "\nside by side, p99 / p99.9 in ms\n")
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "phase\tpooler\tcritical: acquisition\tPostgreSQL began\tend to end\terrors\tothers: served\terrors\n")
	for _, row := range besideRows(r) {
		fmt.Fprintf(w, "%s\t%s\t%s\n", row.Phase, row.Side, strings.Join(row.Cells, "\t"))
	}
	_ = w.Flush() // a strings.Builder takes everything
}

// besideRow is a pooler in a phase.
type besideRow struct {
	Phase, Side string
	Cells       []string
}

func besideRows(r *Report) []besideRow {
	var rows []besideRow
	for _, first := range r.Sides[0].Phases {
		for i := range r.Sides {
			s := &r.Sides[i]
			if p := s.Phase(first.Name); p != nil && p.Lane(criticalLane) != nil {
				rows = append(rows, besideRow{p.Title, s.Name, besideCells(p)})
			}
		}
	}
	return rows
}

// criticalLane is the name of the lane that the comparison is about.
const criticalLane = "critical"

func besideCells(p *Phase) []string {
	c := p.Lane(criticalLane)
	acquisition := pair(c.Acquisition)
	if p.MeanWaitKnown && c.Acquisition == nil {
		acquisition = "mean of all lanes " + figure(p.MeanWait)
	}
	served, errors := uint64(0), uint64(0)
	for _, l := range p.Lanes {
		if l.Name != criticalLane {
			served += l.Served
			errors += l.Errors()
		}
	}
	return []string{
		acquisition, pair(c.Began), pair(&c.Latency), fmt.Sprint(c.Errors()), fmt.Sprint(served), fmt.Sprint(errors),
	}
}

func pair(q *Quantiles) string {
	if q == nil || q.Count == 0 {
		return "-"
	}
	return figure(q.P99) + " / " + figure(q.P999)
}
