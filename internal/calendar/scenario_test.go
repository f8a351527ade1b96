package calendar

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/scenario"
)

func TestScenarios(t *testing.T) {
	t.Parallel()
	scenario.Run(t, func(t *testing.T, text string) string {
		s := &stage{t: t, format: ICalendar, options: Options{
			From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		}}
		return scenario.Play(s, text)
	})
}

// stage reads calendars. Commands begin with a small letter, all else is text of the calendar until it is read. Text
// that begins with BEGIN:VEVENT or BEGIN:VTIMEZONE is put into a calendar.
type stage struct {
	scenario.Happenings
	t       *testing.T
	format  Format
	options Options
	text    strings.Builder
}

func (s *stage) Do(line string) {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "zone":
		location, err := time.LoadLocation(rest)
		if err != nil {
			s.t.Fatal(err)
		}
		s.options.Zone = location
	case "kind":
		s.options.Kind = rest
	case "format":
		s.format = Format(rest)
	case "window":
		from, to, _ := strings.Cut(rest, " ")
		s.options.From, s.options.To = s.day(from), s.day(to)
	case "limit":
		var n int
		if _, err := fmt.Sscanf(rest, "events=%d", &n); err != nil {
			s.t.Fatalf("%q: %v", line, err)
		}
		s.options.Limits.Events = n
	default:
		s.text.WriteString(line + "\r\n")
	}
}

func (s *stage) day(text string) time.Time {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		s.t.Fatal(err)
	}
	return at
}

func (s *stage) Take() string {
	text := s.text.String()
	s.text.Reset()
	if s.format == ICalendar && (strings.HasPrefix(text, "BEGIN:VEVENT") || strings.HasPrefix(text, "BEGIN:VTIMEZONE")) {
		text = "BEGIN:VCALENDAR\r\n" + text + "END:VCALENDAR\r\n"
	}
	reading, err := Read(s.format, []byte(text), s.options)
	if err != nil {
		s.Say("error: %v", err)
	}
	for _, e := range reading.Events {
		s.Say("%s", s.event(e))
	}
	for _, p := range reading.Problems {
		s.Say("%v", p)
	}
	return s.Happenings.Take()
}

// event is an event in the zone of the options, or in UTC.
func (s *stage) event(e Event) string {
	at := e.Start
	if s.options.Zone != nil {
		at = at.In(s.options.Zone)
	}
	text := at.Format("Mon 2006-01-02 15:04 -07:00")
	if lasts := e.End.Sub(e.Start); lasts > 0 {
		text += " for " + strings.TrimSuffix(lasts.String(), "0s")
	}
	if e.Guests > 0 {
		text += fmt.Sprintf(", %v guests", e.Guests)
	}
	if e.Kind != "" {
		text += ", " + e.Kind
	}
	return text + fmt.Sprintf(", %q, %s", e.Name, e.ID)
}
