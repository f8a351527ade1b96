package keda

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/usher-pg/usher/internal/keda/externalscaler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeSource knows some pools, and what it was asked last.
type fakeSource struct {
	mutex sync.Mutex // guards what follows
	pools map[string]Outlook
	err   error
	asked string
}

func (f *fakeSource) Outlook(pool string, quantile float64, ahead time.Duration) (Outlook, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.asked = fmt.Sprintf("%s %v %v", pool, quantile, ahead)
	if pool == "bug" {
		panic("bug: on purpose")
	}
	o, ok := f.pools[pool]
	if !ok {
		return o, fmt.Errorf("look %s up: %w", pool, ErrNoPool)
	}
	return o, f.err
}

func (f *fakeSource) set(pool string, o Outlook) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.pools[pool] = o
}

func (f *fakeSource) fail(err error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.err = err
}

func (f *fakeSource) last() string {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.asked
}

// A running server, with a client of it.
type running struct {
	externalscaler.ExternalScalerClient

	address string
	stop    context.CancelFunc
	done    chan error // what Run returned
}

// run starts a server on the loopback. It is stopped at the end of the test if it was not before.
func run(t *testing.T, source Source, interval time.Duration) *running {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := New(Config{Listener: listener, Source: source, Log: slog.New(slog.DiscardHandler)})
	server.interval = interval
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	r := &running{address: listener.Addr().String(), stop: stop, done: make(chan error, 1)}
	go func() { r.done <- server.Run(ctx); close(r.done) }()
	conn, err := grpc.NewClient(r.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	r.ExternalScalerClient = externalscaler.NewExternalScalerClient(conn)
	t.Cleanup(func() {
		_ = conn.Close()
		stop()
		if err := <-r.done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return r
}

func object(metadata map[string]string) *externalscaler.ScaledObjectRef {
	return &externalscaler.ScaledObjectRef{Name: "shop", Namespace: "default", ScalerMetadata: metadata}
}

// ask does what KEDA does for a trigger, and gives what it learns.
func (r *running) ask(t *testing.T, metadata map[string]string) (spec *externalscaler.MetricSpec,
	value *externalscaler.MetricValue, active bool,
) {
	t.Helper()
	specs, err := r.GetMetricSpec(t.Context(), object(metadata))
	if err != nil || len(specs.GetMetricSpecs()) != 1 {
		t.Fatalf("GetMetricSpec: %v %v", specs, err)
	}
	spec = specs.GetMetricSpecs()[0]
	values, err := r.GetMetrics(t.Context(), &externalscaler.GetMetricsRequest{
		ScaledObjectRef: object(metadata), MetricName: spec.GetMetricName(),
	})
	if err != nil || len(values.GetMetricValues()) != 1 {
		t.Fatalf("GetMetrics: %v %v", values, err)
	}
	is, err := r.IsActive(t.Context(), object(metadata))
	if err != nil {
		t.Fatalf("IsActive: %v", err)
	}
	return spec, values.GetMetricValues()[0], is.GetResult()
}

func TestKEDAScalesByWhatIsExpected(t *testing.T) {
	t.Parallel()
	source := &fakeSource{pools: map[string]Outlook{
		"orders": {Measured: 42, Demand: 480.5, Target: 600},
		"quiet":  {Measured: 0.25, Demand: 0.125},
		"empty":  {},
		"cold":   {Measured: 30, Absent: "2 hours of history"},
	}}
	r := run(t, source, streamInterval)
	for name, test := range map[string]struct {
		metadata map[string]string
		asked    string
		metric   string
		target   float64
		value    float64
		active   bool
		replicas float64 // ceil(value / target), what a HorizontalPodAutoscaler makes of an AverageValue
	}{
		"demand": {
			with("pool", "orders"), "orders 0.9 10m0s", "usher-demand-orders", 20, 480.5, true, 25,
		},
		"target": {
			metadata("pool", "orders", "metric", "target", "connectionsPerReplica", "7.5", "lookAhead", "2h",
				"quantile", "0.95"),
			"orders 0.95 2h0m0s", "usher-target-orders", 7.5, 600, true, 80,
		},
		"less than one connection": {
			metadata("pool", "quiet", "connectionsPerReplica", "0.5"),
			"quiet 0.9 10m0s", "usher-demand-quiet", 0.5, 0.25, true, 1,
		},
		"not beyond activation": {
			metadata("pool", "orders", "connectionsPerReplica", "20", "activation", "480.5"),
			"orders 0.9 10m0s", "usher-demand-orders", 20, 480.5, false, 25,
		},
		"nothing":     {with("pool", "empty"), "empty 0.9 10m0s", "usher-demand-empty", 20, 0, false, 0},
		"no forecast": {with("pool", "cold"), "cold 0.9 10m0s", "usher-demand-cold", 20, 30, true, 2},
	} {
		spec, value, active := r.ask(t, test.metadata)
		if spec.GetMetricName() != test.metric || value.GetMetricName() != test.metric ||
			spec.GetTargetSizeFloat() != test.target || value.GetMetricValueFloat() != test.value || active != test.active {
			t.Errorf("%s: got %v, %v, %v, want %+v", name, spec, value, active, test)
		}
		if got := math.Ceil(value.GetMetricValueFloat() / spec.GetTargetSizeFloat()); got != test.replicas {
			t.Errorf("%s: %v replicas, want %v", name, got, test.replicas)
		}
		// An old KEDA knows whole numbers only. It gets at least as many replicas, but for targets below 1.
		if got := math.Ceil(float64(value.GetMetricValue()) / float64(spec.GetTargetSize())); got < test.replicas {
			t.Errorf("%s: %v replicas by whole numbers, want at least %v", name, got, test.replicas)
		}
		if asked := source.last(); asked != test.asked {
			t.Errorf("%s: asked for %s, want %s", name, asked, test.asked)
		}
	}
}

// calls are the four calls, with only their errors left.
func (r *running) calls(ctx context.Context, metadata map[string]string) map[string]error {
	_, errActive := r.IsActive(ctx, object(metadata))
	_, errSpec := r.GetMetricSpec(ctx, object(metadata))
	_, errMetrics := r.GetMetrics(ctx, &externalscaler.GetMetricsRequest{
		ScaledObjectRef: object(metadata), MetricName: "usher-demand-" + metadata["pool"],
	})
	stream, errStream := r.StreamIsActive(ctx, object(metadata))
	if errStream == nil {
		_, errStream = stream.Recv()
	}
	return map[string]error{
		"IsActive": errActive, "GetMetricSpec": errSpec, "GetMetrics": errMetrics, "StreamIsActive": errStream,
	}
}

func TestHostileCallsAreRefused(t *testing.T) {
	t.Parallel()
	r := run(t, &fakeSource{}, streamInterval)
	for name, test := range hostile {
		for call, err := range r.calls(t.Context(), test.metadata) {
			if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %s: got %v, want InvalidArgument with %q", name, call, err, test.want)
			}
		}
	}
	for name, request := range map[string]*externalscaler.GetMetricsRequest{
		"no object":      {MetricName: "usher-demand-orders"},
		"no metric":      {ScaledObjectRef: object(with("pool", "orders"))},
		"another metric": {ScaledObjectRef: object(with("pool", "orders")), MetricName: strings.Repeat("x", 9000)},
	} {
		_, err := r.GetMetrics(t.Context(), request)
		if status.Code(err) != codes.InvalidArgument || len(err.Error()) > 500 {
			t.Errorf("%s: got %v, want InvalidArgument", name, err)
		}
	}
	_, err := r.IsActive(t.Context(), object(with("caCert", strings.Repeat("x", maxMessage))))
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a large message: got %v, want ResourceExhausted", err)
	}
}

func TestWhoSpeaksAnotherProtocolIsSentAway(t *testing.T) {
	t.Parallel()
	r := run(t, &fakeSource{pools: map[string]Outlook{"orders": {Measured: 5}}}, streamInterval)
	for _, text := range []string{"GET / HTTP/1.1\r\nHost: usher\r\n\r\n", "\x00\x00\x00\x08\x04\xd2\x16\x2f", "\n"} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.address)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(2 * handshakeTimeout))
		if _, err := conn.Write([]byte(text + strings.Repeat("x", 64))); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q: the connection is still open", text)
		}
		_ = conn.Close()
	}
	if _, err := r.IsActive(t.Context(), object(with("pool", "orders"))); err != nil {
		t.Errorf("a question beside them: %v", err)
	}
}

func TestWhatCannotBeSaidIsAnErrorThatSaysWhy(t *testing.T) {
	t.Parallel()
	source := &fakeSource{pools: map[string]Outlook{
		"cold": {Absent: "no history", Unmeasured: "no client yet"}, "bug": {},
	}}
	r := run(t, source, streamInterval)
	check := func(pool string, code codes.Code, text string) {
		t.Helper()
		for call, err := range r.calls(t.Context(), with("pool", pool)) {
			if call == "GetMetricSpec" {
				if err != nil {
					t.Errorf("%s of %s: %v; KEDA needs it to begin", call, pool, err)
				}
				continue
			}
			if status.Code(err) != code || !strings.Contains(err.Error(), text) {
				t.Errorf("%s of %s: got %v, want %v with %q", call, pool, err, code, text)
			}
		}
	}
	check("elsewhere", codes.NotFound, `there is no pool "elsewhere"`)
	check("cold", codes.Unavailable, `pool "cold": neither forecast nor measurement: no history; no client yet`)
	check("bug", codes.Internal, "the answer failed")
	source.fail(errors.New("the brain is off"))
	check("cold", codes.Unavailable, `pool "cold": the brain is off`)
}

func TestAStreamTellsEachChangeUntilItsClientLeaves(t *testing.T) {
	t.Parallel()
	source := &fakeSource{pools: map[string]Outlook{"orders": {Measured: 5}}}
	r := run(t, source, time.Millisecond)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	stream, err := r.StreamIsActive(ctx, object(with("activation", "10")))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, true, false} {
		got, err := stream.Recv()
		if err != nil || got.GetResult() != want {
			t.Fatalf("answer %d: %v %v, want %v", i, got, err, want)
		}
		source.set("orders", Outlook{Measured: map[bool]float64{false: 11, true: 9}[want]})
	}
	leave()
	for { // until its end: what was under way may still come
		if _, err := stream.Recv(); err != nil {
			if status.Code(err) != codes.Canceled {
				t.Errorf("got %v, want Canceled", err)
			}
			return
		}
	}
}

func TestAnEndOfUsherEndsStreamsWithoutAnError(t *testing.T) {
	t.Parallel()
	r := run(t, &fakeSource{pools: map[string]Outlook{"orders": {Measured: 5}}}, streamInterval)
	stream, err := r.StreamIsActive(t.Context(), object(with("pool", "orders")))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := stream.Recv(); err != nil || !got.GetResult() {
		t.Fatalf("got %v %v", got, err)
	}
	r.stop()
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want EOF", err)
	}
	if err := <-r.done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.address); err == nil {
		_ = conn.Close()
		t.Error("it still listens")
	}
}

func TestRunReturnsWhatEndedIt(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	server := New(Config{Listener: listener, Source: &fakeSource{}, Log: slog.New(slog.DiscardHandler)})
	if err := server.Run(t.Context()); !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "serve keda: ") {
		t.Errorf("got %v", err)
	}
}

func TestStreamsDoNotKeepQuestionsOut(t *testing.T) {
	t.Parallel()
	r := run(t, &fakeSource{pools: map[string]Outlook{"orders": {Measured: 5}}}, streamInterval)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var streams []grpc.ServerStreamingClient[externalscaler.IsActiveResponse]
	for range maxStreams + 1 {
		stream, err := r.StreamIsActive(ctx, object(with("pool", "orders")))
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, stream)
	}
	got := map[codes.Code]int{}
	for _, stream := range streams {
		_, err := stream.Recv()
		got[status.Code(err)]++
	}
	if diff := cmp.Diff(map[codes.Code]int{codes.OK: maxStreams, codes.ResourceExhausted: 1}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := r.IsActive(ctx, object(with("pool", "orders"))); err != nil {
		t.Errorf("a question beside %d streams: %v", maxStreams, err)
	}
}

// fakeStream writes down what is sent, and when.
type fakeStream struct {
	grpc.ServerStreamingServer[externalscaler.IsActiveResponse]

	ctx  context.Context
	t0   time.Time
	sent []string
}

func (f *fakeStream) Context() context.Context { return f.ctx }

func (f *fakeStream) Send(r *externalscaler.IsActiveResponse) error {
	f.sent = append(f.sent, fmt.Sprintf("%v %v", time.Since(f.t0), r.GetResult()))
	return nil
}

// scripted is active for the second minute of its life.
type scripted struct{ t0 time.Time }

func (s scripted) Outlook(string, float64, time.Duration) (Outlook, error) {
	age := time.Since(s.t0)
	if age >= time.Minute && age < 2*time.Minute {
		return Outlook{Measured: 5}, nil
	}
	return Outlook{}, nil
}

func TestAnOldStreamEndsSoThatKEDAOpensANewOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		t0 := time.Now()
		s := &service{
			source: scripted{t0}, log: slog.New(slog.DiscardHandler),
			interval: streamInterval, life: streamLife, streams: make(chan struct{}, 1),
		}
		stream := &fakeStream{ctx: t.Context(), t0: t0}
		if err := s.StreamIsActive(object(with("pool", "orders")), stream); err != nil {
			t.Errorf("got %v, want the end without an error", err)
		}
		if got := time.Since(t0); got != streamLife {
			t.Errorf("it ended after %v, want %v", got, streamLife)
		}
		if diff := cmp.Diff([]string{"0s false", "1m0s true", "2m0s false"}, stream.sent); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if len(s.streams) != 0 {
			t.Error("it still counts")
		}
	})
}
