package relay

import (
	"errors"
	"strconv"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/prepared"
	"github.com/usher-pg/usher/internal/session"
	"github.com/usher-pg/usher/internal/wire"
)

// A named statement is known to every server connection by usher's name for it (package prepared). Parse, Bind,
// Describe and Close are rewritten on their way; a statement that the server connection at hand does not have is
// prepared by a Parse of usher's own, whose reply is hidden; and what need not reach the server is answered by a
// made-up reply in its place among the real ones. Nothing here ever sends a Sync: that would commit what the client
// has begun.

// noStatement is a name no statement ever has. A message that names a statement the client does not have, but
// another might, goes to the server under it, so that the server itself says that it does not exist.
const noStatement = "usher_none"

// preparedMax is the longest Parse of a named statement.
const preparedMax = prepared.MaxStatementBytes + prepared.MaxBindHead

// parse processes a Parse.
func (c *client) parse(f *flow, length int) bool {
	s := c.server
	named, known := hasName(body(f, length))
	if !known {
		return c.incomplete(f, length)
	}
	s.batch = true
	c.stats().ClientParses++
	switch {
	case s.cache == nil:
		return c.parsePlain(f, length)
	case !named:
		return c.parseUnnamed(f, length)
	}
	return c.parseNamed(f, length)
}

// incomplete waits for the rest of a message, or ends a client whose message has no rest.
func (c *client) incomplete(f *flow, length int) bool {
	if whole(f, length) {
		c.end(pgerr.ProtocolViolation.With("invalid message format"))
	}
	return false
}

// hasName reports whether the name at the head of a Parse body is not empty; known is false when it is not here yet.
func hasName(b []byte) (named, known bool) { return len(b) > 0 && b[0] != 0, len(b) > 0 }

// parsePlain lets a Parse through as it is, on a connection whose statements usher does not keep track of.
func (c *client) parsePlain(f *flow, length int) bool {
	if length <= wholeMax && !whole(f, length) {
		return false
	}
	c.observe(c.scanParse(f, length))
	c.server.expect(reply{expect: expectParse})
	c.forward(f, length)
	return true
}

// scanParse finds what the text of a Parse may do, as far as it is here.
func (c *client) scanParse(f *flow, length int) (session.Finding, []byte) {
	_, text, _, err := wire.ParseParts(body(f, length))
	if err != nil {
		return session.Unsure, nil // not whole, or wrong, which the server will say
	}
	return session.Scan(text), text
}

// parseUnnamed processes a Parse of the unnamed statement. It is kept only if a later batch may need it: when its
// Bind is not right behind it, or when executing it may change the session.
func (c *client) parseUnnamed(f *flow, length int) bool {
	if length <= wholeMax && !whole(f, length) {
		return false
	}
	s := c.server
	c.forgetUnnamed()
	s.unnamed = true
	c.parses++
	found, text := c.scanParse(f, length)
	switch {
	case !whole(f, length):
		c.large = true // it cannot be kept, so the server connection must be
	case found.Has(session.Deallocate) && c.deallocate(f, length, text):
		return true
	case found != 0:
		c.keepUnnamed(body(f, length)[1:])
	default:
		f.unbound = body(f, length)[1:]
	}
	s.expect(reply{expect: expectParse, number: c.parses})
	c.forward(f, length)
	return true
}

// keepUnbound keeps an unnamed statement whose Bind has not come with its batch, or with what has been read: it may
// come when the server connection is another client's.
func (c *client) keepUnbound(f *flow) {
	if parse := f.unbound; parse != nil {
		f.unbound = nil
		c.keepUnnamed(parse)
	}
}

// keepUnnamed keeps the unnamed statement; parse is a Parse body without the name.
func (c *client) keepUnnamed(parse []byte) {
	statement, err := c.loop.relay.statements.Intern(parse, c.tracker.Settings().SearchPath())
	if err == nil {
		c.unnamed = statement
	}
}

func (c *client) forgetUnnamed() {
	c.loop.upstream.unbound, c.large = nil, false
	c.unnamed.Release()
	c.unnamed = nil
}

// parseNamed processes a Parse of a named statement.
func (c *client) parseNamed(f *flow, length int) bool {
	if length > preparedMax {
		c.end(pgerr.TooLarge.With(strconv.Itoa(length)))
		return false
	}
	if !whole(f, length) {
		return false
	}
	s := c.server
	name, parse, err := prepared.Body(body(f, length))
	if err != nil {
		c.end(pgerr.ProtocolViolation.With(err.Error()))
		return false
	}
	statement, err := c.loop.relay.statements.Intern(parse, c.tracker.Settings().SearchPath())
	if err == nil {
		defer statement.Release()
		err = c.setName(name, statement)
	}
	switch {
	case errors.Is(err, prepared.ErrNameTaken) && s.replies.uncertain(name):
		return c.awaitReplies()
	case errors.Is(err, prepared.ErrNameTaken):
		// The server is made to say it: this one is prepared already.
		taken := c.names.Get(name)
		s.prepare(f, taken)
		s.parse(f, reply{expect: expectParse, name: string(name), alias: taken.Name(), taken: true}, taken)
	case err != nil:
		c.end(pgerr.StatementLimit.With().WithDetail("%v", err))
		return false
	case s.cache.Has(statement):
		s.expect(reply{expect: expectParse, manner: faked, name: string(name)})
	default:
		s.add(f, statement)
		s.parse(f, reply{expect: expectParse, statement: statement, name: string(name)}, statement)
	}
	f.skip(length)
	return true
}

// parseAlone answers a Parse of a client without a server connection, if some server has parsed the same statement
// before. It is prepared when it is bound. So a client that prepares its statements waits for nobody, as one must
// whose thread has another connection in the middle of a transaction (pgbench's does).
func (c *client) parseAlone(f *flow, length int) bool {
	rules := c.pool.rules()
	named, known := hasName(body(f, length))
	if !known || !named || !whole(f, length) || rules.Statements == 0 || rules.Mode == ModeSession {
		return false
	}
	name, parse, err := prepared.Body(body(f, length))
	if err != nil {
		return false
	}
	statement, err := c.loop.relay.statements.Intern(parse, c.tracker.Settings().SearchPath())
	if err != nil {
		return false
	}
	defer statement.Release()
	if !statement.Proven() || c.setName(name, statement) != nil {
		return false
	}
	c.stats().ClientParses++
	c.drop(f, length)
	c.answer(wire.AppendEmpty(c.loop.made[:0], wire.ParseComplete))
	return true
}

// awaitReplies lets the client wait until all replies have come.
func (c *client) awaitReplies() bool {
	c.awaiting = true
	c.pause(pauseReplies)
	return false
}

func (c *client) setName(name []byte, statement *prepared.Statement) error {
	if c.names == nil {
		c.names = new(prepared.Names)
	}
	return c.names.Set(name, statement)
}

// parse sends a statement's Parse under usher's name.
func (s *server) parse(f *flow, r reply, statement *prepared.Statement) {
	f.spill()
	f.made = statement.AppendParse(f.made)
	s.expect(r)
}

// add counts a statement as prepared, and closes what that crowds out.
func (s *server) add(f *flow, statement *prepared.Statement) {
	f.spill()
	if s.doubt {
		f.made = statement.AppendClose(f.made) // closing what is not there is no error
		s.expect(reply{expect: expectClose, manner: hidden})
	}
	s.cache.Add(statement)
	for old := s.cache.Evict(); old != nil; old = s.cache.Evict() {
		f.made = old.AppendClose(f.made)
		s.expect(reply{expect: expectClose, manner: hidden, statement: old})
	}
}

// prepare makes sure that a statement is prepared on the server connection.
func (s *server) prepare(f *flow, statement *prepared.Statement) {
	if s.cache.Has(statement) {
		return
	}
	s.add(f, statement)
	s.parse(f, reply{expect: expectParse, manner: hidden, statement: statement}, statement)
	s.loop.counters(s.pool).ServerParses++
}

// statement finds what a name in a Bind or Describe stands for. as is the name to send instead, unless same.
func (c *client) statement(f *flow, name []byte) (statement *prepared.Statement, as string, same bool) {
	s := c.server
	switch {
	case s.cache == nil:
		return nil, "", true
	case len(name) == 0 && s.unnamed:
		f.unbound, c.large = nil, false
		return c.unnamed, "", true
	case len(name) == 0:
		statement = c.unnamed
	default:
		statement = c.named(name)
	}
	if statement != nil {
		s.prepare(f, statement)
		return statement, statement.Name(), false
	}
	if len(name) == 0 {
		// The server may have somebody else's.
		f.spill()
		f.made = wire.AppendTarget(f.made, wire.Close, wire.KindStatement, "")
		s.expect(reply{expect: expectClose, manner: hidden})
		return nil, "", true
	}
	return nil, noStatement, !prepared.Internal(string(name))
}

// named is the client's statement of a name. A client that was told that the statement's result type has changed
// gets it prepared anew.
func (c *client) named(name []byte) *prepared.Statement {
	statement := c.names.Get(name)
	if statement == nil || !c.stale || !statement.Retired() {
		return statement
	}
	fresh, err := c.intern(statement)
	if err != nil {
		return statement
	}
	defer fresh.Release()
	c.names.Delete(name)
	if c.names.Set(name, fresh) != nil {
		return nil
	}
	return fresh
}

// bind processes a Bind. Only its head is looked at, and rewritten; the parameters stream.
func (c *client) bind(f *flow, length int) bool {
	head, ok, err := prepared.ParseBindHead(body(f, length))
	if err != nil {
		c.end(pgerr.ProtocolViolation.With(err.Error()))
		return false
	}
	if !ok {
		return c.incomplete(f, length)
	}
	s := c.server
	unknown := len(head.Statement) > 0 && s.cache != nil && c.names.Get(head.Statement) == nil
	if unknown && s.replies.uncertain(head.Statement) {
		return c.awaitReplies()
	}
	s.batch = true
	c.stats().Binds++
	if c.large && len(head.Statement) == 0 {
		c.observe(session.Unsure, nil) // not before: usher's own question would drop the statement
	}
	statement, as, same := c.statement(f, head.Statement)
	c.bound(head.Portal, statement)
	r := reply{expect: expectBind, statement: statement}
	if !same && statement == nil {
		r.name, r.alias = string(head.Statement), as
	}
	s.expect(r)
	if same {
		c.forward(f, length)
		return true
	}
	f.spill()
	f.made = head.Append(f.made, as, length-wire.HeaderLen)
	f.skip(wire.HeaderLen + head.Length)
	c.dropping = false
	c.left = length - wire.HeaderLen - head.Length
	return true
}

// bound remembers what a portal may do when it is executed.
func (c *client) bound(portal []byte, statement *prepared.Statement) {
	suspect := statement != nil && statement.Finding() != 0
	switch {
	case len(portal) > 0 && suspect:
		c.observe(statement.Finding()|session.Unsure, statement.SQL()) // whether it is executed is not followed
	case len(portal) > 0:
	case suspect:
		c.portal = statement
	default:
		c.portal = nil
	}
}

// execute processes an Execute.
func (c *client) execute(f *flow, length int) bool {
	b := body(f, length)
	if len(b) == 0 {
		return c.incomplete(f, length)
	}
	if c.portal != nil && b[0] == 0 {
		c.observe(c.portal.Finding(), c.portal.SQL())
	} else {
		c.observe(0, nil)
	}
	c.server.expect(reply{expect: expectExecute})
	c.server.batch = true
	c.forward(f, length)
	return true
}

// target processes a Describe or a Close.
func (c *client) target(f *flow, t wire.Type, length int) bool {
	if length > wire.HeaderLen+prepared.MaxBindHead {
		c.end(pgerr.ProtocolViolation.With("name too long"))
		return false
	}
	if !whole(f, length) {
		return false
	}
	kind, name, err := wire.Target(body(f, length))
	if err != nil {
		c.end(pgerr.ProtocolViolation.With(err.Error()))
		return false
	}
	c.server.batch = true
	if t == wire.Close {
		c.closeTarget(f, length, kind, name)
	} else {
		c.describe(f, length, kind, name)
	}
	return true
}

func (c *client) describe(f *flow, length int, kind byte, name []byte) {
	as, same, statement := "", true, (*prepared.Statement)(nil)
	if kind == wire.KindStatement {
		unbound, large := f.unbound, c.large
		statement, as, same = c.statement(f, name)
		f.unbound, c.large = unbound, large // a Describe does not make the Bind unnecessary
	}
	r := reply{expect: expectDescribe, statement: statement}
	if !same && statement == nil {
		r.name, r.alias = string(name), as
	}
	c.server.expect(r)
	if same {
		c.forward(f, length)
		return
	}
	f.spill()
	f.made = wire.AppendTarget(f.made, wire.Describe, kind, as)
	f.skip(length)
}

func (c *client) closeTarget(f *flow, length int, kind byte, name []byte) {
	s := c.server
	if kind == wire.KindPortal || s.cache == nil || len(name) == 0 {
		if kind == wire.KindStatement && len(name) == 0 {
			c.forgetUnnamed()
		}
		s.expect(reply{expect: expectClose})
		c.forward(f, length)
		return
	}
	s.expect(reply{expect: expectClose, manner: faked, statement: c.names.Get(name), name: string(name)})
	c.names.Delete(name)
	f.skip(length)
}
