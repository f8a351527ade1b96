package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/usher-pg/usher/internal/status"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type fakeSource struct {
	snapshot status.Snapshot
	err      error
	asked    status.Sections
}

func (f *fakeSource) Snapshot(_ context.Context, sections status.Sections) (*status.Snapshot, error) {
	f.asked = sections
	s := f.snapshot
	return &s, f.err
}

func (f *fakeSource) ForecastOf(database, user string, ahead time.Duration) (status.Forecast, bool) {
	for _, known := range f.snapshot.Forecasts {
		if known.Database == database && (user == "" || known.User == user) {
			known.Limit(f.snapshot.Now.Add(ahead))
			return known, true
		}
	}
	return status.Forecast{}, false
}

func healthy() status.Snapshot {
	return status.Snapshot{
		Version: "0.1.0", State: status.Active, Listeners: []status.Listener{{Address: "127.0.0.1", Port: 6432}},
		Pools: []status.Pool{{Name: "shop"}},
	}
}

func newTestServer(source *fakeSource, listener net.Listener) *Server {
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answerText(w, 200, "the metrics") })
	return New(Config{
		Listener: listener, Source: source, Foresees: source, Metrics: metrics, Log: slog.New(slog.DiscardHandler),
	})
}

func ask(t *testing.T, source *fakeSource, method, target string, body io.Reader) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), method, target, body)
	newTestServer(source, nil).Handler().ServeHTTP(answer, request)
	return answer
}

func TestPathsAnswer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		method, target string
		code           int
		text           string
	}{
		{"GET", "/healthz", 200, "ok\n"},
		{"HEAD", "/healthz", 200, "ok\n"}, // net/http drops the body
		{"GET", "/readyz", 200, "ready\n"},
		{"GET", "/metrics", 200, "the metrics\n"},
		{"GET", "/api/v1/status?sections=none", 400, "unknown section \"none\""},
		{"GET", "/api/v1/status?sections=pools;x=1", 400, "the parameters cannot be read: expected name=value"},
		{"GET", "/api/v1/status?sections=%zz", 400, "the parameters cannot be read"},
		{"GET", "/metrics?name[]=a;name[]=b", 400, "the parameters cannot be read"},
		{"GET", "/metrics?name[]=a&name[]=b", 200, "the metrics\n"},
		{"GET", "/", 404, ""},
		{"GET", "/api/v1/", 404, ""},
		{"POST", "/healthz", 405, ""},
		{"POST", "/api/v1/status", 405, ""},
		{"DELETE", "/metrics", 405, ""},
		{"PUT", "/readyz", 405, ""},
		{"GET", "/api/v1/emergency", 405, ""},
		{"PUT", "/api/v1/emergency", 405, ""},
		{"GET", "/api/v1/scale", 405, ""},
		{"DELETE", "/api/v1/scale", 405, ""},
	}
	for _, test := range tests {
		answer := ask(t, &fakeSource{snapshot: healthy()}, test.method, test.target, nil)
		if answer.Code != test.code || !strings.HasPrefix(answer.Body.String(), test.text) {
			t.Errorf("%s %s: %d %q, want %d %q",
				test.method, test.target, answer.Code, answer.Body, test.code, test.text)
		}
		if got := answer.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s %s: Cache-Control is %q", test.method, test.target, got)
		}
	}
}

func TestABodyIsRefused(t *testing.T) {
	t.Parallel()
	answer := ask(t, &fakeSource{snapshot: healthy()}, "GET", "/healthz", strings.NewReader("hello"))
	if answer.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d, want 413", answer.Code)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*status.Snapshot)
		why    string // empty: ready
	}{
		"all is well":         {func(*status.Snapshot) {}, ""},
		"paused":              {func(s *status.Snapshot) { s.State = status.Paused }, ""},
		"no pool yet":         {func(s *status.Snapshot) { s.Pools = nil }, ""},
		"shutting down":       {func(s *status.Snapshot) { s.State = status.ShuttingDown }, "shutting down"},
		"suspended":           {func(s *status.Snapshot) { s.State = status.Suspended }, "suspended"},
		"no listener":         {func(s *status.Snapshot) { s.Listeners = nil }, "not listening"},
		"the only pool fails": {func(s *status.Snapshot) { s.Pools[0].Failing = true }, "no database server can be reached"},
		"one of two fails": {
			func(s *status.Snapshot) { s.Pools = append(s.Pools, status.Pool{Failing: true}) }, "",
		},
	}
	for name, test := range tests {
		s := healthy()
		test.change(&s)
		ready, why := Ready(&s)
		if ready != (test.why == "") || why != test.why {
			t.Errorf("%s: %v %q, want %q", name, ready, why, test.why)
		}
		answer := ask(t, &fakeSource{snapshot: s}, "GET", "/readyz", nil)
		if ok := answer.Code == http.StatusOK; ok != ready || !strings.Contains(answer.Body.String(), why) {
			t.Errorf("%s: /readyz answers %d %q", name, answer.Code, answer.Body)
		}
	}
}

func TestStatusIsTheSnapshotAndGathersNoMoreThanAsked(t *testing.T) {
	t.Parallel()
	tests := map[string]status.Sections{
		"/api/v1/status":                         status.SummarySections,
		"/api/v1/status?sections=all":            status.AllSections,
		"/api/v1/status?sections=pools,stats":    status.SectionPools | status.SectionStats,
		"/api/v1/status?sections=summary,logins": status.SummarySections,
	}
	for target, want := range tests {
		source := &fakeSource{snapshot: healthy()}
		answer := ask(t, source, "GET", target, nil)
		var got status.Snapshot
		if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		if got.Version != "0.1.0" || len(got.Pools) != 1 || got.Pools[0].Name != "shop" {
			t.Errorf("%s: %s", target, answer.Body)
		}
		if source.asked != want {
			t.Errorf("%s: asked for %b, want %b", target, source.asked, want)
		}
		if kind := answer.Header().Get("Content-Type"); kind != "application/json" {
			t.Errorf("%s: Content-Type is %q", target, kind)
		}
	}
}

func TestWithoutASnapshotOnlyHealthIsWell(t *testing.T) {
	t.Parallel()
	source := &fakeSource{err: errors.New("secret inside")}
	for target, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/api/v1/status": 503} {
		answer := ask(t, source, "GET", target, nil)
		if answer.Code != want || strings.Contains(answer.Body.String(), "secret") {
			t.Errorf("%s: %d %q, want %d", target, answer.Code, answer.Body, want)
		}
	}
}

// running starts a server on a free port.
func running(t *testing.T) (address string, stop func() error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- newTestServer(&fakeSource{snapshot: healthy()}, listener).Run(ctx) }()
	stop = func() error {
		cancel()
		return <-done
	}
	t.Cleanup(cancel)
	return listener.Addr().String(), stop
}

func TestRunServesUntilItsContextEnds(t *testing.T) {
	address, stop := running(t)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	answer, err := client.Get("http://" + address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("status %d", answer.StatusCode)
	}
	if err := stop(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if _, err := client.Get("http://" + address + "/healthz"); err == nil {
		t.Error("it still answers")
	}
}

func TestRunReturnsWhyTheListenerFailed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if err := newTestServer(&fakeSource{}, listener).Run(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run returned %v, want the closed listener", err)
	}
}

func TestLargeHeadersAreRefused(t *testing.T) {
	address, stop := running(t)
	defer stop() //nolint:errcheck // not what is tested
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Large", strings.Repeat("x", 2*maxHeaderBytes))
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d, want 431", answer.StatusCode)
	}
}

func TestOnlySoManyConnectionsAreAcceptedAtATime(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limitListener(inner, 1)
	for range 2 {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			err = conn.Close()
		}
		second <- err
	}()
	select {
	case err := <-second:
		t.Fatalf("the second was accepted beside the first: %v", err)
	default:
	}
	first.Close()
	first.Close() // gives back one place, not two
	if err := <-second; err != nil {
		t.Errorf("the second: %v", err)
	}

	third := make(chan error, 1)
	l.(*limited).places <- struct{}{} // full again
	go func() {
		_, err := l.Accept()
		third <- err
	}()
	l.Close()
	if err := <-third; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v, want net.ErrClosed", err)
	}
}
