package pool_test

import (
	"testing"

	"github.com/usher-pg/usher/pool"
)

func TestADirectWaiterHasWhatItIsGranted(t *testing.T) {
	t.Parallel()
	p := filled(t, pool.Config{Max: 1}, 1)
	w := pool.Waiter[int]{Direct: true}
	other := pool.Waiter[int]{Direct: true}
	r := p.Acquire(&w, pool.Normal, 0, 0).Resource
	if !p.Acquire(&other, pool.Normal, 0, 0).Queued {
		t.Fatal("two have the only resource")
	}
	g, ok := p.Release(r, 1)
	if !ok || g.Waiter != &other || g.Resource != r {
		t.Fatalf("released to %+v, %v", g, ok)
	}
	st := p.Stat(1)
	if st.Busy != 1 || st.Handed != 0 || st.Waited[pool.Normal] != 1 || st.Granted[pool.Normal] != 2 {
		t.Errorf("%d busy, %d handed, %d waited, %d granted; want 1, 0, 1, 2",
			st.Busy, st.Handed, st.Waited[pool.Normal], st.Granted[pool.Normal])
	}
	if p.Withdraw(&other, 1) {
		t.Error("a request that was granted is withdrawn")
	}
	if _, ok := p.Release(r, 2); ok { // it was other's without Accept
		t.Error("released to nobody")
	}
}

func TestAWithdrawnRequestIsNotServed(t *testing.T) {
	t.Parallel()
	p := filled(t, pool.Config{Max: 1}, 1)
	var w pool.Waiter[int]
	leaver, stayer := pool.Waiter[int]{Direct: true}, pool.Waiter[int]{Direct: true}
	r := p.Acquire(&w, pool.Normal, 0, 0).Resource
	p.Acquire(&leaver, pool.Critical, 0, 0)
	p.Acquire(&stayer, pool.Low, 0, 0)
	if !p.Withdraw(&leaver, 1) {
		t.Fatal("a request that waits cannot be withdrawn")
	}
	if g, ok := p.Release(r, 1); !ok || g.Waiter != &stayer {
		t.Errorf("released to %+v, %v", g, ok)
	}
	if n := p.Stat(1).Cancelled[pool.Critical]; n != 1 {
		t.Errorf("%d cancelled", n)
	}
}

func TestARefusedDirectWaiterCannotBeWithdrawn(t *testing.T) {
	t.Parallel()
	p := filled(t, pool.Config{Max: 1}, 1)
	var w pool.Waiter[int]
	p.Acquire(&w, pool.Normal, 0, 0)
	refused := pool.Waiter[int]{Direct: true}
	p.Acquire(&refused, pool.Low, 0, 0)
	p.Shed(pool.Low)
	var work pool.Work[int]
	p.Tick(1, &work)
	if len(work.Refused) != 1 || work.Refused[0].Waiter != &refused {
		t.Fatalf("refused: %v", work.Refused)
	}
	if p.Withdraw(&refused, 1) {
		t.Error("a request that was refused is withdrawn")
	}
	if out := p.Acquire(&refused, pool.Normal, 2, 2); !out.Queued {
		t.Errorf("a waiter whose refusal was not accepted by call cannot be used again: %+v", out)
	}
}

func TestOnlyDirectWaitersOfThePoolAreWithdrawn(t *testing.T) {
	t.Parallel()
	p, other := filled(t, pool.Config{Max: 1}, 1), filled(t, pool.Config{Max: 1}, 1)
	var w pool.Waiter[int]
	direct := pool.Waiter[int]{Direct: true}
	p.Acquire(&w, pool.Normal, 0, 0)
	other.Acquire(&direct, pool.Normal, 0, 0)
	mustPanic(t, "withdrawal", func() { p.Withdraw(&w, 0) })
	mustPanic(t, "withdrawal", func() { p.Withdraw(&direct, 0) })
}
