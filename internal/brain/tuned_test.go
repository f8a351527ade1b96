package brain

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/tuner"
	"github.com/usher-pg/usher/pool"
)

// busyServer is the engine of a pool with 200 clients that always want something, of a server that does most for eight
// of them (Gunther's law). Each look is a second.
type busyServer struct {
	// mutex guards the rest.
	mutex  sync.Mutex
	limit  int
	slow   float64 // how many times as long transactions take; 0: once
	sample pool.Sample
}

func (e *busyServer) Sample() pool.Sample {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	const clients = 200
	n := float64(min(e.limit, clients))
	served := 1000 * n / (1 + 0.02*(n-1) + 0.0153*n*(n-1)) / max(1, e.slow)
	e.sample.Busy, e.sample.Waiting, e.sample.Open = int(n), clients-int(n), int(n)
	e.sample.Served += uint64(served)
	e.sample.Arrived = e.sample.Served
	e.sample.ServiceSum += time.Duration(n * float64(time.Second))
	e.sample.WaitSum += time.Duration((clients - n) * float64(time.Second))
	return e.sample
}

func (e *busyServer) WishTarget(string, int) {}

func (e *busyServer) LimitTo(n int) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.limit = min(n, 100)
}

func (e *busyServer) limited() int {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return e.limit
}

func tuned(mode string) string {
	return `
auth: {type: trust}
timezone: UTC
rush_hours: []
tuning: "` + mode + `"
pools:
  shop: {url: "postgres://shop@10.0.0.9/shop", size: {min: 2, max: 100}}
`
}

// started is a brain with a busy server, a history in a folder, and what is remembered read.
func started(t *testing.T, yaml, folder string, now time.Time) (s *stage, server *busyServer, stop func()) {
	t.Helper()
	s = newStage(t, yaml)
	s.options.Folder, s.now = folder, now
	server = &busyServer{limit: 100}
	s.pools[0].Engine = server
	stop = s.keeping()
	s.awaitHistory()
	s.pass(time.Second)
	s.foreseePools(t.Context())
	return s, server, stop
}

// TestWhatTheTunerFoundIsRemembered over restarts, and tried again before it is believed.
func TestWhatTheTunerFoundIsRemembered(t *testing.T) {
	t.Parallel()
	folder, now := t.TempDir(), saturday
	remembers := func(s *stage) bool { return s.log.count("is remembered") > 0 }

	s, server, stop := started(t, tuned("on"), folder, now)
	if remembers(s) || server.limited() != 100 {
		t.Fatalf("before anything was found the limit is %d:\n%s", server.limited(), s.log)
	}
	s.pass(4 * time.Minute)
	found := s.Tuning()[0]
	if !found.Found || found.Size < 6 || found.Size > 12 || server.limited() != found.Size {
		t.Fatalf("found: %+v", found)
	}
	s.pass(time.Minute)
	stop()
	now = s.time().Add(time.Hour)

	s, server, stop = started(t, tuned("on"), folder, now)
	s.pass(time.Second)
	if !remembers(s) || server.limited() != found.Size {
		t.Errorf("after a restart the limit is %d, not %d:\n%s", server.limited(), found.Size, s.log)
	}
	s.pass(2 * time.Minute)
	if again := s.Tuning()[0]; !again.Found || again.Size != found.Size || again.Cost.Trials != 2 {
		t.Errorf("after two minutes: %+v", again)
	}
	if s.log.count("level=WARN")+s.log.count("level=ERROR") > 0 {
		t.Errorf("logged:\n%s", s.log)
	}
	stop()

	// What is too old is not remembered, …
	s, server, stop = started(t, tuned("on"), folder, s.time().Add(lessonLife+day))
	s.pass(2 * time.Second)
	if remembers(s) || server.limited() != 100 {
		t.Errorf("after a season the limit is %d:\n%s", server.limited(), s.log)
	}
	stop()

	// … nor is it where nothing may be limited. Off forgets.
	s, server, stop = started(t, tuned("observe"), folder, now)
	s.pass(3 * time.Second)
	if remembers(s) || server.limited() != 100 {
		t.Errorf("in mode observe the limit is %d:\n%s", server.limited(), s.log)
	}
	s.reload(tuned("on"))
	s.pools[0].Engine = server
	s.pass(2 * time.Second)
	if !remembers(s) || server.limited() != found.Size {
		t.Errorf("switched on, the limit is %d:\n%s", server.limited(), s.log)
	}
	s.reload(tuned("off"))
	s.pools[0].Engine = server
	s.pass(2 * time.Second)
	stop()
	s, server, stop = started(t, tuned("on"), folder, s.time().Add(time.Hour))
	defer stop()
	s.pass(2 * time.Second)
	if remembers(s) || server.limited() != 100 {
		t.Errorf("after it was off the limit is %d:\n%s", server.limited(), s.log)
	}
}

// TestAPoolThatBecomesOneOfSessionsIsNotTuned any more, and has no limit left over from before.
func TestAPoolThatBecomesOneOfSessionsIsNotTuned(t *testing.T) {
	t.Parallel()
	s, server, stop := started(t, tuned("on"), t.TempDir(), saturday)
	defer stop()
	s.pass(4 * time.Minute)
	if found := s.Tuning()[0]; !found.Found || server.limited() != found.Size || s.charges["shop"].scaled.Rules.Cap == 0 {
		t.Fatalf("found: %+v", found)
	}
	s.reload(strings.Replace(tuned("on"), "size:", "mode: session, size:", 1))
	s.pools[0].Engine = server
	s.pass(5 * time.Second)
	if rules := s.charges["shop"].scaled.Rules; server.limited() != 100 || rules.Cap != 0 {
		t.Errorf("as a pool of sessions it may have %d: %+v", server.limited(), rules)
	}
}

// TestAMemoryOfOtherLimitsIsWhereASearchBegins, and what the history says is not believed blindly.
func TestAMemoryOfOtherLimitsIsWhereASearchBegins(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]int{
		`{"size": 32, "rate": 1000, "min": 2, "max": 100}`:    32,
		`{"size": 32, "rate": 1000, "min": 2, "max": 50}`:     32,
		`{"size": 5000, "rate": 1000, "min": 2, "max": 5000}`: 100,
		`{"size": -3, "min": 2, "max": 100}`:                  100,
		`{"size": 1e99, "min": 2, "max": 100}`:                100,
		`{"size": 32, "rate": -1, "min": 2, "max": 100}`:      100,
		`{"pool": "tuner of 10.0.0.9:5432", "target": 4}`:     100, // a database can be called anything
		`not JSON`: 100,
		``:         100,
	} {
		folder := t.TempDir()
		s := newStage(t, tuned("on"))
		s.options.Folder = folder
		stop := s.keeping()
		s.keeper.SaveDecision(lessonsOf+"10.0.0.9:5432", saturday.Add(-day), []byte(content))
		s.awaitHistory()
		stop()
		s, server, stop := started(t, tuned("on"), folder, saturday)
		s.pass(time.Second)
		if got := server.limited(); got != want {
			t.Errorf("%s: the limit is %d, not %d:\n%s", content, got, want, s.log)
		}
		if want == 32 {
			s.pass(5 * time.Minute)
			if got := s.Tuning()[0]; !got.Found || got.Size < 6 || got.Size > 12 {
				t.Errorf("%s: after five minutes %+v", content, got)
			}
		}
		stop()
	}
}

func TestALessonIsKeptAgainWhenItIsAnother(t *testing.T) {
	t.Parallel()
	kept := lesson{tuner.Lesson{Size: 8, Rate: 4000, Min: 2, Max: 100}, saturday}
	unrated := lesson{tuner.Lesson{Size: 8, Min: 2, Max: 100}, saturday}
	for name, test := range map[string]struct {
		kept  lesson
		found tuner.Lesson
		after time.Duration
		want  bool
	}{
		"the same":                    {kept, kept.Lesson, time.Hour, false},
		"the same, a day later":       {kept, kept.Lesson, day, true},
		"the same, of the future":     {kept, kept.Lesson, -time.Second, true},
		"another size":                {kept, tuner.Lesson{Size: 6, Rate: 4000, Min: 2, Max: 100}, 0, true},
		"other limits":                {kept, tuner.Lesson{Size: 8, Rate: 4000, Min: 2, Max: 50}, 0, true},
		"now with a rate":             {unrated, kept.Lesson, 0, true},
		"without one now":             {kept, unrated.Lesson, time.Hour, false},
		"about the same rate":         {kept, tuner.Lesson{Size: 8, Rate: 4200, Min: 2, Max: 100}, time.Hour, false},
		"another rate":                {kept, tuner.Lesson{Size: 8, Rate: 3000, Min: 2, Max: 100}, time.Hour, true},
		"another rate, a moment ago":  {kept, tuner.Lesson{Size: 8, Rate: 3000, Min: 2, Max: 100}, time.Minute, false},
		"off":                         {kept, tuner.Lesson{}, 0, true},
		"off, and nothing was known":  {lesson{}, tuner.Lesson{}, 1000 * day, false},
		"nothing was known":           {lesson{}, kept.Lesson, 0, true},
		"off, a day after it was off": {lesson{at: saturday}, tuner.Lesson{}, day, false},
	} {
		if got := test.kept.outdated(test.found, saturday.Add(test.after)); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestLessonsOfServersThatAreGoneAreForgotten: memory does not grow with each reload.
func TestLessonsOfServersThatAreGoneAreForgotten(t *testing.T) {
	t.Parallel()
	s, _, stop := started(t, tuned("on"), t.TempDir(), saturday)
	defer stop()
	if len(s.lessons) != 1 {
		t.Errorf("lessons: %v", s.lessons)
	}
	s.reload(strings.ReplaceAll(tuned("on"), "10.0.0.9", "10.0.0.8"))
	s.pass(time.Second)
	s.foreseePools(t.Context())
	if _, ok := s.lessons["10.0.0.8:5432"]; !ok || len(s.lessons) != 1 {
		t.Errorf("lessons: %v", s.lessons)
	}
}
