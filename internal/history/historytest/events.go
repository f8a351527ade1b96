package historytest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/history"
)

// Event is one of a calendar that begins some hours after Noon, with something in every field.
func Event(source string, hours int) history.Event {
	start := Noon.Add(time.Duration(hours) * time.Hour)
	return history.Event{
		Source: source, ID: fmt.Sprintf("%d@example.com", hours), Name: fmt.Sprintf("wedding %d", hours), Kind: "wedding",
		Start: start, End: start.Add(5*time.Hour + 7*time.Microsecond), Guests: math.Abs(float64(hours%97)) + 0.5,
	}
}

func saveEvents(t *testing.T, s history.Store, events ...history.Event) {
	t.Helper()
	if err := s.SaveEvents(t.Context(), events); err != nil {
		t.Fatal(err)
	}
}

func sameEvents(t *testing.T, s history.Store, from, to time.Time, want []history.Event) {
	t.Helper()
	got, err := s.Events(t.Context(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

// always is all times, also those that no store has.
var always = [2]time.Time{{}, time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC)}

func keptEvents(t *testing.T, open Opener) {
	s := open(t)
	sameEvents(t, s, always[0], always[1], nil)
	none := Event("weddings", 50)
	none.Name, none.Kind, none.Guests, none.End = "", "", 0, none.Start
	twin := none
	twin.Twin, twin.ID, twin.Guests = 1, "größe'; DROP TABLE event; --", 12
	other := Event("Größe & Co", 0)
	want := []history.Event{other, Event("weddings", 0), Event("weddings", 24), none, twin}
	saveEvents(t, s, twin, other, want[2], none, want[1])
	saveEvents(t, s)
	sameEvents(t, s, always[0], always[1], want)
	closeStore(t, s)
	s = open(t)
	defer closeStore(t, s)
	sameEvents(t, s, always[0], always[1], want)
	saveEvents(t, s, want...)
	sameEvents(t, s, always[0], always[1], want)
	for _, tt := range []struct {
		from, to time.Time
		want     []history.Event
	}{
		{want[2].Start, want[2].End, want[2:3]},
		{want[2].End, want[3].Start, want[2:3]},                         // it ends when the time begins
		{want[2].End.Add(time.Microsecond), none.Start, nil},            // nothing does
		{none.Start, none.Start.Add(time.Microsecond), want[3:]},        // those without a length
		{want[0].Start, want[2].Start, []history.Event{other, want[1]}}, // it begins when the time ends
		{always[1], always[0], nil},
	} {
		sameEvents(t, s, tt.from, tt.to, tt.want)
	}
}

// renewedEvents holds a store against what is promised, with few of everything, so that much of it meets.
func renewedEvents(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 2))
	var want []history.Event
	for range 30 {
		batch := make([]history.Event, random.IntN(6))
		for i := range batch {
			e := Event([]string{"weddings", "parties"}[random.IntN(2)], 9*random.IntN(5))
			e.ID, e.Name = fmt.Sprint(random.IntN(4)), []string{"", "Anna & Ben"}[random.IntN(2)]
			e.Twin, e.Guests = random.IntN(2), float64(random.IntN(5))
			batch[i] = e
		}
		saveEvents(t, s, batch...)
		for _, e := range batch {
			want = slices.DeleteFunc(want, func(o history.Event) bool { return e.Same(&o) })
			want = append(want, e)
		}
		got, err := s.Events(t.Context(), always[0], always[1])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(texts(want), texts(got)); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

func texts(events []history.Event) []string {
	var list []string
	for _, e := range events {
		list = append(list, fmt.Sprintf("%+v", e))
	}
	slices.Sort(list)
	return list
}

func invalidEvents(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	for name, change := range map[string]func(*history.Event){
		"no calendar":    func(e *history.Event) { e.Source = "" },
		"a long name":    func(e *history.Event) { e.Name = strings.Repeat("x", 1000) },
		"of the year 1":  func(e *history.Event) { e.Start = time.Time{} },
		"no number":      func(e *history.Event) { e.Guests = math.NaN() },
		"it ends before": func(e *history.Event) { e.End = e.Start.Add(-1) },
	} {
		bad := Event("weddings", 5)
		change(&bad)
		err := s.SaveEvents(t.Context(), []history.Event{Event("weddings", 0), bad})
		if !errors.Is(err, history.ErrInvalid) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	sameEvents(t, s, always[0], always[1], nil)
}

// oldEvents go with the days of buckets.
func oldEvents(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	const days = 20
	for day := range days {
		appendTo(t, s, "app", Bucket((day-days)*288))
		saveEvents(t, s, Event("weddings", (day-days)*24))
	}
	// A wrong clock has let this one pass.
	future := Event("weddings", 100*365*24)
	saveEvents(t, s, future)
	if err := s.Retain(t.Context(), Noon, short); err != nil {
		t.Fatal(err)
	}
	var want []history.Event
	for day := range short.Full + short.Coarse {
		want = append(want, Event("weddings", (day-short.Full-short.Coarse)*24))
	}
	sameEvents(t, s, always[0], always[1], append(want, future))
	for _, now := range []time.Time{Noon.AddDate(-50, 0, 0), Noon.AddDate(100, 0, 0), {}} {
		if err := s.Retain(t.Context(), now, short); err != nil {
			t.Fatal(err)
		}
		sameEvents(t, s, always[0], Noon.AddDate(50, 0, 0), want)
	}
}

// mostEvents also says how long it takes to write and to read them.
func mostEvents(t *testing.T, open Opener) {
	if testing.Short() || slow {
		t.Skip("50,000 events are many")
	}
	s := open(t)
	defer closeStore(t, s)
	const over = 70
	all := make([]history.Event, history.MostEvents+over)
	for i := range all {
		all[i] = Event("weddings", i)
	}
	begun := time.Now()
	for chunk := range slices.Chunk(all, 1000) {
		saveEvents(t, s, chunk...)
	}
	t.Logf("%d events written in %v", len(all), time.Since(begun))
	begun = time.Now()
	sameEvents(t, s, always[0], always[1], all[over:])
	t.Logf("read in %v", time.Since(begun))
	saveEvents(t, s, Event("parties", 0), Event("parties", len(all)))
	sameEvents(t, s, always[0], always[1], append([]history.Event{Event("parties", len(all))}, all[over+1:]...))
}
