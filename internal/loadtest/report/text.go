package report

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// JSON is the report for programs.
func JSON(r *Report) ([]byte, error) { return json.MarshalIndent(r, "", " ") }

// Milliseconds is a duration as people compare it: three digits, in milliseconds.
func Milliseconds(d time.Duration) string { return figure(d) + " ms" }

func figure(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms < 0.01:
		return "<0.01"
	case ms < 10:
		return strconv.FormatFloat(ms, 'f', 2, 64)
	case ms < 100:
		return strconv.FormatFloat(ms, 'f', 1, 64)
	}
	return strconv.FormatFloat(ms, 'f', 0, 64)
}

func triple(q *Quantiles) string {
	if q == nil || q.Count == 0 {
		return "-"
	}
	return figure(q.P50) + " / " + figure(q.P99) + " / " + figure(q.P999)
}

// Text is the report for a terminal.
func Text(r *Report) string {
	var b strings.Builder
	for i := range r.Sides {
		s := &r.Sides[i]
		fmt.Fprintf(&b, "\n%s %s, capacity %.0f transactions a second\n", s.Name, s.Version, s.Capacity)
		for j := range s.Phases {
			phaseText(&b, &s.Phases[j])
		}
	}
	if len(r.Sides) > 1 {
		besideText(&b, r)
	}
	b.WriteString("\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, s := range r.Settings {
		fmt.Fprintf(w, "%s\t%s\n", s.Name, s.Value)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}

func phaseText(b *strings.Builder, p *Phase) {
	fmt.Fprintf(b, "\n%s: %s; %.0f s\n", p.Title, p.Story, p.Length.Seconds())
	if d := p.Doors; d != nil {
		fmt.Fprintf(b, "  %d logins, %d at a time: %.0f a second, each p50 / p99 / p99.9 %s ms\n", d.Inside, d.Parallel,
			float64(d.Inside)/max(d.Length.Seconds(), 0.001), triple(&d.Logins))
		for _, f := range d.Failures {
			fmt.Fprintf(b, "  %s\n", failureText("logins", f))
		}
	}
	if len(p.Lanes) > 0 {
		lanesText(b, p)
		fmt.Fprintf(b, "  generator late by p50 / p99 / p99.9 %s ms; CPU in cores: %s\n", triple(&p.Lateness),
			usageText(p.Usage))
	}
	if mean := meanWait(p); mean != "" {
		fmt.Fprintf(b, "  %s\n", mean)
	}
	for _, text := range errorLines(p) {
		fmt.Fprintf(b, "  %s\n", text)
	}
	for _, v := range p.Verdicts {
		fmt.Fprintf(b, "  %-9s  %s\n", v.State, v.Text)
	}
}

func lanesText(b *strings.Builder, p *Phase) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "  lane\tclients\trequests\tserved/s\terrors\treserve\tacquisition\tPostgreSQL began\tend to end\t\n")
	for i := range p.Lanes {
		l := &p.Lanes[i]
		fmt.Fprintf(w, "  %s\t%d\t%d\t%.0f\t%d\t%d\t%s\t%s\t%s\t\n", l.Name, l.Clients, l.Arrived,
			float64(l.Served)/p.Length.Seconds(), l.Errors(), l.Emergencies, triple(l.Acquisition), triple(l.Began),
			triple(&l.Latency))
	}
	_ = w.Flush()
}

// errorLines are the errors of a phase, one kind a line.
func errorLines(p *Phase) []string {
	var lines []string
	for _, l := range p.Lanes {
		for _, f := range l.Failures {
			lines = append(lines, failureText(l.Name, f))
		}
		if l.Unfinished > 0 {
			lines = append(lines, fmt.Sprintf("errors, %s: %d × without an answer when the phase was over", l.Name,
				l.Unfinished))
		}
		if l.Unsent > 0 {
			lines = append(lines, fmt.Sprintf("errors, %s: %d × never sent, because all clients of the lane were waiting",
				l.Name, l.Unsent))
		}
	}
	return lines
}

func failureText(what string, f Failure) string {
	return strings.TrimSpace(fmt.Sprintf("errors, %s: %d × %s %s", what, f.Count, f.SQLState, f.Example))
}

// meanWait is what a pooler without a histogram says about waiting.
func meanWait(p *Phase) string {
	if !p.MeanWaitKnown {
		return ""
	}
	return "its SHOW STATS has no distribution; by it requests have waited for " + Milliseconds(p.MeanWait) + " on average"
}

func usageText(all []Usage) string {
	var parts []string
	for _, u := range all {
		parts = append(parts, fmt.Sprintf("%s %.2f", u.Name, u.Cores))
	}
	if len(parts) == 0 {
		return "not known here"
	}
	return strings.Join(parts, ", ")
}
