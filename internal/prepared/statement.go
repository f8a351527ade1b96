package prepared

import (
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/usher-pg/usher/internal/session"
	"github.com/usher-pg/usher/internal/wire"
	"github.com/usher-pg/usher/pool"
)

// namePrefix begins the names of statements on server connections.
const namePrefix = "usher_"

// Statement is a prepared statement as all server connections know it. It does not change but for its count.
type Statement struct {
	id       uint64
	name     string
	key      key
	length   int // of the text
	finding  session.Finding
	sql      []byte // the text, if finding is not zero
	lane     pool.Lane
	asks     bool // for lane
	registry *Registry
	shard    *shard
	retired  atomic.Bool
	proven   atomic.Bool // a server has parsed it

	// references counts holders. It goes from zero to one under the lock of the shard only (Registry.Intern),
	// or for a statement that is in no map any more.
	references atomic.Int64
}

// ID is unique among all statements of the process, and grows.
func (s *Statement) ID() uint64 { return s.id }

// Name is what server connections know the statement by.
func (s *Statement) Name() string { return s.name }

// Text is the SQL text.
func (s *Statement) Text() string { return s.key.body[:s.length] }

// SQL is the text for session.Tracker.Observe. It must not be changed. It allocates only if Finding is zero.
func (s *Statement) SQL() []byte {
	if s.sql != nil {
		return s.sql
	}
	return []byte(s.Text())
}

// Types are the OIDs of the parameters' types as they stand in a Parse message, count included.
func (s *Statement) Types() string { return s.key.body[s.length+1:] }

// Reading is how the server reads the text.
func (s *Statement) Reading() string { return s.key.reading }

// Finding is what executing the statement may do to its session.
func (s *Statement) Finding() session.Finding { return s.finding }

// Lane is the lane that a comment of the statement asks for. A nil statement asks for none.
func (s *Statement) Lane() (lane pool.Lane, asks bool) {
	if s == nil {
		return 0, false
	}
	return s.lane, s.asks
}

// Retired reports whether the next Parse of this text makes another statement.
func (s *Statement) Retired() bool { return s.retired.Load() }

// Size is the memory the statement is counted with.
func (s *Statement) Size() int { return len(s.key.body) + len(s.key.reading) + statementOverhead }

// AppendParse appends the Parse message that prepares the statement under its own name.
func (s *Statement) AppendParse(dst []byte) []byte { return s.AppendParseAs(dst, s.name) }

// AppendParseAs appends the Parse message that prepares the statement under another name; "" is the unnamed
// one.
func (s *Statement) AppendParseAs(dst []byte, name string) []byte {
	return AppendParse(dst, name, s.key.body)
}

// AppendClose appends the Close message that drops the statement from a server connection.
func (s *Statement) AppendClose(dst []byte) []byte {
	return wire.AppendTarget(dst, wire.Close, wire.KindStatement, s.name)
}

// AppendDescribe appends the Describe message of the statement.
func (s *Statement) AppendDescribe(dst []byte) []byte {
	return wire.AppendTarget(dst, wire.Describe, wire.KindStatement, s.name)
}

// AppendBind appends a Bind of the statement. portal and rest are as wire.BindParts returns them.
func (s *Statement) AppendBind(dst, portal, rest []byte) []byte {
	return wire.AppendBind(dst, portal, s.name, rest)
}

// retain takes a reference for a holder; the caller holds one already.
func (s *Statement) retain() { s.references.Add(1) }

// Release gives a reference back. A nil statement is no reference.
func (s *Statement) Release() {
	if s == nil {
		return
	}
	switch left := s.references.Add(-1); {
	case left == 0:
		s.registry.forget(s)
	case left < 0:
		panic("bug: prepared statement released more often than held")
	}
}

// Internal reports whether a name is one that statements have on server connections. A client must not be
// allowed to DEALLOCATE such a name.
func Internal(name string) bool {
	digits, ok := strings.CutPrefix(name, namePrefix)
	if !ok {
		return false
	}
	_, err := strconv.ParseUint(digits, 10, 64)
	return err == nil
}
