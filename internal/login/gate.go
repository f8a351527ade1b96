package login

import "sync"

// gate lets a limited number in at a time. The limit may change.
type gate struct {
	// mutex guards all below.
	mutex  sync.Mutex
	moved  sync.Cond // signalled when somebody may get in
	limit  int
	inside int
	closed bool
}

func newGate(limit int) *gate {
	g := &gate{limit: limit}
	g.moved.L = &g.mutex
	return g
}

// enter waits until there is room. It returns false once the gate is closed.
func (g *gate) enter() bool {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	for g.inside >= g.limit && !g.closed {
		g.moved.Wait()
	}
	if g.closed {
		return false
	}
	g.inside++
	return true
}

// tryEnter is enter without waiting: it returns false if there is no room.
func (g *gate) tryEnter() bool {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.closed || g.inside >= g.limit {
		return false
	}
	g.inside++
	return true
}

// await waits until there is room for one more.
func (g *gate) await() {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	for g.inside >= g.limit && !g.closed {
		g.moved.Wait()
	}
	g.moved.Signal() // somebody else may have waited for the same room
}

func (g *gate) leave() {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.inside == 0 {
		panic("bug: more left the gate than entered")
	}
	g.inside--
	g.moved.Signal()
}

func (g *gate) setLimit(limit int) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.limit = limit
	g.moved.Broadcast()
}

func (g *gate) close() {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.closed = true
	g.moved.Broadcast()
}
