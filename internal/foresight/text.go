package foresight

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/config/source"
	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/scaler"
	"github.com/usher-pg/usher/internal/status"
)

// shownEvents is how many of the next events are listed: usher calendar lists all.
const shownEvents = 5

// The forms of times: within two weeks the month says nothing.
const (
	rowTime    = "Mon 02 15:04"
	issuedTime = "2006-01-02 15:04"
)

// Text is the page for people, as it is at a time.
func (p *Page) Text(now time.Time) string {
	var b strings.Builder
	zone := p.zone()
	fmt.Fprintf(&b, "pool %s  tz %v  mode %s  issued %s\n", source.Printable(p.Pool), zone, p.Mode,
		p.Issued.In(zone).Format(issuedTime))
	fmt.Fprintf(&b, "stands on %s (%.0f days of history, rung %d of %d)\n", p.Stands, p.Model.Days, p.Model.Rung+1,
		forecast.Rungs)
	fmt.Fprintf(&b, "server connections: min %d, max %d", p.Limits.Min, p.Limits.Max)
	if p.Limits.Cap > 0 {
		fmt.Fprintf(&b, ", %d are of use (tuner)", p.Limits.Cap)
	}
	if p.Limits.Budget > 0 {
		fmt.Fprintf(&b, ", budget of the server %d", p.Limits.Budget)
	}
	b.WriteString("\n")
	for _, note := range p.Notes {
		fmt.Fprintf(&b, "note: %s\n", note)
	}
	if p.Absent != "" {
		fmt.Fprintf(&b, "%s\n", p.Absent)
	} else {
		p.table(&b)
	}
	if len(p.WhatIf) > 0 {
		p.changes(&b)
	}
	p.accuracy(&b)
	p.events(&b)
	p.health(&b, now)
	return b.String()
}

func (p *Page) zone() *time.Location {
	zone, err := time.LoadLocation(p.Timezone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// table is the peak of each hour of the first day, and then of each day.
func (p *Page) table(b *strings.Builder) {
	zone := p.zone()
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "TIME (local)\tP50\tP90\txBASE\tTARGET\tACTION\tWHY\n")
	for _, row := range p.Digest() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%.1f\t%s\t%s\t%s\n", row.Start.In(zone).Format(rowTime), figure(row.P50),
			figure(row.P90), row.Multiplier, p.target(&row), p.Action(&row), p.why(&row))
	}
	_ = w.Flush() // a strings.Builder takes everything
}

// target is marked where it is less than what is needed.
func (p *Page) target(row *scaler.Row) string {
	if row.Needed > p.Limits.Max {
		return fmt.Sprintf("%d!", row.Target)
	}
	return fmt.Sprint(row.Target)
}

func (p *Page) why(row *scaler.Row) string {
	why := row.Why
	if why == "" {
		why = row.Reason
	}
	if short := row.Needed - p.Limits.Max; short > 0 {
		why += fmt.Sprintf("; SHORTFALL %d", short)
	}
	return source.Printable(strings.TrimPrefix(why, "; "))
}

// changes are what would be different.
func (p *Page) changes(b *strings.Builder) {
	zone := p.zone()
	for _, text := range p.WhatIf {
		fmt.Fprintf(b, "what if %s:\n", source.Printable(text))
	}
	if len(p.Changes) == 0 {
		b.WriteString("  nothing would change: it is over, beyond what is forecast, or nothing is known of its kind\n")
		return
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "TIME (local)\tP50\tP90\tTARGET\tWHY\n")
	for i := range p.Changes {
		before, after := &p.Changes[i].Before, &p.Changes[i].After
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", after.Start.In(zone).Format(rowTime),
			change(figure(before.P50), figure(after.P50)), change(figure(before.P90), figure(after.P90)),
			change(p.target(before), p.target(after)), p.why(after))
	}
	_ = w.Flush()
}

func change(before, after string) string {
	if before == after {
		return after
	}
	return before + " → " + after
}

func (p *Page) accuracy(b *strings.Builder) {
	a := p.Accuracy
	if a == nil || a.Points == 0 {
		b.WriteString("accuracy 7d: not known: no forecast of these days is in the history\n")
		return
	}
	fmt.Fprintf(b, "accuracy 7d: WAPE %.0f%%, P90 coverage %.0f%%, spikes %d/%d caught", 100*a.WAPE, 100*a.BelowP90,
		a.Caught, a.Spikes)
	if a.Caught > 0 {
		fmt.Fprintf(b, ", mean lead %s", span(a.Lead))
	}
	fmt.Fprintf(b, ", %d false\n", a.False)
}

func (p *Page) events(b *strings.Builder) {
	if len(p.Calendars) == 0 {
		return
	}
	zone := p.zone()
	if len(p.Next) == 0 {
		b.WriteString("next events: none\n")
		return
	}
	b.WriteString("next events:\n")
	for _, e := range p.Next[:min(len(p.Next), shownEvents)] {
		fmt.Fprintf(b, "  %s  %s%s\n", e.Start.In(zone).Format(rowTime), source.Printable(e.Name), about(&e))
	}
	if more := len(p.Next) - shownEvents; more > 0 {
		fmt.Fprintf(b, "  and %d more: see usher calendar\n", more)
	}
}

// about is what there is to say of an event besides its name.
func about(e *calendar.Event) string {
	var parts []string
	if e.Kind != "" {
		parts = append(parts, source.Printable(e.Kind))
	}
	if e.Guests > 0 {
		parts = append(parts, fmt.Sprintf("%.0f guests", e.Guests))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// health is how far what went in is to be believed.
func (p *Page) health(b *strings.Builder, now time.Time) {
	if h := &p.History; h.Ends.IsZero() {
		b.WriteString("history: none\n")
	} else {
		fmt.Fprintf(b, "history: %.1f%% of %.0f days known, ends %s ago\n", 100*h.Known, h.Days, span(now.Sub(h.Ends)))
	}
	if len(p.Calendars) == 0 {
		b.WriteString("calendars: none configured for this pool\n")
	}
	for i := range p.Calendars {
		b.WriteString(Health(&p.Calendars[i], now) + "\n")
	}
	p.decided(b, now)
}

// decided is what the plan begins with.
func (p *Page) decided(b *strings.Builder, now time.Time) {
	d := p.Decided
	if d == nil {
		b.WriteString("last decision: none in the history; the plan begins with min\n")
		return
	}
	fmt.Fprintf(b, "last decision: %d → %d %s ago, %s", d.From, d.Target, span(now.Sub(d.At)), source.Printable(d.Cause))
	if d.Reason != "" {
		b.WriteString(": " + source.Printable(d.Reason))
	}
	if d.Mode != "scale" {
		b.WriteString(" (mode " + source.Printable(d.Mode) + ": not done)")
	}
	b.WriteString("\n")
}

// Health is how a calendar is, on a line.
func Health(c *status.Calendar, now time.Time) string {
	text := "calendar " + source.Printable(c.Name) + ": "
	switch {
	case c.Copy.IsZero() && c.Error != "":
		return text + "NOT READ: " + c.Error
	case c.Error != "":
		text += fmt.Sprintf("FAILED: %s; the copy in use is %s old", c.Error, span(c.Age(now)))
	case c.Doubt != "":
		text += fmt.Sprintf("DOUBTED: %s; the copy in use is %s old", c.Doubt, span(c.Age(now)))
	default:
		text += fmt.Sprintf("ok, read %s ago", span(c.Age(now)))
	}
	text += fmt.Sprintf(", %d events", c.Events)
	if c.Remembered > 0 {
		text += fmt.Sprintf(" and %d remembered", c.Remembered)
	}
	if n := len(c.Problems) + c.More; n > 0 {
		text += fmt.Sprintf(", %d problems", n)
	}
	if c.Keeping != "" {
		text += "; " + c.Keeping
	}
	return text
}

// span is a length of time in its largest units.
func span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Truncate(time.Second).Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0fm", d.Truncate(time.Minute).Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0fh", d.Truncate(time.Hour).Hours())
	}
	return fmt.Sprintf("%.0fd", d.Hours()/24)
}

// figure is a number of server connections: small ones have a decimal.
func figure(v float64) string {
	if v < 9.95 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}
