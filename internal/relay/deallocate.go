package relay

import (
	"bytes"
	"cmp"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/prepared"
	"github.com/usher-pg/usher/internal/session"
	"github.com/usher-pg/usher/internal/wire"
)

// deallocate processes a text that drops a prepared statement by name, when it is one of the protocol's, which the
// server knows by another name. A Query is answered here; in a batch, or in a Parse, the server gets another name to
// drop instead. done reports whether the message is dealt with, and goOn is then what step returns.
func (c *client) deallocate(f *flow, length int, text []byte) (goOn, done bool) {
	s := c.server
	name, all, ok := session.Deallocated(text)
	if s.cache == nil || !ok || all {
		return false, false
	}
	if prepared.Internal(name) {
		s.cache.Clear() // a client that guesses usher's names shall not make others miss their statements
		s.doubt = true
	}
	if c.uncertain([]byte(name)) {
		return c.awaitReplies(), true
	}
	statement := c.names.Get([]byte(name))
	if statement == nil {
		return false, false
	}
	r := reply{expect: expectQuery, statement: statement, called: &called{name: name}, drops: true}
	t := wire.Type(f.buf[f.pos])
	if t == wire.Query && !s.batch {
		r.manner = faked
	} else {
		sql := `DEALLOCATE "` + takenStatement + `"`
		s.prepareTaken(f)
		if t == wire.Query { // in a batch, whose transaction only the server knows the state of
			f.made = wire.AppendQuery(f.made, sql)
		} else {
			f.made = wire.AppendParse(f.made, "", []byte(sql), []byte{0, 0})
			r.expect = expectParse
		}
	}
	s.expect(r)
	c.names.Delete([]byte(name))
	f.skip(length)
	return true, true
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
	s.proceed(c)
}

// forgetBatch takes back, the latest first, all up to the next Sync.
func (s *server) forgetBatch() {
	n := 0
	for n < s.replies.count && s.replies.at(n).expect != expectSync {
		n++
	}
	for i := n - 1; i >= 0; i-- {
		s.forget(*s.replies.at(i), i)
	}
	for range n {
		s.replies.pop()
	}
}

// shelfAt is how many messages before the i-th reply's are to drop all names.
func (s *server) shelfAt(i int) int {
	n := 0
	for j := range min(i, s.replies.count) {
		if s.replies.at(j).clears {
			n++
		}
	}
	return n
}

// namesAt is the set of names that the message of the i-th reply is about: one put aside, if what is to drop them all
// was sent later.
func (s *server) namesAt(i int) **prepared.Names {
	c := s.client
	if k := s.shelfAt(i); k < len(c.shelved) {
		return &c.shelved[k]
	}
	return &c.names
}

// forget takes back what was assumed when the message of the i-th reply was forwarded, which the server has refused or
// skipped. Of several, the latest is the first.
func (s *server) forget(r reply, i int) {
	names := s.namesAt(i)
	switch {
	case r.drops:
		s.client.restore(r, names)
		return
	case r.clears:
		s.unshelve(s.shelfAt(i))
	}
	switch r.expect {
	case expectParse:
		s.cache.Remove(r.statement)
		if name := r.name(); name != "" && !r.taken {
			(*names).Delete([]byte(name))
		}
		if r.number != 0 && r.number == s.client.parses {
			s.unnamed = false
			s.client.forgetUnnamed()
		}
	case expectClose:
		if r.statement != nil {
			s.cache.Restore(r.statement)
		}
	}
}

// restore gives the client a statement back whose Close or DEALLOCATE the server has skipped or refused.
func (c *client) restore(r reply, names **prepared.Names) {
	again, err := c.intern(r.statement, r.statement.Reading())
	if err != nil {
		return
	}
	if *names == nil {
		*names = new(prepared.Names)
	}
	_ = (*names).Set([]byte(r.name()), again) // taken, or too many: then the client has it no more
	again.Release()
}

// intern is the statement of the same text and types that is read in this way.
func (c *client) intern(statement *prepared.Statement, reading string) (*prepared.Statement, error) {
	parse := append(append([]byte(statement.Text()), 0), statement.Types()...)
	return c.loop.relay.statements.Intern(parse, reading)
}

// passError passes an ErrorResponse. If it names a statement by usher's name, it is made to say the client's.
func (s *server) passError(f *flow, length int) {
	head := s.replies.head()
	alias, name := head.alias(), head.name()
	if alias == "" && head.statement != nil {
		alias = head.statement.Name()
	}
	if alias == "" || !whole(f, length) || !bytes.Contains(body(f, length), []byte(alias)) {
		s.pass(f, length, false)
		return
	}
	if head.alias() == "" {
		name = cmp.Or((*s.namesAt(0)).NameOf(head.statement), s.client.names.NameOf(head.statement))
	}
	said := bytes.ReplaceAll(body(f, length), []byte(alias), []byte(name))
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
