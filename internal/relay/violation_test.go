package relay

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/usher-pg/usher/internal/prepared"
	"github.com/usher-pg/usher/internal/wire"
)

// badBehaviour are bytes no client may send, each by itself and behind something else.
var badBehaviour = []struct {
	name string
	sent []byte
}{
	{"a type that is none", []byte{'?', 0, 0, 0, 4}},
	{"a server's type", []byte{'Z', 0, 0, 0, 5, 'I'}},
	{"a password", []byte{'p', 0, 0, 0, 5, 0}},
	{"a length below the header", []byte{'Q', 0, 0, 0, 3, 0}},
	{"a length that is negative", []byte{'Q', 0xff, 0xff, 0xff, 0xff}},
	{"a length above the limit", []byte{'Q', 0x10, 0, 0, 0}},
	{"a query without end", []byte{'Q', 0, 0, 0, 5, 'x'}},
	{"a query without text", []byte{'Q', 0, 0, 0, 4}},
	{"a named Parse without types", wire.AppendBody(nil, wire.Parse, []byte("s\x00x\x00"))},
	{"a Bind without names", wire.AppendBody(nil, wire.Bind, []byte("xy"))},
	{"a Bind without a body", empty(wire.Bind)},
	{"a Bind whose names do not end", wire.AppendBody(nil, wire.Bind, letters(2*prepared.MaxBindHead))},
	{"a Describe of nothing", empty(wire.Describe)},
	{"a Describe of an unknown kind", wire.AppendBody(nil, wire.Describe, []byte("Xa\x00"))},
	{"a Close of an endless name", wire.AppendBody(nil, wire.Close, letters(1<<20))},
	{"a named statement too long", parse("s", string(letters(prepared.MaxStatementBytes+5000)))},
}

func letters(n int) []byte { return bytes.Repeat([]byte("S"), n) }

func TestABadMessageEndsItsClientAndNobodyElse(t *testing.T) {
	t.Parallel()
	for _, c := range badBehaviour {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := one().start(t)
			a, b := w.seat(), w.seat()
			a.send(c.sent)
			a.want("E(08P01)")
			a.wantEnd()
			b.ask("T D(b) C(SELECT_1) Z(I)", query("SELECT 'b'"))
		})
	}
}

// TestABadMessageBehindAGoodOneLeavesTheServerConnectionFit: what was to be sent together with the bad
// message is either sent and answered, or not waited for.
func TestABadMessageBehindAGoodOneLeavesTheServerConnectionFit(t *testing.T) {
	t.Parallel()
	for _, c := range badBehaviour {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := one().start(t)
			a, b := w.seat(), w.seat()
			a.send(query("SELECT 'x'"), c.sent)
			b.ask("T D(b) C(SELECT_1) Z(I)", query("SELECT 'b'"))
		})
	}
}

// TestAMessageWithoutABodyIsAnswered sends messages that are as short as can be. PostgreSQL refuses them;
// what must not happen is that somebody waits for more of them.
func TestAMessageWithoutABodyIsAnswered(t *testing.T) {
	t.Parallel()
	for _, kind := range []wire.Type{wire.Parse, wire.Execute} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			w := one().start(t)
			a, b := w.seat(), w.seat()
			a.send(empty(kind), endBatch())
			if word, err := a.read(); err != nil || !strings.HasPrefix(word, "E(") {
				t.Errorf("answered with %s, %v", word, err)
			}
			b.ask("T D(b) C(SELECT_1) Z(I)", query("SELECT 'b'"))
		})
	}
}

// badServers are answers to a Query no PostgreSQL gives.
var badServers = []struct {
	name string
	sent []byte
}{
	{"a type that is none", []byte{'?', 0, 0, 0, 4}},
	{"a client's type", []byte{'Q', 0, 0, 0, 5, 0}},
	{"a length below the header", []byte{'D', 0, 0, 0, 3}},
	{"a length that is negative", []byte{'D', 0xff, 0xff, 0xff, 0xff}},
	{"ParseComplete", empty(wire.ParseComplete)},
	{"BindComplete", empty(wire.BindComplete)},
	{"CloseComplete", empty(wire.CloseComplete)},
	{"ReadyForQuery without a status", empty(wire.ReadyForQuery)},
	{"ReadyForQuery of two bytes", []byte{'Z', 0, 0, 0, 6, 'I', 'I'}},
	{"ReadyForQuery twice", join(wire.AppendReady(nil, 'I'), wire.AppendReady(nil, 'I'))},
	{"a parameter without a value", wire.AppendBody(nil, wire.ParameterStatus, []byte("x\x00"))},
	{"a parameter that is too long", wire.AppendBody(nil, wire.ParameterStatus, make([]byte, 2*paramMax))},
	{"a login message", wire.AppendAuth(nil, wire.AuthOK, nil)},
}

func TestAServerThatBreaksTheProtocolIsLeft(t *testing.T) {
	t.Parallel()
	for _, c := range badServers {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := one().start(t)
			a, b := w.seat(), w.seat()
			a.send(query("SELECT raw " + hex.EncodeToString(c.sent)))
			whole := strings.Contains(c.name, "twice") // the client has its answer, and no part in what follows
			word, err := a.read()
			for err == nil && !strings.HasPrefix(word, "E(") && !(whole && word == "Z(I)") {
				word, err = a.read()
			}
			if word != "E(08P01)" && word != "E(08006)" && !whole {
				t.Errorf("the client is told %s, %v", word, err)
			}
			b.ask("T D(2) C(SELECT_1) Z(I)", query("SELECT pid"))
		})
	}
}

// TestAnAnswerToUsherItselfIsChecked has the server answer usher's own Query with too much. What is left over
// must not be taken for an answer to the client.
func TestAnAnswerToUsherItselfIsChecked(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	w.toy.setBefore(func(s *toySession, text string) {
		if s.number == 1 && strings.HasPrefix(text, `SET "`) {
			s.out = append(s.out, bytes.Repeat(wire.AppendReady(nil, 'I'), 3)...)
		}
	})
	a, b := w.seatWith("TimeZone", "Europe/Berlin"), w.seat()
	a.send(query("SELECT 'x'"))
	switch word, err := a.read(); word {
	case "E(08006)", "E(08P01)":
		a.wantEnd()
	case "T": // it got another server connection
		a.want("D(x) C(SELECT_1) Z(I)")
		a.ask("T D(2) C(SELECT_1) Z(I)", query("SELECT pid"))
	default:
		t.Errorf("the client is told %s, %v", word, err)
	}
	b.ask("T D(2) C(SELECT_1) Z(I)", query("SELECT pid"))
}

// TestAServerMayTalkWhileNobodyListens: notices, notifications and changed parameters come at any time.
func TestAServerMayTalkWhileNobodyListens(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a := w.seat()
	a.ask("T D(x) C(SELECT_1) Z(I)", query("SELECT 'x'"))
	w.onLoops(func(l *loop) { l.now = l.reactor.Now() })
	s := w.toy.session(1)
	idle := join(
		wire.AppendError(nil, wire.NoticeResponse, wire.ErrorPart{Field: wire.FieldCode, Value: "00000"}),
		wire.AppendBody(nil, wire.NotificationResponse, []byte("\x00\x00\x00\x01c\x00\x00")),
		wire.AppendStatusParam(nil, wire.Param{Name: "in_hot_standby", Value: "off"}),
	)
	w.eventually("the server connection is idle", func() bool { return w.serversIn(serverIdle) == 1 })
	if _, err := s.conn.Write(idle); err != nil {
		t.Fatal(err)
	}
	w.eventually("it is read", func() bool { return unread(s.conn) == 0 })
	a.ask("T D(1) C(SELECT_1) Z(I)", query("SELECT pid"))

	w.eventually("the server connection is idle", func() bool { return w.serversIn(serverIdle) == 1 })
	if _, err := s.conn.Write(wire.AppendTag(nil, "SELECT 1")); err != nil {
		t.Fatal(err)
	}
	w.eventually("it is left", func() bool { return w.toy.living() == 1 && w.toy.opened() == 2 })
	a.ask("T D(2) C(SELECT_1) Z(I)", query("SELECT pid"))
}
