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

// Names of ours that stand for no client's statement. A message that goes to the server under one of them makes the
// server itself say what is wrong, in its language and in the order in which it checks.
const (
	noStatement    = "usher_none"  // no statement ever has it: what the client does not have, another might
	takenStatement = "usher_taken" // a statement that any transaction takes, also one that has failed
)

// preparedMax is the longest Parse of a named statement.
const preparedMax = prepared.MaxStatementBytes + prepared.MaxBindHead

// parse processes a Parse.
func (c *client) parse(f *flow, length int) bool {
	named, known := hasName(body(f, length))
	if !known {
		return c.incomplete(f, length)
	}
	switch {
	case c.server.cache == nil:
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
	c.stats().ClientParses++
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
	if found.Has(session.Deallocate) && whole(f, length) {
		if goOn, done := c.deallocate(f, length, text); done {
			return goOn
		}
	}
	c.stats().ClientParses++
	switch {
	case !whole(f, length):
		c.large = true // it cannot be kept, so the server connection must be
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
	statement, err := c.loop.relay.statements.Intern(parse, c.reading())
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
	if c.uncertain(name) {
		return c.awaitReplies()
	}
	c.stats().ClientParses++
	statement, err := c.loop.relay.statements.Intern(parse, c.reading())
	if err == nil {
		defer statement.Release()
		err = c.setName(name, statement)
	}
	switch {
	case errors.Is(err, prepared.ErrNameTaken):
		s.parseTaken(f, string(name), parse)
	case err != nil:
		c.end(pgerr.StatementLimit.With().WithDetail("%v", err))
		return false
	case s.has(statement) && s.sound():
		s.expect(reply{expect: expectParse, manner: faked, called: &called{name: string(name)}})
	default:
		s.add(f, statement)
		as := &called{name: string(name)}
		s.parse(f, reply{expect: expectParse, statement: statement, called: as}, statement)
	}
	f.skip(length)
	return true
}

// sound reports whether it is certain that the transaction the next message belongs to has not failed. In one that
// has, the server refuses what usher would otherwise answer itself.
func (s *server) sound() bool {
	if s.replies.ready == 0 {
		return s.status != wire.StatusFailed
	}
	return s.status == idleStatus && s.client.tracker.Plain()
}

// prepareTaken makes sure that the server has takenStatement, whatever state the transaction is in.
func (s *server) prepareTaken(f *flow) {
	f.spill()
	f.made = wire.AppendTarget(f.made, wire.Close, wire.KindStatement, takenStatement)
	s.expect(reply{expect: expectClose, manner: hidden})
	f.made = wire.AppendParse(f.made, takenStatement, []byte("ROLLBACK"), []byte{0, 0})
	s.expect(reply{expect: expectParse, manner: hidden})
}

// parseTaken makes the server say that a name is taken, unless it finds something else wrong with the Parse first.
func (s *server) parseTaken(f *flow, name string, parse []byte) {
	s.prepareTaken(f)
	f.made = prepared.AppendParse(f.made, takenStatement, parse)
	s.expect(reply{expect: expectParse, called: &called{name: name, alias: takenStatement}, taken: true})
}

// parseAlone answers a Parse of a client without a server connection, if some server has parsed the same statement
// before. It is prepared when it is bound. So a client that prepares its statements waits for nobody, as one must
// whose thread has another connection in the middle of a transaction (pgbench's does).
func (c *client) parseAlone(f *flow, length int) bool {
	rules := c.pool.rules()
	named, known := hasName(body(f, length))
	if !known || !named || !whole(f, length) || rules.mapped() == 0 {
		return false
	}
	name, parse, err := prepared.Body(body(f, length))
	if err != nil {
		return false
	}
	statement, err := c.loop.relay.statements.Intern(parse, c.reading())
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

// uncertain reports whether it depends on replies to come what the name of a statement stands for.
func (c *client) uncertain(name []byte) bool {
	s := c.server
	if s.replies.ready == 0 || s.cache == nil || len(name) == 0 {
		return false
	}
	last, synced := s.replies.about(name)
	return len(c.shelved) > 0 || last != nil && synced
}

// rests reports whether the server has what name stands for if the client's own Parse succeeds, and not otherwise.
func (c *client) rests(name []byte) bool {
	s, statement := c.server, c.names.Get(name)
	last, _ := s.replies.about(name)
	return last != nil && last.expect == expectParse && last.manner == forwarded && last.statement == statement &&
		!s.doubt && s.cache.Has(statement)
}

// awaitReplies lets the client wait until every ReadyForQuery that was asked for has come.
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

// add counts a statement as prepared, and closes what that crowds out. One that is prepared is prepared again: if that
// fails, or is skipped, it may be there or not.
func (s *server) add(f *flow, statement *prepared.Statement) {
	f.spill()
	again := s.cache.Has(statement)
	s.doubt = s.doubt || again
	if s.doubt || s.replies.ready > 0 { // its last Close may yet be skipped
		f.made = statement.AppendClose(f.made) // closing what is not there is no error
		s.expect(reply{expect: expectClose, manner: hidden})
	}
	if again {
		return
	}
	s.cache.Add(statement)
	for old := s.cache.Evict(); old != nil; old = s.cache.Evict() {
		f.made = old.AppendClose(f.made)
		s.expect(reply{expect: expectClose, manner: hidden, statement: old})
	}
}

// has reports whether it is certain that a statement is prepared when the next message arrives. One that is being
// prepared in an earlier batch may not be.
func (s *server) has(statement *prepared.Statement) bool {
	return s.cache.Has(statement) && (s.replies.ready == 0 || !s.replies.prepares(statement))
}

// prepare makes sure that a statement is prepared on the server connection, and returns what it is there: another one
// of the same text if the client's settings are not those any more with which the text was read.
func (s *server) prepare(f *flow, statement *prepared.Statement) *prepared.Statement {
	if s.has(statement) {
		return statement
	}
	if reading := s.client.reading(); reading != statement.Reading() {
		if other, err := s.client.intern(statement, reading); err == nil {
			defer other.Release()
			if statement = other; s.has(statement) {
				return statement
			}
		}
	}
	s.add(f, statement)
	s.parse(f, reply{expect: expectParse, manner: hidden, statement: statement}, statement)
	s.loop.counters(s.pool).ServerParses++
	return statement
}

// reading is how the server will read the text of a statement of the client's. As long as that is not certain, nobody
// else has it.
func (c *client) reading() string {
	reading, certain := c.tracker.Reading()
	if !certain {
		reading += "\x00" + strconv.FormatUint(c.loop.relay.ids.Add(1), 10)
	}
	return reading
}

// statement finds what a name in a Bind or Describe stands for. as is the name to send instead, unless same. prepare:
// see to it that the server has it.
func (c *client) statement(f *flow, name []byte, prepare bool) (statement *prepared.Statement, as string, same bool) {
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
		if prepare {
			statement = s.prepare(f, statement)
		}
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
	fresh, err := c.intern(statement, statement.Reading())
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
	uncertain := c.uncertain(head.Statement)
	if uncertain && !c.rests(head.Statement) {
		return c.awaitReplies() // the server might have it, or not have it, whatever becomes of the Parse
	}
	c.stats().Binds++
	if c.large && len(head.Statement) == 0 {
		c.observe(session.Unsure, nil) // not before: usher's own question would drop the statement
	}
	statement, as, same := c.statement(f, head.Statement, !uncertain)
	c.bound(head.Portal, statement)
	r := reply{expect: expectBind, statement: statement}
	if !same && (statement == nil || uncertain) {
		r.called = &called{name: string(head.Statement), alias: as}
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
	clears := false
	if c.portal != nil && b[0] == 0 {
		clears = c.observe(c.portal.Finding(), c.portal.SQL())
	} else {
		c.observe(0, nil)
	}
	c.server.expect(reply{expect: expectExecute, clears: clears})
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
	if kind == wire.KindStatement && c.uncertain(name) {
		return c.awaitReplies()
	}
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
		statement, as, same = c.statement(f, name, true)
		f.unbound, c.large = unbound, large // a Describe does not make the Bind unnecessary
	}
	r := reply{expect: expectDescribe, statement: statement}
	if !same && statement == nil {
		r.called = &called{name: string(name), alias: as}
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
	r := reply{expect: expectClose, manner: faked, statement: c.names.Get(name)}
	r.called = &called{name: string(name)}
	r.drops = r.statement != nil
	s.expect(r)
	c.names.Delete(name)
	f.skip(length)
}
