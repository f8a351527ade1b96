package relay

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/session"
	"github.com/usher-pg/usher/internal/wire"
)

// task is what usher itself does with a server connection: it sends one or two Queries of its own and swallows the
// answers. While it does, the client's messages wait.
type task uint8

const (
	taskNone   task = iota
	taskReplay      // makes the session the linked client's
	taskProbe       // asks the server what the linked client's transaction left behind
	taskReset       // cleans up after a client that left
)

var errRows = errors.New("more than one row in answer to usher")

// taskRowMax bounds the row a probe answers with: settings are bounded by session's limits, and far smaller.
const taskRowMax = 1 << 20

// exchange is the state of a task.
type exchange struct {
	ready    int               // ReadyForQuery still to come
	over     bool              // the last one has come
	clean    bool              // everything the session had is gone
	failure  string            // what the server said went wrong
	settings *session.Settings // what a reset makes of the session
	row      [][]byte          // what a probe was answered; owned
}

// begin sends usher's own queries.
func (s *server) begin(t task, settings *session.Settings, queries ...string) {
	if s.task != taskNone || s.replies.count > 0 {
		panic("bug: task on a server connection that is in use")
	}
	s.task = t
	s.exchange = exchange{ready: len(queries), settings: settings}
	s.began = s.loop.now
	out := s.loop.made[:0]
	for _, q := range queries {
		out = wire.AppendQuery(out, q)
	}
	s.loop.made = out
	s.write(out)
}

// replay makes the session on the server what the client has set.
func (s *server) replay() {
	c := s.client
	sql := session.AppendDiff(nil, s.settings, c.tracker.Settings())
	if len(sql) == 0 {
		s.settings = c.tracker.Synced(s.settings)
		return
	}
	s.begin(taskReplay, nil, string(sql))
}

// stepTask processes a message of an answer to usher itself.
func (s *server) stepTask(f *flow, t wire.Type, length int) bool {
	switch t {
	case wire.ReadyForQuery, wire.ErrorResponse, wire.DataRow:
		if s.exchange.over {
			s.dying = true // what is said behind the answer is about the connection, or nonsense
			break
		}
		if length > taskRowMax {
			s.wrong(fmt.Sprintf("message %v of %d bytes in answer to usher", t, length))
			return false
		}
		if !whole(f, length) {
			return false
		}
		s.taskMessage(t, body(f, length))
	case wire.ParameterStatus:
		return s.parameter(f, length)
	case wire.NotificationResponse:
		s.pass(f, length, s.client == nil)
		return true
	case wire.CopyInResponse, wire.CopyBothResponse:
		s.wrong(fmt.Sprintf("message %v in answer to usher", t))
		return false
	}
	s.pass(f, length, true)
	return true
}

func (s *server) taskMessage(t wire.Type, b []byte) {
	x := &s.exchange
	switch t {
	case wire.ErrorResponse:
		x.failure = string(wire.ErrorFieldValue(b, wire.FieldMessage))
		if x.failure == "" {
			x.failure = "error without a message"
		}
	case wire.DataRow:
		columns, err := wire.RowColumns(nil, bytes.Clone(b))
		if err == nil && x.row != nil {
			err = errRows
		}
		if err != nil {
			x.failure = err.Error()
			return
		}
		x.row = columns
	case wire.ReadyForQuery:
		if len(b) > 0 {
			s.status = b[0]
		}
		x.ready--
		x.over = x.ready == 0
	}
}

// finish does what follows a task.
func (s *server) finish() {
	if s.task == taskReplay && s.dying {
		s.leave(pgerr.ServerClosed.With())
		return
	}
	x, t := s.exchange, s.task
	s.unnamed = false // a Query drops it
	s.exchange, s.task = exchange{}, taskNone
	switch t {
	case taskReplay:
		s.replayed(x)
	case taskProbe:
		s.probed(x)
	case taskReset:
		s.wasReset(x)
	}
}

func (s *server) replayed(x exchange) {
	c := s.client
	if x.failure == "" && s.status == idleStatus {
		s.settings = c.tracker.Synced(s.settings)
		s.goOn()
		return
	}
	c.tracker.SyncFailed()
	s.loop.log.Warn("settings could not be restored",
		"client", c.id, "server", s.id, "pool", s.pool.name, "error", x.failure)
	c.unlink()
	c.become(clientIdle)
	s.become(serverResetting)
	s.reset()
	c.fail(pgerr.SettingFailed.With().WithDetail("%s", x.failure))
	c.resume()
}

// reset cleans up a server connection whose client is gone, in whatever transaction state it is.
func (s *server) reset() {
	var queries []string
	if s.status != idleStatus {
		queries = append(queries, "ROLLBACK")
	}
	s.begin(taskReset, s.base, append(queries, s.resetQuery())...)
	s.exchange.clean = true
}

// resetQuery is what cleans the session: always all of it where usher itself decides, else as configured.
func (s *server) resetQuery() string {
	if rules := s.pool.rules(); rules.Mode == ModeSession {
		return rules.ResetQuery
	}
	return "DISCARD ALL"
}

// rollback ends the transaction a client left open, and nothing else.
func (s *server) rollback() { s.begin(taskReset, s.settings, "ROLLBACK") }

func (s *server) wasReset(x exchange) {
	if x.failure != "" || s.status != idleStatus {
		s.loop.log.Warn("server connection could not be reset",
			"server", s.id, "pool", s.pool.name, "error", x.failure)
		s.leave(nil)
		return
	}
	if x.clean {
		s.cache.Clear()
		s.doubt = false
	}
	s.settings = x.settings
	s.rest()
}
