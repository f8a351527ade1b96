//go:build integration

package server

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/chance"
	"github.com/usher-pg/usher/internal/status"
)

// TestOperatorsDisturbNobody: while clients ask without a pause, an operator reloads other sizes, modes,
// targets and listeners, pauses, resumes, reconnects, and resizes. Every request is answered, and by the
// right answer.
func TestOperatorsDisturbNobody(t *testing.T) {
	l := start(t, livePools)
	text, err := os.ReadFile(l.path)
	if err != nil {
		t.Fatal(err)
	}
	variants := []string{
		string(text),
		strings.ReplaceAll(string(text), "size: {max: 2}", "size: {max: 1}, application_name: other"),
		strings.ReplaceAll(string(text), "/postgres?", "/template1?"),
		strings.Replace(string(text), `listen: [`, `listen: ["127.0.0.1:0", `, 1),
	}
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int64
	var clients sync.WaitGroup
	for i := range 6 {
		client := l.connect("postgres", []string{"app", "forwarded"}[i%2])
		clients.Go(func() {
			for n := 0; ctx.Err() == nil && !t.Failed(); n++ {
				token := fmt.Sprintf("%d/%d", i, n)
				client.expect("BEGIN; SELECT 1; COMMIT; SELECT '"+token+"'", token)
				asked.Add(1)
			}
		})
	}
	random := chance.Random(t)
	for round := range 12 {
		before := asked.Load()
		l.write(variants[round%len(variants)])
		orders := operatorOrders(l, round)
		random.Shuffle(len(orders), func(i, j int) { orders[i], orders[j] = orders[j], orders[i] })
		for _, o := range orders {
			t.Logf("round %d: %s", round, o.name)
			patient, stop := context.WithTimeout(t.Context(), patience/3)
			if err := o.give(patient); err != nil {
				t.Fatalf("%s: %v\n%s", o.name, err, picture(l))
			}
			stop()
		}
		eventually(t, "clients go on", func() bool { return asked.Load() > before+12 || t.Failed() })
	}
	cancel()
	clients.Wait()
	t.Logf("%d requests", asked.Load())
}

type operatorOrder struct {
	name string
	give func(context.Context) error
}

func operatorOrders(l *live, round int) []operatorOrder {
	return []operatorOrder{
		{"RELOAD", l.Reload},
		{"PAUSE", func(ctx context.Context) error { return then(ctx, "", l.Pause, l.Resume) }},
		{"PAUSE app", func(ctx context.Context) error { return then(ctx, "app", l.Pause, l.Resume) }},
		{"RECONNECT", func(ctx context.Context) error { return then(ctx, "", l.Reconnect, l.WaitClose) }},
		{"DISABLE app", func(ctx context.Context) error { return then(ctx, "app", l.Disable, l.Enable) }},
		{"SET", func(ctx context.Context) error { return l.Set(ctx, "pools.app.size.max", fmt.Sprint(1+round%3)) }},
		{"SUSPEND", func(ctx context.Context) error {
			if err := l.Suspend(ctx); err != nil {
				return err
			}
			return l.Resume(ctx, "")
		}},
		{"a look at it", func(ctx context.Context) error {
			_, err := l.Snapshot(ctx, status.AllSections)
			return err
		}},
	}
}

func then(ctx context.Context, database string, orders ...func(context.Context, string) error) error {
	for _, give := range orders {
		if err := give(ctx, database); err != nil {
			return err
		}
	}
	return nil
}

// picture is what a failure needs to be understood.
func picture(l *live) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	shot, err := l.Snapshot(ctx, status.SectionClients|status.SectionServers|status.SectionPools)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, c := range shot.Clients {
		fmt.Fprintf(&b, "client %d of %s: %s, held %v, link %d, wait %v, unsent %d, unread %d\n",
			c.ID, c.Database, c.State, c.Held, c.Link, c.Wait, c.Unsent, c.Unread)
	}
	for _, s := range shot.Servers {
		fmt.Fprintf(&b, "server %d of %s: %s, link %d, old %v, unsent %d, unread %d\n",
			s.ID, s.Database, s.State, s.Link, s.CloseNeeded, s.Unsent, s.Unread)
	}
	for _, r := range l.routes.Of("") {
		stat := r.Pool.Stat()
		stat.Acquisition, stat.Service = nil, nil
		fmt.Fprintf(&b, "pool %s: %+v\n", r.Database, stat)
	}
	return b.String()
}
