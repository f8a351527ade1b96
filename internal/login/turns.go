package login

import "sync"

// Ranks are how many classes of clients there are at login; see Options.Rank.
const Ranks = 4

// turns let a limited number of logins compute at a time; the others wait without being runnable. So a storm of logins
// leaves the processor to the clients that are seated: their event loop is a goroutine among many for the runtime's
// scheduler, and would have to wait for as many as are runnable. A turn that is given up goes to who has the best rank,
// and among equals to who has waited longest.
type turns struct {
	// mutex guards all below.
	mutex sync.Mutex
	free  int
	lines [Ranks][]chan struct{} // who waits, by rank; closing a channel is its turn
}

func newTurns(n int) *turns { return &turns{free: max(n, 1)} }

func (t *turns) take(rank int) {
	t.mutex.Lock()
	if t.free > 0 {
		t.free--
		t.mutex.Unlock()
		return
	}
	mine := make(chan struct{})
	t.lines[rank] = append(t.lines[rank], mine)
	t.mutex.Unlock()
	<-mine
}

func (t *turns) give() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for rank := range t.lines {
		if line := t.lines[rank]; len(line) > 0 {
			close(line[0])
			t.lines[rank] = line[1:]
			return
		}
	}
	t.free++
}

// turn is one login's. It is carrier.Turn.
type turn struct {
	turns *turns
	rank  int
	held  bool
}

func (t *turn) Take() {
	if t.held {
		panic("bug: a turn is taken twice")
	}
	t.turns.take(t.rank)
	t.held = true
}

func (t *turn) Give() {
	if !t.held {
		panic("bug: a turn is given up that is not held")
	}
	t.held = false
	t.turns.give()
}
