package pool_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/usher-pg/usher/pool"
)

// TestPoolDoesWhatItsTwinDoes lets rapid write schedules for one to three pools of one budget and compares
// each step with the twin. rapid prints the seed of a failure and how to replay it.
func TestPoolDoesWhatItsTwinDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"acquire":    w.acquire,
			"acquire2":   w.acquire,
			"acquire3":   w.acquire,
			"release":    w.release,
			"release2":   w.release,
			"deliver":    w.deliver,
			"deliver2":   w.deliver,
			"cancel":     w.cancel,
			"discard":    w.discard,
			"opened":     w.opened,
			"opened2":    w.opened,
			"openFailed": w.openFailed,
			"pass":       w.pass,
			"pass2":      w.pass,
			"operate":    w.operate,
			"budget":     w.setBudget,
			"":           w.check,
		})
		w.finish(t)
	})
}

func (w *world) draw(t *rapid.T) *subject { return rapid.SampledFrom(w.pools).Draw(t, "pool") }

// some draws one that passes, or skips the action.
func some[T any](t *rapid.T, from []T, pass func(T) bool) T {
	var fit []T
	for _, x := range from {
		if pass(x) {
			fit = append(fit, x)
		}
	}
	if len(fit) == 0 {
		t.Skip("nobody")
	}
	return fit[rapid.IntRange(0, len(fit)-1).Draw(t, "which")]
}

func (w *world) acquire(t *rapid.T) {
	s := w.draw(t)
	q := some(t, s.waiters, func(q *requester) bool { return q.holds == nil && !q.queued })
	lane := pool.Lane(rapid.IntRange(0, pool.Lanes-1).Draw(t, "lane"))
	q.Deadline = 0
	if rapid.IntRange(0, 3).Draw(t, "own deadline") == 0 {
		q.Deadline = w.now + time.Duration(rapid.IntRange(1, 30).Draw(t, "ms"))*time.Millisecond
	}
	out := s.Acquire(&q.Waiter, lane, w.now, w.now)
	r, err := s.twin.acquire(q.id, lane, q.Deadline)
	switch {
	case out.Err != err:
		t.Fatalf("%d is refused with %v, the twin says %v", q.id, out.Err, err)
	case (out.Resource != nil) != (r != 0) || r != 0 && out.Resource.Value != r:
		t.Fatalf("%d got %v, the twin says %d", q.id, out.Resource, r)
	case out.Queued != (r == 0 && err == nil):
		t.Fatalf("%d queued: %v", q.id, out.Queued)
	}
	q.holds, q.queued = out.Resource, out.Queued
	s.opening += out.Open
}

func (w *world) release(t *rapid.T) {
	s := w.draw(t)
	q := some(t, s.waiters, func(q *requester) bool { return q.holds != nil })
	s.release(q)
}

func (s *subject) release(q *requester) {
	r := q.holds
	q.holds = nil
	g, ok := s.Release(r, s.w.now)
	if !ok {
		for c := s.NextClose(); c != nil; c = s.NextClose() {
			s.closed(c)
		}
		if s.known[r.Value] == nil {
			return // the twin has no lifetimes; closed has judged
		}
	}
	s.compareGrant(g, ok, s.twin.release(r.Value))
}

func (s *subject) compareGrant(g pool.Grant[int], ok bool, id int) {
	if ok != (id != 0) || ok && g.Waiter.Owner.(*requester).id != id {
		s.w.t.Fatalf("granted %v to %+v, the twin says %d", ok, g.Waiter, id)
	}
	if ok {
		s.post(g)
	}
}

func (s *subject) post(g pool.Grant[int]) {
	s.mail = append(s.mail, g)
	s.latest[g.Resource.Value] = g
}

// closed judges why the engine took out a resource, and lets the twin forget it.
func (s *subject) closed(r *pool.Resource[int]) {
	t, n := s.w.t, r.Value
	if s.known[n] == nil {
		t.Fatalf("%d closed twice", n)
	}
	if _, ok := s.twin.handed[n]; ok {
		t.Fatalf("%d closed on its way to a waiter", n)
	}
	for _, q := range s.waiters {
		if q.holds == r {
			t.Fatalf("%d closed while busy", n)
		}
	}
	ok := false
	switch r.CloseReason() {
	case pool.CloseIdle:
		ok = s.cfg.IdleTimeout > 0 && len(s.twin.idle) > s.cfg.Reserve &&
			s.twin.open() > s.cfg.Min+s.cfg.Reserve
	case pool.CloseLifetime:
		least := float64(s.cfg.Lifetime) * (1 - pool.DefaultLifetimeJitter)
		ok = s.cfg.Lifetime > 0 && float64(r.Age(s.w.now)) >= least
	case pool.CloseSurplus:
		ok = s.twin.open() > s.cfg.Max+s.cfg.Reserve
	case pool.CloseReconnect:
		ok = r.Epoch() < s.Epoch()
	case pool.CloseBudget:
		ok = s.w.budget != nil && s.twin.open() > s.cfg.Min
	case pool.CloseHold:
		ok = s.twin.state == "emptying"
	}
	if !ok {
		t.Fatalf("%d closed for no good reason: %v", n, r.CloseReason())
	}
	delete(s.known, n)
	s.twin.remove(n)
}

// deliver brings one letter, in any order.
func (w *world) deliver(t *rapid.T) {
	s := w.draw(t)
	if len(s.mail) == 0 {
		t.Skip("no mail")
	}
	i := rapid.IntRange(0, len(s.mail)-1).Draw(t, "letter")
	letter := s.mail[i]
	s.mail = slices.Delete(s.mail, i, i+1)
	s.deliver(letter)
}

func (s *subject) deliver(letter any) {
	switch letter := letter.(type) {
	case pool.Grant[int]:
		q := letter.Waiter.Owner.(*requester)
		w, meant := s.twin.handed[letter.Resource.Value]
		meant = meant && w.id == q.id && s.latest[letter.Resource.Value] == letter
		if ok := s.Accept(letter); ok != meant {
			s.w.t.Fatalf("accepted by %d: %v, the twin says %v", q.id, ok, meant)
		} else if ok {
			delete(s.twin.handed, letter.Resource.Value)
			s.twin.busy[letter.Resource.Value] = true
			q.holds, q.queued = letter.Resource, false
		}
	case pool.Refusal[int]:
		q := letter.Waiter.Owner.(*requester)
		if s.AcceptRefusal(letter) {
			if !q.queued {
				s.w.t.Fatalf("%d accepts a refusal but expects none", q.id)
			}
			q.queued = false
		}
	}
}

func (w *world) cancel(t *rapid.T) {
	s := w.draw(t)
	q := some(t, s.waiters, func(q *requester) bool { return q.holds == nil })
	s.cancel(q)
}

func (s *subject) cancel(q *requester) {
	r := s.Cancel(&q.Waiter, s.w.now)
	want := 0
	for n, w := range s.twin.handed {
		if w.id == q.id {
			want = n
		}
	}
	if (r != nil) != (want != 0) || r != nil && r.Value != want {
		s.w.t.Fatalf("cancel of %d returns %v, the twin says %d", q.id, r, want)
	}
	if r != nil {
		delete(s.twin.handed, want)
		s.twin.busy[want] = true
	}
	s.twin.leave(q.id)
	q.holds, q.queued = r, false
}

func (w *world) discard(t *rapid.T) {
	s := w.draw(t)
	r := s.known[some(t, slices.Sorted(maps.Keys(s.known)), func(int) bool { return true })]
	if slices.Contains(s.twin.idle, r.Value) {
		n, ok := s.DiscardIdle(r, w.now)
		if !ok {
			t.Fatal("an idle one was not discarded")
		}
		s.opening += n
	} else {
		if _, ok := s.DiscardIdle(r, w.now); ok {
			t.Fatal("one that is not idle was discarded as idle")
		}
		for _, q := range s.waiters {
			if q.holds == r {
				q.holds = nil
			}
		}
		s.opening += s.Discard(r, w.now)
	}
	delete(s.known, r.Value)
	s.twin.remove(r.Value)
}

func (w *world) opened(t *rapid.T) {
	s := some(t, w.pools, func(s *subject) bool { return s.opening > 0 })
	s.opened()
}

func (s *subject) opened() {
	s.opening--
	s.w.numbers++
	n := s.w.numbers
	r, g, ok := s.Opened(n, s.w.now)
	if r.CloseReason() != pool.CloseIdle { // closing at once
		s.twin.failing = false
		s.known[n] = r
		s.twin.idle = append(s.twin.idle, n)
		s.twin.note()
		for c := s.NextClose(); c != nil; c = s.NextClose() {
			s.closed(c)
		}
		return
	}
	s.known[n] = r
	s.compareGrant(g, ok, s.twin.opened(n))
}

func (w *world) openFailed(t *rapid.T) {
	s := some(t, w.pools, func(s *subject) bool { return s.opening > 0 })
	s.opening--
	s.OpenFailed(w.now)
	s.twin.failing = true
	s.twin.note()
}

func (w *world) pass(t *rapid.T) {
	end := w.now + time.Duration(rapid.IntRange(1, 15_000).Draw(t, "µs"))*time.Microsecond
	w.until(end)
}

func (w *world) until(end time.Duration) {
	for w.now < end {
		next := end
		for _, s := range w.pools {
			next = min(next, s.Due())
		}
		w.now = max(w.now, next)
		w.settle()
	}
}

func (w *world) operate(t *rapid.T) {
	s := w.draw(t)
	switch rapid.IntRange(0, 8).Draw(t, "operation") {
	case 0:
		s.SetTarget(rapid.IntRange(0, 5).Draw(t, "target"))
	case 1:
		s.twin.limit = rapid.IntRange(1, 5).Draw(t, "limit")
		s.SetLimit(s.twin.limit)
	case 2:
		s.twin.glass = pool.Lane(rapid.IntRange(0, pool.Lanes-1).Draw(t, "lane"))
		s.twin.until = w.now + time.Duration(rapid.IntRange(0, 20).Draw(t, "ms"))*time.Millisecond
		s.OpenReserve(s.twin.glass, s.twin.until)
	case 3:
		var lanes []pool.Lane
		clear(s.twin.shed)
		for l := range pool.Lane(pool.Lanes) {
			if rapid.IntRange(0, 3).Draw(t, "shed") == 0 {
				lanes = append(lanes, l)
				s.twin.shed[l] = true
			}
		}
		s.Shed(lanes...)
	case 4:
		s.Reconnect(w.now)
	case 5:
		if s.twin.state == "active" {
			s.twin.state = "held"
		}
		s.Hold(w.now)
	case 6:
		s.twin.state = "emptying"
		s.HoldClosing(w.now)
	case 7:
		s.unhold()
	case 8:
		cfg := drawConfig(t)
		cfg.Min = min(s.cfg.Min, cfg.Max) // the budget must suffice
		s.cfg, s.twin.cfg = cfg, cfg
		s.SetConfig(cfg, w.now)
	}
	w.settle()
}

func (s *subject) unhold() {
	s.twin.state, s.twin.since, s.twin.now = "active", s.w.now, s.w.now
	s.Unhold(s.w.now, &s.work)
	s.perform()
}

func (w *world) setBudget(t *rapid.T) {
	if w.budget == nil {
		t.Skip("no budget")
	}
	w.max = 1
	for _, s := range w.pools {
		w.max += s.cfg.Min
	}
	w.max += rapid.IntRange(0, 8).Draw(t, "budget beyond the mins")
	w.budget.SetMax(w.max)
	w.settle()
}
