package calendar

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var repeat = strings.Repeat

// patience is what reading the worst calendar may take here, under the race detector and beside other tests. It is
// seconds, where hours are what these would take unbounded.
const patience = 20 * time.Second

// hostile is a calendar that means harm.
type hostile struct {
	text   string
	events int    // at most
	says   string // of an error or the problems
}

func hostileCalendars() map[string]hostile {
	event := func(lines string) string {
		return "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nDTSTART:20260601T180000Z\n" + lines + "END:VEVENT\nEND:VCALENDAR\n"
	}
	const never = "DTSTART:20200601T180000Z\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31"
	const often = "DTSTART:19000601T180000Z\nRRULE:FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU"
	many := func(n int, lines string) string {
		var b strings.Builder
		b.WriteString("BEGIN:VCALENDAR\n")
		for i := range n {
			fmt.Fprintf(&b, "BEGIN:VEVENT\nUID:%d\n%sEND:VEVENT\n", i, strings.ReplaceAll(lines, "%d", fmt.Sprint(i)))
		}
		return b.String() + "END:VCALENDAR\n"
	}
	return map[string]hostile{
		"a billion times":      {event("RRULE:FREQ=DAILY;COUNT=1000000000\n"), 400, ""},
		"each second":          {event("RRULE:FREQ=SECONDLY;COUNT=1000000000\n"), 1, "recurs SECONDLY"},
		"24 times a day":       {event("RRULE:FREQ=YEARLY;BYDAY=MO,TU;BYHOUR=" + list(24) + "\n"), 10_000, ""},
		"many seconds":         {event("RRULE:FREQ=DAILY;BYHOUR=" + list(24) + ";BYMINUTE=0,1\n"), 1, "times a day"},
		"never":                {event("RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31\n"), 1, ""},
		"never, 1000 times":    {many(100, never+"\n"), 0, "too much work"},
		"never, by position":   {many(1000, never+";BYSETPOS="+list(60)[2:]+"\n"), 0, "too much work"},
		"by position":          {many(100, often+";BYSETPOS="+list(60)[2:]+"\n"), 4000, "too much work"},
		"since 1900":           {many(30, "DTSTART:19000101T180000Z\nRRULE:FREQ=DAILY\n"), 100_000, "too much work"},
		"each day, many":       {many(30, "DTSTART:20260101T180000Z\nRRULE:FREQ=DAILY\n"), 4000, "more than 4000 events"},
		"a long rule":          {event("RRULE:FREQ=DAILY;BYMONTHDAY=" + repeat("1,", 20_000) + "1\n"), 1, "than 1000 bytes"},
		"a line of 15 MB":      {event("SUMMARY:" + repeat("x", 15<<20) + "\n"), 1, "more than 65536 bytes"},
		"an unneeded 15 MB":    {event("DESCRIPTION:" + repeat("x", 15<<20) + "\n"), 1, ""},
		"more than is read":    {event("SUMMARY:" + repeat("x", DefaultLimits().Bytes) + "\n"), 0, "too large"},
		"folded for ever":      {event("SUMMARY:a" + repeat("\n a", 1<<20) + "\n"), 1, "more than 65536 bytes"},
		"long parameters":      {event(repeat("ATTENDEE;CN="+repeat("x", 60_000)+":a\n", 200)), 1, "parameters of more"},
		"many parameters":      {event(repeat("ATTENDEE;"+repeat("X=;", 300)+"X=:a\n", 300)), 1, ""},
		"deep":                 {"BEGIN:VCALENDAR\n" + repeat("BEGIN:VEVENT\n", 20_000), 0, "is cut off"},
		"deeper":               {"BEGIN:VCALENDAR\n" + repeat("BEGIN:X\n", 1_000_000), 0, "nested too deeply"},
		"ends of nothing":      {"BEGIN:VCALENDAR\n" + repeat("END:X\n", 50_000) + "END:VCALENDAR\n", 0, "ends nothing"},
		"malformed":            {event(repeat("UID;\n", 20_000)), 1, "malformed"},
		"many components":      {"BEGIN:VCALENDAR\n" + repeat("BEGIN:VEVENT\nEND:VEVENT\n", 201_000), 0, "too many comp"},
		"many dates":           {event("RDATE:" + repeat("20260601T180000Z,", 3000) + "20260601T180000Z\n"), 1, ""},
		"more dates":           {event(repeat("RDATE:"+repeat("20260601T180000Z,", 3000)+"20260601\n", 9)), 2, "is left out"},
		"many zones":           {many(2000, "DTSTART;TZID=Mars%d:20260601T180000\n"), 2000, "is unknown"},
		"a zone of all time":   {zoneOfAllTime(), 1, "too much work"},
		"many overrides":       {overrides(3000), 400, ""},
		"all that follow":      {overridesThatFollow(1000), 400, ""},
		"bytes":                {repeat("\x00\xff\n", 1<<20), 0, "is no iCalendar"},
		"a terminal's escapes": {event("SUMMARY:\x1b[2J\x07\nX-EXPECTED-GUESTS:\x1b[2J\n"), 1, "is no number of guests"},
	}
}

func TestHostileCalendarsEndSoon(t *testing.T) {
	t.Parallel()
	for name, tt := range hostileCalendars() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			o := year2026()
			// The race detector makes a step ten times as slow, and other tests run beside this.
			o.Limits.Steps, o.Limits.Events = DefaultLimits().Steps/100, DefaultLimits().Events/25
			reading, err := ReadICalendar([]byte(tt.text), o)
			if took := time.Since(began); took > patience {
				t.Errorf("took %v", took)
			}
			said := fmt.Sprint(err, reading.Problems)
			if !strings.Contains(said, tt.says) || tt.says == "" && (err != nil || len(reading.Problems) > 0) {
				t.Errorf("says %.300s, want %q", said, tt.says)
			}
			if len(reading.Events) > tt.events {
				t.Errorf("%d events, want at most %d", len(reading.Events), tt.events)
			}
			if len(said) > 100_000 || strings.ContainsAny(said, "\x1b\x07") {
				t.Errorf("%d bytes of problems are not fit for a terminal", len(said))
			}
		})
	}
}

func list(n int) string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprint(i)
	}
	return strings.Join(texts, ",")
}

// zoneOfAllTime is a calendar with a zone that changes each day.
func zoneOfAllTime() string {
	part := "BEGIN:STANDARD\nDTSTART:16010101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n" +
		"RRULE:FREQ=DAILY\nEND:STANDARD\n"
	return "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Mad\n" + part + part + "END:VTIMEZONE\n" +
		"BEGIN:VEVENT\nUID:a\nDTSTART;TZID=Mad:20260601T180000\nEND:VEVENT\nEND:VCALENDAR\n"
}

func overrides(n int) string {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nDTSTART:20200101T180000Z\nRRULE:FREQ=DAILY\nEND:VEVENT\n")
	for i := range n {
		at := day(2020, 1, 1).AddDate(0, 0, i).Add(18 * time.Hour)
		fmt.Fprintf(&b, "BEGIN:VEVENT\nUID:a\nRECURRENCE-ID:%s\nDTSTART:%s\nEND:VEVENT\n", stamp(at),
			stamp(at.Add(time.Hour)))
	}
	return b.String() + "END:VCALENDAR\n"
}

func overridesThatFollow(n int) string {
	return strings.ReplaceAll(overrides(n), "RECURRENCE-ID:", "RECURRENCE-ID;RANGE=THISANDFUTURE:")
}

func TestHostileTablesEndSoon(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		format     Format
		text, says string
	}{
		"an open quote":       {CSV, "start,end\n\"" + repeat("x\n", 1<<20), "no line of a table"},
		"many columns":        {CSV, "start,end" + repeat(",x", 1<<16) + "\n" + repeat(",", 1<<16), "start is missing"},
		"many lines":          {CSV, "start,end\n" + repeat(",\n", 1<<17), "start is missing"},
		"a long text":         {CSV, "start,end,name\n2026-06-01,2026-06-01," + repeat("x", 8<<20) + "\n", ""},
		"larger than is read": {CSV, repeat("x", DefaultLimits().Bytes+1), "too large"},
		"an alias bomb":       {YAML, "a: &a [x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\n", "is a map"},
		"a deep list":         {YAML, repeat("[", 4000), "nested too deeply"},
		"a large list":        {YAML, repeat("- {}\n", 100_000), "larger than 256kB"},
		"a list of list":      {YAML, "- - a\n- [b]\n", "is a list and no event"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			reading, err := Read(tt.format, []byte(tt.text), year2026())
			if took := time.Since(began); took > patience {
				t.Errorf("took %v", took)
			}
			if said := fmt.Sprint(err, reading.Problems); !strings.Contains(said, tt.says) || len(said) > 100_000 {
				t.Errorf("says %.300s, want %q", said, tt.says)
			}
		})
	}
}

// check holds what is promised of any text: events within the time asked for and the limits, in order and with IDs of
// their own, the same each time, and problems fit for a terminal.
func check(t *testing.T, f Format, data []byte) {
	t.Helper()
	o := year2026()
	o.Limits = Limits{Events: 50, Occurrences: 20, Steps: 30_000, Problems: 10, Length: 48 * time.Hour}
	reading, err := Read(f, data, o)
	again, _ := Read(f, data, o)
	if err != nil && len(reading.Events)+len(reading.Problems) > 0 {
		t.Fatalf("an error and a reading: %v", err)
	}
	said := fmt.Sprint(err)
	ids := map[string]bool{}
	for i, e := range reading.Events {
		if ids[e.ID] || len(e.Name) > maxName || len(e.Kind) > maxKind || len(e.ID) > 2*maxID {
			t.Errorf("%+v", e)
		}
		if !overlaps(e, o.From, o.To) || e.End.Before(e.Start) || e.End.Sub(e.Start) > 48*time.Hour || !(e.Guests >= 0) {
			t.Errorf("%+v", e)
		}
		if i > 0 && byStart(reading.Events[i-1], e) > 0 || e != again.Events[i] {
			t.Errorf("%+v is not in order, or not there again", e)
		}
		ids[e.ID] = true
		said += e.ID + e.Name + e.Kind
	}
	if len(reading.Events) > 50 || len(reading.Problems) > 10 {
		t.Errorf("%d events, %d problems", len(reading.Events), len(reading.Problems))
	}
	for _, p := range reading.Problems {
		said += p.String()
	}
	for _, r := range said {
		if r < ' ' || r == 0x7f {
			t.Fatalf("not fit for a terminal: %q", said)
		}
	}
}
