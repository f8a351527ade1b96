package metrics

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/forecast/report"
	"github.com/usher-pg/usher/internal/scaler"
	"github.com/usher-pg/usher/internal/status"
	"github.com/usher-pg/usher/pool"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files of testdata anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type fakeSource struct {
	snapshot *status.Snapshot
	err      error
	asked    status.Sections
}

func (f *fakeSource) Snapshot(_ context.Context, sections status.Sections) (*status.Snapshot, error) {
	f.asked = sections
	return f.snapshot, f.err
}

func newTestCollector(source *fakeSource) *Collector {
	return NewCollector(source, slog.New(slog.DiscardHandler))
}

// golden compares got with a file of testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got); if it shall be so: go test ./internal/metrics -rewrite\n%s", path, diff)
	}
}

func TestTheCatalogueIsAsDashboardsKnowIt(t *testing.T) {
	var b strings.Builder
	for _, r := range catalogue {
		fmt.Fprintf(&b, "%s{%s} %s: %s\n", r.name, strings.Join(r.labels, ","), r.kind, r.help)
	}
	golden(t, "catalogue.txt", b.String())
}

func TestASnapshotIsRenderedWhole(t *testing.T) {
	source := &fakeSource{snapshot: sampleSnapshot()}
	collector := newTestCollector(source)
	text := scrape(t, collector)
	golden(t, "sample.prom", hideGoVersion(text))
	if source.asked != status.SummarySections {
		t.Errorf("asked for sections %b, want the summary", source.asked)
	}
	for _, r := range catalogue {
		if !strings.Contains(text, "\n"+r.name) {
			t.Errorf("%s is in the catalogue and not in the sample", r.name)
		}
	}
}

// scrape is what Prometheus reads of the collector.
func scrape(t *testing.T, collector *Collector) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector)
	answer := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(answer, request)
	if answer.Code != http.StatusOK {
		t.Fatalf("scrape: %d %s", answer.Code, answer.Body)
	}
	return answer.Body.String()
}

func hideGoVersion(text string) string {
	before, after, _ := strings.Cut(text, `goversion="`)
	_, after, _ = strings.Cut(after, `"`)
	return before + `goversion="go"` + after
}

func TestPrometheusFindsNothingToLint(t *testing.T) {
	problems, err := testutil.CollectAndLint(newTestCollector(&fakeSource{snapshot: sampleSnapshot()}))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestWithoutASnapshotThereIsOnlyTheNewsOfIt(t *testing.T) {
	source := &fakeSource{err: errors.New("the loops are busy")}
	text := scrape(t, newTestCollector(source))
	want := "# HELP usher_up Whether usher could tell its status.\n# TYPE usher_up gauge\nusher_up 0\n"
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHostileNamesAndTooManyPoolsDoNotBreakTheScrape(t *testing.T) {
	s := &status.Snapshot{State: status.Active}
	name := func(database, user string) {
		s.Pools = append(s.Pools, status.Pool{Database: database, User: user, Pinned: 1})
	}
	name("a\xff", "x")
	name(`a\xff`, "x") // would be the same label
	name("new\nline\"quote", "x")
	for i := range maxPools {
		name(fmt.Sprint("db", i), "x")
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(newTestCollector(&fakeSource{snapshot: s}))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		switch f.GetName() {
		case "usher_pool_clients_pinned":
			got["pools"] = float64(len(f.GetMetric()))
		case "usher_metrics_omitted":
			got["omitted"] = f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	want := map[string]float64{"pools": maxPools, "omitted": 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAReasonThatOccursTwiceIsAddedUp(t *testing.T) {
	refused := []status.Count{{Reason: "a", Count: 2}, {Reason: "a", Count: 3}}
	s := &status.Snapshot{Logins: &status.Logins{Refused: refused}}
	want := `
		# HELP usher_logins_refused_total Logins refused, by reason.
		# TYPE usher_logins_refused_total counter
		usher_logins_refused_total{reason="a"} 5
	`
	collector := newTestCollector(&fakeSource{snapshot: s})
	err := testutil.CollectAndCompare(collector, strings.NewReader(want), "usher_logins_refused_total")
	if err != nil {
		t.Error(err)
	}
}

func TestTheHandlerServesOursAndTheProcesss(t *testing.T) {
	handler := Handler(&fakeSource{snapshot: sampleSnapshot()}, slog.New(slog.DiscardHandler))
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("status %d", answer.Code)
	}
	for _, want := range []string{"usher_up 1\n", "\ngo_goroutines ", "\nprocess_open_fds "} {
		if !bytes.Contains(answer.Body.Bytes(), []byte(want)) {
			t.Errorf("lacks %q", want)
		}
	}
}

// sampleSnapshot has something of everything, each number of a kind different.
func sampleSnapshot() *status.Snapshot {
	at := time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)
	var acquisitions, services, statements pool.Histogram
	for _, d := range []time.Duration{
		50 * time.Microsecond, 3 * time.Millisecond, 9 * time.Millisecond, 10 * time.Minute,
	} {
		acquisitions.Record(d)
		services.Record(2 * d)
		statements.Record(3 * d)
	}
	lane := status.Lane{
		Name: "critical", Waiting: 41, Requests: 42, Cancelled: 43, Emergencies: 44, Shed: 45, Shedding: true,
		Acquisition: status.DistributionOf(&acquisitions), Statement: status.DistributionOf(&statements),
	}
	return &status.Snapshot{
		Version: "0.1.0", Now: at.Add(time.Hour), StartedAt: at, State: status.Paused,
		Pools: []status.Pool{{
			Name: "shop", Database: "shop", User: "ann", Mode: "transaction",
			Clients: status.ClientCounts{Idle: 1, Linked: 2, Waiting: 3, Held: 4, ActiveCancel: 5, WaitingCancel: 6},
			Servers: status.ServerCounts{
				Active: 11, ActiveCancel: 12, BeingCanceled: 13, Idle: 14, Used: 15, Tested: 16, Login: 17,
			},
			MaxWait: 1500 * time.Millisecond, Min: 20, Max: 21, Target: 22, Reserve: 23, ReserveUsed: 24, Budget: 25,
			Limit: 20, Busy: 15, IdleEnded: 96,
			Opened: 26, OpenFailed: 27, Closed: []status.Count{{Reason: "idle", Count: 28}, {Reason: "age", Count: 29}},
			Pinned: 30, Pins: []status.Count{{Reason: "LISTEN", Count: 31}},
			Refused: []status.Count{{Reason: "queue full", Count: 32}}, Failing: true,
			Exceeded: []status.Count{{Reason: "lowered", Count: 33}, {Reason: "refused", Count: 34}},
			Lanes:    []status.Lane{lane, {Name: "low"}},
			Service:  status.DistributionOf(&services),
		}},
		Budgets:   []status.Budget{{Server: "10.0.0.9:5432", Limit: 60, Used: 50}},
		Databases: []status.Database{{Name: "shop", CurrentClients: 51, MaxClients: 52, Paused: true}},
		Stats: []status.DatabaseStats{{Database: "shop", Totals: status.Totals{
			Assignments: 61, Transactions: 62, Queries: 63, Received: 64, Sent: 65, TransactionTime: 66_000_000,
			QueryTime: 67_500_000, WaitTime: 68, ClientParses: 69, ServerParses: 70, Binds: 71, ClientLogins: 72,
		}}},
		Loops: []status.Loop{{
			ID: 0, Clients: 81, Servers: 82, Wakeups: 83, Events: 84, Busy: 85 * time.Second, Mail: 86, QueuedBytes: 87,
		}},
		Memory:    []status.Memory{{Name: "chunks", Size: 4096, Used: 1, Free: 1, Total: 8192}},
		Listeners: []status.Listener{{Address: "127.0.0.1", Port: 6432}},
		Emergencies: []status.Emergency{
			{Kind: status.EmergencyByOperator}, {Kind: status.EmergencyByOperator, Ended: at},
		},
		Logins: &status.Logins{
			InProgress: 91, Accepted: 92, Succeeded: 93, Cancels: 94,
			Refused: []status.Count{{Reason: "wrong password", Count: 95}},
		},
		Scaling: sampleScaling(at),
		Shortfalls: []status.Shortfall{
			{Pool: "shop", Start: at, End: at.Add(time.Hour), Peak: at, Needed: 130, Have: 21},
			{Start: at.Add(day), End: at.Add(day + time.Hour), Peak: at.Add(day), Needed: 140, Have: 21},
		},
		Calendars: []status.Calendar{
			{
				Name: "weddings", Success: at.Add(1500 * time.Millisecond), Copy: at, Alarm: "it has shrunk", Events: 131,
				Problems: []calendar.Problem{{Line: 1, Message: "no start"}}, More: 132,
			},
			{Name: "never read", Alarm: "it was never read"},
		},
		History: &status.History{Open: true, Waiting: 133, Written: 134, Dropped: 135, Trouble: "disk full", Since: at},
		Tuning:  []status.Tuning{{Server: "10.0.0.9:5432", Mode: "on", Limit: 136, Size: 137, Found: true}},
	}
}

const day = 24 * time.Hour

// sampleScaling has a pool with a forecast and one without.
func sampleScaling(at time.Time) []status.Scaling {
	return []status.Scaling{
		{
			Database: "shop", User: "ann", Server: "10.0.0.9:5432",
			Decision: status.Decision{
				At: at, Pool: "shop", Mode: scaler.Scale, Acts: true, From: 8, Target: 101, Changed: true,
				Cause: scaler.Predicted, Reason: "a wedding", Observed: scaler.Observed{Demand: 102.5, Open: 103},
			},
			Horizons: []status.Horizon{
				{Within: 5 * time.Minute, Quantile: 0.5, Demand: 104.5, Connections: 105},
				{Within: 24 * time.Hour, Quantile: 0.95, Demand: 106.5, Connections: 107},
			},
			Issued: at.Add(2500 * time.Millisecond), Days: 108, Next: &forecast.Spike{Start: at.Add(day), End: at.Add(2 * day)},
			Accuracy: &report.Accuracy{Points: 109, WAPE: 0.11, BelowP90: 0.92, Interval: 0.88},
			Changes:  []status.Count{{Reason: "predictive", Count: 110}, {Reason: "manual", Count: 111}},
		},
		{
			Database: "blog", User: "bob", Server: "10.0.0.9:5432", Absent: "none was made yet",
			Decision: status.Decision{Pool: "blog", Mode: scaler.Observe, Target: 112},
		},
	}
}
