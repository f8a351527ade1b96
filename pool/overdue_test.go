package pool_test

import (
	"testing"
	"time"

	"github.com/usher-pg/usher/pool"
)

// TestOverdue: whether somebody waits, and whether there is nothing left to give to who has waited long enough.
func TestOverdue(t *testing.T) {
	t.Parallel()
	const slo = pool.DefaultSLO
	p := pool.New[string](pool.Config{Min: 1, Max: 1, Reserve: 1}, nil, 0)
	var work pool.Work[string]
	expect := func(what string, lane pool.Lane, now time.Duration, waiting, overdue bool) {
		t.Helper()
		if w, o := p.Overdue(lane, now); w != waiting || o != overdue {
			t.Errorf("%s: waiting %v, overdue %v, expected %v, %v", what, w, o, waiting, overdue)
		}
	}
	acquire := func(lane pool.Lane, now time.Duration) pool.Outcome[string] {
		return p.Acquire(&pool.Waiter[string]{}, lane, now, now)
	}
	p.Tick(0, &work)
	acquire(pool.Normal, 0)
	expect("another lane", pool.Critical, 0, false, false)
	expect("a lane without a claim on the reserve", pool.Normal, time.Hour, true, false)
	acquire(pool.Critical, time.Hour)
	now := time.Hour + slo
	expect("two are being opened", pool.Critical, now, true, false)
	for _, name := range []string{"one", "two"} {
		if _, g, ok := p.Opened(name, now); ok {
			p.Accept(g)
		}
	}
	expect("it is served", pool.Critical, now, false, false)
	acquire(pool.Critical, now)
	now += slo
	expect("there is the reserve", pool.Critical, now, true, false)
	p.Tick(now, &work)
	for _, g := range work.Grants {
		p.Accept(g)
	}
	acquire(pool.Critical, now)
	expect("not for long enough", pool.Critical, now+slo-1, true, false)
	expect("nothing is left", pool.Critical, now+slo, true, true)
	p.Hold(now + slo)
	expect("it is held", pool.Critical, now+slo, true, false)
}
