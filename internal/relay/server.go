package relay

import (
	"time"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/prepared"
	"github.com/usher-pg/usher/internal/reactor"
	"github.com/usher-pg/usher/internal/session"
	"github.com/usher-pg/usher/internal/wire"
	engine "github.com/usher-pg/usher/pool"
)

const idleStatus = wire.StatusIdle

// server is a connection to PostgreSQL.
type server struct {
	conn
	place  serverPlace
	status byte // of the last ReadyForQuery
	task   task // what usher itself is doing with it

	id       uint64
	pool     *Pool
	resource *engine.Resource[*server]
	client   *client // while linked
	replies  replies

	batch    bool // messages of the extended protocol were sent since the last Sync
	skipping bool // the batch failed: the server throws away everything up to the next Sync
	copying  bool // the client is to send COPY data
	fatal    bool // the server has said why it will close
	dying    bool // the server has said that it ends the connection, and nobody needs to be told
	orphan   bool // its client left; what is outstanding is thrown away
	soiled   bool // the client that left may have left something behind
	probeDue bool // the transaction that ended may have left something behind
	unnamed  bool // the unnamed statement is the linked client's
	clearing int  // statements under way that drop all prepared statements
	doubt    bool // statements may be prepared on it that its cache has forgotten
	fresh    bool // nothing was sent for the linked client yet
	hearing  bool // it takes nothing any more, and is heard out

	settings *session.Settings // what its session is set to
	base     *session.Settings // what it was set to when it was opened
	cache    *prepared.Cache   // what is prepared on it; nil when usher does not keep track
	exchange exchange          // of the task

	cancels   int      // cancel requests that may still hit it
	cancelled []func() // to be called when they have been delivered
	handle    *Opened  // whom to cancel, addresses; its descriptor is here
	opened    time.Duration
	epoch     uint64        // of the pool when it was dialled
	began     time.Duration // when the statement under way was sent
	asked     time.Duration // when the statement under way was read: before began if it waited for this connection
	entered   time.Duration // when the transaction under way began
	quiet     time.Duration // when the last reply came
}

func (s *server) become(to serverPlace) {
	s.loop.servers[s.place]--
	s.place = move(serverMoves[s.place], s.place, to)
	s.loop.servers[s.place]++
}

// expect notes a reply that the message about to be forwarded will have.
func (s *server) expect(r reply) {
	if s.replies.count == 0 {
		s.began, s.asked = s.loop.now, s.loop.now
		if s.fresh {
			s.asked, s.fresh = s.client.since, false
		}
		if s.status == idleStatus {
			s.entered = s.loop.now
		}
	}
	if !r.expect.endsReady() {
		s.batch = true
	}
	s.replies.push(r)
}

// ready is called when the descriptor is.
func (s *server) ready(event reactor.Event) {
	if event&reactor.Writable != 0 && s.drain() && s.client != nil {
		s.client.unpause(pauseUnsent)
	}
	if event&(reactor.Readable|reactor.Hangup) != 0 && s.fd >= 0 && s.reads() {
		s.woken(event)
		s.input()
	}
	s.check()
}

// check closes the server connection if it broke while it was written to, and stops its client from being read as
// long as it does not take what is there.
func (s *server) check() {
	if s.fd < 0 {
		return
	}
	if s.lost != nil {
		s.hearOut()
		return
	}
	if s.client != nil && s.pending() > 0 {
		s.client.pause(pauseUnsent)
	}
}

// hearOut ends a server connection that takes nothing any more. What the server said before, such as why it ends, is
// still to be read.
func (s *server) hearOut() {
	if s.hearing {
		return // by a caller
	}
	s.hearing = true
	s.input()
	if s.fd >= 0 {
		s.broken(s.lost)
	}
}

// input reads and processes what the server sent.
func (s *server) input() {
	for {
		buf, more, err := s.read()
		if err != nil {
			s.broken(err)
			return
		}
		if len(buf) == 0 {
			return
		}
		s.process(buf)
		if s.fd < 0 || s.pauses != 0 {
			return
		}
		if s.partly {
			s.readLater()
			return
		}
		if !more {
			return
		}
	}
}

// process feeds input, keeps what is not whole, and lets the client go when nothing is outstanding.
func (s *server) process(buf []byte) {
	done := s.feed(buf)
	if s.fd < 0 {
		return
	}
	if s.client != nil {
		s.client.stats().Sent += uint64(done)
	}
	s.settle(buf, done)
	c := s.client
	if c == nil {
		s.tidy()
		return
	}
	c.check()
	s.proceed(c)
}

// proceed does what replies that have come make possible. c is who was linked before.
func (s *server) proceed(c *client) {
	switch {
	case s.client != c: // the client broke
	case s.task != taskNone:
		if s.exchange.over {
			s.finish()
		}
	case s.probeDue && s.quietNow():
		s.probe()
	case s.releasable():
		s.release()
	case s.caughtUp():
		c.resume()
	case c.pauses&pauseLeaving != 0 && s.replies.count == 0:
		c.resume()
	}
}

// caughtUp lets a client be read again that waited for replies, and reports whether it did.
func (s *server) caughtUp() bool {
	c := s.client
	switch {
	case c.pauses&pauseReplies == 0, c.awaiting && s.replies.ready > 0, !c.awaiting && s.replies.count > repliesMax/2:
		return false
	}
	c.awaiting = false
	c.unpause(pauseReplies)
	return true
}

// broken ends a server connection that failed.
func (s *server) broken(err error) {
	s.loop.log.Info("server connection lost",
		"server", s.id, "pool", s.pool.name, "place", s.place.String(), "error", err)
	s.leave(pgerr.ServerClosed.With().Because(err))
}

// leave closes a server connection. Its client, if it has one, is told e and goes too: half an answer cannot be
// mended.
func (s *server) leave(e *pgerr.Error) {
	if s.fd < 0 {
		return
	}
	c := s.client
	half := s.left > 0 && !s.dropping // of a message has been passed on: nothing behind it would be understood
	again := c != nil && s.task == taskReplay && e != nil && e.Row == pgerr.ServerClosed
	if c != nil {
		c.unlink()
	}
	s.cache.Clear()
	s.hangUp()
	s.loop.slots.drop(s.token)
	was := s.place
	s.become(serverGone)
	s.pool.lost(s, was)
	switch {
	case c == nil:
		return
	case again: // nothing of its request was sent yet
		c.tracker.SyncFailed()
		c.become(clientIdle)
		c.resume()
		return
	}
	if s.fatal || half {
		e = nil
	}
	c.end(e)
}
