package past

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
)

const day = 24 * time.Hour

var saturday = time.Date(2026, 6, 20, 12, 0, 0, 0, time.UTC)

// TestWhatEndedIsFoundOnce, whatever the clock does meanwhile.
func TestWhatEndedIsFoundOnce(t *testing.T) {
	t.Parallel()
	var listed []calendar.Event
	for i := range 5 {
		at := saturday.Add(time.Duration(i) * day)
		listed = append(listed, calendar.Event{
			Source: "parties", ID: fmt.Sprint(i), Name: fmt.Sprint(i), Start: at, End: at.Add(time.Hour),
		})
	}
	var p Events
	var l Listing
	set := calendar.NewSet(listed)
	for _, step := range []struct {
		now  time.Duration // since saturday
		over bool          // noticed by looking
		want []string      // found
		seen bool          // and demand is known
	}{
		{-time.Hour, false, nil, true},
		{-time.Minute, false, nil, true},
		{300 * day, true, []string{"0", "1", "2", "3", "4"}, false},
		{301 * day, false, nil, false},
		{-time.Minute, false, nil, true},
		{59 * time.Minute, false, nil, true},
		{time.Hour, true, []string{"0"}, false},
		{2 * time.Hour, false, []string{"0"}, true},
		{3 * time.Hour, false, nil, true},
		{day + 2*time.Hour, true, []string{"1"}, false},
		{day + 9*time.Hour, false, []string{"1"}, false},
		{4*day + 3*time.Hour, true, []string{"1", "2", "3", "4"}, true},
		{-day, false, nil, true},
		{4*day + 3*time.Hour, true, nil, true},
	} {
		now := saturday.Add(step.now)
		if _, over := l.Look(set, now, now); over != step.over {
			t.Errorf("%v: a look says %v", step.now, over)
		}
		ended := p.Ended(&l, now)
		var names []string
		for _, e := range ended {
			names = append(names, e.Name)
		}
		if !slices.Equal(names, step.want) {
			t.Errorf("%v: found %v, want %v", step.now, names, step.want)
		}
		if step.seen {
			p.Remember(ended)
		}
		p.Settle(&l)
	}
}

// TestWhatIsGoneIsKnownOnce, whether it is remembered already or not, and without a look or a copy in between.
func TestWhatIsGoneIsKnownOnce(t *testing.T) {
	t.Parallel()
	var p Events
	var l Listing
	party := calendar.Event{Source: "parties", ID: "1", Start: saturday, End: saturday.Add(time.Hour), Guests: 9}
	remembered := EventsOf(slices.Values([]calendar.Event{party}), 0)
	with, without, now := calendar.NewSet([]calendar.Event{party}), calendar.NewSet(), saturday.Add(2*time.Hour)
	for _, step := range []struct {
		what   string
		do     func()
		listed *calendar.Set
		want   int
	}{
		{"it is not known", func() {}, without, 0},
		{"it is remembered", func() { p.Remember(remembered) }, without, 1},
		{"it is listed", func() { l.Look(with, saturday, now) }, with, 0},
		{"it has been dropped", func() {}, without, 1},
		{"that was noticed", func() { l.Look(without, now, now) }, without, 1},
		{"it was not remembered", func() { p = Events{version: 7} }, without, 1},
		{"it is listed again", func() { l.Look(with, now, now) }, with, 0},
		{"nothing remembers it", func() { l.Look(without, saturday, now) }, without, 0},
	} {
		step.do()
		got := slices.Collect(p.Unlisted("parties", &l, step.listed, now))
		if len(got) != step.want || len(got) > 0 && got[0] != party {
			t.Errorf("%s: %v", step.what, got)
		}
	}
}
