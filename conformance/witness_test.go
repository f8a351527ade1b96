//go:build integration

package conformance

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// witness is a client that works while others misbehave. It must not notice.
type witness struct {
	t      *testing.T
	target string
	stop   chan struct{}
	group  sync.WaitGroup
	asked  atomic.Int64

	slowest time.Duration // written by its goroutine, read when that has ended
}

// calm is how long one of the witness's queries may take, on a machine that does a lot of other things.
const calm = 15 * time.Second

// newWitness begins to work on a target; end is called by the test, or by its cleanup.
func newWitness(t *testing.T, target *target) *witness {
	t.Helper()
	w := &witness{t: t, target: target.name, stop: make(chan struct{})}
	client := target.simple(t, "application_name", "witness")
	w.group.Go(func() { w.work(client) })
	t.Cleanup(w.end)
	return w
}

func (w *witness) work(client *session) {
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-ticker.C:
		}
		number := w.asked.Add(1)
		begin := time.Now()
		answer, err := client.try(fmt.Sprint("SELECT 'witness ', ", number))
		if err != nil || answer != fmt.Sprint("witness |", number) {
			w.t.Errorf("the witness asked for %d and got %q, %v", number, answer, err)
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
	seen := w.asked.Load()
	poll(patience, func() bool { return w.asked.Load() >= seen+3 || w.t.Failed() })
	close(w.stop)
	w.group.Wait()
	w.t.Logf("the witness on %s asked %d times and waited %v at most", w.target, w.asked.Load(), w.slowest)
	if w.asked.Load() < seen+3 || w.slowest > calm {
		w.t.Errorf("the witness was disturbed: %d answers, the slowest in %v", w.asked.Load(), w.slowest)
	}
}
