package config

import (
	"strconv"
	"strings"
	"time"
)

const (
	maxCalendars = 100
	maxRushHours = 100
	// maxTimes is more than any rule of thumb can mean: a forecast is bounded by what was seen anyway.
	maxTimes    = 1000
	maxGuests   = 10_000_000
	maxPriority = 1000
	maxQuery    = 10_000
)

func brainRows() []row[Config] {
	return []row[Config]{
		{Option{
			Path: "timezone", Reloadable: true,
			Doc: "Time zone in which hours and days of the week are meant, by its IANA name such as Europe/Berlin: that of " +
				"rush_hours, of what is usual on a Saturday evening, and of calendars that do not say. Local is the " +
				"machine's.",
		}, func(c *Config) value { return text{&c.Timezone, "time zone", checkZone} }},
		{Option{
			Path: "history.store",
			Doc: "Where the demand of each pool is written down: the path of an SQLite file, or the URL of a PostgreSQL or " +
				"TimescaleDB database (postgres://…). With auto it is usher-history.db in $STATE_DIRECTORY, which systemd " +
				"sets, or else beside this file. off remembers until usher ends. When it cannot be written, demand is " +
				"kept in memory for days and told about; clients are never affected.",
		}, func(c *Config) value { return historyStore{&c.History.Store} }},
		{Option{
			Path: "history.detail",
			Doc:  "How long demand is kept in steps of five minutes. Older demand is kept by the hour.",
		}, func(c *Config) value { return span{&c.History.Detail, 15 * day, 10 * year, false} }},
		{Option{
			Path: "history.keep",
			Doc:  "How long demand is kept at all.",
		}, func(c *Config) value { return span{&c.History.Keep, 15 * day, 30 * year, false} }},
		{Option{
			Path: "calendars", Reloadable: true,
			Doc: "Where events are known from. Each has one of file, url and query. A file or url is an iCalendar, CSV or " +
				"YAML text; a query is SQL that a pool, named by database, is asked, with the columns start, end, timezone, " +
				"guests, name. kind is what its events are, such as wedding: what is learned from one is expected of the " +
				"others of its kind. guests is for events that do not say. pools are those its events bring load to; without " +
				"it, all. docs/calendar.md says more.",
		}, func(c *Config) value { return calendars(&c.Calendars) }},
		{Option{
			Path: "rush_hours", Reloadable: true,
			Doc: "Rules of thumb: at these hours demand is so many times what it is otherwise, 2.5 times for one. They are " +
				"believed until a pool's own history says something else, which a few weeks do. Days are sun, mon, tue, wed, " +
				"thu, fri, sat; a day ends at 24:00. The default is what a wedding platform sees; [] is none.",
		}, func(c *Config) value { return rushHours(&c.RushHours) }},
		{Option{
			Path: "tuning", Reloadable: true,
			Doc: "Whether usher learns how many busy server connections each database server can use before more make all " +
				"slower. With observe it shows the curve (SHOW TUNING) and limits nothing; with on it tries small changes and " +
				"keeps to what is best, never below what critical requests need and not during events.",
		}, func(c *Config) value {
			return choice[TuningMode]{&c.Tuning, []TuningMode{TuningOff, TuningObserve, TuningOn}}
		}},
	}
}

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// checkZone takes what time.LoadLocation does. The program carries the zones.
func checkZone(name string) error {
	if _, err := time.LoadLocation(name); err != nil || strings.Contains(name, "..") {
		return errorf("is not the name of a time zone")
	}
	return nil
}

// historyStore is a path or a URL, whose password is not shown.
type historyStore struct {
	at *HistoryStore
}

func (v historyStore) kind() string    { return "auto, off, a path, or postgres://…" }
func (v historyStore) bouncer() string { return v.text() }
func (v historyStore) place() any      { return v.at }
func (v historyStore) text() string {
	if v.at.URL != "" {
		return v.at.URL.String()
	}
	return v.at.Path
}

func (v historyStore) set(text string) error {
	if err := checkText(text); err != nil {
		return err
	}
	scheme, _, isURL := strings.Cut(text, "://")
	switch {
	case text == "":
		return errorf("is empty")
	case isURL && (scheme == "postgres" || scheme == "postgresql"):
		*v.at = HistoryStore{URL: Secret(text)}
	case isURL:
		return errorf("is a URL of another kind")
	default:
		*v.at = HistoryStore{Path: text}
	}
	return nil
}

// calendars are the sources of events.
func calendars(at *[]Calendar) sections[Calendar] {
	return sections[Calendar]{
		at: at, one: "calendar", rows: calendarRows(), needs: []string{"name"}, most: maxCalendars,
		begin: Calendar{Format: FormatAuto, Poll: 5 * time.Minute},
	}
}

func calendarRows() []row[Calendar] {
	formats := []CalendarFormat{FormatAuto, FormatICal, FormatCSV, FormatYAML}
	return []row[Calendar]{
		{Option{Path: "name"}, func(c *Calendar) value { return textOf(&c.Name) }},
		{Option{Path: "file"}, func(c *Calendar) value { return pathOf(&c.File) }},
		{Option{Path: "url"}, func(c *Calendar) value { return secret{&c.URL} }},
		{Option{Path: "query"}, func(c *Calendar) value { return statement{&c.Query} }},
		{Option{Path: "database"}, func(c *Calendar) value { return textOf(&c.Database) }},
		{Option{Path: "format"}, func(c *Calendar) value { return choice[CalendarFormat]{&c.Format, formats} }},
		{Option{Path: "kind"}, func(c *Calendar) value { return textOf(&c.Kind) }},
		{Option{Path: "guests"}, func(c *Calendar) value { return number{&c.Guests, 0, maxGuests} }},
		{Option{Path: "timezone"}, func(c *Calendar) value { return text{&c.Timezone, "time zone", checkZone} }},
		{Option{Path: "poll"}, func(c *Calendar) value { return span{&c.Poll, 10 * time.Second, day, false} }},
		{Option{Path: "pools"}, func(c *Calendar) value { return names{&c.Pools, "pools"} }},
	}
}

// statement is SQL, which may have lines.
type statement struct {
	at *string
}

func (v statement) kind() string    { return "SQL" }
func (v statement) text() string    { return *v.at }
func (v statement) bouncer() string { return *v.at }
func (v statement) place() any      { return v.at }
func (v statement) set(s string) error {
	if len(s) > maxQuery {
		return errorf("is longer than %d bytes", maxQuery)
	}
	if strings.ContainsRune(s, 0) {
		return errorf("has a NUL byte")
	}
	*v.at = s
	return nil
}

func rushHours(at *[]RushHour) sections[RushHour] {
	return sections[RushHour]{
		at: at, one: "rush hour", rows: rushHourRows(), needs: []string{"days", "from", "to", "times"}, most: maxRushHours,
	}
}

func rushHourRows() []row[RushHour] {
	return []row[RushHour]{
		{Option{Path: "days"}, func(r *RushHour) value { return dayNames{names{&r.Days, "days"}} }},
		{Option{Path: "from"}, func(r *RushHour) value { return clockTime{&r.From} }},
		{Option{Path: "to"}, func(r *RushHour) value { return clockTime{&r.To} }},
		{Option{Path: "times"}, func(r *RushHour) value { return multiple{&r.Times} }},
	}
}

// dayNames are days of the week.
type dayNames struct {
	names
}

func (v dayNames) set(text string) error { return firstOf(v.setList(splitList(text))) }
func (v dayNames) setList(items []string) []itemError {
	for i, s := range items {
		known := false
		for _, day := range weekdays {
			known = known || s == day
		}
		if !known {
			return []itemError{{i, errorf("is not one of %s", strings.Join(weekdays, ", "))}}
		}
	}
	return v.names.setList(items)
}

type clockTime struct {
	at *ClockTime
}

func (v clockTime) kind() string    { return "time of day, 00:00 to 24:00" }
func (v clockTime) text() string    { return `"` + v.at.String() + `"` }
func (v clockTime) bouncer() string { return v.at.String() }
func (v clockTime) place() any      { return v.at }
func (v clockTime) set(text string) error {
	t, err := parseClockTime(text)
	if err == nil {
		*v.at = t
	}
	return err
}

// multiple is how many times something is something else.
type multiple struct {
	at *float64
}

func (v multiple) kind() string    { return "number, " + rangeText(1, maxTimes, plain) }
func (v multiple) text() string    { return strconv.FormatFloat(*v.at, 'f', -1, 64) }
func (v multiple) bouncer() string { return v.text() }
func (v multiple) place() any      { return v.at }
func (v multiple) set(text string) error {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.Trim(text, "0123456789.") != "" {
		return errorf("is not a number such as 3 or 2.5")
	}
	if x < 1 || x > maxTimes {
		return errorf("is out of range")
	}
	*v.at = x
	return nil
}

func scalingRows() []row[PoolOptions] {
	modes := []ScalingMode{ScalingOff, ScalingObserve, ScalingScale}
	return []row[PoolOptions]{
		{Option{
			Path: "scaling.mode", Reloadable: true,
			Doc: "Whether the pool's target follows what is expected and measured. observe decides and writes down what it " +
				"would do; scale does it, between size.min and size.max. SHOW FORECAST and SHOW SCALING show it.",
		}, func(o *PoolOptions) value { return choice[ScalingMode]{&o.Scaling.Mode, modes} }},
		{Option{
			Path: "scaling.priority", Reloadable: true,
			Doc: "Which pools get their server connections first when a budget is not enough for all: those with the greater " +
				"number.",
		}, func(o *PoolOptions) value { return number{&o.Scaling.Priority, 0, maxPriority} }},
		{Option{
			Path: "scaling.normal", Unit: "connections", Reloadable: true,
			Doc: "Server connections in use on average in an ordinary hour, for the time before the pool has a history: then " +
				"the forecast is this times rush_hours. 0: not known, and there is no forecast before there is a history.",
		}, func(o *PoolOptions) value { return number{&o.Scaling.Normal, 0, maxConnections} }},
		{Option{
			Path: "scaling.quantile", Reloadable: true,
			Doc: "What is planned for: demand that is not exceeded in 50, 90 or 95 of 100 cases.",
		}, func(o *PoolOptions) value { return choice[Quantile]{&o.Scaling.Quantile, []Quantile{P50, P90, P95}} }},
		{Option{
			Path: "scaling.lead", Reloadable: true,
			Doc: "How long before demand of more than twice the usual its server connections are open and warm.",
		}, func(o *PoolOptions) value { return span{&o.Scaling.Lead, time.Minute, 6 * time.Hour, false} }},
		{Option{
			Path: "scaling.hold", Reloadable: true,
			Doc: "How long after an event's end the pool keeps what the event needed.",
		}, func(o *PoolOptions) value { return span{&o.Scaling.Hold, time.Minute, 12 * time.Hour, false} }},
		{Option{
			Path: "scaling.utilisation", Reloadable: true,
			Doc: "How busy server connections are planned to be at most.",
		}, func(o *PoolOptions) value { return percent{&o.Scaling.Utilisation, 10, 95} }},
		{Option{
			Path: "scaling.reactive", Reloadable: true,
			Doc: "How busy they may be measured to be before more are opened, whatever was expected.",
		}, func(o *PoolOptions) value { return percent{&o.Scaling.Reactive, 10, 95} }},
	}
}
