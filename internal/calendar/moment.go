package calendar

import (
	"errors"
	"regexp"
	"strconv"
	"time"
)

// form is how a moment of an iCalendar is written.
type form uint8

const (
	formLocal form = iota // 20260620T160000, in a zone
	formUTC               // 20260620T160000Z
	formDate              // 20260620: the whole day, in a zone
)

// moment is a date or a time of an iCalendar.
type moment struct {
	wall wall
	form form
	zone zone
}

// time is when it is: of a date, when the day begins.
func (m moment) time() time.Time { return m.zone.at(m.wall) }

const (
	dateLayout = "20060102"
	timeLayout = "20060102T150405"
)

// parseMoment reads a DATE or a DATE-TIME. The error completes "DTSTART …".
func parseMoment(text string) (wall, form, error) {
	var at wall
	var err error
	f := formLocal
	switch len(text) {
	case len(dateLayout):
		f = formDate
		at, err = time.Parse(dateLayout, text)
	case len(timeLayout) + 1:
		f = formUTC
		at, err = time.Parse(timeLayout+"Z", text)
	default:
		at, err = time.Parse(timeLayout, text)
	}
	if err != nil {
		return wall{}, f, errors.New(quote(text) + " is no date or time")
	}
	return at, f, nil
}

const momentExpected = "20260620, 20260620T160000 or 20260620T160000Z"

// length is how long something lasts: days of the calendar, which may have 23 hours, and time.
type length struct {
	days  int
	exact time.Duration
}

// end is when something ends that begins at a wall.
func (l length) end(start wall, z zone) time.Time {
	return z.at(start.AddDate(0, 0, l.days)).Add(l.exact)
}

var durationPattern = regexp.MustCompile(
	`^([+-])?P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,9})S)?)?$`)

// parseLength reads a DURATION. go-ical's reader of them overflows, and knows no days but those of 24 hours.
func parseLength(text string) (length, error) {
	m := durationPattern.FindStringSubmatch(text)
	if m == nil || len(text) < len("P1D") {
		return length{}, errors.New(quote(text) + " is no duration")
	}
	var n [5]int
	for i := range n {
		if m[i+2] != "" {
			n[i], _ = strconv.Atoi(m[i+2]) // a few digits, by the pattern
		}
	}
	if m[1] == "-" {
		return length{}, errors.New(quote(text) + " is negative")
	}
	return length{
		days:  7*n[0] + n[1],
		exact: time.Duration(n[2])*time.Hour + time.Duration(n[3])*time.Minute + time.Duration(n[4])*time.Second,
	}, nil
}
