package pool

import (
	"container/heap"
	"time"
)

// queue holds the waiters of a pool. Each is in the list of its lane, which serves; and either in the list of
// the patient, in order of arrival because one timeout holds for all of them, or in the heap of the hasty,
// who have a deadline of their own. So serving and removing any patient waiter is O(1), and expiry costs what
// expires.
type queue[R any] struct {
	total   int
	waiting [Lanes]int
	lanes   [Lanes]list[R]
	patient list[R]
	hasty   hasty[R]
}

// The lists a waiter can be in at once.
const (
	laneList = iota
	patientList
)

type links[R any] struct{ prev, next *Waiter[R] }

// list is an intrusive list of waiters in order of arrival.
type list[R any] struct {
	kind        int
	first, last *Waiter[R]
}

// insert puts w behind all that arrived before it: at the end, unless w comes back from a resource that
// broke.
func (l *list[R]) insert(w *Waiter[R]) {
	prev := l.last
	for prev != nil && prev.order > w.order {
		prev = prev.links[l.kind].prev
	}
	own := &w.links[l.kind]
	own.prev = prev
	if prev == nil {
		own.next, l.first = l.first, w
	} else {
		own.next, prev.links[l.kind].next = prev.links[l.kind].next, w
	}
	if own.next == nil {
		l.last = w
	} else {
		own.next.links[l.kind].prev = w
	}
}

func (l *list[R]) remove(w *Waiter[R]) {
	own := &w.links[l.kind]
	if own.prev == nil {
		l.first = own.next
	} else {
		own.prev.links[l.kind].next = own.next
	}
	if own.next == nil {
		l.last = own.prev
	} else {
		own.next.links[l.kind].prev = own.prev
	}
	*own = links[R]{}
}

func (q *queue[R]) init() { q.patient.kind = patientList }

func (q *queue[R]) insert(w *Waiter[R]) {
	w.become(queued)
	q.total++
	q.waiting[w.lane]++
	q.lanes[w.lane].insert(w)
	if w.deadline != 0 {
		heap.Push(&q.hasty, w)
	} else {
		q.patient.insert(w)
	}
}

func (q *queue[R]) remove(w *Waiter[R], next waiterPlace) {
	w.become(next)
	q.total--
	q.waiting[w.lane]--
	q.lanes[w.lane].remove(w)
	if w.deadline != 0 {
		heap.Remove(&q.hasty, int(w.heap))
	} else {
		q.patient.remove(w)
	}
}

// best is who is served next among the lanes given: critical first, whatever the others have waited. Between
// the other lanes a waiter counts as one lane higher for each ageing it has waited longer. Within a lane it
// is the first, and as that is also the one that has waited longest, comparing the four firsts is enough.
func (q *queue[R]) best(among laneSet, ageing time.Duration) *Waiter[R] {
	if w := q.lanes[Critical].first; w != nil && among.has(Critical) {
		return w
	}
	var best *Waiter[R]
	var bestKey time.Duration
	handicap := time.Duration(0)
	for l := High; l < Lanes; l++ {
		if w := q.lanes[l].first; w != nil && among.has(l) {
			key := after(w.queued, handicap)
			if best == nil || key < bestKey || key == bestKey && w.order < best.order {
				best, bestKey = w, key
			}
		}
		handicap = after(handicap, ageing)
	}
	return best
}

// expired returns a waiter whose time is up, or nil.
func (q *queue[R]) expired(timeout, now time.Duration) *Waiter[R] {
	if len(q.hasty) > 0 && q.hasty[0].deadline <= now {
		return q.hasty[0]
	}
	if w := q.patient.first; w != nil && timeout > 0 && after(w.queued, timeout) <= now {
		return w
	}
	return nil
}

// nextExpiry is when expired will find somebody.
func (q *queue[R]) nextExpiry(timeout time.Duration) time.Duration {
	next := Forever
	if len(q.hasty) > 0 {
		next = q.hasty[0].deadline
	}
	if w := q.patient.first; w != nil && timeout > 0 {
		next = min(next, after(w.queued, timeout))
	}
	return next
}

// oldest is the waiter that has waited longest, in any lane.
func (q *queue[R]) oldest() *Waiter[R] {
	var oldest *Waiter[R]
	for l := range q.lanes {
		if w := q.lanes[l].first; w != nil && (oldest == nil || w.order < oldest.order) {
			oldest = w
		}
	}
	return oldest
}

// hasty is a heap of waiters by deadline (container/heap).
type hasty[R any] []*Waiter[R]

func (h hasty[R]) Len() int { return len(h) }

func (h hasty[R]) Less(i, j int) bool {
	if h[i].deadline != h[j].deadline {
		return h[i].deadline < h[j].deadline
	}
	return h[i].order < h[j].order
}

func (h hasty[R]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heap, h[j].heap = int32(i), int32(j)
}

func (h *hasty[R]) Push(x any) {
	w := x.(*Waiter[R])
	w.heap = int32(len(*h))
	*h = append(*h, w)
}

func (h *hasty[R]) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return w
}
