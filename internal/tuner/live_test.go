//go:build integration && !race

package tuner_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/usher-pg/usher"
	"github.com/usher-pg/usher/internal/pgtest"
	"github.com/usher-pg/usher/internal/tuner"
)

func TestMain(m *testing.M) {
	flag.Parse()
	pgtest.Main(m)
}

var long = flag.Bool("long", false, "measure every size and search from both ends (4 minutes a workload)")

var from = flag.Int("from", 0, "with -long: the size to search from; 0: both ends")

const (
	most      = 100 // server connections
	clients   = 150 // of the closed loop
	interval  = 250 * time.Millisecond
	sampling  = 10 * time.Millisecond // of those who are busy and who wait
	searching = 3 * time.Minute       // at most
	settling  = 300 * time.Millisecond
	measuring = time.Second
	enough    = 0.9 // of the best throughput
)

// workload is what the clients do. Its statements are pgbench's.
type workload struct {
	name     string
	scale    int
	settings map[string]string
	work     func(ctx context.Context, conn *usher.Conn, scale int, random *rand.Rand) error
	short    int // where the short form starts to search; 0: it leaves this out
}

// workloads are a select, a write mix, and one in which every transaction wants the same row; both as durable as
// PostgreSQL is by default.
var workloads = []workload{
	{"select", 10, nil, selectOnly, 0},
	{"write", 20, durable, tpcB, 0},
	{"contended", 1, durable, tpcB, most},
}

var durable = map[string]string{"fsync": "on", "synchronous_commit": "on"}

func selectOnly(ctx context.Context, conn *usher.Conn, scale int, random *rand.Rand) error {
	var balance int
	return conn.QueryRow(ctx, "SELECT abalance FROM pgbench_accounts WHERE aid = $1",
		1+random.IntN(100_000*scale)).Scan(&balance)
}

func tpcB(ctx context.Context, conn *usher.Conn, scale int, random *rand.Rand) error {
	account, delta := 1+random.IntN(100_000*scale), random.IntN(10_001)-5000
	teller, branch := 1+random.IntN(10*scale), 1+random.IntN(scale)
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var balance int
		_, err := tx.Exec(ctx, "UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2", delta, account)
		row := tx.QueryRow(ctx, "SELECT abalance FROM pgbench_accounts WHERE aid = $1", account)
		err = errors.Join(err, row.Scan(&balance))
		_, err2 := tx.Exec(ctx, "UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2", delta, teller)
		_, err3 := tx.Exec(ctx, "UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2", delta, branch)
		_, err4 := tx.Exec(ctx, "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) "+
			"VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP)", teller, branch, account, delta)
		return errors.Join(err, err2, err3, err4)
	})
}

// quick, if set in the environment, runs a short form.
const quick = "USHER_TUNE_QUICK"

// TestTheTunerFindsWhatASweepFinds: with usher's engine between a closed loop of clients and a real PostgreSQL, the
// tuner finds a size whose throughput is near the best of all sizes, from either end and in time.
func TestTheTunerFindsWhatASweepFinds(t *testing.T) {
	for _, w := range workloads {
		t.Run(w.name, func(t *testing.T) {
			if w.short == 0 && !*long || os.Getenv(quick) == "" && !*long {
				t.Skip("make tunebench runs it: a measurement wants a quiet machine")
			}
			r := start(t, w)
			sizes, rounds, pairs, starts := []int{2, 4, 16, 64}, 2, 4, []int{w.short}
			rules := tuner.Standard(1, most)
			rules.Longest, rules.Search = 10*time.Second, 45*time.Second
			if *long {
				sizes = []int{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, most}
				rounds, pairs, starts, rules = 3, 8, []int{2, most}, tuner.Standard(1, most)
				if *from > 0 {
					starts = []int{*from}
				}
			}
			best := r.sweep(sizes, rounds)
			for _, rules.Start = range starts {
				found := r.search(rules)
				ratio, deviation := r.compare(found, best, pairs)
				t.Logf("from %d: %d does %.3f ± %.3f of %d, the sweep's best", rules.Start, found, ratio, deviation, best)
				if ratio+2*deviation < enough { // what noise cannot explain
					t.Errorf("from %d: that is less than %v", rules.Start, enough)
				}
			}
			r.check()
		})
	}
}

// rig is a pool with its clients.
type rig struct {
	t    *testing.T
	pool *usher.Pool
	done atomic.Uint64
	fail atomic.Pointer[error]
	best float64
}

func start(t *testing.T, w workload) *rig {
	t.Helper()
	settings := map[string]string{"max_wal_size": "4GB", "checkpoint_timeout": "1h", "autovacuum": "off"}
	for name, value := range w.settings {
		settings[name] = value
	}
	server := pgtest.StartOwn(t, settings)
	program := server.Program("pgbench")
	if _, err := os.Stat(program); err != nil {
		program = "pgbench"
	}
	url := server.URL("postgres")
	out, err := exec.CommandContext(t.Context(), program, "-i", "-q", "-s", strconv.Itoa(w.scale), url).CombinedOutput()
	if err != nil {
		t.Fatalf("fill pgbench's tables: %v\n%s", err, out)
	}
	manager, err := usher.Open(t.Context(), usher.Config{Pools: map[string]usher.PoolConfig{
		"app": {ConnString: url, Max: most, IdleTimeout: -1, PingAfter: -1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(manager.Close)
	r := &rig{t: t, pool: manager.Pool("app")}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() { stop(); running.Wait() })
	for range clients {
		running.Go(func() { r.client(ctx, w) })
	}
	r.pool.SetLimit(most)
	r.wait(3 * time.Second) // all are open, and their caches are warm
	return r
}

func (r *rig) client(ctx context.Context, w workload) {
	random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	for ctx.Err() == nil {
		err := r.pool.AcquireFunc(ctx, usher.Normal, func(c *usher.Conn) error {
			return w.work(ctx, c, w.scale, random)
		})
		if err != nil && ctx.Err() == nil {
			r.fail.CompareAndSwap(nil, &err)
			return
		}
		r.done.Add(1)
	}
}

func (r *rig) check() {
	r.t.Helper()
	if err := r.fail.Load(); err != nil {
		r.t.Fatalf("a client: %v", *err)
	}
}

func (r *rig) wait(d time.Duration) { <-time.After(d) }

// measure is the throughput of a size now.
func (r *rig) measure(size int) float64 {
	r.pool.SetLimit(size)
	r.wait(settling)
	began, before := time.Now(), r.done.Load()
	r.wait(measuring)
	return float64(r.done.Load()-before) / time.Since(began).Seconds()
}

// sweep measures each size some times, in random order, and returns the best by their medians.
func (r *rig) sweep(sizes []int, rounds int) int {
	r.t.Helper()
	rates := map[int][]float64{}
	for range rounds {
		for _, i := range rand.Perm(len(sizes)) {
			rates[sizes[i]] = append(rates[sizes[i]], r.measure(sizes[i]))
		}
	}
	r.check()
	best, text := 0, strings.Builder{}
	middle := func(size int) float64 { return median(rates[size]) }
	for _, size := range sizes {
		if best == 0 || middle(size) > middle(best) {
			best = size
		}
	}
	r.best = middle(best)
	for _, size := range sizes {
		fmt.Fprintf(&text, "%5d %8.0f/s %5.1f%%  %.0f\n", size, middle(size), 100*middle(size)/middle(best), rates[size])
	}
	r.t.Logf("sweep, medians of %d:\n%s", rounds, text.String())
	return best
}

// search lets the tuner find a size.
func (r *rig) search(rules tuner.Rules) int {
	r.t.Helper()
	var state tuner.State
	began := time.Now()
	limit := rules.Start
	r.pool.SetLimit(limit)
	before := r.done.Load()
	var observed tuner.Observed
	for earlier := r.pool.Stat(); time.Since(began) < searching && !state.Found; {
		observed, earlier = r.observe(earlier)
		var steps []tuner.Step
		state, steps = tuner.Decide(state, rules, observed, time.Since(began))
		for _, step := range steps {
			r.t.Logf("%6.1fs %v: %s", time.Since(began).Seconds(), step, step.Reason)
		}
		if state.Limit != limit {
			limit = state.Limit
			r.pool.SetLimit(limit)
		}
	}
	r.check()
	took := time.Since(began)
	r.t.Logf("from %d: size %d in %.1fs, %d trials; meanwhile %.3f of the sweep's best throughput; busy %.1f of %d\n%s",
		rules.Start, state.Size, took.Seconds(), state.Cost.Trials,
		float64(r.done.Load()-before)/took.Seconds()/r.best, observed.Busy, limit, tuner.Table(state.Curve()))
	if !state.Found {
		r.t.Errorf("from %d: nothing is found in %v: %s", rules.Start, searching, state.Why)
	}
	return state.Size
}

// observe is what happens in an interval.
func (r *rig) observe(earlier usher.Stat) (tuner.Observed, usher.Stat) {
	var o tuner.Observed
	ticks := time.NewTicker(sampling)
	defer ticks.Stop()
	n := 0.0
	for end := time.Now().Add(interval); time.Now().Before(end); n++ {
		<-ticks.C
		s := r.pool.Stat()
		o.Busy += float64(s.Busy)
		o.Waiting += float64(s.TotalWaiting())
	}
	now := r.pool.Stat()
	o.Busy, o.Waiting = o.Busy/n, o.Waiting/n
	o.Completed = now.Service.Count() - earlier.Service.Count()
	o.Held = now.Service.Sum() - earlier.Service.Sum()
	return o, now
}

// compare is the throughput of a size over that of another, from pairs of measurements in alternating order, with its
// standard error.
func (r *rig) compare(size, other, pairs int) (ratio, deviation float64) {
	r.t.Helper()
	if size == other {
		return 1, 0
	}
	var ratios []float64
	for i := range pairs {
		var x, y float64
		if i%2 == 0 {
			x, y = r.measure(size), r.measure(other)
		} else {
			y, x = r.measure(other), r.measure(size)
		}
		ratios = append(ratios, math.Log(x/y))
	}
	r.check()
	mean, squares := 0.0, 0.0
	for _, x := range ratios {
		mean += x / float64(pairs)
	}
	for _, x := range ratios {
		squares += (x - mean) * (x - mean)
	}
	return math.Exp(mean), math.Sqrt(squares / float64(pairs*(pairs-1)))
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
