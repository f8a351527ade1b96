package relay

import (
	"net"
	"time"

	"github.com/usher-pg/usher/internal/lanes"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/prepared"
	"github.com/usher-pg/usher/internal/reactor"
	"github.com/usher-pg/usher/internal/session"
	"github.com/usher-pg/usher/internal/wire"
	engine "github.com/usher-pg/usher/pool"
)

// client is a connection from an application. What only some clients need hangs on a pointer: there may be 10,000.
type client struct {
	id     uint64
	waiter engine.Waiter[*server] // here its second half is a cache line
	conn
	place  clientPlace
	lane   engine.Lane // of its requests, unless one asks for another
	chosen engine.Lane // of the request under way, or the last one
	grant  lanes.Grant
	refuse refusal

	pool   *Pool
	server *server // while linked
	coming *server // on its way from another loop

	tracker session.Tracker     // what its session is set to, and what may have changed that
	names   *prepared.Names     // its prepared statements; nil: none
	shelved []*prepared.Names   // those that statements under way are to drop, one set for each, oldest first
	unnamed *prepared.Statement // its unnamed one, as far as a later batch may need it
	parses  uint32              // how many unnamed statements it has sent
	portal  *prepared.Statement // what the unnamed portal was bound to, if that may change the session

	awaiting    bool // waits until every ReadyForQuery that was asked for has come
	large       bool // a Parse too long to be kept waits for its Bind: the server connection stays
	stale       bool // was told that a statement's result type has changed
	replicating bool // its server connection is its own
	lowered     bool // it asked for a higher lane at login than it may

	patience time.Duration // its statement_timeout: no request waits longer; 0: as long as the pool lets it
	since    time.Duration // when the request under way was read
	seated   time.Duration // when it logged in
	last     time.Duration // when it last finished something; for the idle timeout
	version  uint32        // of the protocol it was welcomed with
	pinnings uint32
	remote   net.Addr
	local    net.Addr
}

// refusal says what is skipped of a request that was refused before a server saw it.
type refusal uint8

const (
	refuseNothing  refusal = iota
	refuseRequest          // the next message, or if it is of the extended protocol, all up to its Sync
	refuseTillSync         // everything up to the next Sync
)

func (c *client) become(to clientPlace) {
	c.loop.clients[c.place]--
	c.place = move(clientMoves[c.place], c.place, to)
	c.loop.clients[c.place]++
}

// ready is called when the descriptor is.
func (c *client) ready(event reactor.Event) {
	if event&reactor.Writable != 0 && c.drain() {
		c.drained()
	}
	if event&(reactor.Readable|reactor.Hangup) != 0 && c.fd >= 0 && c.reads() {
		c.woken(event)
		c.input()
	}
	if event&reactor.Broken != 0 && c.fd >= 0 && c.pauses&^pauseLeaving != 0 {
		c.gone(errPeerClosed) // it need not be read for that
	}
	c.check()
}

// drained is called when the client has taken everything: its server connection may be read again.
func (c *client) drained() {
	if c.place == clientClosing {
		c.lastWordsSent()
		return
	}
	if c.server != nil {
		c.server.unpause(pauseUnsent)
	}
}

// check closes the client if its connection broke while it was written to, and stops its server connection from
// being read as long as it does not take what is there.
func (c *client) check() {
	if c.fd < 0 {
		return
	}
	if c.lost != nil {
		c.gone(c.lost)
		return
	}
	if c.server != nil && c.pending() > 0 {
		c.server.pause(pauseUnsent)
	}
}

// input reads and processes what the client sent.
func (c *client) input() {
	for {
		buf, more, err := c.read()
		if err != nil {
			c.gone(err)
			return
		}
		if len(buf) == 0 {
			return
		}
		c.process(buf)
		if !c.readsOn(more) {
			return
		}
	}
}

// resume processes what was stashed while the client had to wait.
func (c *client) resume() {
	if c.fd < 0 {
		return
	}
	if len(c.stash) > 0 {
		c.process(c.stash)
	}
	if c.fd < 0 {
		return
	}
	if c.pauses&pauseStash != 0 && !c.mustWait() {
		c.unpause(pauseStash)
	}
}

// mustWait reports whether the client's input is kept until something else has happened. Otherwise it is kept only
// until the message at its head is whole, which has limits of its own.
func (c *client) mustWait() bool {
	return c.place == clientWaiting || c.server != nil && c.server.task != taskNone
}

// process feeds input and keeps what could not be processed.
func (c *client) process(buf []byte) {
	done := c.feed(buf)
	c.stats().Received += uint64(done)
	if c.fd < 0 || c.place == clientClosing {
		return
	}
	c.settle(buf, done)
	if len(c.stash) >= stashMax && c.mustWait() {
		c.pause(pauseStash)
	}
	if s := c.server; s != nil {
		s.check()
	}
	if s := c.server; s != nil {
		s.flushFakes()
	}
}

// tell sends an error and, unless the error is fatal, what makes the client ready again.
func (c *client) tell(e *pgerr.Error) {
	out := e.Append(c.loop.made[:0])
	c.loop.made = out
	c.write(out)
}

// fail refuses the request at the head of the client's input, and keeps the client. The request's messages are
// thrown away: one Query or FunctionCall, or an extended batch up to its Sync, exactly as PostgreSQL skips after an
// error.
func (c *client) fail(e *pgerr.Error) {
	if e.Row.Severity == pgerr.SeverityFatal {
		c.end(e)
		return
	}
	c.tell(e)
	c.refuse = refuseRequest
}

// refused processes a message of a refused request: t, of which n bytes are here and length are all.
func (c *client) refusedMessage(t wire.Type) {
	whole := c.refuse == refuseRequest && (t == wire.Query || t == wire.FunctionCall)
	if whole || t == wire.Sync {
		c.refuse = refuseNothing
		c.answer(wire.AppendReady(c.loop.made[:0], wire.StatusIdle))
		return
	}
	c.refuse = refuseTillSync
}

// answer sends a message usher makes up itself while the client has no server connection.
func (c *client) answer(b []byte) {
	c.loop.made = b
	c.write(b)
}
