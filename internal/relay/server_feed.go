package relay

import (
	"fmt"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
)

// Limits of the server messages that are looked at whole. A longer one is looked at as far as it is here.
const (
	tagMax   = 1 << 10  // CommandComplete: PostgreSQL's COMPLETION_TAG_BUFSIZE is 64
	errorMax = 16 << 10 // ErrorResponse: SQLSTATE and message stand first
	paramMax = 64 << 10 // ParameterStatus
)

// feed processes input as far as it is whole, and returns how many bytes are done.
func (s *server) feed(buf []byte) int {
	f := &s.loop.downstream
	f.begin(buf)
	for f.pos < len(f.buf) && s.step(f) {
	}
	s.fake(f)
	if s.client != nil {
		f.flush(&s.client.conn)
	} else {
		f.discard()
	}
	return f.pos
}

// step processes the next message, or the next part of one. It reports whether to go on.
func (s *server) step(f *flow) bool {
	rest := f.buf[f.pos:]
	if s.left > 0 {
		s.through(f, min(s.left, len(rest)))
		return true
	}
	s.fake(f)
	t, length, ok := wire.Header(rest)
	if !ok {
		return false
	}
	if !t.IsServer() || wire.CheckLength(t, length) != nil {
		s.wrong(fmt.Sprintf("message %v of length %d", t, length))
		return false
	}
	switch {
	case s.task != taskNone:
		return s.stepTask(f, t, length)
	case s.client == nil:
		return s.stepAlone(f, t, length)
	}
	return s.stepLinked(f, t, length)
}

// wrong ends a server connection that broke the protocol.
func (s *server) wrong(what string) {
	s.loop.log.Error("server broke the protocol", "server", s.id, "pool", s.pool.name, "message", what)
	c := s.client
	if c == nil {
		s.leave(nil)
		return
	}
	s.loop.downstream.flush(&c.conn) // what came before is whole
	if !s.releasable() {
		s.leave(pgerr.ServerProtocol.With().WithDetail("%s", what))
		return
	}
	s.dying = true // the client has its answer, and no part in what came behind it
	s.release()
}

func (s *server) through(f *flow, n int) {
	s.left -= n
	if s.dropping {
		f.skip(n)
	} else {
		f.keep(n)
	}
}

// pass lets the next message go to the client, or drops it.
func (s *server) pass(f *flow, length int, drop bool) {
	s.dropping = drop
	s.left = length
	s.through(f, min(length, len(f.buf)-f.pos))
}

// stepLinked processes a message for the client.
func (s *server) stepLinked(f *flow, t wire.Type, length int) bool {
	switch t {
	case wire.DataRow, wire.CopyData, wire.CopyDone, wire.NoticeResponse, wire.NotificationResponse,
		wire.ParameterDescription, wire.FunctionCallResponse, wire.CopyOutResponse:
		s.pass(f, length, false)
		return true
	case wire.RowDescription, wire.NoData:
		return s.answered(f, length, expectDescribe)
	case wire.ParseComplete:
		return s.answered(f, length, expectParse)
	case wire.BindComplete:
		return s.answered(f, length, expectBind)
	case wire.CloseComplete:
		return s.answered(f, length, expectClose)
	case wire.EmptyQueryResponse, wire.PortalSuspended:
		return s.answered(f, length, expectExecute)
	case wire.CommandComplete:
		return s.completed(f, length)
	case wire.ReadyForQuery:
		return s.readyForQuery(f, length)
	case wire.ErrorResponse:
		return s.failed(f, length)
	case wire.ParameterStatus:
		return s.parameter(f, length)
	case wire.CopyInResponse, wire.CopyBothResponse:
		s.copyBegins(t)
	}
	s.pass(f, length, false)
	return true
}

// answered passes a reply to a message of the extended protocol, or, inside the answer to a Query, a part of that.
func (s *server) answered(f *flow, length int, e expect) bool {
	head := s.replies.head()
	switch {
	case head.expect == e:
		drop := head.manner == hidden
		if e == expectParse && head.statement != nil {
			head.statement.Prove()
		}
		s.carriedOut(s.replies.pop())
		s.pass(f, length, drop)
		return true
	case head.expect == expectQuery && e != expectParse && e != expectBind && e != expectClose:
		s.pass(f, length, false)
		return true
	}
	s.wrong(fmt.Sprintf("reply %v out of order", wire.Type(f.buf[f.pos])))
	return false
}

// carriedOut notes that a message was carried out. What was to drop all names and did not say so has not.
func (s *server) carriedOut(r reply) {
	if r.clears {
		s.unshelve(0)
	}
}

// fake puts in the made-up replies whose turn has come, between two messages.
func (s *server) fake(f *flow) {
	for s.left == 0 && s.replies.head().manner == faked {
		r := s.replies.pop()
		f.spill()
		f.made = appendFake(f.made, r, s.status)
		if r.expect == expectQuery {
			if s.status == wire.StatusFailed {
				s.forget(r, 0)
			}
			s.track()
		}
	}
}

// completed processes a CommandComplete.
func (s *server) completed(f *flow, length int) bool {
	if length <= tagMax && !whole(f, length) {
		return false
	}
	s.tag(wire.Tag(body(f, length)))
	return s.answered(f, length, expectExecute)
}

// readyForQuery processes a ReadyForQuery.
func (s *server) readyForQuery(f *flow, length int) bool {
	if !whole(f, length) {
		return false
	}
	if length != wire.HeaderLen+1 {
		s.wrong(fmt.Sprintf("ReadyForQuery of length %d", length))
		return false
	}
	if !s.setStatus(f.buf[f.pos+wire.HeaderLen]) {
		return false
	}
	switch head := s.replies.head(); {
	case head.expect.endsReady():
		s.carriedOut(s.replies.pop())
	case s.skipping:
		// The Sync was sent while a COPY ran, so it was not expected to be answered; but the COPY had failed before.
		s.skipping = false
	default:
		s.wrong("ReadyForQuery that nothing asked for")
		return false
	}
	if s.status != idleStatus && s.client.pool.rules().Mode == ModeStatement {
		s.pass(f, length, true)
		s.leaveDirty(pgerr.StatementMode.With())
		return false
	}
	s.pass(f, length, false)
	s.statementEnds()
	return true
}

// setStatus notes the transaction status of a ReadyForQuery.
func (s *server) setStatus(status byte) bool {
	switch status {
	case wire.StatusIdle, wire.StatusInTransaction, wire.StatusFailed:
		s.status = status
		return true
	}
	s.wrong(fmt.Sprintf("transaction status %v", wire.Type(status)))
	return false
}

// statementEnds does what is to be done after a ReadyForQuery.
func (s *server) statementEnds() {
	c, l := s.client, s.loop
	s.quiet = l.now
	c.stats().ended(s)
	if s.replies.count > 0 {
		s.began, s.asked = l.now, l.now
	}
	s.track()
	if len(c.shelved) > 0 && !s.replies.clears() {
		s.unshelveAll()
	}
}

// failed processes an ErrorResponse. In the extended protocol it answers everything up to the next Sync.
func (s *server) failed(f *flow, length int) bool {
	if length <= errorMax && !whole(f, length) {
		return false
	}
	if s.quietNow() && s.releasable() {
		// Nobody asked: the server ends the connection, right behind an answer. The client has no part in that.
		s.dying = true
		s.pass(f, length, true)
		return true
	}
	b := body(f, length)
	severity := wire.ErrorFieldValue(b, wire.FieldSeverityPlain)
	s.fatal = string(severity) == "FATAL" || string(severity) == "PANIC"
	s.client.tracker.Error()
	s.planChanged(b)
	wasCopying := s.copying
	s.copying = false
	s.passError(f, length)
	if head := s.replies.head(); head.expect == expectQuery || head.expect == expectFunction {
		s.forget(*head, 0)
		head.clears = false
		return true
	}
	s.forgetBatch()
	if s.replies.count == 0 && (s.batch || wasCopying) {
		s.skipping = true
	}
	return true
}

// copyBegins notes that the client is to send COPY data. The server ignores the Syncs it was sent behind the Execute.
func (s *server) copyBegins(t wire.Type) {
	if t == wire.CopyBothResponse {
		s.copying = true
		s.client.replicating = true
		return
	}
	s.copying = !s.replies.copyBegins()
	s.batch = s.batch || s.replies.open() // again, if it was closed by a Sync that is ignored
}
