package calendar

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// entry is a VEVENT: an event, a series of them, or what one of a series is instead.
type entry struct {
	line     int
	where    string // in problems
	uid      string
	sequence int

	name, kind string
	guests     float64

	start  moment
	length length
	sized  bool // the length is said

	rule      *rule
	dates     []dated
	excluded  []moment
	cancelled bool

	// replaces is which one of a series this is instead, and following that it is those after it, too.
	replaces   *moment
	replacesAt time.Time
	following  bool
}

// dated is an occurrence by RDATE. Some have a length of their own.
type dated struct {
	moment
	length *length
}

// maxDates bounds RDATE and EXDATE of one event.
const maxDates = 10_000

// entry reads a VEVENT. What cannot be an event gives nil and is a problem.
func (r *reader) entry(d decoder, part *component) *entry {
	e := &entry{line: part.line, where: part.name}
	all := r.properties(d, part, e.where)
	if summary := all["SUMMARY"]; summary != nil {
		e.name = clean(summary[0].text(), maxName)
	}
	if e.name != "" {
		e.where = "event " + quote(e.name)
	}
	if !r.begin(e, all) || !r.length(e, all) || !r.short(e) {
		return nil
	}
	e.uid = identity(all["UID"], e)
	if sequence := all["SEQUENCE"]; sequence != nil {
		e.sequence, _ = strconv.Atoi(sequence[0].Value) // 0 where it is no number, as without
	}
	for _, p := range all["CATEGORIES"] {
		if list, err := p.TextList(); err == nil && e.kind == "" {
			e.kind = kindOf(list[0])
		}
	}
	for _, p := range all["STATUS"] {
		e.cancelled = e.cancelled || strings.EqualFold(p.Value, "CANCELLED")
	}
	e.guests = r.expected(e, all)
	r.recurrence(e, all)
	return e
}

// begin reads DTSTART, without which there is no event, and RECURRENCE-ID.
func (r *reader) begin(e *entry, all map[string][]property) bool {
	starts := all["DTSTART"]
	if starts == nil {
		r.problem(Problem{Line: e.line, Where: e.where, Message: "has no DTSTART and is left out",
			Expected: momentExpected})
		return false
	}
	var err error
	if e.start, err = r.moment(starts[0], starts[0].Value, r.zones.home); err != nil {
		r.refuse(e, starts[0], err, momentExpected)
		return false
	}
	if !plausible(e.start.wall) {
		r.problem(Problem{Line: starts[0].line, Where: e.where,
			Message:  "DTSTART is in the year " + strconv.Itoa(e.start.wall.Year()) + ", so the event is left out",
			Expected: "a year from " + strconv.Itoa(firstYear) + " to " + strconv.Itoa(lastYear)})
		return false
	}
	for _, p := range all["RECURRENCE-ID"] {
		m, err := r.moment(p, p.Value, r.homeOf(e))
		if err != nil {
			r.refuse(e, p, err, momentExpected)
			return false
		}
		e.replaces, e.replacesAt = &m, m.time()
		e.following = strings.EqualFold(p.Params.Get("RANGE"), "THISANDFUTURE")
	}
	return true
}

// homeOf is the zone of what names none beside DTSTART, as some programs write EXDATE.
func (r *reader) homeOf(e *entry) zone {
	if e.start.form == formUTC {
		return r.zones.home
	}
	return e.start.zone
}

// refuse notes why an event is left out.
func (r *reader) refuse(e *entry, p property, err error, expected string) {
	r.problem(Problem{Line: p.line, Where: e.where,
		Message: p.Name + " " + err.Error() + ", so the event is left out", Expected: expected})
}

// length reads DTEND or DURATION. An event with neither lasts a day when it has a date, and else has no length.
func (r *reader) length(e *entry, all map[string][]property) bool {
	if e.start.form == formDate {
		e.length.days = 1
	}
	if ends := all["DTEND"]; ends != nil {
		end, err := r.moment(ends[0], ends[0].Value, r.homeOf(e))
		if err != nil {
			r.refuse(e, ends[0], err, momentExpected)
			return false
		}
		e.sized = true
		return r.until(e, end, ends[0].line)
	}
	for _, p := range all["DURATION"] {
		lasts, err := parseLength(strings.ToUpper(p.Value))
		if err != nil {
			r.refuse(e, p, err, "PT3H30M or P1D")
			return false
		}
		e.length, e.sized = lasts, true
	}
	return true
}

// short refuses what lasts too long, once and not for each of a series. What lasts a day too long is left to add.
func (r *reader) short(e *entry) bool {
	if lasts := time.Duration(e.length.days)*24*time.Hour + e.length.exact; lasts > r.limits.Length+24*time.Hour {
		r.problem(Problem{Line: e.line, Where: e.where,
			Message:  fmt.Sprintf("lasts %.0f days, so it is left out", lasts.Hours()/24),
			Expected: fmt.Sprintf("at most %.0f", r.limits.Length.Hours()/24)})
		return false
	}
	return true
}

// until makes the length of an event from its end. Days are of the calendar; all else is time, as RFC 5545 has it: a
// party from 22:00 to 4:00 ends an hour earlier by the clock in the night in which summer time ends.
func (r *reader) until(e *entry, end moment, line int) bool {
	if e.start.form == formDate && end.form == formDate {
		days := int(end.wall.Sub(e.start.wall).Hours() / 24)
		if days < 0 {
			r.ends(e, end.time(), line)
			return false
		}
		e.length = length{days: max(days, 1)} // some write the same day twice
		return true
	}
	begins, ends := e.start.time(), end.time()
	if ends.Before(begins) || !plausible(end.wall) {
		r.ends(e, ends, line)
		return false
	}
	e.length = length{exact: ends.Sub(begins)}
	return true
}

func (r *reader) ends(e *entry, end time.Time, line int) {
	r.problem(Problem{Line: line, Where: e.where,
		Message:  "ends at " + stamp(end) + " and begins at " + stamp(e.start.time()) + ", so it is left out",
		Expected: "an end after the start, until " + strconv.Itoa(lastYear)})
}

// expected is how many guests come: X-EXPECTED-GUESTS, or else how many attendees have not declined.
func (r *reader) expected(e *entry, all map[string][]property) float64 {
	for _, p := range all["X-EXPECTED-GUESTS"] {
		return r.guests(p.Value, p.line, e.where)
	}
	guests := 0.0
	for _, p := range all["ATTENDEE"] {
		kind := strings.ToUpper(p.Params.Get("CUTYPE"))
		if strings.EqualFold(p.Params.Get("PARTSTAT"), "DECLINED") || kind == "RESOURCE" || kind == "ROOM" {
			continue
		}
		guests++
		if more, err := strconv.Atoi(p.Params.Get("X-NUM-GUESTS")); err == nil { // Google: whom somebody brings along
			guests += float64(min(max(more, 0), 1000))
		}
	}
	return guests
}

// recurrence reads RRULE, RDATE and EXDATE. What of them cannot be read is left out; the event itself stays.
func (r *reader) recurrence(e *entry, all map[string][]property) {
	for i, p := range all["RRULE"] {
		if i > 0 {
			r.problem(Problem{Line: p.line, Where: e.where, Message: "has a second RRULE, which is left out"})
			break
		}
		parsed, err := parseRule(p.Value)
		if err != nil {
			r.problem(Problem{Line: p.line, Where: e.where,
				Message: "RRULE " + err.Error() + "; only the first occurrence is counted", Expected: "FREQ=WEEKLY;BYDAY=SA"})
			continue
		}
		e.rule = &parsed
	}
	for _, p := range all["RDATE"] {
		for value := range strings.SplitSeq(p.Value, ",") {
			if date, err := r.dated(p, value, r.homeOf(e)); err != nil || len(e.dates) == maxDates {
				r.skip(e, p, value)
				break
			} else {
				e.dates = append(e.dates, date)
			}
		}
	}
	for _, p := range all["EXDATE"] {
		for value := range strings.SplitSeq(p.Value, ",") {
			if m, err := r.moment(p, strings.TrimSpace(value), r.homeOf(e)); err != nil || len(e.excluded) == maxDates {
				r.skip(e, p, value)
				break
			} else {
				e.excluded = append(e.excluded, m)
			}
		}
	}
}

func (r *reader) skip(e *entry, p property, value string) {
	r.problem(Problem{Line: p.line, Where: e.where,
		Message:  p.Name + " is left out from " + quote(value) + " on",
		Expected: "at most " + strconv.Itoa(maxDates) + " of " + momentExpected + " with commas, in a known time zone"})
}

// dated reads a value of RDATE: a moment, or a PERIOD of a moment and its end or length.
func (r *reader) dated(p property, value string, home zone) (dated, error) {
	begin, rest, period := strings.Cut(strings.TrimSpace(value), "/")
	m, err := r.moment(p, begin, home)
	if err != nil || !period {
		return dated{moment: m}, err
	}
	if strings.HasPrefix(rest, "P") {
		lasts, err := parseLength(rest)
		return dated{m, &lasts}, err
	}
	end, err := r.moment(p, rest, home)
	return dated{m, &length{exact: end.time().Sub(m.time())}}, err
}

// identity is the UID of an event, or what makes it the same the next time it is read.
func identity(uid []property, e *entry) string {
	id := stamp(e.start.time()) + "/" + e.name
	if len(uid) > 0 {
		id = cmp.Or(uid[0].Value, id)
	}
	return shortID(id)
}

// shortID keeps an ID, or takes its hash when it is long or not fit for a terminal.
func shortID(id string) string {
	if len(id) <= maxID && clean(id, maxID) == id {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}

func kindOf(text string) string { return strings.ToLower(clean(text, maxKind)) }

// excludes reports whether EXDATE has an occurrence. One with a date only is for the whole day: RFC 5545 wants the
// form of DTSTART, but programs that write a date mean the day.
func (e *entry) excludes() func(w wall, t time.Time) bool {
	times, days := map[int64]bool{}, map[wall]bool{}
	for _, m := range e.excluded {
		if m.form == formDate {
			days[m.wall] = true
		} else {
			times[m.time().Unix()] = true
		}
	}
	return func(w wall, t time.Time) bool { return times[t.Unix()] || len(days) > 0 && days[dayOf(w)] }
}

func dayOf(w wall) wall { return w.Truncate(24 * time.Hour) }

// better reports whether an entry goes before another with the same place in the same series.
func (e *entry) better(than *entry) bool { return e.sequence >= than.sequence }

// sortedBy orders entries by what they replace.
func sortedBy(list []*entry) []*entry {
	return slices.SortedFunc(slices.Values(list), func(a, b *entry) int {
		return a.replacesAt.Compare(b.replacesAt)
	})
}
