package metrics

import (
	"strconv"
	"time"

	"github.com/usher-pg/usher/internal/status"
)

var (
	ofHorizon  = []string{"database", "user", "percentile", "horizon"}
	ofCalendar = []string{"calendar"}
)

// brainRows are about what is coming and what is done about it. Prometheus has no samples of the future, so a forecast
// is a gauge for each look-ahead: the most that is expected until then.
var brainRows = []row{
	{name: "usher_pool_demand_connections", kind: gauge, labels: ofPool,
		help:    "Server connections in use plus requests that wait, on average between two decisions.",
		collect: perScaling(func(s *status.Scaling, e emitter, l ...string) { e.value(s.Decision.Observed.Demand, l...) })},
	{name: "usher_scaling_target_connections", kind: gauge, labels: ofPool,
		help:    "Server connections the brain wants the pool to have; in mode observe, would want.",
		collect: perScaling(func(s *status.Scaling, e emitter, l ...string) { e.value(float64(s.Decision.Target), l...) })},
	{name: "usher_scaling_acts", kind: gauge, labels: ofPool,
		help:    "1 if that target is carried out, 0 in mode observe.",
		collect: perScaling(func(s *status.Scaling, e emitter, l ...string) { e.value(number(s.Decision.Acts), l...) })},
	{name: "usher_scaling_changes_total", kind: counter, labels: []string{"database", "user", "cause"},
		help:    "Changes of that target, by what caused them.",
		collect: perScaling(func(s *status.Scaling, e emitter, l ...string) { e.counts(s.Changes, l...) })},
	{name: "usher_forecast_connections", kind: gauge, labels: ofHorizon,
		help: "The greatest demand expected from now until the horizon, in server connections.",
		collect: perHorizon(func(h *status.Horizon) float64 {
			return h.Demand
		})},
	{name: "usher_forecast_needed_connections", kind: gauge, labels: ofHorizon,
		help: "How many server connections that demand needs.",
		collect: perHorizon(func(h *status.Horizon) float64 {
			return float64(h.Connections)
		})},
	{name: "usher_forecast_issued_timestamp_seconds", kind: gauge, labels: ofPool,
		help: "When the forecast was made, in seconds since 1970. A pool without a forecast has none.",
		collect: perScaling(func(s *status.Scaling, e emitter, l ...string) {
			if s.Absent == "" {
				e.value(seconds(s.Issued), l...)
			}
		})},
	{name: "usher_forecast_error_ratio", kind: gauge, labels: ofPool,
		help: "What forecasts of the last days were off, as a part of demand (WAPE).",
		collect: perAccuracy(func(s *status.Scaling) float64 {
			return s.Accuracy.WAPE
		})},
	{name: "usher_forecast_coverage_ratio", kind: gauge, labels: ofPool,
		help: "The part of the last days in which demand was within the interval meant for 90 % of it.",
		collect: perAccuracy(func(s *status.Scaling) float64 {
			return s.Accuracy.Interval
		})},
	{name: "usher_forecast_next_spike_timestamp_seconds", kind: gauge, labels: ofPool,
		help: "When demand is next expected to be more than twice the usual, in seconds since 1970.",
		collect: perScaling(func(s *status.Scaling, e emitter, l ...string) {
			if s.Next != nil {
				e.value(seconds(s.Next.Start), l...)
			}
		})},
	{name: "usher_forecast_shortfalls", kind: gauge,
		help:    "Times within 14 days at which more connections are expected to be needed than there may be.",
		collect: func(v *view, e emitter) { e.value(float64(len(v.Shortfalls))) }},
	{name: "usher_forecast_shortfall_connections", kind: gauge,
		help:    "How many connections lack in the worst of them.",
		collect: collectShortfall},
	{name: "usher_calendar_success_timestamp_seconds", kind: gauge, labels: ofCalendar,
		help: "When the calendar was last read, in seconds since 1970.",
		collect: perCalendar(func(c *status.Calendar, e emitter, l ...string) {
			if !c.Success.IsZero() {
				e.value(seconds(c.Success), l...)
			}
		})},
	{name: "usher_calendar_events", kind: gauge, labels: ofCalendar, help: "Events of the copy in use.",
		collect: perCalendar(func(c *status.Calendar, e emitter, l ...string) { e.value(float64(c.Events), l...) })},
	{name: "usher_calendar_problems", kind: gauge, labels: ofCalendar,
		help: "What of the copy in use could not be read.",
		collect: perCalendar(func(c *status.Calendar, e emitter, l ...string) {
			e.value(float64(len(c.Problems)+c.More), l...)
		})},
	{name: "usher_calendar_alarm", kind: gauge, labels: ofCalendar,
		help:    "1 while somebody should look at the calendar: it is old, or has suddenly shrunk.",
		collect: perCalendar(func(c *status.Calendar, e emitter, l ...string) { e.value(number(c.Alarm != ""), l...) })},
	{name: "usher_history_waiting", kind: gauge,
		help:    "Buckets, forecasts, decisions and events that are not written to the history yet.",
		collect: history(func(h *status.History) float64 { return float64(h.Waiting) })},
	{name: "usher_history_trouble", kind: gauge, help: "1 while the history cannot be written, else 0.",
		collect: history(func(h *status.History) float64 { return number(h.Trouble != "") })},
	{name: "usher_history_dropped_total", kind: counter, help: "What of the history was lost.",
		collect: history(func(h *status.History) float64 { return float64(h.Dropped) })},
	{name: "usher_tuning_limit_connections", kind: gauge, labels: ofServer,
		help:    "Busy connections the tuner lets a database server have now.",
		collect: perTuning(func(t *status.Tuning) float64 { return float64(t.Limit) })},
	{name: "usher_tuning_size_connections", kind: gauge, labels: ofServer,
		help:    "Busy connections at which the tuner has found the database server to do best.",
		collect: perTuning(func(t *status.Tuning) float64 { return float64(t.Size) })},
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func perScaling(collect func(s *status.Scaling, e emitter, labels ...string)) func(*view, emitter) {
	return func(v *view, e emitter) {
		for _, s := range v.scaling {
			collect(s.item, e, s.database, s.user)
		}
	}
}

func perHorizon(value func(*status.Horizon) float64) func(*view, emitter) {
	return perScaling(func(s *status.Scaling, e emitter, l ...string) {
		for i := range s.Horizons {
			h := &s.Horizons[i]
			e.value(value(h), l[0], l[1], percentileLabel(h.Quantile), horizonLabel(h.Within))
		}
	})
}

// percentileLabel is 90 for the quantile 0.9. Prometheus keeps a label "quantile" for summaries.
func percentileLabel(quantile float64) string { return strconv.FormatFloat(100*quantile, 'f', 0, 64) }

// horizonLabel is as people write it: 5m, 24h.
func horizonLabel(d time.Duration) string {
	if d%time.Hour == 0 {
		return strconv.Itoa(int(d/time.Hour)) + "h"
	}
	return strconv.Itoa(int(d/time.Minute)) + "m"
}

func perAccuracy(value func(*status.Scaling) float64) func(*view, emitter) {
	return perScaling(func(s *status.Scaling, e emitter, l ...string) {
		if s.Accuracy != nil {
			e.value(value(s), l...)
		}
	})
}

func perCalendar(collect func(c *status.Calendar, e emitter, labels ...string)) func(*view, emitter) {
	return func(v *view, e emitter) {
		for i := range v.Calendars {
			collect(&v.Calendars[i], e, labelValue(v.Calendars[i].Name))
		}
	}
}

func perTuning(value func(*status.Tuning) float64) func(*view, emitter) {
	return func(v *view, e emitter) {
		for i := range v.Tuning {
			e.value(value(&v.Tuning[i]), labelValue(v.Tuning[i].Server))
		}
	}
}

func history(value func(*status.History) float64) func(*view, emitter) {
	return func(v *view, e emitter) {
		if v.History != nil {
			e.value(value(v.History))
		}
	}
}

func collectShortfall(v *view, e emitter) {
	worst := 0
	for _, s := range v.Shortfalls {
		worst = max(worst, s.Missing())
	}
	e.value(float64(worst))
}
