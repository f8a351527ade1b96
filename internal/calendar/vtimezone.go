package calendar

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxOffset is further from UTC than any place on earth, in seconds.
const maxOffset = 15 * 60 * 60

// maxParts bounds the STANDARD and DAYLIGHT of one VTIMEZONE. Some programs write one for each year.
const maxParts = 300

// around is how much before and after the time asked for a zone is known: the length of an event, and DST's half a
// year.
const around = 2 * 366 * 24 * time.Hour

// describe notes a VTIMEZONE. It is expanded when its name is needed and no other zone has it.
func (r *reader) describe(d decoder, part *component) {
	all := r.properties(d, part, part.name)
	if len(all["TZID"]) == 0 {
		r.problem(Problem{Line: part.line, Where: part.name, Message: "has no TZID and is left out"})
		return
	}
	name := zoneName(all["TZID"][0].Value)
	r.zones.own[name] = func() (zone, bool) {
		for _, p := range all["X-LIC-LOCATION"] {
			if location, ok := locate(p.Value); ok {
				return zone{location: location}, true
			}
		}
		return r.vtimezone(d, part, "time zone "+quote(name))
	}
}

// vtimezone makes a zone of a VTIMEZONE.
func (r *reader) vtimezone(d decoder, part *component, where string) (zone, bool) {
	var z zone
	for i, observance := range part.parts {
		if i == maxParts {
			r.problem(Problem{Line: observance.line, Where: where, Message: "has too many parts; the rest is left out",
				Expected: "at most " + strconv.Itoa(maxParts)})
			break
		}
		z.changes = append(z.changes, r.observance(d, observance, where)...)
	}
	slices.SortStableFunc(z.changes, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	return z, len(z.changes) > 0
}

// observance gives the changes of a STANDARD or DAYLIGHT: one for each time it begins.
func (r *reader) observance(d decoder, part *component, where string) []change {
	all := r.properties(d, part, where)
	refuse := func(what, expected string) []change {
		r.problem(Problem{Line: part.line, Where: where, Message: part.name + " has " + what + " and is left out",
			Expected: expected})
		return nil
	}
	if all["DTSTART"] == nil || all["TZOFFSETTO"] == nil || all["TZOFFSETFROM"] == nil {
		return refuse("too little", "DTSTART, TZOFFSETFROM and TZOFFSETTO")
	}
	to, ok := parseOffset(all["TZOFFSETTO"][0].Value)
	before, also := parseOffset(all["TZOFFSETFROM"][0].Value)
	if !ok || !also {
		return refuse("an offset that is none", "+0100 or -033000")
	}
	start, _, err := parseMoment(all["DTSTART"][0].Value)
	if err != nil || start.Year() < 1600 || start.Year() > lastYear {
		return refuse("a DTSTART that is none", "20260329T020000, from 1601 on")
	}
	walls := []wall{start}
	for _, p := range all["RRULE"] {
		parsed, err := parseRule(p.Value)
		if err != nil {
			return refuse("a RRULE that "+err.Error(), "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU")
		}
		within := span{utc.wall(r.From).Add(-around), utc.wall(r.To).Add(around)}
		// UNTIL is a time, and the offset until then is the one before.
		found, err := r.expand(parsed, start, within, fixed(before))
		if err != nil {
			return refuse("a RRULE that "+err.Error(), "")
		}
		walls = append(walls, found...)
	}
	for _, p := range all["RDATE"] {
		for value := range strings.SplitSeq(p.Value, ",") {
			if w, _, err := parseMoment(strings.TrimSpace(value)); err == nil && len(walls) < maxDates {
				walls = append(walls, w)
			}
		}
	}
	changes := make([]change, 0, len(walls))
	for _, w := range walls {
		changes = append(changes, change{at: w.Unix() - int64(before), offset: to, before: before})
	}
	return changes
}

// fixed is a zone that never changes.
func fixed(offset int) zone { return zone{changes: []change{{offset: offset, before: offset}}} }

// parseOffset reads +0100 or -033000 as seconds.
func parseOffset(text string) (int, bool) {
	if len(text) != len("+0100") && len(text) != len("+010000") || text[0] != '+' && text[0] != '-' {
		return 0, false
	}
	n, err := strconv.ParseUint(text[1:]+"00"[:7-len(text)], 10, 32)
	if err != nil {
		return 0, false
	}
	seconds := int(n/10_000*3600 + n/100%100*60 + n%100)
	if text[0] == '-' {
		seconds = -seconds
	}
	return seconds, seconds >= -maxOffset && seconds <= maxOffset
}
