//go:build integration

package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/chance"
)

// TestChaos: nobody gets somebody else's rows. Hundreds of clients with unique tokens in every statement mix
// all protocols, cancel, and die in the middle of messages, while backends are terminated and PostgreSQL is
// restarted. Every answer must belong to its question and every error to its cause, and afterwards
// goroutines, descriptors and server connections must be back where they were.
//
// USHER_CHAOS_SECONDS says how long, USHER_CHAOS_CLIENTS how many; the choices of each client follow from the
// seed.
func TestChaos(t *testing.T) {
	server := startOwnPostgres(t, nil)
	if err := server.Exec(t.Context(), database, "CREATE TABLE chaos_copy (line text)"); err != nil {
		t.Fatal(err)
	}
	if targetNames()["postgres"] {
		t.Run("postgres", func(t *testing.T) {
			chaos := newChaosTest(t, directly(server), 80)
			chaos.run(min(chaosDuration(), 8*time.Second))
			chaos.verdict()
		})
	}
	t.Run("usher", func(t *testing.T) {
		usher := startUsher(t, server, "auth: {type: trust}\nadmin_users: [postgres]\npools:\n"+
			"  chaos: {url: \"{{url}}\", size: {min: 2, max: 20}, prepared_statements: 50}\n")
		chaos := newChaosTest(t, through(usher, server, "chaos"), environmentNumber("USHER_CHAOS_CLIENTS", 500))
		before := chaos.footprint()
		chaos.run(chaosDuration())
		chaos.verdict()
		chaos.returnsTo(before)
	})
}

func chaosDuration() time.Duration {
	return time.Duration(environmentNumber("USHER_CHAOS_SECONDS", 10)) * time.Second
}

func environmentNumber(name string, otherwise int) int {
	if number, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return number
	}
	return otherwise
}

type chaosTest struct {
	t        *testing.T
	target   *target
	seed     uint64
	progress []atomic.Int64 // operations done, by client

	outage atomic.Bool // PostgreSQL is being restarted: connections may break for everybody
	counts struct {
		done, logins, cancels, cancelled, deaths atomic.Int64
		terminated                               atomic.Int64 // backends ended with pg_terminate_backend
		cutOff                                   atomic.Int64 // clients that noticed, outside of restarts
		silent                                   atomic.Int64 // … and were told nothing
		restarts                                 atomic.Int64
	}

	mu       sync.Mutex // guards failures and notes
	failures []string
	notes    []string // clients that were cut off without a word
}

func newChaosTest(t *testing.T, target *target, clients int) *chaosTest {
	seed := chance.Seed(t)
	t.Logf("USHER_CHAOS_CLIENTS=%d", clients)
	return &chaosTest{t: t, target: target, seed: seed, progress: make([]atomic.Int64, clients)}
}

// run lets the clients and those who disturb them work for a while.
func (c *chaosTest) run(duration time.Duration) {
	stopClients, stopDisturbing := make(chan struct{}), make(chan struct{})
	var clients, disturbers sync.WaitGroup
	for id := range c.progress {
		client := &chaosClient{test: c, id: id, random: rand.New(rand.NewPCG(c.seed, uint64(id)))}
		clients.Go(func() { client.run(stopClients) })
	}
	disturbers.Go(func() { c.terminate(stopDisturbing) })
	c.restart(duration)
	close(stopDisturbing)
	disturbers.Wait()
	c.everybodyMoves()
	close(stopClients)
	clients.Wait()
}

// restart waits for the duration and restarts PostgreSQL at a third and at two thirds of it.
func (c *chaosTest) restart(duration time.Duration) {
	for third := range 3 {
		<-time.After(duration / 3)
		if third == 2 {
			return
		}
		c.outage.Store(true)
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
		err := c.target.backing.Restart(ctx)
		cancel()
		if err != nil {
			c.fail("restart PostgreSQL: %v", err)
			return
		}
		c.counts.restarts.Add(1)
		c.everybodyMoves() // whatever the restart broke, each client has noticed by now
		c.outage.Store(false)
	}
}

// everybodyMoves waits until every client has done something since now.
func (c *chaosTest) everybodyMoves() {
	before := make([]int64, len(c.progress))
	for id := range c.progress {
		before[id] = c.progress[id].Load()
	}
	stuck := 0
	err := poll(chaosPatience, func() bool {
		stuck = 0
		for id := range c.progress {
			if c.progress[id].Load() < before[id]+2 {
				stuck++
			}
		}
		return stuck == 0 || c.failed()
	})
	if err != nil {
		c.fail("%d clients get no answers", stuck)
	}
}

// terminate ends a backend of a client now and then.
func (c *chaosTest) terminate(stop <-chan struct{}) {
	random := rand.New(rand.NewPCG(c.seed, 1<<32))
	ticker := time.NewTicker(150 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		if c.outage.Load() {
			continue
		}
		ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
		err := c.target.backing.Exec(ctx, "postgres", fmt.Sprintf(
			`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = '%s' AND backend_type = 'client backend' ORDER BY md5(pid::text || '%d') LIMIT 1`,
			database, random.Int64()))
		cancel()
		if err == nil {
			c.counts.terminated.Add(1)
		}
	}
}

// excuses tells whether an error of a client has a known cause, and counts it.
func (c *chaosTest) excuses(err error) bool {
	var wrong *wrongAnswer
	if errors.As(err, &wrong) {
		return wrong.said != nil && c.excusesState(wrong.said.Code)
	}
	var end *fatal
	if errors.As(err, &end) && end.said != nil {
		return c.excusesState(end.said.Code)
	}
	if !isCutOff(err) {
		return false
	}
	if !c.outage.Load() {
		c.counts.cutOff.Add(1)
		c.counts.silent.Add(1)
	}
	return true
}

// excusesState: a server connection that was lost is told by these; during a restart, also what PostgreSQL
// says while it goes down and comes up.
func (c *chaosTest) excusesState(state string) bool {
	if c.outage.Load() {
		return state == adminShutdown || state == cannotConnectNow || strings.HasPrefix(state, "08") ||
			state == "53300"
	}
	if state == adminShutdown || strings.HasPrefix(state, "08") && state != protocolViolation {
		c.counts.cutOff.Add(1)
		return true
	}
	return false
}

func (c *chaosTest) fail(format string, arguments ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = append(c.failures, fmt.Sprintf(format, arguments...))
}

// note keeps what is no failure, but should be known.
func (c *chaosTest) note(format string, arguments ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.outage.Load() {
		c.notes = append(c.notes, fmt.Sprintf(format, arguments...))
	}
}

func (c *chaosTest) failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.failures) > 0
}

// verdict reports the counts and the failures. A backend serves one client at a time, so that no more clients
// may be cut off than backends were terminated.
func (c *chaosTest) verdict() {
	n := &c.counts
	c.t.Logf("%d clients: %d operations, %d logins, %d cancels, %d statements cancelled, %d deaths of clients",
		len(c.progress), n.done.Load(), n.logins.Load(), n.cancels.Load(), n.cancelled.Load(), n.deaths.Load())
	c.t.Logf("%d backends terminated, %d restarts, %d clients cut off, %d of them without a word",
		n.terminated.Load(), n.restarts.Load(), n.cutOff.Load(), n.silent.Load())
	if n.cutOff.Load() > n.terminated.Load() {
		c.t.Errorf("%d clients were cut off by the end of %d backends", n.cutOff.Load(), n.terminated.Load())
	}
	if n.cancelled.Load() == 0 || n.cutOff.Load() == 0 || n.restarts.Load() != 2 {
		c.t.Error("the test has not tested what it is for")
	}
	const shown = 20
	for _, note := range c.notes[:min(shown, len(c.notes))] {
		c.t.Logf("cut off without a word: %s", note)
	}
	for i, failure := range c.failures {
		if i == shown {
			c.t.Errorf("… and %d more", len(c.failures)-shown)
			break
		}
		c.t.Error(failure)
	}
}

// footprint is what usher holds on to.
type footprint struct {
	goroutines  int
	descriptors int // without those of server connections
	servers     int
}

func (c *chaosTest) footprint() footprint { return measure(c.t, c.target) }

// returnsTo waits until usher holds no more than before.
func (c *chaosTest) returnsTo(before footprint) { settles(c.t, c.target, before) }
