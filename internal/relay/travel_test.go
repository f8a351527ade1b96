package relay

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/pgerr"
)

// twoLoops is a world of two loops and n server connections, and a client on each loop. The first server
// connection lives on loop 1, the second on loop 0, and so on.
func twoLoops(t *testing.T, n int) (w *world, on [2]*guest) {
	t.Helper()
	p := of(n)
	p.loops = 2
	w = p.start(t)
	for range on {
		g := w.seat()
		index, _, _ := w.keys.where(g.processID)
		on[index] = g
	}
	if on[0] == nil || on[1] == nil {
		t.Fatal("two clients are on one loop")
	}
	// What the first one reports is known, and so clients are let in, before it is at home on its loop.
	w.eventually("the server connections are there", func() bool { return w.pool.Stat().Idle == n })
	return w, on
}

// stall makes a loop do nothing until the result is called.
func (w *world) stall(index int) (goOn func()) {
	gate, stalled := make(chan struct{}), make(chan struct{})
	w.loops[index].reactor.Post(func() { close(stalled); <-gate })
	<-stalled
	return func() { close(gate) }
}

// granted waits until the pool has given a server connection away.
func (w *world) granted() {
	w.t.Helper()
	w.eventually("a server connection is given away", func() bool { return w.pool.Stat().Busy == 1 })
}

func TestAServerConnectionTravelsToItsClientsLoop(t *testing.T) {
	t.Parallel()
	w, on := twoLoops(t, 1)
	for range 20 {
		on[0].ask("T D(1) C(SELECT_1) Z(I)", query("SELECT pid"))
		on[1].ask("T D(1) C(SELECT_1) Z(I)", query("SELECT pid"))
	}
	if n := w.toy.opened(); n != 1 {
		t.Errorf("%d server connections were opened", n)
	}
}

func TestManyClientsOnTwoLoopsShareAFewServerConnections(t *testing.T) {
	t.Parallel()
	p := of(3)
	p.loops = 2
	w := p.start(t)
	var clients sync.WaitGroup
	for i := range 16 {
		g := w.seat()
		text := strconv.Itoa(i)
		clients.Go(func() {
			for range 50 {
				g.send(query("BEGIN"), query("SELECT '"+text+"'"), query("COMMIT"))
				for _, want := range []string{
					"C(BEGIN)", "Z(T)", "T", "D(" + text + ")", "C(SELECT_1)", "Z(T)", "C(COMMIT)", "Z(I)",
				} {
					if got, err := g.read(); err != nil || got != want {
						t.Errorf("got %s, %v, want %s", got, err, want)
						return
					}
				}
			}
		})
	}
	clients.Wait()
}

func TestAClientThatDiesBeforeItsServerConnectionArrives(t *testing.T) {
	t.Parallel()
	w, on := twoLoops(t, 1)
	goOn := w.stall(1)
	on[0].send(query("SELECT 'x'"))
	w.granted()
	on[0].close()
	w.eventually("the client is gone", func() bool { return w.seated.Load() == 1 })
	goOn()
	on[1].ask("T D(1) C(SELECT_1) Z(I)", query("SELECT pid"))
}

func TestAServerConnectionThatBreaksOnItsWayIsReplaced(t *testing.T) {
	t.Parallel()
	w, on := twoLoops(t, 1)
	goOn := w.stall(1)
	on[0].send(query("SELECT pid"))
	w.granted()
	_ = w.toy.session(1).conn.Close()
	goOn()
	on[0].want("T D(2) C(SELECT_1) Z(I)")
}

func TestARequestCancelledBeforeItsServerConnectionArrives(t *testing.T) {
	t.Parallel()
	w, on := twoLoops(t, 1)
	goOn := w.stall(1)
	on[0].send(query("SELECT 'x'"), query("SELECT 'y'"))
	w.granted()
	on[0].taken()
	on[0].cancel()
	goOn()
	on[0].want("E(57014) Z(I) T D(y) C(SELECT_1) Z(I)")
	on[1].ask("T D(z) C(SELECT_1) Z(I)", query("SELECT 'z'"))
	on[0].ask("T D(z) C(SELECT_1) Z(I)", query("SELECT 'z'"))
}

// TestAPoolRemovedWhileItOpensLeavesNothing removes a pool, as a reload does, while a server connection is
// being opened.
func TestAPoolRemovedWhileItOpensLeavesNothing(t *testing.T) {
	t.Parallel()
	p := of(2)
	p.rules.Engine.Min = 1
	p.gate = make(chan struct{}, 2)
	p.gate <- struct{}{}
	w := p.start(t)
	a, b := w.seat(), w.seat()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	b.send(query("SELECT 'x'"))
	b.waiting()
	w.eventually("another one is being opened", func() bool { return w.pool.Stat().Opening == 1 })
	a.ask("C(COMMIT) Z(I)", query("COMMIT"))
	b.want("T D(x) C(SELECT_1) Z(I)")
	w.pool.Remove(context.Background(), pgerr.PoolGone)
	w.eventually("the first is closed", func() bool { return w.pool.Stat().Open == 0 && w.toy.living() == 0 })
	for range 10 {
		w.onLoops(func(*loop) {})
	}
	p.gate <- struct{}{}
	w.eventually("so is the second", func() bool { return w.toy.opened() == 2 && w.toy.living() == 0 })
}

// TestAConnectionOpenedByOldRulesDoesNotStay exchanges the rules, as a reload does that changes the server's
// address, while a server connection is being opened by the old ones.
func TestAConnectionOpenedByOldRulesDoesNotStay(t *testing.T) {
	t.Parallel()
	p := one()
	p.gate = make(chan struct{}, 1)
	w := p.start(t)
	w.eventually("one is being opened", func() bool { return w.dials.Load() == 1 })
	rules := *w.pool.rules()
	old := rules.Dial
	dialled := make(chan struct{})
	rules.Dial = func(ctx context.Context) (*Opened, error) {
		close(dialled)
		return old(ctx)
	}
	w.pool.Configure(rules, true)
	p.gate <- struct{}{}
	select {
	case <-dialled:
	case <-time.After(patience):
		t.Fatalf("the new rules have opened nothing: %d server connections, opened by the old ones, are kept",
			w.toy.living())
	}
	p.gate <- struct{}{}
	w.eventually("only the new one is left", func() bool { return w.toy.opened() == 2 && w.toy.living() == 1 })
}
