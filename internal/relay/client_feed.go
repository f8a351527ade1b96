package relay

import (
	"strconv"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/session"
	"github.com/usher-pg/usher/internal/wire"
)

// wholeMax is how long a Query may be to be looked at whole, and how much of a longer one is looked at. Messages beyond
// stream through; that they may have changed the session is then assumed.
const wholeMax = 16 << 10

// feed processes input as far as it can: to its end, to a message that is not yet whole enough, or to where the client
// has to wait. It returns how many bytes are done.
func (c *client) feed(buf []byte) int {
	f := &c.loop.upstream
	f.begin(buf)
	c.loop.feeding = c
	for f.pos < len(f.buf) && c.step(f) {
	}
	if c.server != nil {
		f.flush(&c.server.conn)
	} else {
		f.discard()
	}
	if c.server != nil {
		c.keepUnbound(f)
	}
	c.loop.feeding = nil
	return f.pos
}

// step processes the next message, or the next part of one. It reports whether to go on.
func (c *client) step(f *flow) bool {
	rest := f.buf[f.pos:]
	if c.left > 0 {
		c.through(f, min(c.left, len(rest)))
		return true
	}
	if c.place == clientClosing {
		f.skip(len(rest))
		return true
	}
	t, length, ok := wire.Header(rest)
	if !ok {
		return false
	}
	if e := c.judge(t, length); e != nil {
		c.end(e)
		return false
	}
	switch {
	case t == wire.Terminate:
		return c.terminate(f)
	case c.refuse != refuseNothing:
		c.drop(f, length)
		c.refusedMessage(t)
		return true
	case c.server == nil:
		return c.stepUnlinked(f, t, length)
	}
	return c.stepLinked(f, t, length)
}

// terminate processes a Terminate. What was asked before it is answered first.
func (c *client) terminate(f *flow) bool {
	if s := c.server; s != nil {
		f.flush(&s.conn)
		if s.replies.count > 0 || s.task != taskNone {
			c.pause(pauseLeaving)
			return false
		}
	}
	c.gone(nil)
	return false
}

// judge refuses a message that no client may send or that is too long.
func (c *client) judge(t wire.Type, length int) *pgerr.Error {
	if !t.IsClient() {
		return pgerr.ProtocolViolation.With("invalid frontend message type " + t.String())
	}
	if err := wire.CheckLength(t, length); err != nil {
		return pgerr.ProtocolViolation.With(err.Error())
	}
	if limit := c.loop.relay.limits.Message; length > limit {
		return pgerr.TooLarge.With(strconv.Itoa(length))
	}
	return nil
}

// through lets n bytes of the message under way go where its beginning went.
func (c *client) through(f *flow, n int) {
	c.left -= n
	if c.dropping {
		f.skip(n)
	} else {
		f.keep(n)
	}
}

// forward sends the next message on as it is, as much of it as is here.
func (c *client) forward(f *flow, length int) {
	c.dropping = false
	c.left = length
	c.through(f, min(length, len(f.buf)-f.pos))
}

// drop throws the next message away.
func (c *client) drop(f *flow, length int) {
	c.dropping = true
	c.left = length
	c.through(f, min(length, len(f.buf)-f.pos))
}

// whole reports whether all of a message is here.
func whole(f *flow, length int) bool { return len(f.buf)-f.pos >= length }

// body is the message at the head of f without its header, as much of it as is here.
func body(f *flow, length int) []byte {
	return f.buf[f.pos+wire.HeaderLen : min(f.pos+length, len(f.buf))]
}

// stepUnlinked processes a message of a client without a server connection. Most need one.
func (c *client) stepUnlinked(f *flow, t wire.Type, length int) bool {
	switch t {
	case wire.Sync: // nothing is open that it could end
		c.drop(f, length)
		c.answer(wire.AppendReady(c.loop.made[:0], wire.StatusIdle))
		return true
	case wire.Flush, wire.CopyData, wire.CopyDone, wire.CopyFail:
		// The COPY these belonged to has failed: PostgreSQL, too, ignores what is left of it.
		c.drop(f, length)
		return true
	}
	if c.place != clientIdle {
		return false
	}
	if here := len(f.buf) - f.pos; here < min(length, wholeMax) {
		return false // a client that dribbles keeps nobody from a server connection
	}
	lane, refused := c.wanted(f, t, length)
	if refused != nil {
		c.fail(refused)
		return c.refuse != refuseNothing
	}
	if t == wire.Parse && c.parseAlone(f, length) {
		return true
	}
	if !c.acquire(lane) {
		return c.refuse != refuseNothing
	}
	return c.place == clientLinked
}

// stepLinked processes a message of a client that has a server connection.
func (c *client) stepLinked(f *flow, t wire.Type, length int) bool {
	s := c.server
	if s.task != taskNone {
		return false // usher is using it
	}
	if s.replies.full() {
		c.awaitSome(f)
		return false
	}
	if s.settings != c.tracker.Settings() && s.quietNow() {
		// A client that stays on its server connection has reset something: it falls back to its own.
		if s.replay(); s.task != taskNone {
			f.flush(&s.conn)
			return false
		}
	}
	if s.skipping && t != wire.Sync {
		c.drop(f, length) // the server would throw it away
		return true
	}
	switch t {
	case wire.Query:
		return c.query(f, length)
	case wire.Parse:
		return c.parse(f, length)
	case wire.Bind:
		return c.bind(f, length)
	case wire.Describe, wire.Close:
		return c.target(f, t, length)
	case wire.Execute:
		return c.execute(f, length)
	case wire.Sync:
		c.sync()
	case wire.FunctionCall:
		s.expect(reply{expect: expectFunction})
	case wire.CopyDone, wire.CopyFail:
		c.copyEnds()
	}
	c.forward(f, length)
	return true
}

// awaitSome lets the client wait until half of the replies that are outstanding have come. They may stand behind one
// that the server keeps for itself until it is asked for it: what is made up sends it nothing that fills its buffer.
func (c *client) awaitSome(f *flow) {
	if c.server.batch {
		f.spill()
		f.made = wire.AppendEmpty(f.made, wire.Flush)
	}
	c.pause(pauseReplies)
}

// sync notes a Sync. The server ignores one in the middle of a COPY from the client, so it is not waited for.
func (c *client) sync() {
	s := c.server
	if s.copying {
		return
	}
	c.keepUnbound(&c.loop.upstream)
	s.expect(reply{expect: expectSync})
	s.batch, s.skipping = false, false
}

// copyEnds notes a CopyDone or CopyFail. If the server has not asked for COPY data yet, it may be about to.
func (c *client) copyEnds() {
	s := c.server
	if !s.copying && s.replies.count > 0 {
		s.replies.push(reply{expect: expectCopyEnd, manner: faked})
	}
	s.copying = false
}

// query processes a Query.
func (c *client) query(f *flow, length int) bool {
	if length <= wholeMax && !whole(f, length) {
		return false
	}
	text, clears := body(f, length), false
	if whole(f, length) {
		if len(text) == 0 || text[len(text)-1] != 0 {
			c.end(pgerr.ProtocolViolation.With("invalid string in message"))
			return false
		}
		text = text[:len(text)-1]
		found := session.Scan(text)
		if found.Has(session.Deallocate) {
			if goOn, done := c.deallocate(f, length, text); done {
				return goOn
			}
		}
		clears = c.observe(found, text)
	} else {
		clears = c.observe(session.Scan(text)|session.Unsure, text)
	}
	if c.unnamed != nil || c.large {
		c.forgetUnnamed()
	}
	c.server.unnamed = false
	c.server.expect(reply{expect: expectQuery, clears: clears})
	c.forward(f, length)
	return true
}
