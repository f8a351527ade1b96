package relay

import (
	"bytes"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/prepared"
	"github.com/usher-pg/usher/internal/session"
	"github.com/usher-pg/usher/internal/wire"
)

// deallocate processes a text that drops a prepared statement by name, when it is one of the protocol's, which the
// server knows by another name. In a Query it is answered here; a Parse is sent with usher's name instead. It
// reports whether it has dealt with the message.
func (c *client) deallocate(f *flow, length int, text []byte) bool {
	s := c.server
	name, all, ok := session.Deallocated(text)
	if s.cache == nil || !ok || all {
		return false
	}
	if prepared.Internal(name) {
		s.cache.Clear() // a client that guesses usher's names shall not make others miss their statements
		s.doubt = true
	}
	statement := c.names.Get([]byte(name))
	if statement == nil {
		return false
	}
	if wire.Type(f.buf[f.pos]) == wire.Query {
		c.names.Delete([]byte(name))
		s.expect(reply{expect: expectQuery, manner: faked})
		f.skip(length)
		return true
	}
	s.prepare(f, statement)
	f.spill()
	f.made = wire.AppendParse(f.made, "", []byte(`DEALLOCATE "`+statement.Name()+`"`), []byte{0, 0})
	f.skip(length)
	s.expect(reply{expect: expectParse})
	s.cache.Remove(statement)
	s.doubt = true
	c.names.Delete([]byte(name))
	return true
}

// appendFake makes up a reply.
func appendFake(dst []byte, r reply, status byte) []byte {
	switch r.expect {
	case expectCopyEnd:
		return dst
	case expectParse:
		return wire.AppendEmpty(dst, wire.ParseComplete)
	case expectClose:
		return wire.AppendEmpty(dst, wire.CloseComplete)
	case expectQuery: // DEALLOCATE
		if status == wire.StatusFailed {
			dst = pgerr.TransactionFailed.With().Append(dst)
		} else {
			dst = wire.AppendTag(dst, "DEALLOCATE")
		}
		return wire.AppendReady(dst, status)
	}
	panic("bug: a reply that is never made up")
}

// flushFakes sends made-up replies that have no real one before them.
func (s *server) flushFakes() {
	if s.replies.head().manner != faked || s.left > 0 || s.task != taskNone {
		return
	}
	c := s.client
	f := &s.loop.downstream
	f.begin(nil)
	s.fake(f)
	f.flush(&c.conn)
	c.check()
	if s.client == c && s.releasable() {
		s.release()
	}
}

// forget takes back what was assumed when a message was forwarded that the server has refused or skipped.
func (s *server) forget(r reply) {
	switch r.expect {
	case expectParse:
		s.cache.Remove(r.statement)
		if r.name != "" && !r.taken {
			s.client.names.Delete([]byte(r.name))
		}
		if r.number != 0 && r.number == s.client.parses {
			s.unnamed = false
			s.client.forgetUnnamed()
		}
	case expectClose:
		switch {
		case r.manner == faked && r.statement != nil:
			s.client.restore(r)
		case r.statement != nil:
			s.cache.Restore(r.statement)
		}
	}
}

// restore gives the client a statement back whose Close the server has skipped.
func (c *client) restore(r reply) {
	again, err := c.intern(r.statement)
	if err != nil {
		return
	}
	_ = c.setName([]byte(r.name), again) // taken by a Parse that was skipped too: then that is forgotten next
	again.Release()
}

// intern is the statement of the same text, types and path.
func (c *client) intern(statement *prepared.Statement) (*prepared.Statement, error) {
	parse := append(append([]byte(statement.Text()), 0), statement.Types()...)
	return c.loop.relay.statements.Intern(parse, c.tracker.Settings().SearchPath())
}

// passError passes an ErrorResponse. If it names a statement by usher's name, it is made to say the client's.
func (s *server) passError(f *flow, length int) {
	head := s.replies.head()
	if head.alias == "" || !whole(f, length) || !bytes.Contains(body(f, length), []byte(head.alias)) {
		s.pass(f, length, false)
		return
	}
	said := bytes.ReplaceAll(body(f, length), []byte(head.alias), []byte(head.name))
	f.spill()
	f.made = wire.AppendBody(f.made, wire.ErrorResponse, said)
	s.pass(f, length, true)
}

// planChanged looks for PostgreSQL's "cached plan must not change result type". The text is in the server's
// language, so the routine that says it is looked at. Who has been told gets the statement prepared anew at its next
// use, as does everybody who prepares the same text from now on.
func (s *server) planChanged(e []byte) {
	statement := s.replies.head().statement
	if statement == nil || !bytes.Equal(wire.ErrorFieldValue(e, wire.FieldCode), []byte("0A000")) ||
		!bytes.Equal(wire.ErrorFieldValue(e, wire.FieldRoutine), []byte("RevalidateCachedQuery")) {
		return
	}
	s.loop.relay.statements.Retire(statement)
	s.client.stale = true
}
