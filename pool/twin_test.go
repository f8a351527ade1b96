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

	from    map[int]time.Duration // when each was taken
	service float64               // moving average of how long they are held, ns
	moved   time.Duration         // when an ordinary one was last taken or came free
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
		from: map[int]time.Duration{},
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

// emergency is whether w may have one of the reserve now, while so many are taken.
func (t *twin) emergency(w twinWaiter, taken int) bool {
	if w.lane <= t.glass && t.now < t.until {
		return true
	}
	slo := t.cfg.SLO[w.lane]
	if slo <= 0 {
		return false
	}
	first, last, ahead, behind := w, w, 0, 0
	for _, o := range t.waiting {
		switch {
		case o.lane < w.lane:
			ahead++
		case o.lane == w.lane && o.order < w.order:
			return false // not the first
		case o.lane == w.lane && o.order > w.order:
			behind++
			if o.order > last.order {
				last = o
			}
		}
	}
	return t.hopeless(ahead+1, first.queued+slo, taken) || t.hopeless(ahead+1+behind, last.queued+slo, taken)
}

// hopeless is whether the n-th in the queue is not to be expected to get an ordinary one by its deadline.
func (t *twin) hopeless(n int, deadline time.Duration, taken int) bool {
	gap := time.Duration(t.service / float64(max(taken, 1)))
	before := time.Duration(n-1) * gap
	if t.now < t.moved+gap {
		return t.now >= deadline || t.moved+gap+before > deadline
	}
	passed := t.now - t.moved // the next one is overdue
	return t.now >= deadline || t.now+passed+before >= deadline
}

// served notes that r is not held any more.
func (t *twin) served(r int) {
	d := float64(t.now - t.from[r])
	if t.service == 0 {
		t.service = d
	} else {
		t.service += (d - t.service) / 32
	}
}

// rested notes that one came free that nobody may have at once.
func (t *twin) rested() {
	if t.taken() < t.ordinary() {
		t.moved = t.now
	}
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
			taken < min(t.cfg.Max, t.limit)+t.cfg.Reserve && t.emergency(w, taken)
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

// pop takes the resource that was used last.
func (t *twin) pop() int {
	last := len(t.idle) - 1
	r := t.idle[last]
	t.from[r] = t.now
	if t.taken() < t.ordinary() {
		t.moved = t.now
	}
	t.idle = t.idle[:last]
	return r
}

func (t *twin) hand(r int, w twinWaiter) {
	t.leave(w.id)
	t.handed[r] = w
}

// release returns the id of the waiter who gets r, or 0.
func (t *twin) release(r int) int {
	t.served(r)
	delete(t.busy, r)
	return t.put(r)
}

func (t *twin) put(r int) int {
	t.idle = append(t.idle, r) // for a moment, so that open counts it
	if w, ok := t.next(t.taken()); ok {
		t.pop()
		t.hand(r, w)
		return w.id
	}
	t.rested()
	return 0
}

func (t *twin) opened(r int) int {
	t.failing = false
	id := t.put(r)
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
	if t.busy[r] {
		t.served(r)
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
