package relay

import (
	"context"

	"github.com/usher-pg/usher/internal/reactor"
	"github.com/usher-pg/usher/internal/wire"
)

// watcher is a descriptor of somebody else's that a loop watches.
type watcher struct {
	fd    int
	ready func()
	over  bool // ready is called no more
}

// Watch has ready called on a loop as long as there is something to read from fd, which stays the caller's: at a
// listener somebody wants in. ready must not block. It may call SeatNow, which nobody else may.
//
// stop ends it. When it returns, ready is called no more; it must not be called from ready, where returning false ends
// it as well.
func (r *Relay) Watch(fd int, ready func() (goOn bool)) (stop func(), err error) {
	l := r.loops[watching]
	token, err := l.slots.reserve()
	if err != nil {
		return nil, err
	}
	w := &watcher{fd: fd}
	w.ready = func() {
		if !ready() {
			l.unwatch(w, token)
		}
	}
	l.reactor.Post(func() {
		l.slots.put(seat{token: token, watcher: w})
		if err := l.reactor.Add(fd, token, reactor.Read); err != nil {
			l.log.Error("a listener is not watched", "error", err)
			l.unwatch(w, token)
		}
	})
	return func() { l.ask(context.Background(), func() { l.unwatch(w, token) }) }, nil
}

// watching is the index of the loop that watches listeners.
const watching = 0

// unwatch ends a watch.
func (l *loop) unwatch(w *watcher, token reactor.Token) {
	if w.over {
		return
	}
	w.over = true
	_ = l.reactor.Remove(w.fd, reactor.Read)
	l.slots.drop(token)
}

// SeatNow is Seat for a client that need not wait for anything. It reports whether it has seated it; if not, nothing
// was done, and Seat will do it or say why not. It must be called from a function that was given to Watch.
func (r *Relay) SeatNow(p *Pool, g *Guest) bool {
	params := p.known()
	if params == nil {
		return false
	}
	return r.seat(p, g, params, r.loops[watching]) == nil
}

// known is what Parameters returns, nil if it would have to wait.
func (p *Pool) known() []wire.Param {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.params
}
