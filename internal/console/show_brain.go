package console

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/status"
)

// forecastRow is a line of SHOW FORECAST: the peak of an hour, or of a day beyond the first.
type forecastRow struct {
	database, user string
	status.PlanRow
	action string
}

// forecastRows has a line with the reason for a pool without a forecast.
func forecastRows(s *status.Snapshot) []forecastRow {
	var rows []forecastRow
	for i := range s.Forecasts {
		f := &s.Forecasts[i]
		if f.Absent != "" {
			why := f.Absent
			if f.Trouble != "" {
				why += ": " + f.Trouble
			}
			rows = append(rows, forecastRow{database: f.Database, user: f.User, PlanRow: status.PlanRow{Reason: why}})
			continue
		}
		for _, row := range f.Digest() {
			rows = append(rows, forecastRow{f.Database, f.User, row, f.Action(&row)})
		}
	}
	return rows
}

var forecastTable = table[forecastRow]{
	items: forecastRows,
	columns: []column[forecastRow]{
		textColumn("database", func(r *forecastRow) string { return r.database }),
		textColumn("user", func(r *forecastRow) string { return r.user }),
		timeColumn("time", func(r *forecastRow) time.Time { return r.Start }),
		realColumn("p50", 1, func(r *forecastRow) float64 { return r.P50 }),
		realColumn("p90", 1, func(r *forecastRow) float64 { return r.P90 }),
		realColumn("x_base", 1, func(r *forecastRow) float64 { return r.Multiplier }),
		intColumn("needed", func(r *forecastRow) int { return r.Needed }),
		intColumn("target", func(r *forecastRow) int { return r.Target }),
		optionalColumn("action", func(r *forecastRow) string { return r.action }),
		optionalColumn("why", func(r *forecastRow) string {
			if r.Why != "" {
				return r.Why
			}
			return r.Reason
		}),
	},
}

var scalingTable = table[status.Scaling]{
	items: func(s *status.Snapshot) []status.Scaling { return s.Scaling },
	columns: []column[status.Scaling]{
		textColumn("database", func(s *status.Scaling) string { return s.Database }),
		textColumn("user", func(s *status.Scaling) string { return s.User }),
		textColumn("mode", func(s *status.Scaling) string { return s.Decision.Mode.String() }),
		realColumn("demand", 1, func(s *status.Scaling) float64 { return s.Decision.Observed.Demand }),
		intColumn("open", func(s *status.Scaling) int { return s.Decision.Observed.Open }),
		intColumn("target", func(s *status.Scaling) int { return s.Decision.Target }),
		textColumn("cause", func(s *status.Scaling) string { return s.Decision.Cause.String() }),
		textColumn("reason", func(s *status.Scaling) string { return s.Decision.Reason }),
		optionalColumn("notes", func(s *status.Scaling) string { return strings.Join(s.Decision.Notes, "; ") }),
		timeColumn("decided", func(s *status.Scaling) time.Time { return s.Decision.At }),
		timeColumn("forecast", func(s *status.Scaling) time.Time { return s.Issued }),
		optionalColumn("no_forecast", func(s *status.Scaling) string { return s.Absent }),
		timeColumn("next_spike", func(s *status.Scaling) time.Time {
			if s.Next == nil {
				return time.Time{}
			}
			return s.Next.Start
		}),
	},
}

var shortfallTable = table[status.Shortfall]{
	items: func(s *status.Snapshot) []status.Shortfall { return s.Shortfalls },
	columns: []column[status.Shortfall]{
		optionalColumn("pool", func(s *status.Shortfall) string { return s.Pool }),
		timeColumn("start", func(s *status.Shortfall) time.Time { return s.Start }),
		timeColumn("end", func(s *status.Shortfall) time.Time { return s.End }),
		timeColumn("peak", func(s *status.Shortfall) time.Time { return s.Peak }),
		intColumn("needed", func(s *status.Shortfall) int { return s.Needed }),
		intColumn("have", func(s *status.Shortfall) int { return s.Have }),
		optionalColumn("why", func(s *status.Shortfall) string { return s.Why }),
	},
}

var eventTable = table[status.Event]{
	items: func(s *status.Snapshot) []status.Event { return s.Events },
	columns: []column[status.Event]{
		timeColumn("start", func(e *status.Event) time.Time { return e.Start }),
		timeColumn("end", func(e *status.Event) time.Time { return e.End }),
		optionalColumn("name", func(e *status.Event) string { return e.Name }),
		optionalColumn("kind", func(e *status.Event) string { return e.Kind }),
		realColumn("guests", 0, func(e *status.Event) float64 { return e.Guests }),
		textColumn("calendar", func(e *status.Event) string { return e.Source }),
	},
}

var calendarTable = table[status.Calendar]{
	items: func(s *status.Snapshot) []status.Calendar { return s.Calendars },
	columns: []column[status.Calendar]{
		textColumn("calendar", func(c *status.Calendar) string { return c.Name }),
		textColumn("place", func(c *status.Calendar) string { return c.Place }),
		intColumn("events", func(c *status.Calendar) int { return c.Events }),
		intColumn("remembered", func(c *status.Calendar) int { return c.Remembered }),
		timeColumn("attempt", func(c *status.Calendar) time.Time { return c.Attempt }),
		timeColumn("success", func(c *status.Calendar) time.Time { return c.Success }),
		timeColumn("copy", func(c *status.Calendar) time.Time { return c.Copy }),
		optionalColumn("alarm", func(c *status.Calendar) string { return c.Alarm }),
		optionalColumn("error", func(c *status.Calendar) string { return c.Error }),
		intColumn("problems", func(c *status.Calendar) int { return len(c.Problems) + c.More }),
		optionalColumn("first_problem", func(c *status.Calendar) string {
			if len(c.Problems) == 0 {
				return ""
			}
			return c.Problems[0].String()
		}),
	},
}

// tuningRow is a line of SHOW TUNING: a point of a server's curve.
type tuningRow struct {
	status.Tuning
	point status.CurvePoint
}

// tuningRows has a line without a point for a server of which no curve is known.
func tuningRows(s *status.Snapshot) []tuningRow {
	var rows []tuningRow
	for _, t := range s.Tuning {
		if len(t.Curve) == 0 {
			rows = append(rows, tuningRow{Tuning: t})
		}
		for _, p := range t.Curve {
			rows = append(rows, tuningRow{t, p})
		}
	}
	return rows
}

var tuningTable = table[tuningRow]{
	items: tuningRows,
	columns: []column[tuningRow]{
		textColumn("server", func(r *tuningRow) string { return r.Server }),
		textColumn("mode", func(r *tuningRow) string { return r.Mode }),
		intColumn("limit", func(r *tuningRow) int { return r.Limit }),
		intColumn("size", func(r *tuningRow) int { return r.Size }),
		boolColumn("found", func(r *tuningRow) bool { return r.Found }),
		realColumn("busy", 1, func(r *tuningRow) float64 { return r.point.Busy }),
		realColumn("throughput", 0, func(r *tuningRow) float64 { return r.point.Throughput }),
		realColumn("service_ms", 3, func(r *tuningRow) float64 { return 1000 * r.point.Service }),
		realColumn("seconds", 0, func(r *tuningRow) float64 { return r.point.Seconds }),
		realColumn("full", 2, func(r *tuningRow) float64 { return r.point.Full }),
		optionalColumn("why", func(r *tuningRow) string { return r.Why }),
	},
}

// realColumn is a number with so many digits after its point; NULL if it is none.
func realColumn[T any](name string, digits int, value func(*T) float64) column[T] {
	return column[T]{name, typeNumeric, func(dst []byte, item *T) ([]byte, bool) {
		v := value(item)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return dst, false
		}
		return strconv.AppendFloat(dst, v, 'f', digits, 64), true
	}}
}
