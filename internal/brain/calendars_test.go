package brain

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usher-pg/usher/internal/calendar/feed"
	"github.com/usher-pg/usher/internal/config"
)

// write puts a calendar's text where it is read.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// partyAt is a CSV with a party of so many guests, 0: it does not say.
func partyAt(begins time.Time, guests int, name string) string {
	text := ""
	if guests > 0 {
		text = fmt.Sprint(guests)
	}
	return fmt.Sprintf("start,end,guests,name\n%s,%s,%s,%s\n", begins.Format(time.RFC3339),
		begins.Add(2*time.Hour).Format(time.RFC3339), text, name)
}

// names are those of events a pool of the configuration sees, with their guests.
func (s *stage) names(pool string) []string {
	var names []string
	for _, e := range s.calendars.events(pool, s.Now()) {
		names = append(names, fmt.Sprintf("%s %v", e.Name, e.Guests))
	}
	return names
}

func TestEventsReachThePoolsOfTheirCalendar(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		soon := time.Now().Add(time.Hour)
		for name, guests := range map[string]int{"all": 100, "shop": 0, "rest": 7} {
			write(t, filepath.Join(folder, name+".csv"), partyAt(soon, guests, name))
		}
		s := newStage(t, fmt.Sprintf(`
auth: {type: trust}
history: {store: "off"}
tuning: "off"
calendars:
  - {name: a, file: %[1]q}
  - {name: b, file: %[2]q, pools: [shop], guests: 50}
  - {name: c, file: %[3]q, pools: ["*"]}
pools:
  shop: {url: "postgres://shop@10.0.0.9/shop"}
  blog: {url: "postgres://blog@10.0.0.9/blog"}
  "*": {url: "postgres://10.0.0.9"}
`, filepath.Join(folder, "all.csv"), filepath.Join(folder, "shop.csv"), filepath.Join(folder, "rest.csv")))
		s.options.Clock.Now = time.Now
		stop := s.run()
		defer stop()
		time.Sleep(time.Minute)
		for database, want := range map[string][]string{
			"shop": {"all 100", "shop 50"}, "blog": {"all 100"}, "anything": {"all 100", "rest 7"},
		} {
			if got := s.names(poolOf(s.inForce(), database)); !slices.Equal(got, want) {
				t.Errorf("database %s sees %v, want %v", database, got, want)
			}
		}
		sources, events := s.Calendars()
		if len(sources) != 3 || len(events) != 3 || sources[1].Name != "b" || sources[1].Events != 1 {
			t.Errorf("shown: %+v, %+v", sources, events)
		}
	})
}

func TestCalendarsFollowTheConfiguration(t *testing.T) {
	folder := t.TempDir()
	first, second := filepath.Join(folder, "first.csv"), filepath.Join(folder, "second.csv")
	synctest.Test(t, func(t *testing.T) {
		soon := time.Now().Add(time.Hour)
		write(t, first, partyAt(soon, 0, "first"))
		write(t, second, partyAt(soon, 0, "second"))
		s := newStage(t, onePool("observe", `history: {store: "off"}`))
		s.options.Clock.Now = time.Now
		stop := s.run()
		defer stop()
		time.Sleep(time.Minute)
		var before map[string]*running
		for _, step := range []struct {
			calendars string
			want      []string
			same      bool // the feed goes on
		}{
			{"[]", nil, false},
			{fmt.Sprintf("[{name: a, file: %q}]", first), []string{"first 0"}, false},
			{fmt.Sprintf("[{name: a, file: %q, guests: 9}]", first), []string{"first 9"}, true},
			{fmt.Sprintf("[{name: a, file: %q, guests: 9, pools: [shop]}]", first), []string{"first 9"}, true},
			{fmt.Sprintf("[{name: a, file: %q}]", second), []string{"second 0"}, false},
			{fmt.Sprintf("[{name: a, file: %q}, {name: b, file: %q}]", second, first), []string{"second 0", "first 0"}, true},
			{fmt.Sprintf("[{name: b, file: %q}]", first), []string{"first 0"}, false},
			{"[]", nil, false},
		} {
			s.reload(onePool("observe", `history: {store: "off"}`+"\ncalendars: "+step.calendars))
			s.Reconfigured()
			time.Sleep(10 * time.Second)
			if got := s.names("shop"); !slices.Equal(got, step.want) {
				t.Errorf("with calendars %s: %v, want %v", step.calendars, got, step.want)
			}
			s.calendars.mutex.Lock()
			now := maps.Clone(s.calendars.running)
			s.calendars.mutex.Unlock()
			if goesOn := now["a"] != nil && now["a"] == before["a"]; goesOn != step.same {
				t.Errorf("with calendars %s the feed goes on: %v", step.calendars, goesOn)
			}
			before = now
		}
	})
}

func TestAnAlarmIsLoggedOnceAndItsEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "parties.csv")
	synctest.Test(t, func(t *testing.T) {
		calendars := fmt.Sprintf("history: {store: \"off\"}\ncalendars: [{name: parties, file: %q, poll: 10s}]", path)
		s := newStage(t, onePool("observe", calendars))
		s.options.Clock.Now = time.Now
		stop := s.run()
		defer stop()
		const alarm, fine = "calendar needs attention", "calendar is fine again"
		time.Sleep(10 * time.Minute)
		if a, f := s.log.count(alarm), s.log.count(fine); a != 1 || f != 0 {
			t.Errorf("without its file: %d alarms, %d ends:\n%s", a, f, s.log)
		}
		write(t, path, partyAt(time.Now().Add(24*time.Hour), 80, "a party"))
		time.Sleep(time.Minute)
		if a, f := s.log.count(alarm), s.log.count(fine); a != 1 || f != 1 || len(s.names("shop")) != 1 {
			t.Errorf("with it: %d alarms, %d ends, %v", a, f, s.names("shop"))
		}
		// What is broken has suddenly shrunk: the copy is kept, and the alarm is told once, and again when its cause is
		// another: the file is gone, and some time later the copy is old.
		write(t, path, "start,end\nnonsense")
		time.Sleep(30 * time.Minute)
		if a := s.log.count(alarm); a != 2 || len(s.names("shop")) != 1 {
			t.Errorf("broken for half an hour: %d alarms, %v", a, s.names("shop"))
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		a, gone := s.log.count(alarm), s.log.count("no such file or directory")
		if a != 4 || gone != 3 || len(s.names("shop")) != 1 {
			t.Errorf("gone for hours: %d alarms, %d of them for that, %v\n%s", a, gone, s.names("shop"), s.log)
		}
		write(t, path, partyAt(time.Now().Add(24*time.Hour), 80, "a party"))
		time.Sleep(time.Minute)
		if f := s.log.count(fine); f != 2 {
			t.Errorf("back after hours: %d ends\n%s", f, s.log)
		}
	})
}

// TestOnlyAnotherCauseOfAnAlarmIsNews, and not other numbers in it; one that comes again is none.
func TestOnlyAnotherCauseOfAnAlarmIsNews(t *testing.T) {
	t.Parallel()
	copied := time.Date(2026, 6, 20, 12, 0, 0, 0, time.UTC)
	var r running
	for i, step := range []struct {
		state feed.State
		want  bool
	}{
		{feed.State{}, false},
		{feed.State{Error: "dial tcp 10.0.0.7:40112: refused"}, true},
		{feed.State{Error: "dial tcp 10.0.0.7:40113: refused"}, false},
		{feed.State{Error: "401 Unauthorized"}, true},
		{feed.State{Error: "dial tcp 10.0.0.7:40114: refused"}, false},
		{feed.State{Copy: copied}, true}, // fine
		{feed.State{Copy: copied}, false},
		{feed.State{Copy: copied, Error: "503"}, false}, // no alarm yet
		{feed.State{Copy: copied, Stale: true, Age: time.Hour, Error: "503"}, true},
		{feed.State{Copy: copied, Stale: true, Age: 2 * time.Hour, Error: "503"}, false},
		{feed.State{Copy: copied, Doubt: "has 1 events ahead instead of 9"}, true},
		{feed.State{Copy: copied, Doubt: "has 1 events ahead instead of 8"}, false},
	} {
		if got := r.news(&step.state); got != step.want {
			t.Errorf("step %d, %+v: %v", i, step.state, got)
		}
	}
	told := 0
	for i := range 1000 {
		if r.news(&feed.State{Error: "nonsense " + strings.Repeat("x", i)}) {
			told++
		}
	}
	if told >= mostCauses {
		t.Errorf("%d causes of an alarm are told", told)
	}
}

// TestWhatTheConfigurationTakesIsNeverRefused: a feed is made once, and nothing tries again.
func TestWhatTheConfigurationTakesIsNeverRefused(t *testing.T) {
	t.Parallel()
	taken := 0
	for _, url := range []string{
		"https://cal.example/a.ics", "webcal://cal.example/a", "http://[::1]:80", "https://", "https:///a", "https://:443/a",
		"https://cal .example", "https://cal.example:port", "http://?a", "https://#a", "https://%zz/a", "https:a",
	} {
		c, err := config.Parse("usher.yaml", fmt.Appendf(nil, `
auth: {type: trust}
calendars: [{name: a, url: %q, poll: 10s}]
pools: {app: {url: "postgres://u@db/app"}}
`, url))
		if err != nil {
			continue
		}
		taken++
		if _, err := feed.New(feedConfig("", c, &c.Calendars[0])); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	if taken != 3 {
		t.Errorf("%d are taken", taken)
	}
}
