package backtest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// worstDays is how many days are shown: those with the largest errors.
const worstDays = 10

// Text is the report for people.
func (p *Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d days from %s to %s (%s), each %s\n", p.Whole.Days, p.From.Format(time.DateOnly),
		p.Until.AddDate(0, 0, -1).Format(time.DateOnly), p.Zone, p.Ahead)
	windows := "in windows"
	if p.Events == 0 {
		windows = "all slots"
		fmt.Fprintf(&b, "no events; every slot of %v counts\n", p.Slot)
	} else {
		fmt.Fprintf(&b, "%d events; windows are from %v before an event's start to %v after it, in slots of %v\n",
			p.Events, short(windowLead), short(windowTail), short(p.Slot))
	}
	fmt.Fprintf(&b, "busy: demand >= %.1fx the normal, the median of the same time of the week outside windows\n",
		busyFrom)
	fmt.Fprintf(&b, "caught: a busy slot for which >= %.1fx the normal was forecast\n", caughtFrom)
	fmt.Fprintf(&b, "over, under: volume forecast beyond demand, and demand beyond the forecast, as parts of demand\n\n")

	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\tfirst half\tsecond half\twhole\n")
	line := func(name string, f func(*Score) string) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, f(&p.First), f(&p.Second), f(&p.Whole))
	}
	line("days", func(s *Score) string { return fmt.Sprint(s.Days) })
	line("WAPE, all points", func(s *Score) string { return s.WAPE.String() })
	line("in the 90% interval", func(s *Score) string { return s.Interval.String() })
	line("up to P90", func(s *Score) string { return s.BelowP90.String() })
	line("in the 90% interval, "+windows, func(s *Score) string { return s.WindowInterval.String() })
	line("WAPE, "+windows, func(s *Score) string { return s.Window.WAPE.String() })
	volumes := func(name string, of func(*Score) *Window) {
		line(name+": under, over", func(s *Score) string {
			return of(s).Under.String() + ", " + of(s).Over.String()
		})
		line(name+": busy slots caught", func(s *Score) string {
			return fmt.Sprintf("%d of %d, %v", of(s).Caught, of(s).Busy, of(s).Share)
		})
	}
	volumes("P50", func(s *Score) *Window { return &s.Window })
	plan := fmt.Sprintf("P%.0f", 100*p.Whole.Planned.Quantile)
	volumes(plan, func(s *Score) *Window { return &s.Planned })
	_ = w.Flush() // a strings.Builder takes everything
	if p.Chosen {
		fmt.Fprintf(&b, "%s, to prepare for, is the highest quantile tried with an over-volume <= %.2f on the first half\n",
			plan, overMost)
	}
	p.worst(&b, plan)
	return b.String()
}

// worst shows the days that were forecast worst.
func (p *Report) worst(b *strings.Builder, plan string) {
	days := slices.DeleteFunc(slices.Clone(p.Days), func(d Day) bool { return math.IsNaN(float64(d.Window.WAPE)) })
	slices.SortStableFunc(days, func(a, b Day) int { return cmp.Compare(b.Window.WAPE, a.Window.WAPE) })
	days = days[:min(worstDays, len(days))]
	fmt.Fprintf(b, "\nthe %d days forecast worst (--json has all)\n", len(days))
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "day\tevents\tWAPE\tunder\tover\tbusy\tcaught\t%s caught\t%s over\n", plan, plan)
	for _, d := range days {
		fmt.Fprintf(w, "%s\t%d\t%v\t%v\t%v\t%d\t%d\t%d\t%v\n", d.Date, d.Events, d.Window.WAPE, d.Window.Under,
			d.Window.Over, d.Window.Busy, d.Window.Caught, d.Planned.Caught, d.Planned.Over)
	}
	_ = w.Flush()
}

func (s Share) String() string {
	if math.IsNaN(float64(s)) {
		return "-"
	}
	return fmt.Sprintf("%.3f", float64(s))
}

// short is a duration without what is zero.
func short(d time.Duration) string {
	text := d.String()
	text = strings.TrimSuffix(text, "0s")
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
