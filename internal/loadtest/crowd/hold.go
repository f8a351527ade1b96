package crowd

import (
	"fmt"
	"time"

	"github.com/usher-pg/usher/internal/wire"
	"github.com/usher-pg/usher/pool"
)

// hold is transactions that are about to begin, or to end.
type hold struct {
	left     int // clients that have not answered
	held     int // transactions that are being ended
	deadline time.Duration
}

// hold makes clients begin transactions. Who cannot within the patience goes on trying; see Release.
func (l *loop) hold(h *Hold) error {
	lane, err := pool.ParseLane(h.Lane)
	if err != nil {
		return err
	}
	l.letGo = false
	l.holding = &hold{left: 1, deadline: l.Now() + h.Patience} // left: and one for the end of this
	begin := wire.AppendQuery(nil, "BEGIN")
	for range h.Count {
		seat, ok := l.take(lane)
		if !ok {
			l.holding = nil
			return fmt.Errorf("lane %s has not %d idle clients", lane, h.Count)
		}
		l.holding.left++
		l.become(&l.clients[seat], beginning)
		l.send(seat, begin)
	}
	l.holdSettled()
	return nil
}

// release makes them commit, and those who are still waiting to begin, when they have begun.
func (l *loop) release() {
	l.letGo = true
	l.holding = &hold{left: 1, held: l.count[holding], deadline: l.Now() + releasePatience}
	for seat := range l.clients {
		switch l.clients[seat].place {
		case holding:
			l.holding.left++
			l.commit(seat)
		case beginning:
			l.holding.left++
		}
	}
	l.holdSettled()
}

// releasePatience is how long the transactions may take to end: who waits to begin one is refused before.
const releasePatience = 30 * time.Second

func (l *loop) commit(seat int) {
	l.become(&l.clients[seat], releasing)
	l.send(seat, wire.AppendQuery(nil, "COMMIT"))
}

// holdMoved takes the end of a BEGIN or COMMIT.
func (l *loop) holdMoved(seat int, status byte) {
	c := &l.clients[seat]
	began := c.place == beginning && !c.failed && status == wire.StatusInTransaction
	c.failed = false
	if !began {
		l.rest(seat)
		l.holdSettled()
		return
	}
	l.become(c, holding)
	if l.letGo {
		l.commit(seat)
		return
	}
	l.holdSettled()
}

// holdSettled counts a client that has come to where it should, or is gone.
func (l *loop) holdSettled() {
	if l.holding == nil {
		return
	}
	if l.holding.left--; l.holding.left == 0 {
		l.endHold()
	}
}

func (l *loop) endHold() {
	held := max(l.holding.held, l.count[holding])
	l.holding = nil
	l.report(Report{Done: true, Held: held})
}
