//go:build integration

package conformance

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// witness is a client that works while others misbehave. It must not notice.
type witness struct {
	t       *testing.T
	stop    chan struct{}
	group   sync.WaitGroup
	slowest time.Duration
	asked   int
}

// calm is how long one of the witness's queries may take, on a machine that does a lot of other things.
const calm = 15 * time.Second

// newWitness begins to work on a target; end is called by the test, or by its cleanup.
func newWitness(t *testing.T, target *target) *witness {
	t.Helper()
	w := &witness{t: t, stop: make(chan struct{})}
	client := target.simple(t, "application_name", "witness")
	w.group.Go(func() { w.work(client.conn, client) })
	t.Cleanup(w.end)
	return w
}

func (w *witness) work(conn *pgconn.PgConn, client *session) {
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-ticker.C:
		}
		w.asked++
		begin := time.Now()
		answer, err := client.try(fmt.Sprint("SELECT 'witness ', ", w.asked))
		if err != nil || answer != fmt.Sprint("witness |", w.asked) {
			w.t.Errorf("the witness asked for %d and got %q, %v", w.asked, answer, err)
			return
		}
		w.slowest = max(w.slowest, time.Since(begin))
	}
}

// end stops the witness and says how it fared.
func (w *witness) end() {
	select {
	case <-w.stop:
		return
	default:
	}
	close(w.stop)
	w.group.Wait()
	w.t.Logf("the witness asked %d times and waited %v at most", w.asked, w.slowest)
	if w.asked == 0 || w.slowest > calm {
		w.t.Errorf("the witness was disturbed: %d answers, the slowest in %v", w.asked, w.slowest)
	}
}
