package relay

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/usher-pg/usher/internal/wire"
)

func yield() { runtime.Gosched() }

// What a toy server understands:
//
//	SELECT 'text'            one row
//	SELECT pid               one row: the number of the session
//	SELECT big N SIZE        N rows of SIZE bytes
//	SELECT fail              an error
//	SELECT wait              ends when it is cancelled, or when toy.release is received from
//	SELECT die               half a result, then the connection is gone
//	SELECT fatal             FATAL, then the connection is gone
//	SELECT notice            a notice and a row
//	SELECT stale             when bound, what PostgreSQL says of a plan whose result type has changed
//	SELECT raw HEX           these bytes, and nothing else
//	INSERT …                 a tag
//	BEGIN, COMMIT, ROLLBACK, SHOW, SET, RESET, set_config, DISCARD ALL, DEALLOCATE, LISTEN, UNLISTEN, NOTIFY,
//	COPY … FROM STDIN        data with the word "bad" is an error at once
//	COPY … TO STDOUT         two pieces
//
// and the question a relay asks about the session's state. A Parse of a text with "unparsable" is an error.

// errSilent ends the answer to a Query without a ReadyForQuery.
var errSilent = errors.New("that is all")

// failure is an error a statement ends with.
type failure struct{ severity, code, message, routine string }

func (f *failure) Error() string { return f.message }

func fail(code, message string) *failure { return &failure{"ERROR", code, message, ""} }

var errAborted = fail("25P02", "current transaction is aborted, commands ignored until end of transaction block")

func (s *toySession) say(f *failure, t wire.Type) {
	s.out = wire.AppendError(s.out, t, wire.ErrorPart{Field: wire.FieldSeverity, Value: f.severity},
		wire.ErrorPart{Field: wire.FieldSeverityPlain, Value: f.severity},
		wire.ErrorPart{Field: wire.FieldCode, Value: f.code},
		wire.ErrorPart{Field: wire.FieldMessage, Value: f.message},
		wire.ErrorPart{Field: wire.FieldRoutine, Value: f.routine})
}

// failed sends an error and what follows from it. It returns an error when the session ends.
func (s *toySession) failed(err error) error {
	f, ok := err.(*failure)
	if !ok {
		return err
	}
	s.say(f, wire.ErrorResponse)
	if s.status == wire.StatusInTransaction {
		s.status = wire.StatusFailed
	}
	if s.status == wire.StatusIdle {
		s.rollback()
	}
	if f.severity == "FATAL" {
		_ = s.flush()
		return errEnd
	}
	return nil
}

// answer answers a message.
func (s *toySession) answer(kind wire.Type, body []byte) error {
	if s.skipping && kind != wire.Sync {
		return nil
	}
	switch kind {
	case wire.Query:
		return s.query(body)
	case wire.FunctionCall:
		s.out = wire.AppendBody(s.out, wire.FunctionCallResponse, []byte{0, 0, 0, 0})
		return s.ready()
	case wire.Sync:
		s.skipping = false
		return s.ready()
	case wire.Flush:
		return s.flush()
	case wire.CopyData, wire.CopyDone, wire.CopyFail:
		return nil // of a COPY that has failed
	}
	if err := s.extended(kind, body); err != nil {
		s.skipping = true
		if err := s.failed(err); err != nil {
			return err
		}
		return s.flush()
	}
	return nil
}

func (s *toySession) ready() error {
	if s.status == wire.StatusIdle {
		s.before = nil
		clear(s.portals)
	}
	s.report()
	s.out = wire.AppendReady(s.out, s.status)
	return s.flush()
}

// report reports what has changed, as PostgreSQL does from 14 on: only when it is ready again.
func (s *toySession) report() {
	for _, p := range reported() {
		if value := s.settings[p.Name]; s.told[p.Name] != value {
			s.told[p.Name] = value
			s.out = wire.AppendStatusParam(s.out, wire.Param{Name: p.Name, Value: value})
		}
	}
}

func (s *toySession) query(body []byte) error {
	text, err := wire.QueryText(body)
	if err != nil {
		return err
	}
	delete(s.statements, "")
	for _, statement := range strings.Split(string(text), ";") {
		err := s.execute(withoutComments(statement), true)
		if err == errSilent {
			return nil
		}
		if err != nil {
			if err := s.failed(err); err != nil {
				return err
			}
			break
		}
	}
	return s.ready()
}

var comments = regexp.MustCompile(`/\*.*?\*/`)

func withoutComments(text string) string {
	return strings.TrimSpace(comments.ReplaceAllString(text, ""))
}

// extended answers a message of the extended protocol.
func (s *toySession) extended(kind wire.Type, body []byte) error {
	switch kind {
	case wire.Parse:
		name, text, _, err := wire.ParseParts(body)
		if err != nil {
			return fail("08P01", "invalid message format")
		}
		_, taken := s.statements[string(name)]
		switch {
		case strings.Contains(string(text), "unparsable"):
			return fail("42601", "syntax error")
		case s.status == wire.StatusFailed && !strings.HasPrefix(string(text), "ROLLBACK"):
			return errAborted
		case len(name) > 0 && taken:
			return fail("42P05", fmt.Sprintf("prepared statement %q already exists", name))
		}
		s.statements[string(name)] = withoutComments(string(text))
		s.out = wire.AppendEmpty(s.out, wire.ParseComplete)
	case wire.Bind:
		portal, name, _, err := wire.BindParts(body)
		text, ok := s.statements[string(name)]
		switch {
		case err != nil:
			return fail("08P01", "invalid message format")
		case !ok:
			return fail("26000", fmt.Sprintf("prepared statement %q does not exist", name))
		case s.status == wire.StatusFailed && !strings.HasPrefix(text, "ROLLBACK"):
			return errAborted
		case text == "SELECT stale":
			return &failure{"ERROR", "0A000", "cached plan must not change result type", "RevalidateCachedQuery"}
		}
		s.portals[string(portal)] = text
		s.out = wire.AppendEmpty(s.out, wire.BindComplete)
	case wire.Execute:
		name := string(body[:bytes.IndexByte(body, 0)])
		text, ok := s.portals[name]
		if !ok {
			return fail("34000", fmt.Sprintf("portal %q does not exist", name))
		}
		return s.execute(text, false)
	case wire.Describe, wire.Close:
		return s.target(kind, body)
	}
	return nil
}

func (s *toySession) target(kind wire.Type, body []byte) error {
	which, name, err := wire.Target(body)
	if err != nil {
		return fail("08P01", "invalid message format")
	}
	objects := s.statements
	if which == wire.KindPortal {
		objects = s.portals
	}
	text, ok := objects[string(name)]
	if kind == wire.Close {
		delete(objects, string(name))
		s.out = wire.AppendEmpty(s.out, wire.CloseComplete)
		return nil
	}
	if !ok {
		return fail("26000", fmt.Sprintf("%c %q does not exist", which, name))
	}
	if s.status == wire.StatusFailed && !strings.HasPrefix(text, "ROLLBACK") {
		// PostgreSQL describes what has no rows even then. A relay may have to prepare it first.
		return errAborted
	}
	if which == wire.KindStatement {
		s.out = wire.AppendBody(s.out, wire.ParameterDescription, []byte{0, 0})
	}
	if strings.HasPrefix(text, "SELECT") {
		s.describeRow()
	} else {
		s.out = wire.AppendEmpty(s.out, wire.NoData)
	}
	return nil
}

func (s *toySession) describeRow() {
	s.out = wire.AppendRowDescription(s.out, []wire.Column{{Name: "text", OID: 25, Size: -1}})
}

// rows answers with rows of one column.
func (s *toySession) rows(described bool, values ...string) {
	if described {
		s.describeRow()
	}
	for _, v := range values {
		s.out = wire.AppendRow(s.out, [][]byte{[]byte(v)})
	}
	s.out = wire.AppendTag(s.out, "SELECT "+strconv.Itoa(len(values)))
}

// execute executes a statement; described tells whether rows are described, as in the answer to a Query.
func (s *toySession) execute(text string, described bool) error {
	s.toy.mutex.Lock()
	before := s.toy.before
	s.toy.mutex.Unlock()
	if before != nil {
		before(s, text)
	}
	if s.before == nil {
		s.before = &undo{maps.Clone(s.settings), maps.Clone(s.made), maps.Clone(s.channels)}
	}
	first, rest, _ := strings.Cut(text, " ")
	if s.status == wire.StatusFailed && first != "ROLLBACK" && first != "COMMIT" {
		return errAborted
	}
	switch first {
	case "":
		s.out = wire.AppendEmpty(s.out, wire.EmptyQueryResponse)
	case "BEGIN":
		s.status = wire.StatusInTransaction
		s.out = wire.AppendTag(s.out, "BEGIN")
	case "COMMIT", "ROLLBACK":
		if s.status == wire.StatusFailed {
			first = "ROLLBACK"
		}
		if first == "ROLLBACK" {
			s.rollback()
		}
		s.status, s.before = wire.StatusIdle, nil
		s.out = wire.AppendTag(s.out, first)
	case "SELECT":
		return s.selects(rest, described)
	case "INSERT":
		s.out = wire.AppendTag(s.out, "INSERT 0 1")
	case "COPY":
		return s.copies(rest)
	default:
		return s.command(first, rest, described)
	}
	return nil
}

func (s *toySession) selects(what string, described bool) error {
	words := strings.Fields(what)
	switch words[0] {
	case "pid":
		s.rows(described, strconv.Itoa(s.number))
	case "big":
		return s.big(words, described)
	case "fail":
		return fail("22012", "division by zero")
	case "wait":
		return s.wait(described)
	case "die":
		s.describeRow()
		s.out = wire.AppendRow(s.out, [][]byte{[]byte("the last words")})
		_ = s.flush()
		return errEnd
	case "fatal":
		return &failure{"FATAL", "57P01", "terminating connection", ""}
	case "notice":
		s.say(&failure{"NOTICE", "00000", "note this", ""}, wire.NoticeResponse)
		s.rows(described, "noted")
	case "raw":
		raw, _ := hex.DecodeString(words[1])
		s.out = append(s.out, raw...)
		_ = s.flush()
		return errSilent
	case "(SELECT":
		return s.probe(described)
	default:
		if strings.HasPrefix(words[0], "pg_catalog.set_config(") {
			s.setConfig(what)
			s.rows(described, "set")
			return nil
		}
		s.rows(described, strings.Trim(what, "'"))
	}
	return nil
}

func (s *toySession) big(words []string, described bool) error {
	n, _ := strconv.Atoi(words[1])
	size, _ := strconv.Atoi(words[2])
	if described {
		s.describeRow()
	}
	row := wire.AppendRow(nil, [][]byte{bytes.Repeat([]byte("x"), size)})
	for range n {
		s.out = append(s.out, row...)
		if len(s.out) > 64<<10 {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	s.out = wire.AppendTag(s.out, "SELECT "+words[1])
	return nil
}

// wait waits for a cancel request, or to be released.
func (s *toySession) wait(described bool) error {
	if err := s.flush(); err != nil {
		return err
	}
	select {
	case <-s.cancelled:
		return fail("57014", "canceling statement due to user request")
	case <-s.toy.release:
		s.rows(described, "released")
		return nil
	case <-s.ending:
		return errEnd
	}
}

// copies takes COPY data, or sends some.
func (s *toySession) copies(what string) error {
	if strings.HasSuffix(what, "TO STDOUT") {
		s.out = wire.AppendBody(s.out, wire.CopyOutResponse, []byte{0, 0, 0})
		s.out = wire.AppendBody(s.out, wire.CopyData, []byte("a\n"))
		s.out = wire.AppendBody(s.out, wire.CopyData, []byte("b\n"))
		s.out = wire.AppendEmpty(s.out, wire.CopyDone)
		s.out = wire.AppendTag(s.out, "COPY 2")
		return nil
	}
	s.out = wire.AppendBody(s.out, wire.CopyInResponse, []byte{0, 0, 0})
	if err := s.flush(); err != nil {
		return err
	}
	for n := 0; ; {
		kind, body, err := readMessage(s)
		switch {
		case err != nil:
			return err
		case kind == wire.CopyData && bytes.Contains(body, []byte("bad")):
			return fail("22P04", "bad copy data")
		case kind == wire.CopyData:
			n++
		case kind == wire.CopyDone:
			s.out = wire.AppendTag(s.out, "COPY "+strconv.Itoa(n))
			return nil
		case kind == wire.CopyFail:
			return fail("57014", "COPY from stdin failed")
		case kind == wire.Sync, kind == wire.Flush: // PostgreSQL ignores them, see CopyGetData
		default:
			return fail("08P01", "unexpected message during COPY from stdin")
		}
	}
}
