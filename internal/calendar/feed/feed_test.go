package feed

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
)

// answer is what a server that is not there answers.
type answer func(*http.Request) (*http.Response, error)

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

func response(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1,
	}
}

// script is a server whose answer the test changes.
type script struct {
	mu    sync.Mutex // guards the rest
	now   says
	asked int
}

// says is an answer.
type says struct {
	status int // 0: 200
	body   string
	err    error
}

func (s *script) say(now says) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.now.err != nil {
		return nil, s.now.err
	}
	res := response(cmp.Or(s.now.status, http.StatusOK), s.now.body)
	res.Request = r
	return res, nil
}

// weddings are n events, from the first day after the beginning of a bubble's time on, one a day.
func weddings(n int) string {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\n")
	for i := range n {
		start := time.Date(2000, 1, 2+i, 16, 0, 0, 0, time.UTC)
		fmt.Fprintf(&b, "BEGIN:VEVENT\r\nUID:%d\r\nDTSTART:%s\r\nDURATION:PT6H\r\nEND:VEVENT\r\n", i,
			start.Format("20060102T150405Z"))
	}
	return b.String() + "END:VCALENDAR\r\n"
}

// run runs a feed until the test of a bubble ends.
func run(t *testing.T, c Config) *Feed {
	t.Helper()
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != context.Canceled {
			t.Errorf("Run ends with %v", err)
		}
	})
	synctest.Wait()
	return f
}

// pass lets time pass in a bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestAFeedIsFetchedAgainAndAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &script{now: says{body: weddings(3)}}
		f := run(t, Config{Name: "hall", URL: "https://calendar.example.com/", Transport: server})
		if got := f.Events().Len(); got != 3 || server.count() != 1 {
			t.Fatalf("%d events after %d fetches", got, server.count())
		}
		for e := range f.Events().All() {
			if e.Source != "hall" {
				t.Errorf("%+v", e)
			}
		}
		server.say(says{body: weddings(4)})
		pass(4 * time.Minute)
		if f.Events().Len() != 3 {
			t.Error("fetched too early")
		}
		pass(2 * time.Minute)
		if s := f.State(); f.Events().Len() != 4 || s.Events != 4 || s.Alarm() != "" || s.Success != s.Attempt {
			t.Errorf("%+v", s)
		}
		before := server.count()
		pass(24 * time.Hour)
		if n := server.count() - before; n < 280 || n > 300 {
			t.Errorf("%d fetches a day, want 288 give or take a few", n)
		}
	})
}

func TestAFeedThatFailsKeepsItsLastGoodCopy(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]says{
		"the server answers 500": {status: 500, body: "oops"},
		"the server answers 404": {status: 404},
		"connection refused":     {err: fmt.Errorf("dial tcp: connection refused")},
		"is no iCalendar":        {body: "<html>Please sign in</html>"},
		"it is cut off":          {body: weddings(3)[:200]},
		"has no line with":       {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				well, server := says{body: weddings(3)}, &script{}
				c := Config{Name: "hall", URL: "https://calendar.example.com/secret.ics", Transport: server}
				if name == "has no line with" {
					c.URL, well.body = "https://calendar.example.com/secret.csv", "start,end\n2000-01-02,2000-01-02\n"
				}
				server.say(well)
				f := run(t, c)
				good, began := f.Events(), time.Now()
				server.say(broken)
				pass(30 * time.Minute)
				s := f.State()
				if f.Events() != good || !strings.Contains(s.Error, name) || strings.Contains(s.Error, "secret") {
					t.Errorf("%d events, %+v", f.Events().Len(), s)
				}
				if s.Age != time.Since(began) || s.Stale || s.Alarm() != "" {
					t.Errorf("after half an hour: %+v", s)
				}
				pass(time.Hour)
				if s = f.State(); !s.Stale || !strings.Contains(s.Alarm(), "1h30m0s old: ") {
					t.Errorf("after an hour and a half: %q, %+v", s.Alarm(), s)
				}
				server.say(well)
				pass(6 * time.Minute)
				if s = f.State(); s.Error != "" || s.Stale || s.Alarm() != "" {
					t.Errorf("again: %+v", s)
				}
			})
		})
	}
}

func TestAFeedThatWasNeverReadSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := run(t, Config{Name: "hall", URL: "https://x.example.com/", Transport: &script{now: says{status: 403}}})
		if s := f.State(); f.Events().Len() != 0 ||
			s.Alarm() != "calendar hall was never read: the server answers 403 Forbidden" {
			t.Errorf("%q, %+v", s.Alarm(), s)
		}
	})
}

func TestASlowServerIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := answer(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		f := run(t, Config{Name: "hall", URL: "https://x.example.com/", Transport: slow, Timeout: 10 * time.Second})
		pass(11 * time.Second)
		if s := f.State(); s.Error != "there is no answer within 10s" {
			t.Errorf("%+v", s)
		}
	})
}

// TestTimeGoesOnWithoutTheFeed holds that rules are expanded further while the feed is down.
func TestTimeGoesOnWithoutTheFeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &script{now: says{body: "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nDTSTART:19990101T160000Z\n" +
			"DURATION:PT6H\nRRULE:FREQ=DAILY\nEND:VEVENT\nEND:VCALENDAR\n"}}
		f := run(t, Config{Name: "hall", URL: "https://x.example.com/", Transport: server, Every: 6 * time.Hour})
		server.say(says{status: 503})
		pass(100 * 24 * time.Hour)
		if n := f.Events().StartingIn(time.Now(), time.Now().Add(14*24*time.Hour)); n != 14 {
			t.Errorf("%d events in the next 14 days, want 14", n)
		}
	})
}

func TestAFeedThatSuddenlyShrinksIsNotBelievedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &script{now: says{body: weddings(10)}}
		f := run(t, Config{Name: "hall", URL: "https://x.example.com/", Transport: server})
		server.say(says{body: weddings(5)})
		pass(6 * time.Minute)
		if f.Events().Len() != 5 {
			t.Fatalf("half of it is believed, but there are %d", f.Events().Len())
		}
		server.say(says{body: weddings(0)})
		pass(6 * time.Minute)
		s := f.State()
		if f.Events().Len() != 5 || !strings.Contains(s.Doubt, "0 events ahead instead of 5") ||
			!strings.Contains(s.Alarm(), "calendar hall has suddenly shrunk") || s.Success != s.Attempt {
			t.Errorf("%+v", s)
		}
		// It comes back and goes again, so that the time begins anew.
		server.say(says{body: weddings(5)})
		pass(3 * time.Hour)
		if s := f.State(); s.Doubt != "" || s.Alarm() != "" {
			t.Errorf("%+v", s)
		}
		server.say(says{body: weddings(1)})
		pass(5 * time.Hour)
		server.say(says{body: weddings(0)}) // and less
		pass(5 * time.Hour)
		if f.Events().Len() != 5 {
			t.Errorf("believed although it has shrunk again: %+v", f.State())
		}
		server.say(says{status: 500}) // failing meanwhile is not coming back
		pass(30 * time.Minute)
		server.say(says{body: weddings(0)})
		pass(time.Hour)
		if s := f.State(); f.Events().Len() != 0 || s.Doubt != "" || s.Alarm() != "" {
			t.Errorf("after 6 hours: %d events, %+v", f.Events().Len(), s)
		}
	})
}

// TestAFeedWhoseEventsAreOverHasNotShrunk holds that only the future counts.
func TestAFeedWhoseEventsAreOverHasNotShrunk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &script{now: says{body: weddings(3)}}
		f := run(t, Config{Name: "hall", URL: "https://x.example.com/", Transport: server, Every: time.Hour})
		pass(5 * 24 * time.Hour)
		server.say(says{body: weddings(0)})
		pass(2 * time.Hour)
		if s := f.State(); s.Doubt != "" || f.Events().Len() != 0 {
			t.Errorf("%d events, %+v", f.Events().Len(), s)
		}
	})
}

func TestARestartWithTheFeedDownKnowsSaturday(t *testing.T) {
	t.Parallel()
	keep := filepath.Join(t.TempDir(), "hall.calendar")
	synctest.Test(t, func(t *testing.T) {
		server := &script{now: says{body: weddings(3)}}
		c := Config{Name: "hall", URL: "https://x.example.com/secret", Transport: server, Keep: keep}
		f := run(t, c)
		if s := f.State(); s.Keeping != "" {
			t.Fatalf("%+v", s)
		}
		server.say(says{status: 500})
		pass(10 * time.Minute)
		seen, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		seen.Restore()
		if events, s := seen.Look(); events.Len() != 3 || s.Age != 10*time.Minute || !s.Attempt.IsZero() {
			t.Errorf("before anything is fetched: %d events, %+v", events.Len(), s)
		}
		again := run(t, c)
		if s := again.State(); again.Events().Len() != 3 || s.Age != 10*time.Minute || s.Error == "" {
			t.Errorf("%d events, %+v", again.Events().Len(), s)
		}
		other := c
		other.URL = "https://x.example.com/another"
		if f := run(t, other); f.Events().Len() != 0 || !strings.Contains(f.State().Keeping, "from another source") {
			t.Errorf("%d events, %+v", f.Events().Len(), f.State())
		}
	})
	data, err := os.ReadFile(keep)
	if err != nil || strings.Contains(string(data), "secret") {
		t.Errorf("kept: %.300s, %v", data, err)
	}
	if info, err := os.Stat(keep); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(keep + ".*"); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestADamagedCopyIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(string) string{
		"cut off":      func(s string) string { return s[:len(s)-20] },
		"changed":      func(s string) string { return strings.Replace(s, "PT6H", "PT9H", 1) },
		"empty":        func(string) string { return "" },
		"another line": func(s string) string { return "{}\n" + s },
		"too large":    func(s string) string { return s + strings.Repeat("x", 200_000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := Config{URL: "https://x.example.com/", Keep: filepath.Join(t.TempDir(), "kept")}.filled()
			c.Limits.Bytes = 100_000
			if err := c.save(edition{Format: calendar.ICalendar, data: []byte(weddings(3))}); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(c.Keep)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(c.Keep, []byte(damage(string(data))), 0o600); err != nil {
				t.Fatal(err)
			}
			if e, err := c.load(time.Now()); err == nil {
				t.Errorf("is used: %+v", e)
			}
		})
	}
}

func TestWhereNothingCanBeKeptIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := run(t, Config{
			Name: "hall", URL: "https://x.example.com/", Transport: &script{now: says{body: weddings(3)}},
			Keep: "/no/such/folder/kept",
		})
		if s := f.State(); f.Events().Len() != 3 || !strings.Contains(s.Keeping, "keep calendar") {
			t.Errorf("%+v", s)
		}
	})
}

func TestAStateIsJSON(t *testing.T) {
	t.Parallel()
	if _, err := json.Marshal(State{Problems: []calendar.Problem{{Line: 1}}}); err != nil {
		t.Error(err)
	}
}

func TestConfigurationsAreChecked(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]Config{
		"one of a file":       {},
		"one of a file, a":    {File: "a", URL: "https://x/"},
		"a query needs":       {Query: "SELECT 1"},
		"and a database":      {File: "a", DSN: "postgres://geheim@x/"},
		"negative":            {File: "a", Every: -1},
		"at least 1s":         {File: "a", Every: 1},
		"is no URL of":        {URL: "file:///etc/geheim"},
		"is no URL":           {URL: "https://x/%zzgeheim"},
		"is a URL without":    {URL: "https:///geheim"},
		"expected https://, ": {URL: "geheim"},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestOnce has what a running feed would have, and leaves nothing behind.
func TestOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &script{}
		server.say(says{body: weddings(4)})
		c := Config{
			Name: "hall", URL: "https://x.example.com/secret", Transport: server,
			Keep: filepath.Join(t.TempDir(), "kept"),
		}
		reading, state, err := Once(t.Context(), c, time.Now())
		if err != nil || len(reading.Events) != 4 || state.Error != "" || state.Events != 4 {
			t.Errorf("%d events, %+v, %v", len(reading.Events), state, err)
		}
		if _, err := os.Stat(c.Keep); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a copy was kept: %v", err)
		}
		run(t, c) // which keeps one
		pass(10 * time.Minute)
		for want, now := range map[string]says{"500": {status: 500}, "": {body: weddings(1)}} {
			server.say(now)
			reading, state, err = Once(t.Context(), c, time.Now())
			if err != nil || len(reading.Events) != 4 || !strings.Contains(state.Error, want) ||
				(want == "") != (state.Doubt != "") {
				t.Errorf("%+v: %d events, %+v, %v", now, len(reading.Events), state, err)
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := Once(ended, c, time.Now()); !errors.Is(err, context.Canceled) {
			t.Errorf("ended: %v", err)
		}
		if _, _, err := Once(t.Context(), Config{}, time.Now()); err == nil {
			t.Error("a calendar from nowhere was read")
		}
	})
}
