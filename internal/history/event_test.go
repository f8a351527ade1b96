package history

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/chance"
)

// evening is when the weddings of these tests begin.
var evening = time.Date(2026, time.June, 20, 16, 0, 0, 0, time.UTC)

func wedding(id, name string, after time.Duration) Event {
	start := evening.Add(after)
	return Event{
		Source: "weddings", ID: id, Name: name, Kind: "wedding", Start: start, End: start.Add(6 * time.Hour), Guests: 100,
	}
}

func TestWhichEventsAreOne(t *testing.T) {
	t.Parallel()
	const week = 7 * 24 * time.Hour
	one := wedding("1", "Anna & Ben", 0)
	changed := func(change func(*Event)) Event {
		e := one
		change(&e)
		return e
	}
	for name, tt := range map[string]struct {
		other Event
		want  bool
	}{
		"itself":                       {one, true},
		"another ID":                   {wedding("2", "Anna & Ben", 0), true},
		"other guests and kind":        {changed(func(e *Event) { e.ID, e.Guests, e.Kind = "2", 7, "party" }), true},
		"another name":                 {wedding("2", "Cy & Di", 0), false},
		"another end":                  {changed(func(e *Event) { e.ID, e.End = "2", e.End.Add(time.Hour) }), false},
		"another calendar":             {changed(func(e *Event) { e.Source = "parties" }), false},
		"a twin":                       {changed(func(e *Event) { e.ID, e.Twin = "2", 1 }), false},
		"the twin it was before":       {changed(func(e *Event) { e.Twin = 1 }), true},
		"its end was corrected":        {changed(func(e *Event) { e.End = e.End.Add(2 * time.Hour) }), true},
		"its name was":                 {wedding("1", "Anna & Bernd", 0), true},
		"it was moved by hours":        {wedding("1", "Anna & Ben", -3*time.Hour), true},
		"moved, and by another name":   {wedding("1", "Cy & Di", time.Hour), false},
		"next week, by the same ID":    {wedding("1", "Anna & Ben", week), false},
		"the day after at the hour":    {wedding("1", "Anna & Ben", 24*time.Hour), false},
		"of another calendar's number": {changed(func(e *Event) { e.Source, e.Guests = "parties", 1 }), false},
	} {
		if got := one.Same(&tt.other); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
		if got := tt.other.Same(&one); got != tt.want {
			t.Errorf("%s, the other way round: %v", name, got)
		}
	}
}

// TestTwinsAreNumberedAlikeWithOtherIDs: a calendar without names and IDs lists two at a time, and three.
func TestTwinsAreNumberedAlikeWithOtherIDs(t *testing.T) {
	t.Parallel()
	number := func(events ...Event) string {
		NumberTwins(events)
		var b strings.Builder
		for _, e := range events {
			fmt.Fprintf(&b, "%s %v #%d\n", e.Start.Format("15:04"), e.Guests, e.Twin)
		}
		return b.String()
	}
	with := func(id string, after time.Duration, guests float64) Event {
		e := wedding(id, "", after)
		e.Guests, e.Twin = guests, 9
		return e
	}
	want := "16:00 50 #0\n16:00 80 #1\n18:00 20 #0\n18:00 20 #1\n18:00 90 #2\n"
	for _, ids := range []string{"abcde", "edcba", "cadeb"} {
		got := number(with(ids[:1], 0, 80), with(ids[1:2], 2*time.Hour, 20), with(ids[2:3], 2*time.Hour, 90),
			with(ids[3:4], 0, 50), with(ids[4:], 2*time.Hour, 20))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("with IDs %s (-want +got):\n%s", ids, diff)
		}
	}
}

func TestEventsThatCannotBe(t *testing.T) {
	t.Parallel()
	for says, change := range map[string]func(*Event){
		"":                   func(*Event) {},
		"its source is":      func(e *Event) { e.Source = "" },
		"its ID is":          func(e *Event) { e.ID = "" },
		"its name is":        func(e *Event) { e.Name = strings.Repeat("x", longestText+1) },
		"its kind is":        func(e *Event) { e.Kind = "a\x00b" },
		`its name is "\xff"`: func(e *Event) { e.Name = "\xff" },
		"expected times":     func(e *Event) { e.Start, e.End = time.Time{}, time.Time{} },
		"it ends at 9999":    func(e *Event) { e.End = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) },
		"it lasts -1s":       func(e *Event) { e.End = e.Start.Add(-time.Second) },
		"it lasts 745h":      func(e *Event) { e.End = e.Start.Add(31*24*time.Hour + time.Hour) },
		"its guests are NaN": func(e *Event) { e.Guests = math.NaN() },
		"its guests are -1":  func(e *Event) { e.Guests = -1 },
		"its guests are +":   func(e *Event) { e.Guests = math.Inf(1) },
		"it is twin -1":      func(e *Event) { e.Twin = -1 },
	} {
		e := wedding("1", "Anna & Ben", 0)
		change(&e)
		err := e.Check()
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("want %q: %v", says, err)
		}
		if err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%v is not ErrInvalid", err)
		}
		if got := CheckEvents([]Event{wedding("2", "", 0), e}); (got == nil) != (err == nil) {
			t.Errorf("of two: %v, of it: %v", got, err)
		}
	}
}

// TestRenewIsOneAfterTheOther: it is held against a store that does what is promised event by event.
func TestRenewIsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	seed := chance.Seed(t)
	random := rand.New(rand.NewPCG(seed, 1))
	for range 200 {
		var plain, clever []Event
		for range 1 + random.IntN(4) {
			batch := randomEvents(random)
			for _, e := range batch {
				plain = slices.DeleteFunc(plain, func(o Event) bool { return e.Same(&o) })
				plain = append(plain, e)
			}
			clever = renewed(clever, batch)
			if diff := cmp.Diff(sorted(plain), sorted(clever)); diff != "" {
				t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
			}
			if diff := cmp.Diff(sorted(clever), sorted(renewed(clever, batch))); diff != "" {
				t.Fatalf("seed %d: twice is not once:\n%s", seed, diff)
			}
			left := slices.DeleteFunc(slices.Clone(plain), func(o Event) bool {
				return slices.ContainsFunc(batch, func(e Event) bool { return e.Same(&o) })
			})
			if diff := cmp.Diff(sorted(left), sorted(Apart(clever, batch))); diff != "" {
				t.Fatalf("seed %d: apart (-want +got):\n%s", seed, diff)
			}
		}
	}
}

// renewed is what a store has after a batch was saved.
func renewed(stored, batch []Event) []Event {
	gone, come := Renew(stored, batch)
	drop := map[identity]bool{}
	for _, list := range [][]Event{gone, come} {
		for i := range list {
			drop[list[i].identity()] = true
		}
	}
	kept := slices.DeleteFunc(slices.Clone(stored), func(e Event) bool { return drop[e.identity()] })
	return append(kept, come...)
}

func sorted(events []Event) []string {
	var list []string
	for _, e := range events {
		list = append(list, fmt.Sprintf("%+v", e))
	}
	slices.Sort(list)
	return list
}

// randomEvents has few of everything, so that much of it meets.
func randomEvents(random *rand.Rand) []Event {
	events := make([]Event, random.IntN(8))
	for i := range events {
		e := wedding(strconv.Itoa(random.IntN(4)), []string{"", "Anna & Ben"}[random.IntN(2)],
			time.Duration(random.IntN(4))*9*time.Hour)
		e.Twin, e.Guests = random.IntN(2), float64(random.IntN(3))
		if random.IntN(4) == 0 {
			e.Source = "parties"
		}
		events[i] = e
	}
	return events
}

func TestTheHistoryBearsWitness(t *testing.T) {
	t.Parallel()
	at := func(minutes int) time.Time { return evening.Add(time.Duration(minutes) * time.Minute) }
	buckets := []Bucket{
		{Start: at(0), Width: 5 * time.Minute}, {Start: at(5), Width: 5 * time.Minute}, {Start: at(60), Width: time.Hour},
	}
	for _, tt := range []struct {
		from, to int
		want     bool
	}{
		{-60, -10, false}, {-60, 1, true}, {3, 4, true}, {5, 5, true}, {10, 10, false}, {9, 20, true}, {20, 50, false},
		{20, 61, true}, {80, 90, true}, {119, 300, true}, {120, 300, false},
	} {
		e := Event{Start: at(tt.from), End: at(tt.to)}
		if got := During(buckets, &e); got != tt.want {
			t.Errorf("from %d to %d: %v", tt.from, tt.to, got)
		}
	}
	if During(nil, &Event{Start: at(0), End: at(9)}) {
		t.Error("nothing bears witness")
	}
}
