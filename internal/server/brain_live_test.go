//go:build integration

package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher/internal/brain"
	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/sqlite"
	"github.com/usher-pg/usher/internal/status"
)

// drivenClock is a clock that goes ahead in steps.
type drivenClock struct {
	// mutex guards now and step.
	mutex sync.Mutex
	now   time.Time
	step  time.Duration
}

func (c *drivenClock) Now() time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.now
}

// run drives the clock until ctx ends: each 10 ms of the machine's it goes ahead by its step.
func (c *drivenClock) run(ctx context.Context) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.mutex.Lock()
			c.now = c.now.Add(c.step)
			c.mutex.Unlock()
		}
	}
}

// await returns when the clock shows a time.
func (c *drivenClock) await(t time.Time) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for c.Now().Before(t) {
		<-ticker.C
	}
}

const (
	usualDemand   = 4.0
	weddingDemand = 16.0 // with the usual guests
	weddingLasts  = 2 * time.Hour
)

// TestConnectionsAreOpenBeforeTheWedding is the whole way: a calendar and a history of five weeks with weddings in them
// tell that demand will be four times the usual; PostgreSQL itself says that the connections are open half an hour
// before the wedding begins, and closed some time after it. Hours pass in seconds. In session mode demand is sessions.
func TestConnectionsAreOpenBeforeTheWedding(t *testing.T) {
	for _, mode := range []string{"transaction", "session"} {
		t.Run(mode, func(t *testing.T) { openBeforeTheWedding(t, mode) })
	}
}

func openBeforeTheWedding(t *testing.T, mode string) {
	clock := &drivenClock{now: time.Now().UTC().Truncate(time.Hour), step: 8 * time.Second}
	begins := clock.now.Add(90 * time.Minute)
	var file string
	l := startWith(t, `
listen: ["127.0.0.1:0"]
auth: {type: trust}
admin_users: [postgres]
timezone: UTC
rush_hours: []
tuning: "off"
history: {store: "{{dir}}/history.db"}
calendars: [{name: weddings, file: "{{dir}}/weddings.csv", kind: wedding, poll: 10s}]
pools:
  app:
    url: postgres://postgres@{{server}}/postgres?sslmode=disable
    mode: `+mode+`
    size: {min: 1, max: 60}
    timeouts: {server_idle: 1s}
    scaling: {mode: scale}
`, func(o *Options) {
		file = filepath.Join(o.Folder, "weddings.csv")
		writeWeddings(t, file, begins)
		fillHistory(t, filepath.Join(o.Folder, "history.db"), clock.now, begins)
		o.Clock = brain.Clock{Now: clock.Now, Step: 10 * time.Millisecond}
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	// Guests are there before the clock starts, so that nothing falls because of silence.
	crowd := newGuests(ctx, l)
	crowd.be(int(usualDemand))
	defer crowd.leave()
	eventually(t, "there is a forecast with the wedding in it", func() bool {
		s := l.scaling(t)
		return s.Next != nil && s.Next.Start.Sub(begins).Abs() < 40*time.Minute
	})
	go clock.run(ctx)

	clock.await(begins.Add(-75 * time.Minute))
	before := l.opened(t)
	if before < int(usualDemand) || before >= int(weddingDemand) {
		t.Fatalf("%d connections are open before anything is expected", before)
	}
	clock.await(begins.Add(-30 * time.Minute))
	early := l.opened(t)
	t.Logf("half an hour before the wedding %d connections are open, %d before; decided: %s", early, before,
		l.scaling(t).Decision.Reason)
	if early < int(weddingDemand) {
		t.Errorf("half an hour before the wedding %d connections are open, want %v or more: %+v", early, weddingDemand,
			l.scaling(t).Decision)
	}

	clock.await(begins)
	crowd.be(int(weddingDemand))
	clock.await(begins.Add(weddingLasts))
	if during := l.opened(t); during < early {
		t.Errorf("at the wedding's end %d connections are open, %d before it", during, early)
	}
	crowd.be(int(usualDemand))
	eventually(t, "connections close after the wedding", func() bool { return l.opened(t) <= before+2 })
	if after := clock.Now(); after.Before(begins.Add(weddingLasts + 30*time.Minute)) {
		t.Errorf("they were closed at %v already; the wedding ended at %v and they hold for 30 minutes more", after,
			begins.Add(weddingLasts))
	}
}

// weddingBefore is when the n-th wedding before the next one began: not always on the same day of the week, so that
// what a wedding brings can be told from what the day does.
func weddingBefore(next time.Time, n int) time.Time { return next.AddDate(0, 0, -6*n) }

func writeWeddings(t *testing.T, path string, next time.Time) {
	t.Helper()
	text := "start,end,guests,name\n"
	for week := range 6 {
		begins := weddingBefore(next, week)
		text += fmt.Sprintf("%s,%s,100,wedding %d\n", begins.Format(time.RFC3339),
			begins.Add(weddingLasts).Format(time.RFC3339), week)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// fillHistory writes five weeks down in which a wedding brought its demand at the hour of the next one.
func fillHistory(t *testing.T, path string, now, next time.Time) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var buckets []history.Bucket
	for at := now.AddDate(0, 0, -35); at.Before(now); at = at.Add(history.Step) {
		demand := usualDemand
		for week := 1; week <= 5; week++ {
			if begins := weddingBefore(next, week); !at.Before(begins) && at.Before(begins.Add(weddingLasts)) {
				demand = weddingDemand
			}
		}
		buckets = append(buckets, history.Bucket{
			Start: at, Width: history.Step, Samples: 300, Mean: demand, P95: demand + 1, Max: demand + 2,
			Arrivals: demand * 3000, ArrivalSpread: 1, Service: 100 * time.Millisecond, ServiceSpread: 0.1,
		})
	}
	if err := store.Append(t.Context(), "app", buckets); err != nil {
		t.Fatal(err)
	}
}

// scaling is what was decided for the pool last.
func (l *live) scaling(t *testing.T) status.Scaling {
	t.Helper()
	shot, err := l.Snapshot(t.Context(), status.SectionScaling)
	if err != nil {
		t.Fatal(err)
	}
	if len(shot.Scaling) == 0 {
		return status.Scaling{}
	}
	return shot.Scaling[0]
}

// opened is how many connections usher has, as PostgreSQL counts them.
func (l *live) opened(t *testing.T) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := pgconn.Connect(ctx, "postgres://postgres@"+l.backend+"/postgres?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	direct := &client{conn, t}
	text, err := direct.query("SELECT count(*) FROM pg_stat_activity" +
		" WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// guests are clients that each keep one server connection busy.
type guests struct {
	l     *live
	ctx   context.Context
	stops []context.CancelFunc
	all   sync.WaitGroup
}

func newGuests(ctx context.Context, l *live) *guests { return &guests{l: l, ctx: ctx} }

// be lets so many guests be there.
func (g *guests) be(n int) {
	for len(g.stops) > n {
		last := len(g.stops) - 1
		g.stops[last]()
		g.stops = g.stops[:last]
	}
	for len(g.stops) < n {
		ctx, stop := context.WithCancel(g.ctx)
		g.stops = append(g.stops, stop)
		guest := g.l.connect("postgres", "app")
		g.all.Go(func() {
			defer guest.leave()
			for ctx.Err() == nil && !g.l.t.Failed() {
				guest.expect("SELECT 'dance' FROM pg_sleep(0.1)", "dance")
			}
		})
	}
}

func (g *guests) leave() {
	g.be(0)
	g.all.Wait()
}
