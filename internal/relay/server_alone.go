package relay

import (
	"fmt"

	"github.com/usher-pg/usher/internal/wire"
)

// stepAlone processes a message of a server connection that has no client: what an abandoned statement still
// answers, and what a server may say at any time.
func (s *server) stepAlone(f *flow, t wire.Type, length int) bool {
	switch t {
	case wire.NoticeResponse, wire.NotificationResponse:
	case wire.ParameterStatus:
		return s.parameter(f, length)
	case wire.ErrorResponse:
		if length <= errorMax && !whole(f, length) {
			return false
		}
		if !s.orphan { // it says why it will close: let it
			b := body(f, length)
			s.loop.log.Info("server ends the connection", "server", s.id, "pool", s.pool.name,
				"sqlstate", string(wire.ErrorFieldValue(b, wire.FieldCode)),
				"message", string(wire.ErrorFieldValue(b, wire.FieldMessage)))
			s.leave(nil)
			return false
		}
		s.cache.Clear() // which of its messages failed is not followed any more
		s.doubt = true
	case wire.ReadyForQuery:
		return s.aloneReady(f, length)
	case wire.CopyInResponse, wire.CopyBothResponse:
		s.leave(nil) // nobody is there to send the data
		return false
	default:
		if !s.orphan {
			s.wrong(fmt.Sprintf("message %v that nothing asked for", t))
			return false
		}
	}
	s.pass(f, length, true)
	return true
}

func (s *server) aloneReady(f *flow, length int) bool {
	if !whole(f, length) {
		return false
	}
	if length != wire.HeaderLen+1 || !s.orphan {
		s.wrong("ReadyForQuery that nothing asked for")
		return false
	}
	if !s.setStatus(f.buf[f.pos+wire.HeaderLen]) {
		return false
	}
	for s.replies.count > 0 && !s.replies.pop().expect.endsReady() {
	}
	s.pass(f, length, true)
	return true
}

// tidy goes on with a server connection that has no client after its input was processed.
func (s *server) tidy() {
	switch {
	case s.task != taskNone && s.exchange.over:
		s.finish()
	case s.orphan && s.replies.ready == 0:
		s.replies.clear()
		s.clean()
	}
}
