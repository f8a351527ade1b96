package relay

import (
	"errors"
	"sync"

	"github.com/usher-pg/usher/internal/reactor"
)

// slots is who sits where on a loop. A token is the number of a slot and how often it was used, so that an event for a
// conn that is gone finds nobody. A login reserves a number on its own goroutine, because the cancel key holds it; all
// else is the loop's.
type slots struct {
	numbers numbers
	seats   []seat // the loop's own
}

// numbers are those of a loop's slots.
type numbers struct {
	// mutex guards the rest.
	mutex sync.Mutex
	uses  []uint32
	free  []uint32
}

// seat holds one of the three, or nobody, and then its token is 0.
type seat struct {
	token   reactor.Token
	client  *client
	server  *server
	watcher *watcher
}

// slotsMax is how many conns a loop may have: what fits the cancel key (see key.go).
const slotsMax = 1 << slotBits

var errNoSlot = errors.New("no slot is left on the loop")

func tokenOf(slot, uses uint32) reactor.Token { return reactor.Token(uses)<<32 | reactor.Token(slot) }

// reserve takes a number, on any goroutine.
func (s *slots) reserve() (reactor.Token, error) {
	n := &s.numbers
	n.mutex.Lock()
	defer n.mutex.Unlock()
	var i uint32
	if last := len(n.free) - 1; last >= 0 {
		i, n.free = n.free[last], n.free[:last]
	} else {
		if len(n.uses) == slotsMax {
			return 0, errNoSlot
		}
		i = uint32(len(n.uses))
		n.uses = append(n.uses, 0)
	}
	n.uses[i]++
	return tokenOf(i, n.uses[i]), nil
}

// renounce gives back a number that nobody sits at, on any goroutine.
func (s *slots) renounce(token reactor.Token) {
	n := &s.numbers
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.free = append(n.free, uint32(token))
}

// put takes a seat whose token was reserved for it.
func (s *slots) put(at seat) {
	i := int(uint32(at.token))
	for i >= len(s.seats) {
		s.seats = append(s.seats, seat{})
	}
	s.seats[i] = at
}

// drop is the end of who may sit there, and of the reservation.
func (s *slots) drop(token reactor.Token) {
	if i := int(uint32(token)); i < len(s.seats) {
		s.seats[i] = seat{}
	}
	s.renounce(token)
}

// get is who sits at a token; it is nobody when the token is stale.
func (s *slots) get(token reactor.Token) seat {
	if i := int(uint32(token)); i < len(s.seats) && s.seats[i].token == token {
		return s.seats[i]
	}
	return seat{}
}

// client is who sits in a slot now.
func (s *slots) client(slot uint32) *client {
	if int(slot) >= len(s.seats) {
		return nil
	}
	return s.seats[slot].client
}

// each calls f for every conn. f may close the conn it is given, and others.
func (s *slots) each(f func(*client, *server)) {
	for i := 0; i < len(s.seats); i++ {
		if at := &s.seats[i]; at.client != nil || at.server != nil {
			f(at.client, at.server)
		}
	}
}
