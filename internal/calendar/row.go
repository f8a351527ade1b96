package calendar

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// columns are those of a table of events, with the other names they may have.
var columns = map[string][]string{
	"start":    {"start", "start_local", "starts_at", "begin"},
	"end":      {"end", "end_local", "ends_at"},
	"timezone": {"timezone", "time_zone", "tz"},
	"guests":   {"guests", "attendance", "attendees", "expected_guests"},
	"name":     {"name", "summary", "title"},
	"kind":     {"kind", "category", "type"},
	"id":       {"id", "uid"},
}

const columnsExpected = "start and end, and if you like timezone, guests, name, kind and id"

// columnOf is the column that a name stands for, or nothing.
func columnOf(name string) string {
	name = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), " ", "_")
	for column, names := range columns {
		if slices.Contains(names, name) {
			return column
		}
	}
	return ""
}

// row is an event of a table: the texts of its columns.
type row struct {
	line  int
	texts map[string]string
}

// addRow takes an event of a table.
func (r *reader) addRow(w row) {
	name := clean(w.texts["name"], maxName)
	where := "event"
	if name != "" {
		where += " " + quote(name)
	}
	refuse := func(column, message, expected string) {
		r.problem(Problem{Line: w.line, Where: where, Message: column + " " + message + ", so the event is left out",
			Expected: expected})
	}
	z := r.zones.home
	if text := strings.TrimSpace(w.texts["timezone"]); text != "" {
		z = r.zoneOf(text, w.line)
	}
	start, isDay, err := parseTime(w.texts["start"], z)
	if err != nil {
		refuse("start", err.Error(), timeExpected)
		return
	}
	end, endIsDay, err := parseTime(w.texts["end"], z)
	if err != nil {
		refuse("end", err.Error(), timeExpected)
		return
	}
	if isDay && endIsDay && start.Equal(end) {
		end = length{days: 1}.end(z.wall(start), z)
	}
	id := strings.TrimSpace(w.texts["id"])
	if id == "" {
		id = stamp(start) + "/" + name
	}
	r.add(Event{
		ID: shortID(id), Name: name, Kind: kindOf(w.texts["kind"]), Start: start, End: end,
		Guests: r.guests(w.texts["guests"], w.line, where),
	}, w.line, where)
}

const timeExpected = "2026-06-20 16:00, 2026-06-20T16:00:00+02:00 or 2026-06-20"

var (
	wallLayouts   = []string{"2006-01-02T15:04:05", "2006-01-02T15:04"}
	offsetLayouts = []string{"Z07:00", "Z0700", "Z07"}
)

// parseTime reads a time of a table: a date, which is when the day begins, or a date and time, in a zone unless it
// has an offset from UTC.
func parseTime(text string, z zone) (at time.Time, isDay bool, err error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return time.Time{}, false, errors.New("is missing")
	}
	if w, err := time.Parse(time.DateOnly, text); err == nil {
		return z.at(w), true, nil
	}
	written := strings.Replace(text, " ", "T", 1)
	for _, layout := range wallLayouts {
		if w, err := time.Parse(layout, written); err == nil {
			return z.at(w.Truncate(time.Second)), false, nil
		}
		for _, offset := range offsetLayouts {
			if t, err := time.Parse(layout+offset, written); err == nil {
				return t.Truncate(time.Second).UTC(), false, nil
			}
		}
	}
	return time.Time{}, false, errors.New(quote(text) + " is no time")
}
