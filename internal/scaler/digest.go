package scaler

import (
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/forecast"
)

// Digest is an outlook in few rows: the greatest of each hour of the first day, then of each day. Their targets are the
// greatest too, which may be planned for another time of the hour or day.
func (o *Outlook) Digest() []Row {
	zone := o.zone()
	var rows []Row
	last := ""
	for i := range o.Points {
		row := &o.Points[i]
		local := row.Start.In(zone)
		group := local.Format(time.DateOnly)
		if row.Start.Before(o.Points[0].Start.Add(forecast.FineDefault)) {
			group = local.Format("2006-01-02T15 -0700")
		}
		if group != last {
			last = group
			rows = append(rows, *row)
			continue
		}
		best := &rows[len(rows)-1]
		target := max(row.Target, best.Target)
		if row.P50 > best.P50 {
			*best = *row
		}
		best.Target = target
	}
	return rows
}

// Action is what is done because of a row, for a person: "prescale 17:00" for the spike that it is part of, with what
// will be missing.
func (o *Outlook) Action(row *Row) string {
	zone := o.zone()
	for i := range o.Spikes {
		s := &o.Spikes[i]
		if row.Start.Before(s.Start) || !row.Start.Before(s.End) {
			continue
		}
		action := "prescale " + s.Prescale.In(zone).Format("15:04")
		if s.Prescale.In(zone).YearDay() != row.Start.In(zone).YearDay() {
			action = "prescale " + s.Prescale.In(zone).Format("Mon 15:04")
		}
		return action
	}
	return ""
}

// zone is that of Timezone, or UTC if this machine does not know it.
func (o *Outlook) zone() *time.Location {
	zone, err := time.LoadLocation(o.Timezone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// Limit leaves out what begins at a time or later.
func (o *Outlook) Limit(until time.Time) {
	o.Points = slices.DeleteFunc(o.Points, func(r Row) bool { return !r.Start.Before(until) })
	o.Spikes = slices.DeleteFunc(o.Spikes, func(s Spike) bool { return !s.Start.Before(until) })
}
