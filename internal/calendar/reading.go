package calendar

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/config/source"
)

// Options is what the text of a calendar does not say by itself.
type Options struct {
	// Source becomes Event.Source, and Kind the Event.Kind of events that name none.
	Source, Kind string
	// Zone is where times without a zone are meant. nil: where the calendar says it is at home, else UTC.
	Zone *time.Location
	// From and To bound what is wanted: events that overlap it. Rules are expanded no further.
	From, To time.Time
	// Limits are those of DefaultLimits where they are 0.
	Limits Limits
}

// Limits bound what a calendar may cost. Calendars come from outside.
type Limits struct {
	Bytes       int           // of the text
	Events      int           // of one calendar
	Occurrences int           // of one event that recurs
	Steps       int           // of all rules together, those before Options.From included
	Length      time.Duration // of an event
	Guests      float64       // of an event
	Problems    int           // that are kept; more are counted
}

// DefaultLimits are for a calendar of many thousand events, read within a second.
func DefaultLimits() Limits {
	return Limits{
		Bytes:       16 << 20,
		Events:      100_000,
		Occurrences: 10_000,
		Steps:       5_000_000,
		Length:      31 * 24 * time.Hour,
		Guests:      1e6,
		Problems:    100,
	}
}

// filled has no zeros.
func (l Limits) filled() Limits {
	d := DefaultLimits()
	l.Bytes, l.Events = cmp.Or(l.Bytes, d.Bytes), cmp.Or(l.Events, d.Events)
	l.Occurrences, l.Steps = cmp.Or(l.Occurrences, d.Occurrences), cmp.Or(l.Steps, d.Steps)
	l.Length, l.Guests = cmp.Or(l.Length, d.Length), cmp.Or(l.Guests, d.Guests)
	l.Problems = cmp.Or(l.Problems, d.Problems)
	return l
}

// The years in which an event can be. Rules of time zones begin before them.
const (
	firstYear = 1900
	lastYear  = 2199
)

// The lengths of texts in bytes; what is longer is cut.
const (
	maxName  = 200
	maxKind  = 60
	maxID    = 200
	maxQuote = 60 // of the calendar in a problem
)

// Reading is what a calendar says.
type Reading struct {
	// Events are those that overlap the time asked for, by their start.
	Events []Event
	// Problems are what could not be read as it stands, in the order of the text, and More how many there are beside.
	Problems []Problem
	More     int
}

// Problem is something in a calendar that could not be read.
type Problem struct {
	Line int `json:"line,omitempty"` // from 1
	// Where is the part of the calendar: `event "Anna & Ben"`, DTSTART.
	Where    string `json:"where,omitempty"`
	Message  string `json:"message"`
	Expected string `json:"expected,omitempty"`
}

// String is the problem as a line: line 12: event "Anna & Ben": DTSTART 2026: expected …
func (p Problem) String() string {
	text := p.Message
	if p.Where != "" {
		text = p.Where + ": " + text
	}
	if p.Line > 0 {
		text = "line " + strconv.Itoa(p.Line) + ": " + text
	}
	if p.Expected != "" {
		text += "; expected " + p.Expected
	}
	return text
}

// reader collects what one calendar says.
type reader struct {
	Options
	limits  Limits
	reading Reading
	ids     map[string]int // how many events have an ID
	full    bool           // Limits.Events is reached
	zones   zones
	steps   int // of rules so far
}

func newReader(o Options) *reader {
	if !o.From.Before(o.To) {
		panic("bug: a calendar is read for no time at all")
	}
	return &reader{Options: o, limits: o.Limits.filled(), ids: map[string]int{}, zones: newZones(o.Zone)}
}

// problem notes a problem. Both texts may quote the calendar.
func (r *reader) problem(p Problem) {
	if len(r.reading.Problems) >= r.limits.Problems {
		r.reading.More++
		return
	}
	r.reading.Problems = append(r.reading.Problems, p)
}

// add takes an event unless it cannot be, or is outside of the time asked for.
func (r *reader) add(e Event, line int, where string) {
	refuse := func(message, expected string) {
		r.problem(Problem{Line: line, Where: where, Message: message, Expected: expected})
	}
	switch {
	case !plausible(e.Start) || !plausible(e.End):
		refuse(fmt.Sprintf("is from %s to %s", stamp(e.Start), stamp(e.End)),
			fmt.Sprintf("a time from %d to %d", firstYear, lastYear))
		return
	case e.End.Before(e.Start):
		refuse(fmt.Sprintf("ends at %s, before it begins at %s", stamp(e.End), stamp(e.Start)), "an end after the start")
		return
	case e.End.Sub(e.Start) > r.limits.Length:
		refuse(fmt.Sprintf("lasts %.0f days", e.End.Sub(e.Start).Hours()/24),
			fmt.Sprintf("at most %.0f", r.limits.Length.Hours()/24))
		return
	case !overlaps(e, r.From, r.To):
		return
	case len(r.reading.Events) >= r.limits.Events:
		if !r.full {
			refuse(fmt.Sprintf("there are more than %d events; this one and all below are left out", r.limits.Events), "")
		}
		r.full = true
		return
	}
	e.Source, e.Kind = r.Source, cmp.Or(e.Kind, kindOf(r.Kind))
	e.Start, e.End = e.Start.UTC(), e.End.UTC()
	e.ID = r.unique(e.ID)
	r.reading.Events = append(r.reading.Events, e)
}

// unique gives the second event of an ID another one.
func (r *reader) unique(id string) string {
	r.ids[id]++
	if n := r.ids[id]; n > 1 {
		return r.unique(id + "#" + strconv.Itoa(n))
	}
	return id
}

// done is the reading in order.
func (r *reader) done() Reading {
	slices.SortStableFunc(r.reading.Events, byStart)
	slices.SortStableFunc(r.reading.Problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return r.reading
}

// guests reads a number of guests. What is none is a problem, and then nobody has said how many come.
func (r *reader) guests(text string, line int, where string) float64 {
	if text = strings.TrimSpace(text); text == "" {
		return 0
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || n < 0 || n > r.limits.Guests {
		r.problem(Problem{Line: line, Where: where, Message: quote(text) + " is no number of guests, so it is unknown",
			Expected: fmt.Sprintf("a number from 0 to %.0f", r.limits.Guests)})
		return 0
	}
	return n
}

func plausible(t time.Time) bool {
	year := t.UTC().Year()
	return year >= firstYear && year <= lastYear
}

// stamp is a time in a problem and in an ID.
func stamp(t time.Time) string { return t.UTC().Format("20060102T150405Z") }

// clean is a text of a calendar that is fit for a terminal and not too long.
func clean(text string, most int) string {
	text = text[:min(len(text), 8*most)] // enough for what follows, which looks at each character
	text = strings.TrimSpace(source.Printable(strings.ReplaceAll(text, "\n", " ")))
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return text
}

func quote(text string) string { return strconv.Quote(clean(text, maxQuote)) }
