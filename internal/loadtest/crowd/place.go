package crowd

import (
	"time"

	"github.com/usher-pg/usher/internal/auth"
	"github.com/usher-pg/usher/internal/reactor"
	"github.com/usher-pg/usher/pool"
)

// place is where a client is.
type place uint8

const (
	away       place = iota // no socket
	connecting              // the kernel is at it
	entering                // startup and authentication
	idle                    //
	busy                    // a request is under way
	beginning               // a transaction that is to be held is about to begin
	holding                 // in a transaction that waits for Release
	releasing               // COMMIT is under way
	places                  // how many there are
)

// moves are the places a client may go to from each; away is always possible.
var moves = [places][]place{
	away:       {connecting},
	connecting: {entering},
	entering:   {idle},
	idle:       {busy, beginning},
	busy:       {idle},
	beginning:  {holding, idle},
	holding:    {releasing},
	releasing:  {idle},
}

func (p place) String() string {
	return [...]string{
		"away", "connecting", "entering", "idle", "busy", "beginning", "holding", "releasing",
	}[p]
}

// client is one of the crowd.
type client struct {
	fd        int
	epoch     uint32 // counts its sockets
	place     place
	lane      pool.Lane
	attempts  int           // to log in that have failed since the last that did not
	since     time.Duration // when its login began
	responder *auth.Responder

	intended     time.Duration // of the request under way
	intendedWall int64         // the same on the wall, microseconds
	beganWall    int64         // when PostgreSQL had the statement; 0: not known
	failed       bool
	failure      refusal
	last         int // number of the run in which it last sent a request

	part []byte // the beginning of a message whose end has not come
}

// become moves a client.
func (l *loop) become(c *client, next place) {
	legal := next == away
	for _, p := range moves[c.place] {
		legal = legal || p == next
	}
	if !legal {
		panic("bug: a client of the crowd goes from " + c.place.String() + " to " + next.String())
	}
	l.count[c.place]--
	l.count[next]++
	c.place = next
}

// token names a client's present socket, so that a late event of an earlier one is seen to be that.
func (l *loop) token(seat int) reactor.Token {
	return reactor.Token(seat) | reactor.Token(l.clients[seat].epoch)<<32
}

func (l *loop) find(t reactor.Token) (seat int, ok bool) {
	seat = int(uint32(t))
	if seat >= len(l.clients) {
		return 0, false
	}
	c := &l.clients[seat]
	return seat, c.place != away && c.epoch == uint32(t>>32)
}
