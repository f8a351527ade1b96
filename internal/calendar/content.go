package calendar

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// An iCalendar is taken apart into its components before go-ical sees any of it. The library reads all or nothing,
// knows no lines, recurses, and takes the square of a parameter's length; here a bad line costs that line, a problem
// knows its place, and what an event does not need (descriptions, alarms, attachments: most of the text) costs
// nothing.

const (
	maxContent   = 64 << 10 // bytes of an unfolded line that is needed: EXDATE of 3,000 dates
	maxParams    = 1 << 10  // bytes of it before the value, of which go-ical takes the square
	maxNesting   = 8
	maxLines     = 10_000 // of one component that are needed
	maxComponent = 200_000
)

// content is an unfolded line: NAME;PARAMETERS:VALUE.
type content struct {
	line int // of its beginning
	name string
	text string
}

// component is one that is of interest: VEVENT, VTIMEZONE, or STANDARD and DAYLIGHT in a VTIMEZONE.
type component struct {
	line  int
	name  string
	lines []content
	parts []*component
}

// needed are the properties that are read.
var needed = map[string]bool{
	"UID": true, "SEQUENCE": true, "DTSTART": true, "DTEND": true, "DURATION": true, "RRULE": true, "RDATE": true,
	"EXDATE": true, "RECURRENCE-ID": true, "STATUS": true, "SUMMARY": true, "CATEGORIES": true, "ATTENDEE": true,
	"X-EXPECTED-GUESTS": true, "TZID": true, "TZOFFSETFROM": true, "TZOFFSETTO": true, "X-LIC-LOCATION": true,
	"X-WR-TIMEZONE": true, "METHOD": true,
}

// scanner finds the components of a text.
type scanner struct {
	r     *reader
	names []string     // of the components that are open
	open  []*component // of these, those of interest, the outermost first
	found []*component
	home  []content // properties of calendars themselves

	calendars int // that have ended
}

var errNoCalendar = errors.New("is no iCalendar; expected a line BEGIN:VCALENDAR")

// scan finds the events and time zones of a text, and the properties of the calendar itself.
func (s *scanner) scan(data []byte) error {
	for c := range contents(data) {
		if err := s.take(c); err != nil {
			return err
		}
	}
	switch {
	case len(s.names) > 0:
		return fmt.Errorf("ends within %s: it is cut off; expected a line END:VCALENDAR", clean(s.names[0], maxName))
	case s.calendars == 0:
		return errNoCalendar
	}
	return nil
}

func (s *scanner) take(c content) error {
	switch {
	case c.name == "BEGIN":
		return s.begin(c)
	case c.name == "END":
		return s.end(c)
	case len(s.names) == 0 && s.calendars == 0:
		return errNoCalendar
	case len(s.names) == 0:
		return nil
	case len(s.names) == 1:
		s.home = append(s.home, c)
		return nil
	}
	if part := s.current(); part != nil {
		if len(part.lines) == maxLines {
			s.r.problem(Problem{Line: c.line, Where: part.name, Message: "is too long; the rest of it is left out",
				Expected: fmt.Sprintf("at most %d lines", maxLines)})
		}
		if len(part.lines) <= maxLines {
			part.lines = append(part.lines, c)
		}
	}
	return nil
}

// current is the component that is being read, or nil when it is of no interest.
func (s *scanner) current() *component {
	if len(s.open) == 0 || s.names[len(s.names)-1] != s.open[len(s.open)-1].name {
		return nil
	}
	return s.open[len(s.open)-1]
}

func (s *scanner) begin(c content) error {
	name := strings.ToUpper(c.value())
	if len(s.names) == 0 && name != "VCALENDAR" {
		return errNoCalendar
	}
	if name == "VEVENT" && slices.Contains(s.names, name) {
		s.unended(c)
	}
	if len(s.names) == maxNesting {
		return fmt.Errorf("line %d: is nested too deeply; expected at most %d components in each other", c.line, maxNesting)
	}
	s.names = append(s.names, name)
	wanted := false
	switch len(s.names) {
	case 2:
		wanted = name == "VEVENT" || name == "VTIMEZONE"
	case 3:
		wanted = s.names[1] == "VTIMEZONE" && (name == "STANDARD" || name == "DAYLIGHT")
	}
	if wanted {
		s.open = append(s.open, &component{line: c.line, name: name})
	}
	return nil
}

func (s *scanner) end(c content) error {
	name := strings.ToUpper(c.value())
	depth := len(s.names) - 1
	for depth >= 0 && s.names[depth] != name {
		depth--
	}
	switch {
	case depth < 0:
		s.r.problem(Problem{Line: c.line, Message: "END:" + clean(name, maxName) + " ends nothing"})
		return nil
	case depth == 0:
		s.unended(c)
		s.names = nil
		s.calendars++
		return nil
	}
	var ended *component
	for len(s.names) > depth {
		if part := s.current(); part != nil {
			s.open, ended = s.open[:len(s.open)-1], part
		}
		s.names = s.names[:len(s.names)-1]
	}
	if ended == nil || ended.name != name {
		return nil
	}
	if len(s.open) > 0 {
		outer := s.open[len(s.open)-1]
		outer.parts = append(outer.parts, ended)
		return nil
	}
	if len(s.found) == maxComponent {
		return fmt.Errorf("line %d: has too many components; expected at most %d", c.line, maxComponent)
	}
	s.found = append(s.found, ended)
	return nil
}

// unended leaves out what is open within the calendar: its end did not come.
func (s *scanner) unended(c content) {
	if len(s.open) > 0 {
		s.r.problem(Problem{Line: s.open[0].line, Where: s.open[0].name,
			Message: fmt.Sprintf("has no end before line %d and is left out", c.line), Expected: "END:" + s.open[0].name})
	}
	s.names, s.open = s.names[:1], nil
}

// value is what stands behind the parameters of a line that has none.
func (c content) value() string {
	_, value, _ := strings.Cut(c.text, ":")
	return strings.TrimSpace(value)
}

// contents are the unfolded lines of a text that are needed, or begin or end something.
func contents(data []byte) func(func(content) bool) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	return func(yield func(content) bool) {
		var c content
		var text []byte
		wanted := false
		flush := func() bool {
			if !wanted {
				return true
			}
			c.text = strings.ToValidUTF8(string(text), "?")
			return yield(c)
		}
		number := 0
		for line := range bytes.Lines(data) {
			number++
			line = bytes.TrimRight(line, "\r\n")
			if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') && number > 1 {
				if wanted && len(text) <= maxContent {
					text = append(text, line[1:]...)
				}
				continue
			}
			if !flush() {
				return
			}
			name := nameOf(line)
			wanted = name == "BEGIN" || name == "END" || needed[name]
			if c = (content{line: number, name: name}); wanted {
				text = append(text[:0], line[:min(len(line), maxContent+1)]...)
			}
		}
		flush()
	}
}

// nameOf is the property a line is about. Names are short; of what is none, nothing is made.
func nameOf(line []byte) string {
	end := bytes.IndexAny(line[:min(len(line), 40)], ";:")
	if end < 0 {
		return ""
	}
	return strings.ToUpper(string(line[:end]))
}
