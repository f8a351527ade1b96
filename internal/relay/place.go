package relay

import "fmt"

// A client and a server connection are each in exactly one place, and become is the only function that moves them. The
// counts the console shows are the counts kept here.

// clientPlace is where a client is.
type clientPlace uint8

const (
	clientNew     clientPlace = iota // not yet on its loop
	clientIdle                       // has no server connection and wants none
	clientWaiting                    // its request is queued in the pool, or held there by PAUSE
	clientLinked                     // has a server connection
	clientClosing                    // its last words are being sent; what it still sends is thrown away
	clientGone
	clientPlaces
)

func (p clientPlace) String() string {
	return [clientPlaces]string{"new", "idle", "waiting", "linked", "closing", "gone"}[p]
}

// clientMoves says where a client may go from where.
var clientMoves = [clientPlaces][]clientPlace{
	clientNew:     {clientIdle, clientGone},
	clientIdle:    {clientWaiting, clientLinked, clientClosing, clientGone},
	clientWaiting: {clientIdle, clientLinked, clientClosing, clientGone},
	clientLinked:  {clientIdle, clientClosing, clientGone},
	clientClosing: {clientGone},
}

// serverPlace is where a server connection is.
type serverPlace uint8

const (
	serverNew        serverPlace = iota // not yet on a loop
	serverIdle                          // in the pool
	serverLinked                        // has a client
	serverResetting                     // usher cleans up after a client that left
	serverCancelling                    // a cancel request may still hit it
	serverGone
	serverPlaces
)

func (p serverPlace) String() string {
	return [serverPlaces]string{"new", "idle", "linked", "resetting", "cancelling", "gone"}[p]
}

// serverMoves says where a server connection may go from where.
var serverMoves = [serverPlaces][]serverPlace{
	serverNew:        {serverIdle, serverLinked, serverGone},
	serverIdle:       {serverLinked, serverResetting, serverGone},
	serverLinked:     {serverIdle, serverResetting, serverCancelling, serverGone},
	serverResetting:  {serverIdle, serverCancelling, serverGone},
	serverCancelling: {serverIdle, serverResetting, serverGone},
}

// move checks a move against its table.
func move[P interface {
	~uint8
	fmt.Stringer
}](moves []P, from, to P) P {
	for _, p := range moves {
		if p == to {
			return to
		}
	}
	panic(fmt.Sprintf("bug: moved from %v to %v", from, to))
}
