package brain

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/sqlite"
	"github.com/usher-pg/usher/internal/status"
	"github.com/usher-pg/usher/pool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engine is a pool's that says what it is told to, and writes down what is asked of it.
type engine struct {
	// mutex guards the rest.
	mutex  sync.Mutex
	sample pool.Sample
	wishes []int
	limits []int
}

func (e *engine) Sample() pool.Sample {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.sample.Arrived += 50
	e.sample.Served += 50
	e.sample.ServiceSum += 50 * 20 * time.Millisecond
	e.sample.ServiceSquares += 50 * 0.0004
	return e.sample
}

func (e *engine) WishTarget(who string, n int) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if who != wishOfBrain {
		panic("bug: wished by " + who)
	}
	e.wishes = append(e.wishes, n)
}

func (e *engine) LimitTo(n int) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.limits = append(e.limits, n)
}

// is changes what the engine says.
func (e *engine) is(change func(*pool.Sample)) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	change(&e.sample)
}

func (e *engine) told() []int {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return slices.Clone(e.wishes)
}

// last is the last wish; -1: there was none.
func (e *engine) last() int {
	if told := e.told(); len(told) > 0 {
		return told[len(told)-1]
	}
	return -1
}

// stage is a brain with all that is around it.
type stage struct {
	*Brain
	t       testing.TB
	engines map[string]*engine // by the pool's name
	log     *logged

	// mutex guards what Options ask for.
	mutex  sync.Mutex
	now    time.Time
	config *config.Config
	pools  []Pool
}

// logged is a log that can be read while it is written.
type logged struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(p)
}

// count is how many lines have a text.
func (l *logged) count(text string) int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	n := 0
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func (l *logged) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// saturday is when tests begin.
var saturday = time.Date(2026, 6, 20, 12, 0, 0, 0, time.UTC)

// newStage makes a brain with the pools that a configuration names. Nothing of it runs.
func newStage(t testing.TB, yaml string) *stage {
	t.Helper()
	s := &stage{t: t, engines: map[string]*engine{}, log: &logged{}, now: saturday}
	s.reload(yaml)
	s.Brain = New(Options{
		Pools: s.poolsNow, Config: s.inForce, Folder: t.TempDir(), Clock: Clock{Now: s.time},
		Log: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	return s
}

// reload puts a configuration in force, and tells nobody. Pools keep their engines.
func (s *stage) reload(yaml string) {
	s.t.Helper()
	c, err := config.Parse("usher.yaml", []byte(yaml))
	if err != nil {
		s.t.Fatal(err)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.config, s.pools = c, nil
	for _, name := range c.PoolNames() {
		if name == config.Fallback {
			continue
		}
		s.addLocked(name)
	}
}

func (s *stage) addLocked(database string) {
	p, ok := s.config.Pool(database)
	if !ok {
		s.t.Fatalf("no pool serves database %s", database)
	}
	name := NameOf(database, "ann", p.User != "")
	if s.engines[name] == nil {
		s.engines[name] = &engine{sample: pool.Sample{Busy: 4, Open: 6}}
	}
	s.pools = append(s.pools, Pool{
		Name: name, Database: database, User: "ann", Server: p.Target.Server(), Budget: s.config.Budgets[p.Target.Server()],
		Options: p.PoolOptions, Engine: s.engines[name],
	})
}

func (s *stage) poolsNow() []Pool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Clone(s.pools)
}

func (s *stage) inForce() *config.Config {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.config
}

func (s *stage) time() time.Time {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.now
}

// pass lets time go on, and looks each second.
func (s *stage) pass(d time.Duration) {
	for range int(d / time.Second) {
		s.jump(time.Second)
		s.look(s.time())
	}
}

// jump sets the clock ahead or back.
func (s *stage) jump(d time.Duration) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.now = s.now.Add(d)
}

// scaling is what is shown of a database's pool.
func (s *stage) scaling(database string) status.Scaling {
	s.t.Helper()
	for _, p := range s.Scaling() {
		if p.Database == database {
			return p
		}
	}
	s.t.Fatalf("nothing is shown of %s", database)
	return status.Scaling{}
}

// onePool is a configuration with a pool, in a mode, and more.
func onePool(mode, more string) string {
	return fmt.Sprintf(`
auth: {type: trust}
timezone: UTC
rush_hours: []
tuning: "off"
%s
pools:
  shop: {url: "postgres://shop@10.0.0.9/shop", size: {min: 2, max: 60}, scaling: {mode: "%s"}}
`, more, mode)
}

// keeping runs the keeper of the history, until the test ends.
func (s *stage) keeping() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.keeper.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("the history ends with %v", err)
		}
	}
}

// fill writes days of a steady demand into a history, until a time, each noon of ten times as much for an hour.
func fill(t testing.TB, path, pool string, days int, until time.Time) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var buckets []history.Bucket
	for at := until.AddDate(0, 0, -days); at.Before(until); at = at.Add(history.Step) {
		demand := 4.0
		if at.Hour() == 12 {
			demand = 40
		}
		buckets = append(buckets, history.Bucket{
			Start: at, Width: history.Step, Samples: 300, Mean: demand, P95: demand + 1, Max: demand + 2,
			Arrivals: demand * 3000, ArrivalSpread: 1, Service: 100 * time.Millisecond, ServiceSpread: 0.1,
		})
	}
	if err := store.Append(t.Context(), pool, buckets); err != nil {
		t.Fatal(err)
	}
}
