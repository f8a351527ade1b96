package calendar

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func day(year, month, date int) time.Time {
	return time.Date(year, time.Month(month), date, 0, 0, 0, 0, time.UTC)
}

func year2026() Options { return Options{From: day(2026, 1, 1), To: day(2027, 1, 1)} }

func TestWindowsZonesAreKnown(t *testing.T) {
	t.Parallel()
	if len(windowsZones) < 130 {
		t.Errorf("there are %d names of Windows", len(windowsZones))
	}
	for name, iana := range windowsZones {
		if _, ok := locate(iana); !ok {
			t.Errorf("%s: there is no %s", name, iana)
		}
	}
}

// TestClocksShowWhatTheyAreAskedFor holds RFC 5545's rule for any zone: a clock's time that exists is the first of
// those at which it is shown, and one that does not is reckoned by the offset before the gap.
func TestClocksShowWhatTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for _, name := range []string{
		"Europe/Berlin", "America/New_York", "Europe/Dublin", "Africa/Casablanca", "Australia/Lord_Howe", "Asia/Beirut",
		"America/St_Johns", "Asia/Kathmandu", "Pacific/Apia", "America/Sao_Paulo", "UTC", "Antarctica/Troll",
	} {
		location, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		z := zone{location: location}
		for range 1000 {
			w := day(2000, 1, 1).Add(time.Duration(random.IntN(30*366*24*60)) * time.Minute)
			at := z.at(w)
			if shown := z.wall(at); !shown.Equal(w) {
				// A gap: half an hour to a day, after which the clock shows what the offset before makes of it.
				if missing := shown.Sub(w); missing < 30*time.Minute || missing > 24*time.Hour {
					t.Fatalf("%s shows %v when asked for %v (seed %d)", name, shown, w, seed)
				}
				continue
			}
			for back := 15 * time.Minute; back <= 3*time.Hour; back += 15 * time.Minute {
				if z.wall(at.Add(-back)).Equal(w) {
					t.Fatalf("%s shows %v also %v earlier (seed %d)", name, w, back, seed)
				}
			}
		}
	}
}

// TestSetsFindWhatOverlaps compares the tree with a loop over all.
func TestSetsFindWhatOverlaps(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		events := make([]Event, random.IntN(60))
		for i := range events {
			start := day(2026, 1, 1).Add(time.Duration(random.IntN(100)) * time.Hour)
			events[i] = Event{ID: fmt.Sprint(i), Start: start, End: start.Add(time.Duration(random.IntN(20)) * time.Hour)}
		}
		set := NewSet(events[:len(events)/2], events[len(events)/2:])
		from := day(2026, 1, 1).Add(time.Duration(random.IntN(100)) * time.Hour)
		to := from.Add(time.Duration(random.IntN(30)) * time.Hour)
		var want []Event
		for _, e := range events {
			if e.Start.Before(to) && (e.End.After(from) || !e.Start.Before(from)) {
				want = append(want, e)
			}
		}
		slices.SortStableFunc(want, byStart)
		if got := slices.Collect(set.Overlapping(from, to)); !slices.Equal(got, want) {
			t.Fatalf("%v to %v: got %v, want %v (seed %d)", from, to, got, want, seed)
		}
		starting := 0
		for _, e := range events {
			if !e.Start.Before(from) && e.Start.Before(to) {
				starting++
			}
		}
		if got := set.StartingIn(from, to); got != starting {
			t.Fatalf("%d start from %v to %v, want %d (seed %d)", got, from, to, starting, seed)
		}
		if got := slices.Collect(set.All()); len(got) != set.Len() || !slices.IsSortedFunc(got, byStart) {
			t.Fatalf("%d of %d in order (seed %d)", len(got), set.Len(), seed)
		}
	}
}

func TestNoSetIsEmpty(t *testing.T) {
	t.Parallel()
	var set *Set
	for range set.Overlapping(day(2026, 1, 1), day(2027, 1, 1)) {
		t.Error("an event of nothing")
	}
	for range set.All() {
		t.Error("an event of nothing")
	}
	if set.Len()+set.StartingIn(day(2026, 1, 1), day(2027, 1, 1)) != 0 {
		t.Error("is not empty")
	}
}

func TestFormatsAreTold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		want       Format
	}{
		{"events.ics", "BEGIN:VCALENDAR", ICalendar},
		{"events.csv", "\xef\xbb\xbf\r\nbegin:vcalendar\r\n", ICalendar},
		{"events.csv", "start,end", CSV},
		{"EVENTS.CSV", "", CSV},
		{"events.yml", "", YAML},
		{"/feed/basic", "<html>", ICalendar},
	} {
		if got := FormatOf(tt.name, []byte(tt.text)); got != tt.want {
			t.Errorf("%s %q: got %s, want %s", tt.name, tt.text, got, tt.want)
		}
	}
}

func TestTheDodgersPlay81Games(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../../shared/data/dodgers/dodgers_events.csv")
	if err != nil {
		t.Skipf("the data are beside the repository and not in it: %v", err)
	}
	reading, err := ReadCSV(data, Options{From: day(2005, 1, 1), To: day(2006, 1, 1)})
	if err != nil || len(reading.Problems) > 0 || len(reading.Events) != 81 {
		t.Fatalf("%d games, %v, %v", len(reading.Events), reading.Problems, err)
	}
	first := reading.Events[0]
	if want := time.Date(2005, 4, 12, 20, 10, 0, 0, time.UTC); !first.Start.Equal(want) || first.Guests != 55892 {
		t.Errorf("the first is %+v", first)
	}
}

// TestProblemsAreFewAndCounted holds that a calendar of nothing but mistakes is not held in memory twice.
func TestProblemsAreFewAndCounted(t *testing.T) {
	t.Parallel()
	text := "BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN:VEVENT\nEND:VEVENT\n", 1000) + "END:VCALENDAR\n"
	reading, err := ReadICalendar([]byte(text), year2026())
	if err != nil || len(reading.Problems) != 100 || reading.More != 900 {
		t.Errorf("%d problems and %d more, %v", len(reading.Problems), reading.More, err)
	}
}

// TestLinesMayBeFoldedWithinACharacter holds that lines are unfolded as bytes, as RFC 5545 asks for.
func TestLinesMayBeFoldedWithinACharacter(t *testing.T) {
	t.Parallel()
	text := "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:a\r\nSUMMARY:Z\xc3\r\n \xbcrich\r\n" +
		"DTSTART:20260601T180000Z\r\nEND:VEVENT\r\nEND:VCALENDAR"
	reading, err := ReadICalendar([]byte(text), year2026())
	if err != nil || len(reading.Events) != 1 || reading.Events[0].Name != "Zürich" {
		t.Errorf("%+v, %v", reading, err)
	}
}

// calendarOf is an iCalendar of n events, a tenth of which recur each week of two years.
func calendarOf(n int) []byte {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\n")
	for i := range n {
		start := day(2026, 1, 1).Add(time.Duration(i) * 50 * time.Minute)
		fmt.Fprintf(&b, "BEGIN:VEVENT\r\nUID:event-%d@example.com\r\nDTSTAMP:20260101T000000Z\r\n", i)
		fmt.Fprintf(&b, "DTSTART;TZID=Europe/Berlin:%s\r\n", start.Format(timeLayout))
		fmt.Fprintf(&b, "DTEND;TZID=Europe/Berlin:%s\r\n", start.Add(5*time.Hour).Format(timeLayout))
		if i%10 == 0 {
			b.WriteString("RRULE:FREQ=WEEKLY;COUNT=104\r\n")
		}
		fmt.Fprintf(&b, "SUMMARY:Wedding %d\r\nX-EXPECTED-GUESTS:%d\r\n", i, 20+i%200)
		b.WriteString("DESCRIPTION:" + strings.Repeat("It will be lovely. ", 20) + "\r\nEND:VEVENT\r\n")
	}
	b.WriteString("END:VCALENDAR\r\n")
	return []byte(b.String())
}

func BenchmarkICalendarOf10000(b *testing.B) {
	data := calendarOf(10_000)
	o := Options{From: day(2026, 6, 1), To: day(2026, 6, 20)}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if reading, err := ReadICalendar(data, o); err != nil || len(reading.Events) == 0 {
			b.Fatal(len(reading.Events), err)
		}
	}
}

func BenchmarkCSVOf10000(b *testing.B) {
	var text strings.Builder
	text.WriteString("start,end,timezone,guests,name\n")
	for i := range 10_000 {
		start := day(2026, 1, 1).Add(time.Duration(i) * 50 * time.Minute)
		fmt.Fprintf(&text, "%s,%s,Europe/Berlin,%d,Wedding %d\n", start.Format(time.DateTime),
			start.Add(5*time.Hour).Format(time.DateTime), i%200, i)
	}
	b.ReportAllocs()
	for b.Loop() {
		if reading, err := ReadCSV([]byte(text.String()), year2026()); err != nil || len(reading.Events) < 9000 {
			b.Fatal(len(reading.Events), err)
		}
	}
}

// BenchmarkOverlapping asks a set of 10,000 events for those of a quarter of an hour, of which there are about six.
func BenchmarkOverlapping(b *testing.B) {
	reading, err := ReadICalendar(calendarOf(10_000), year2026())
	if err != nil {
		b.Fatal(err)
	}
	set := NewSet(reading.Events)
	b.ReportAllocs()
	i, found := 0, 0
	for b.Loop() {
		from := day(2026, 3, 1).Add(time.Duration(i%10_000) * 15 * time.Minute)
		for range set.Overlapping(from, from.Add(15*time.Minute)) {
			found++
		}
		i++
	}
	if found == 0 {
		b.Fatal("nothing overlaps")
	}
}
