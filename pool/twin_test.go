package pool_test

import (
	"slices"
	"time"

	"github.com/usher-pg/usher/pool"
)

// twin is what a pool promises, written as plainly as possible: slices, searched from end to end, and no
// budget, back-off or lifetime. What it does not decide itself (what opens, what closes for its age) it is
// told, and the test judges.
type twin struct {
	cfg   pool.Config
	state string // active, held, emptying
	now   time.Duration

	waiting []twinWaiter // in order of arrival
	idle    []int        // last used last
	handed  map[int]twinWaiter
	busy    map[int]bool

	orders  int
	limit   int
	shed    map[pool.Lane]bool
	glass   pool.Lane
	until   time.Duration
	failing bool
	barren  bool
	since   time.Duration
}

type twinWaiter struct {
	id       int
	lane     pool.Lane
	order    int
	queued   time.Duration
	deadline time.Duration // 0: the pool's
}

func newTwin(cfg pool.Config) *twin {
	return &twin{
		cfg: cfg, state: "active", limit: pool.MaxOpen,
		handed: map[int]twinWaiter{}, busy: map[int]bool{}, shed: map[pool.Lane]bool{},
	}
}

func (t *twin) open() int  { return len(t.idle) + t.taken() }
func (t *twin) taken() int { return len(t.handed) + len(t.busy) }

func (t *twin) ordinary() int {
	n := t.open() - t.cfg.Reserve
	n = max(n, t.cfg.Min)
	n = max(n, 1)
	n = min(n, t.cfg.Max)
	return min(n, t.limit)
}

func (t *twin) emergency(w twinWaiter) bool {
	slo := t.cfg.SLO[w.lane]
	return slo > 0 && t.now-w.queued >= slo || w.lane <= t.glass && t.now < t.until
}

// before is whether a is served before b.
func (t *twin) before(a, b twinWaiter) bool {
	if (a.lane == pool.Critical) != (b.lane == pool.Critical) {
		return a.lane == pool.Critical
	}
	keyA := a.queued + time.Duration(a.lane)*t.cfg.Ageing
	keyB := b.queued + time.Duration(b.lane)*t.cfg.Ageing
	if keyA != keyB {
		return keyA < keyB
	}
	return a.order < b.order
}

// next is who may have a resource now, when so many others are taken.
func (t *twin) next(taken int) (twinWaiter, bool) {
	if t.state != "active" {
		return twinWaiter{}, false
	}
	var best twinWaiter
	found := false
	for _, w := range t.waiting {
		may := taken < t.ordinary() ||
			taken < min(t.cfg.Max, t.limit)+t.cfg.Reserve && t.emergency(w)
		if may && (!found || t.before(w, best)) {
			best, found = w, true
		}
	}
	return best, found
}

func (t *twin) leave(id int) (twinWaiter, bool) {
	for i, w := range t.waiting {
		if w.id == id {
			t.waiting = slices.Delete(t.waiting, i, i+1)
			return w, true
		}
	}
	return twinWaiter{}, false
}

func (t *twin) down() bool {
	return t.barren && t.state == "active" && t.now >= t.since+t.cfg.Grace
}

func (t *twin) refusal(lane pool.Lane) error {
	inLane := 0
	for _, w := range t.waiting {
		if w.lane == lane {
			inLane++
		}
	}
	switch {
	case t.shed[lane]:
		return pool.ErrShed
	case t.down():
		return pool.ErrDown
	case inLane >= t.cfg.QueueLimit[lane]:
		return pool.ErrQueueFull
	}
	return nil
}

// acquire returns the resource, or 0 and perhaps an error.
func (t *twin) acquire(id int, lane pool.Lane, deadline time.Duration) (int, error) {
	if err := t.refusal(lane); err != nil {
		return 0, err
	}
	t.orders++
	t.waiting = append(t.waiting, twinWaiter{id, lane, t.orders, t.now, deadline})
	if w, ok := t.next(t.taken()); ok && w.id == id && len(t.idle) > 0 {
		t.leave(id)
		r := t.pop()
		t.busy[r] = true
		return r, nil
	}
	return 0, nil
}

func (t *twin) pop() int {
	r := t.idle[len(t.idle)-1]
	t.idle = t.idle[:len(t.idle)-1]
	return r
}

func (t *twin) hand(r int, w twinWaiter) {
	t.leave(w.id)
	t.handed[r] = w
}

// release returns the id of the waiter who gets r, or 0.
func (t *twin) release(r int) int {
	delete(t.busy, r)
	t.idle = append(t.idle, r) // for a moment, so that open counts it
	if w, ok := t.next(t.taken()); ok {
		t.pop()
		t.hand(r, w)
		return w.id
	}
	return 0
}

func (t *twin) opened(r int) int {
	t.failing = false
	id := t.release(r) // as if it came from a user
	t.note()
	return id
}

// remove forgets an open resource; a waiter that was to get it waits again.
func (t *twin) remove(r int) {
	if w, ok := t.handed[r]; ok {
		delete(t.handed, r)
		t.waiting = append(t.waiting, w)
		slices.SortFunc(t.waiting, func(a, b twinWaiter) int { return a.order - b.order })
	}
	delete(t.busy, r)
	if i := slices.Index(t.idle, r); i >= 0 {
		t.idle = slices.Delete(t.idle, i, i+1)
	}
	t.note()
}

func (t *twin) note() {
	barren := t.open() == 0 && t.failing
	if barren && !t.barren {
		t.since = t.now
	}
	t.barren = barren
}

// refuse returns those whose time is up, by id.
func (t *twin) refuse() map[int]error {
	refused := map[int]error{}
	for _, w := range slices.Clone(t.waiting) {
		deadline := w.deadline
		if deadline == 0 && t.cfg.QueueTimeout > 0 {
			deadline = w.queued + t.cfg.QueueTimeout
		}
		switch {
		case deadline != 0 && t.now >= deadline:
			refused[w.id] = pool.ErrQueueTimeout
		case t.down():
			refused[w.id] = pool.ErrDown
		case t.shed[w.lane]:
			refused[w.id] = pool.ErrShed
		default:
			continue
		}
		t.leave(w.id)
	}
	return refused
}

// grant gives one idle resource to whom it is due, and returns both, or zeros.
func (t *twin) grant() (id, r int) {
	w, ok := t.next(t.taken())
	if !ok || len(t.idle) == 0 {
		return 0, 0
	}
	r = t.pop()
	t.hand(r, w)
	return w.id, r
}
