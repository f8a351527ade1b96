package brain

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/sqlite"
	"github.com/usher-pg/usher/internal/past"
)

const partyLasts = 30 * time.Minute

// parties is a CSV of parties, each named by its number.
func parties(begins ...time.Time) string {
	var b strings.Builder
	b.WriteString("id,start,end,guests,name\n")
	for i, at := range begins {
		fmt.Fprintf(&b, "%d,%s,%s,80,party %d\n", i, at.Format(time.RFC3339), at.Add(partyLasts).Format(time.RFC3339), i)
	}
	return b.String()
}

// aDayEach are so many times, a day apart.
func aDayEach(first time.Time, n int) []time.Time {
	list := make([]time.Time, n)
	for i := range list {
		list[i] = first.Add(time.Duration(i) * day)
	}
	return list
}

// kept are the names of the events in the history.
func (s *stage) kept() []string {
	s.t.Helper()
	store, err := sqlite.Open(s.t.Context(), sqlite.Config{Path: s.path(), ReadOnly: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer store.Close()
	events, err := store.Events(s.t.Context(), time.Time{}, time.Now().AddDate(100, 0, 0))
	if err != nil {
		s.t.Fatal(err)
	}
	names := []string{}
	for _, e := range events {
		names = append(names, e.Name)
	}
	return names
}

// again is the same usher after a restart.
func (s *stage) again(t *testing.T, yaml string) *stage {
	t.Helper()
	next := newStage(t, yaml)
	next.options.Folder, next.calendars.folder = s.options.Folder, s.options.Folder
	next.options.Clock = s.options.Clock
	return next
}

// onCalendar is a configuration with a calendar that is read each half a minute, and a stage for it whose clock is that
// of the bubble.
func onCalendar(t *testing.T, mode, path string) (s *stage, yaml string) {
	t.Helper()
	yaml = onePool(mode, fmt.Sprintf("calendars: [{name: parties, file: %q, kind: party, poll: 30s}]", path))
	s = newStage(t, yaml)
	s.options.Clock = Clock{Now: time.Now, Step: 10 * time.Second}
	return s, yaml
}

// TestWhatTookPlaceIsLearnedFromAfterARestart: a calendar lists what is to come only, as a query with
// start > now() does. Of three parties two are long over when the calendar is read first, because it listed them then,
// and one takes place. What they brought is expected of the next one.
func TestWhatTookPlaceIsLearnedFromAfterARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "parties.csv")
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		last, next := now.Add(10*time.Minute), now.Add(26*time.Hour)
		all := []time.Time{now.Add(-6 * day), now.Add(-4 * day), last, next}
		write(t, path, parties(all...))
		s, _ := onCalendar(t, "off", path)
		store, err := sqlite.Open(t.Context(), sqlite.Config{Path: s.path()})
		if err != nil {
			t.Fatal(err)
		}
		fillParties(t, store, all, now)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		stop := s.run()
		time.Sleep(10 * time.Minute)
		if got := s.names("shop"); len(got) != 4 {
			t.Errorf("at first %v", got)
		}
		write(t, path, strings.Replace(parties(all...), parties(all[:3]...), parties(), 1))
		for range 6 {
			time.Sleep(10 * time.Minute)
			if got := s.names("shop"); len(got) != 4 {
				t.Errorf("%v after the party began: %v", time.Since(last), got)
			}
		}
		if sources, events := s.Calendars(); sources[0].Events != 1 || sources[0].Remembered != 3 || len(events) != 1 {
			t.Errorf("shown: %+v, %v", sources, events)
		}
		stop()
		if got, want := s.kept(), []string{"party 0", "party 1", "party 2"}; !slices.Equal(got, want) {
			t.Errorf("kept: %v, want %v", got, want)
		}

		_, yaml := onCalendar(t, "observe", path)
		s = s.again(t, yaml)
		stop = s.run()
		time.Sleep(time.Minute)
		if got := s.names("shop"); len(got) != 4 {
			t.Errorf("after a restart %v", got)
		}
		f := s.outlooks["shop"].forecast
		if f.Rung != forecast.RungEvents {
			t.Errorf("it stands on %v", f.Rung)
		}
		checkLearned(t, &f, next)
		stop()
		checkOfflineLearned(t, s, next)
	})
}

// checkLearned wants a forecast of a party that stands on three before it, at some 40.
func checkLearned(t *testing.T, f *forecast.Forecast, next time.Time) {
	t.Helper()
	for _, p := range f.Points {
		if p.Start.After(next.Add(10*time.Minute)) && p.Start.Before(next.Add(20*time.Minute)) &&
			(p.P50 < 20 || !strings.Contains(p.Why, "learned n=3")) {
			t.Errorf("the party at %v: %.1f because of %s", p.Start, p.P50, p.Why)
		}
	}
}

// checkOfflineLearned wants the same of usher forecast.
func checkOfflineLearned(t *testing.T, s *stage, next time.Time) {
	t.Helper()
	offline, err := OpenOffline(t.Context(), s.inForce(), s.options.Folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer offline.Close()
	now := time.Now()
	reading, err := ReadCalendars(t.Context(), s.inForce(), s.options.Folder, 0, now)
	if err != nil {
		t.Fatal(err)
	}
	remembered, err := offline.Remembered(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	reading.Remember(remembered, now)
	known, err := offline.Look(t.Context(), "shop", now)
	if err != nil {
		t.Fatal(err)
	}
	page, err := offline.Answer(Question{Pool: "shop", Now: now}, known, reading)
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Next) != 1 || page.Calendars[0].Events != 1 || page.Calendars[0].Remembered != 3 {
		t.Errorf("calendars %+v, next %+v", page.Calendars, page.Next)
	}
	peak := 0.0
	for _, p := range page.Points {
		if !p.Start.Before(next) && p.Start.Before(next.Add(partyLasts)) {
			peak = max(peak, p.P50)
		}
	}
	if peak < 20 {
		t.Errorf("usher forecast expects %.1f of the party", peak)
	}
}

// fillParties writes five weeks of a demand of 4, and of 40 while there is a party.
func fillParties(t *testing.T, store history.Store, begins []time.Time, until time.Time) {
	t.Helper()
	var buckets []history.Bucket
	for at := until.AddDate(0, 0, -35).Truncate(history.Step); at.Before(until); at = at.Add(history.Step) {
		demand := 4.0
		for _, party := range begins {
			if since := at.Sub(party); since >= 0 && since < partyLasts {
				demand = 40
			}
		}
		buckets = append(buckets, history.Bucket{
			Start: at, Width: history.Step, Samples: 300, Mean: demand, P95: demand, Max: demand,
		})
	}
	if err := store.Append(t.Context(), "shop", buckets); err != nil {
		t.Fatal(err)
	}
}

// TestWhichEventsAreKept: one that is cancelled is not, whenever that is; one that changes is there once.
func TestWhichEventsAreKept(t *testing.T) {
	t.Parallel()
	type says map[time.Duration]string // so long after the party began
	const end = partyLasts
	for name, tt := range map[string]struct {
		later says
		want  []string
	}{
		"it stays listed":                  {says{}, []string{"a party"}},
		"dropped when it is over":          {says{end: ""}, []string{"a party"}},
		"dropped some time later":          {says{end + 7*time.Minute: ""}, []string{"a party"}},
		"dropped when it begins":           {says{0: ""}, []string{"a party"}},
		"postponed when it began":          {says{0: "", 2 * time.Minute: "1 10h a party"}, []string{}},
		"cancelled before":                 {says{-8 * time.Minute: ""}, []string{}},
		"cancelled in the last minute":     {says{-time.Minute: ""}, []string{}},
		"cancelled while it was under way": {says{end / 2: ""}, []string{}},
		"moved to another day":             {says{-time.Minute: "1 26h a party"}, []string{}},
		"it changes while it is under way": {says{end / 2: "1 1m a party", 2 * end: ""}, []string{"a party"}},
		"it changes later":                 {says{end + time.Minute: "1 0h the party", 2 * end: ""}, []string{"the party"}},
		"another ID each time": {
			says{-time.Minute: "2 0h a party", end / 2: "3 0h a party", end + 1: "4 0h a party", 2 * end: ""},
			[]string{"a party"},
		},
		"two alike, with other IDs each time": {
			says{-8 * time.Minute: "2 0h a party|3 0h a party", 2 * end: "5 0h a party|4 0h a party"},
			[]string{"a party", "a party"},
		},
		"its ID is another one's later":  {says{end: "1 168h a party"}, []string{"a party"}},
		"it was not cancelled after all": {says{-time.Minute: "", end / 2: "1 0h a party"}, []string{"a party"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "parties.csv")
			synctest.Test(t, func(t *testing.T) {
				begins := time.Now().Add(12 * time.Minute)
				write(t, path, saying(t, begins, "1 0h a party"))
				s, _ := onCalendar(t, "off", path)
				stop := s.run()
				for _, at := range slices.Sorted(maps.Keys(tt.later)) {
					time.Sleep(time.Until(begins.Add(at)))
					write(t, path, saying(t, begins, tt.later[at]))
				}
				time.Sleep(time.Until(begins.Add(2*end + 5*time.Minute)))
				checkKept(t, s, tt.want, stop)
			})
		})
	}
}

// saying is a calendar with rows of an ID, how long after a time it begins, and a name. What it has beside lets no copy
// be doubted.
func saying(t *testing.T, begins time.Time, rows string) string {
	t.Helper()
	text := parties(aDayEach(begins.Add(6*time.Hour), 10)...)
	for row := range strings.FieldsFuncSeq(rows, func(r rune) bool { return r == '|' }) {
		fields := strings.SplitN(row, " ", 3)
		after, err := time.ParseDuration(fields[1])
		if err != nil {
			t.Fatal(err)
		}
		at := begins.Add(after)
		text += fmt.Sprintf("x%s,%s,%s,50,%s\n", fields[0], at.Format(time.RFC3339),
			at.Add(partyLasts).Format(time.RFC3339), fields[2])
	}
	return text
}

// checkKept wants some events to be known now, and to be kept.
func checkKept(t *testing.T, s *stage, want []string, stop func()) {
	t.Helper()
	known := []string{}
	for _, e := range s.calendars.events("shop", time.Now()) {
		if e.Start.Before(time.Now()) {
			known = append(known, e.Name)
		}
	}
	if diff := cmp.Diff(want, known); diff != "" {
		t.Errorf("known (-want +got):\n%s", diff)
	}
	stop()
	if diff := cmp.Diff(want, s.kept()); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

// TestAClockThatJumpsAheadLetsNothingTakePlace: for twenty minutes it is a year ahead of six parties that are planned.
// Then it is set right, the last two are cancelled, and usher is there when they would have been.
func TestAClockThatJumpsAheadLetsNothingTakePlace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "parties.csv")
	synctest.Test(t, func(t *testing.T) {
		var ahead atomic.Int64
		s, _ := onCalendar(t, "off", path)
		s.options.Clock.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		jump := func(to time.Time, stay time.Duration) {
			ahead.Store(int64(time.Until(to)))
			time.Sleep(stay)
		}
		begins := aDayEach(time.Now().Add(time.Hour), 6)
		write(t, path, parties(begins...))
		stop := s.run()
		jump(time.Now(), 10*time.Minute)
		jump(time.Now().AddDate(1, 0, 0), 20*time.Minute)
		if got := s.names("shop"); len(got) != len(begins) {
			t.Errorf("a year ahead: %v", got)
		}
		jump(time.Now(), time.Minute)
		write(t, path, parties(begins[:4]...))
		for _, at := range begins {
			jump(at.Add(-2*time.Minute), partyLasts+4*time.Minute)
		}
		want := []string{"party 0", "party 1", "party 2", "party 3"}
		for i, name := range s.names("shop") {
			if i >= len(want) || name != want[i]+" 80" {
				t.Errorf("known after six days: %v", s.names("shop"))
				break
			}
		}
		stop()
		if got := s.kept(); !slices.Equal(got, want) {
			t.Errorf("kept: %v, want %v", got, want)
		}
	})
}

// TestACalendarThatIsTakenOutCountsNoMore, and does again when it is back.
func TestACalendarThatIsTakenOutCountsNoMore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "parties.csv")
	synctest.Test(t, func(t *testing.T) {
		write(t, path, parties())
		s, yaml := onCalendar(t, "off", path)
		store, err := sqlite.Open(t.Context(), sqlite.Config{Path: s.path()})
		if err != nil {
			t.Fatal(err)
		}
		wedding := history.Event{
			Source: "parties", ID: "1", Name: "a party", Start: time.Now().Add(-day), End: time.Now().Add(-day + time.Hour),
		}
		long := wedding
		long.Name, long.Start = "last year's", time.Now().Add(-2*past.Reach)
		long.End = long.Start
		ahead := wedding
		ahead.Name, ahead.Start, ahead.End = "a wrong clock's", time.Now().Add(day), time.Now().Add(day)
		all := []history.Event{wedding, long, ahead}
		if err := errors.Join(store.SaveEvents(t.Context(), all), store.Close()); err != nil {
			t.Fatal(err)
		}
		stop := s.run()
		defer stop()
		for _, step := range []struct {
			yaml string
			want []string
		}{
			{yaml, []string{"a party 0"}},
			{strings.Replace(yaml, "poll: 30s", "guests: 70", 1), []string{"a party 70"}},
			{strings.Replace(yaml, "poll: 30s", "pools: []", 1), []string{"a party 0"}},
			{strings.Replace(yaml, "name: parties", "name: others", 1), nil},
			{onePool("off", ""), nil},
			{yaml, []string{"a party 0"}},
		} {
			s.reload(step.yaml)
			s.Reconfigured()
			time.Sleep(time.Minute)
			if got := s.names("shop"); !slices.Equal(got, step.want) {
				t.Errorf("%v, want %v with\n%s", got, step.want, step.yaml)
			}
		}
	})
}
