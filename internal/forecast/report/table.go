package report

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/usher-pg/usher/internal/forecast"
)

// A Row is a line of the table. Whoever sets sizes adds what it will do.
type Row struct {
	forecast.Point
	// Target is how many server connections there will be; 0: nobody has said. Short marks that it is less than needed.
	Target int
	Short  bool
	Action string // as "prescale 17:00"
}

// Outline is a forecast in few rows: the peak of each hour of the first day, then of each day.
func Outline(f *forecast.Forecast) []Row {
	var rows []Row
	var last string
	day := f.Issued.Add(forecast.FineDefault)
	for i := range f.Points {
		p := &f.Points[i]
		local := p.Start.In(zoneOf(f.Zone))
		group := local.Format(time.DateOnly)
		if p.Start.Before(day) {
			group = local.Format("2006-01-02T15 -0700")
		}
		if group != last {
			last = group
			rows = append(rows, Row{Point: *p})
		} else if row := &rows[len(rows)-1]; p.P50 > row.P50 {
			*row = Row{Point: *p}
		}
	}
	return rows
}

// Table is a forecast for people. How right forecasts were may be nil.
func Table(f *forecast.Forecast, rows []Row, a *Accuracy) string {
	var b strings.Builder
	zone := zoneOf(f.Zone)
	fmt.Fprintf(&b, "pool %s  tz %v  issued %s\nstands on %v (%.0f days of history, rung %d of %d)\n", f.Pool, zone,
		f.Issued.In(zone).Format("2006-01-02 15:04"), f.Rung, f.Days, f.Rung+1, forecast.Rungs)
	for _, note := range f.Notes {
		fmt.Fprintf(&b, "note: %s\n", note)
	}
	if f.Absent != "" {
		fmt.Fprintf(&b, "no forecast: %s\n", f.Absent)
		return b.String()
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "TIME (local)\tP50\tP90\txBASE\tTARGET\tACTION\tWHY\n")
	for i := range rows {
		r := &rows[i]
		target := ""
		if r.Target > 0 {
			target = fmt.Sprint(r.Target)
		}
		if r.Short {
			target += "!"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.1f\t%s\t%s\t%s\n", r.Start.In(zone).Format("Mon 02 15:04"), figure(r.P50),
			figure(r.P90), r.Multiplier, target, r.Action, r.Why)
	}
	_ = w.Flush() // a strings.Builder takes everything
	if a != nil && a.Points > 0 {
		fmt.Fprintf(&b, "accuracy: WAPE %.0f%%, P90 coverage %.0f%%, spikes %d/%d caught", 100*a.WAPE, 100*a.BelowP90,
			a.Caught, a.Spikes)
		if a.Caught > 0 {
			fmt.Fprintf(&b, ", mean lead %v", a.Lead.Round(time.Minute))
		}
		fmt.Fprintf(&b, ", %d false\n", a.False)
	}
	return b.String()
}

// figure is a number of server connections: small ones have a decimal.
func figure(v float64) string {
	if v < 9.95 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func zoneOf(z *time.Location) *time.Location {
	if z == nil {
		return time.UTC
	}
	return z
}
