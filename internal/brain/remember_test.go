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
	"github.com/usher-pg/usher/internal/past"
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
	remembered := past.EventsOf(slices.Values(listed), 0)
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
