package brain

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/calendar/feed"
	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/status"
)

// TestWhatEndedWhileUsherDidNotRun is found by the copy on disk, although the calendar does not list it any more.
func TestWhatEndedWhileUsherDidNotRun(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "parties.csv")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s, yaml := onCalendar(t, "off", path)
		wanted := config.Calendar{Name: "parties"}
		from := feed.Config{Name: "parties", File: path, Keep: filepath.Join(folder, "kept"), Every: time.Minute}
		write(t, path, parties(aDayEach(time.Now().Add(time.Hour), 9)...))
		s.calendars.start(ctx, wanted, from)
		time.Sleep(30 * time.Minute)
		s.calendars.adopt(ctx, nil)

		time.Sleep(time.Hour + partyLasts)
		write(t, path, parties(aDayEach(time.Now().Add(30*time.Hour), 8)...))
		s = s.again(t, yaml)
		s.calendars.start(ctx, wanted, from)
		time.Sleep(10 * time.Second)
		s.calendars.watch()
		ended := s.calendars.ended(time.Now())
		if len(ended) != 1 || ended[0].Name != "party 0" {
			t.Errorf("ended: %+v", ended)
		}
		if got := s.names("shop"); len(got) != 9 {
			t.Errorf("known: %v", got)
		}
		s.calendars.adopt(ctx, nil)
	})
}

// TestEventsThatCannotBeReadAreNoTroubleOfForecasts, and are told once.
func TestEventsThatCannotBeReadAreNoTroubleOfForecasts(t *testing.T) {
	t.Parallel()
	s := newStage(t, onePool("observe", ""))
	fill(t, s.path(), "shop", 2, saturday)
	db, err := sql.Open("sqlite", s.path())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("DROP TABLE event"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	stop := s.keeping()
	defer stop()
	s.awaitHistory()
	p := s.poolsNow()[0]
	for range 3 {
		s.remember(t.Context())
		s.foreseePool(t.Context(), &p)
	}
	if o := s.outlooks["shop"]; o.trouble != "" || o.forecast.Absent != "" {
		t.Errorf("trouble %q, absent %q", o.trouble, o.forecast.Absent)
	}
	if got := s.log.count("past events are not remembered"); got != 1 {
		t.Errorf("told %d times:\n%s", got, s.log)
	}
}

// TestWhatEndedIsFoundOnce, whatever the clock does meanwhile.
func TestWhatEndedIsFoundOnce(t *testing.T) {
	t.Parallel()
	var listed []calendar.Event
	for i, at := range aDayEach(saturday, 5) {
		listed = append(listed, calendar.Event{
			Source: "parties", ID: fmt.Sprint(i), Name: fmt.Sprint(i), Start: at, End: at.Add(time.Hour),
		})
	}
	var p past
	var l lately
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
		if _, over := l.look(set, now, now); over != step.over {
			t.Errorf("%v: a look says %v", step.now, over)
		}
		ended := p.ended(&l, now)
		var names []string
		for _, e := range ended {
			names = append(names, e.Name)
		}
		if !slices.Equal(names, step.want) {
			t.Errorf("%v: found %v, want %v", step.now, names, step.want)
		}
		if step.seen {
			p.remember(ended)
		}
		p.settle(&l)
	}
}

// TestWhatIsGoneIsKnownOnce, whether it is remembered already or not, and without a look or a copy in between.
func TestWhatIsGoneIsKnownOnce(t *testing.T) {
	t.Parallel()
	var p past
	var l lately
	party := calendar.Event{Source: "parties", ID: "1", Start: saturday, End: saturday.Add(time.Hour), Guests: 9}
	remembered := eventsOf(slices.Values([]calendar.Event{party}), 0)
	with, without, now := calendar.NewSet([]calendar.Event{party}), calendar.NewSet(), saturday.Add(2*time.Hour)
	for _, step := range []struct {
		what   string
		do     func()
		listed *calendar.Set
		want   int
	}{
		{"it is not known", func() {}, without, 0},
		{"it is remembered", func() { p.remember(remembered) }, without, 1},
		{"it is listed", func() { l.look(with, saturday, now) }, with, 0},
		{"it has been dropped", func() {}, without, 1},
		{"that was noticed", func() { l.look(without, now, now) }, without, 1},
		{"it was not remembered", func() { p = past{version: 7} }, without, 1},
		{"it is listed again", func() { l.look(with, now, now) }, with, 0},
		{"nothing remembers it", func() { l.look(without, saturday, now) }, without, 0},
	} {
		step.do()
		got := slices.Collect(p.unlisted("parties", &l, step.listed, now))
		if len(got) != step.want || len(got) > 0 && got[0] != party {
			t.Errorf("%s: %v", step.what, got)
		}
	}
}

func TestTheHistoryBearsWitness(t *testing.T) {
	t.Parallel()
	at := func(minutes int) time.Time { return saturday.Add(time.Duration(minutes) * time.Minute) }
	buckets := []history.Bucket{
		{Start: at(0), Width: 5 * time.Minute}, {Start: at(5), Width: 5 * time.Minute}, {Start: at(60), Width: time.Hour},
	}
	for _, tt := range []struct {
		from, to int
		want     bool
	}{
		{-60, -10, false}, {-60, 1, true}, {3, 4, true}, {5, 5, true}, {10, 10, false}, {9, 20, true}, {20, 50, false},
		{20, 61, true}, {80, 90, true}, {119, 300, true}, {120, 300, false},
	} {
		e := history.Event{Start: at(tt.from), End: at(tt.to)}
		if got := history.During(buckets, &e); got != tt.want {
			t.Errorf("from %d to %d: %v", tt.from, tt.to, got)
		}
	}
	if history.During(nil, &history.Event{Start: at(0), End: at(9)}) {
		t.Error("nothing bears witness")
	}
}

// BenchmarkRemember is what usher forecast does to see which of 5,000 remembered events a calendar still lists: all of
// them, or none.
func BenchmarkRemember(b *testing.B) {
	var listed []calendar.Event
	for i := range 5000 {
		at := saturday.AddDate(0, 0, -7*(i%52)).Add(time.Duration(i%5) * time.Hour)
		listed = append(listed, calendar.Event{
			Source: "weddings", ID: fmt.Sprintf("w%d@example.com", i), Name: fmt.Sprintf("Wedding %d", i), Kind: "wedding",
			Start: at, End: at.Add(5 * time.Hour), Guests: float64(40 + i*37%200),
		})
	}
	listed = slices.Collect(calendar.NewSet(listed).All())
	remembered := eventsOf(slices.Values(listed), 0)
	for name, some := range map[string][]calendar.Event{"all": listed, "none": nil} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r := &Reading{
					calendars: []config.Calendar{{Name: "weddings"}}, listed: [][]calendar.Event{some},
					remembered: make([][]calendar.Event, 1), states: make([]status.Calendar, 1),
				}
				r.Remember(remembered, saturday.Add(day))
				if got := len(r.remembered[0]); got+len(some) != len(listed) {
					b.Fatalf("%d remembered", got)
				}
			}
		})
	}
}
