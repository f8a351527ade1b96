package imports

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// clock reads times in the order of a file.
type clock struct {
	zone *time.Location // of times without an offset; nil: not known
	last time.Time      // the last time it has read of those
}

// absolute and civil are the forms of times, with an offset and without. ISO 8601 and what databases print.
var (
	absolute = []string{
		"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04Z07:00",
		"2006-01-02 15:04Z07:00", "2006-01-02 15:04:05.999999999Z07", "2006-01-02T15:04:05.999999999Z0700",
		"2006-01-02 15:04:05.999999999 -0700 MST", "2006-01-02 15:04:05.999999999 -0700",
	}
	civil = []string{
		"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04",
		"2006-01-02",
	}
)

// leastEpoch is the smallest number taken for seconds since 1970, of 1973; leastMillis for milliseconds, which as
// seconds would be of the year 5138.
const (
	leastEpoch  = 1e8
	leastMillis = 1e11
	mostMillis  = 1e13
)

var errTime = errors.New("expected a time such as 2026-06-20T18:00:00Z, or seconds since 1970")

// read reads a time. It is not ok if clocks never showed it.
func (c *clock) read(text string) (at time.Time, ok bool, err error) {
	if x, err := strconv.ParseFloat(text, 64); err == nil {
		switch {
		case x >= leastMillis && x < mostMillis:
			return time.UnixMilli(int64(x)).UTC(), true, nil
		case x >= leastEpoch && x < leastMillis:
			return inBounds(text, time.Unix(0, 0).Add(time.Duration(x*float64(time.Second))))
		}
		return at, false, fmt.Errorf("%.40q: %w", text, errTime)
	}
	for _, form := range absolute {
		if at, err := time.Parse(form, text); err == nil {
			return inBounds(text, at)
		}
	}
	for _, form := range civil {
		shown, err := time.Parse(form, text)
		if err != nil {
			continue
		}
		if c.zone == nil {
			return at, false, fmt.Errorf("%.40q has no offset from UTC: say which time zone it is of", text)
		}
		if _, _, err := inBounds(text, shown); err != nil {
			return at, false, err
		}
		at, ok := c.resolve(shown)
		return at, ok, nil
	}
	return at, false, fmt.Errorf("%.40q: %w", text, errTime)
}

func inBounds(text string, at time.Time) (time.Time, bool, error) {
	if at.Year() < 1971 || at.Year() > 2199 {
		return at, false, fmt.Errorf("%.40q: expected a year from 1971 to 2199", text)
	}
	return at.UTC(), true, nil
}

// resolve finds the moment at which clocks of the zone showed a time, which is given as if it were of UTC. Of two, it
// is the first that is later than the last time read.
func (c *clock) resolve(shown time.Time) (time.Time, bool) {
	var found []time.Time
	for _, near := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		_, offset := shown.Add(near).In(c.zone).Zone()
		at := shown.Add(-time.Duration(offset) * time.Second)
		if _, there := at.In(c.zone).Zone(); there == offset && (len(found) == 0 || !found[0].Equal(at)) {
			found = append(found, at)
		}
	}
	if len(found) == 0 {
		return time.Time{}, false
	}
	at := found[0]
	if len(found) == 2 {
		first, second := found[0], found[1]
		if second.Before(first) {
			first, second = second, first
		}
		if at = first; !first.After(c.last) {
			at = second
		}
	}
	c.last = at
	return at, true
}
