package config

import (
	"strconv"
	"strings"
	"time"
)

// ScalingMode is what becomes of a decision about a pool's size.
type ScalingMode string

// The modes of scaling.
const (
	ScalingOff     ScalingMode = "off"     // nothing is decided
	ScalingObserve ScalingMode = "observe" // decided, shown and written down, but not done
	ScalingScale   ScalingMode = "scale"   // done
)

// Scaling is how many server connections a pool has ahead of need.
type Scaling struct {
	Mode        ScalingMode
	Priority    int // among the pools of a budget
	Normal      int // mean demand of an ordinary hour, for want of history; 0: not known
	Quantile    Quantile
	Lead        time.Duration
	Hold        time.Duration
	Utilisation int // percent, in the plan
	Reactive    int // percent, measured
}

// Quantile is which part of what is thought possible a plan should be enough for.
type Quantile string

// The quantiles forecasts have.
const (
	P50 Quantile = "p50"
	P90 Quantile = "p90"
	P95 Quantile = "p95"
)

func defaultScaling() Scaling {
	return Scaling{
		Mode: ScalingObserve, Priority: 100, Quantile: P90,
		Lead: 30 * time.Minute, Hold: 30 * time.Minute, Utilisation: 80, Reactive: 70,
	}
}

// TuningMode says whether the tuner may try things out.
type TuningMode string

// The modes of the tuner.
const (
	TuningOff     TuningMode = "off"
	TuningObserve TuningMode = "observe" // its curve is shown, nothing is limited
	TuningOn      TuningMode = "on"
)

// History is where demand is written down, and for how long.
type History struct {
	Store  HistoryStore
	Detail time.Duration
	Keep   time.Duration
}

// HistoryStore is where demand is written down: one of the two.
type HistoryStore struct {
	Path string // or HistoryAuto, or HistoryOff
	URL  Secret // of a PostgreSQL database
}

// What HistoryStore.Path can be besides a path.
const (
	HistoryAuto = "auto"
	HistoryOff  = "off"
)

// Calendar is a source of events.
type Calendar struct {
	Name     string
	File     string
	URL      Secret // feeds of calendar services have their key in it
	Query    string
	Database string // the pool that Query asks
	Format   CalendarFormat
	Kind     string
	Guests   int // of an event that does not say
	Timezone string
	Poll     time.Duration
	Pools    []string // that its events bring load to; none: all
}

// CalendarFormat is how the text of a calendar is written.
type CalendarFormat string

// The formats. Auto goes by the name's ending and by the content type.
const (
	FormatAuto CalendarFormat = "auto"
	FormatICal CalendarFormat = "ical"
	FormatCSV  CalendarFormat = "csv"
	FormatYAML CalendarFormat = "yaml"
)

// RushHour is a rule of thumb: at these hours of these days demand is so many times what it usually is.
type RushHour struct {
	Days     []string // as weekdays has them
	From, To ClockTime
	Times    float64
}

// weekdays are the names of days, Sunday first as time.Weekday counts.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// Weekday is the day of a name in RushHour.Days.
func Weekday(name string) time.Weekday {
	for i, day := range weekdays {
		if day == name {
			return time.Weekday(i)
		}
	}
	panic("bug: a day that the configuration does not take")
}

// ClockTime is a time of day as minutes after midnight, up to 24:00.
type ClockTime int

const minutesOfDay = 24 * 60

func (t ClockTime) String() string {
	return strconv.Itoa(int(t)/60/10) + strconv.Itoa(int(t)/60%10) + ":" +
		strconv.Itoa(int(t)%60/10) + strconv.Itoa(int(t)%10)
}

func parseClockTime(text string) (ClockTime, error) {
	hours, minutes, ok := strings.Cut(text, ":")
	h, err := strconv.ParseUint(hours, 10, 8)
	m, err2 := strconv.ParseUint(minutes, 10, 8)
	t := ClockTime(h*60 + m)
	if !ok || err != nil || err2 != nil || len(minutes) != 2 || m > 59 || t > minutesOfDay {
		return 0, errorf("is not a time of day such as 17:30")
	}
	return t, nil
}

// weddingRush is what wedding platforms see, until their own history says more.
func weddingRush() []RushHour {
	const hour = ClockTime(60)
	return []RushHour{
		{Days: []string{"fri"}, From: 17 * hour, To: 24 * hour, Times: 2},
		{Days: []string{"sat"}, From: 8 * hour, To: 14 * hour, Times: 5},
		{Days: []string{"sat"}, From: 14 * hour, To: 24 * hour, Times: 10},
		{Days: []string{"sun"}, From: 9 * hour, To: 22 * hour, Times: 3},
	}
}
