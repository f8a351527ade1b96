package relay

import (
	"strings"
	"testing"

	"github.com/usher-pg/usher/internal/wire"
)

// setTimeZone is the answer to SET TimeZone.
const setTimeZone = "C(SET) S(TimeZone=Asia/Tokyo) Z(I)"

func TestSettingsFollowAClient(t *testing.T) {
	t.Parallel()
	w := of(2).start(t)
	a, b := w.seat(), w.seat()
	a.ask(setTimeZone, query("SET TimeZone = 'Asia/Tokyo'"))
	for range 3 { // on one server connection and on the other
		b.ask("C(BEGIN) Z(T)", query("BEGIN"))
		a.ask("T D(Asia/Tokyo) C(SELECT_1) Z(I)", query("SHOW TimeZone"))
		b.ask("T D(UTC) C(SELECT_1) Z(T)", query("SHOW TimeZone"))
		a.ask("C(BEGIN) Z(T)", query("BEGIN"))
		b.ask("C(COMMIT) Z(I)", query("COMMIT"))
		b.ask("T D(UTC) C(SELECT_1) Z(I)", query("SHOW TimeZone"))
		a.ask("T D(Asia/Tokyo) C(SELECT_1) Z(T)", query("SHOW TimeZone"))
		a.ask("C(COMMIT) Z(I)", query("COMMIT"))
	}
}

func TestAClientBeginsWithWhatItAskedFor(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seatWith("TimeZone", "Asia/Tokyo", "application_name", "till"), w.seat()
	want := map[string]string{
		"TimeZone": "Asia/Tokyo", "application_name": "till", "client_encoding": "UTF8", "server_version": "18.1",
	}
	got := map[string]string{}
	for _, p := range a.welcome {
		got[p.Name] = p.Value
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("the client is welcomed with %s = %q, expected %q", name, got[name], value)
		}
	}
	a.ask("T D(Asia/Tokyo) C(SELECT_1) Z(I)", query("SHOW TimeZone")) // it is told nothing it knows
	a.ask("T D(till) C(SELECT_1) Z(I)", query("SHOW application_name"))
	b.ask("T D(UTC) C(SELECT_1) Z(I)", query("SHOW TimeZone"))
	b.ask("T D() C(SELECT_1) Z(I)", query("SHOW application_name"))
}

func TestASettingOfATransactionThatWasRolledBackIsForgotten(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	a.ask("C(SET) Z(T)", query("SET work_mem = '1MB'"))
	a.ask("E(22012) Z(E) C(ROLLBACK) Z(I)", query("SELECT fail"), query("ROLLBACK"))
	b.ask("T D(b) C(SELECT_1) Z(I)", query("SELECT 'b'"))
	for _, word := range w.toy.session(1).sent()[4:] {
		if strings.Contains(word, "work_mem") {
			t.Errorf("a setting that never came into force was restored: %v", w.toy.session(1).sent())
		}
	}
}

func TestEqualSettingsNeedNoStatement(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seatWith("TimeZone", "Asia/Tokyo"), w.seatWith("TimeZone", "Asia/Tokyo")
	a.ask("T D(a) C(SELECT_1) Z(I)", query("SELECT 'a'"))
	before := len(w.toy.session(1).sent())
	for range 5 {
		b.ask("T D(b) C(SELECT_1) Z(I)", query("SELECT 'b'"))
		a.ask("T D(a) C(SELECT_1) Z(I)", query("SELECT 'a'"))
	}
	if n := len(w.toy.session(1).sent()) - before; n != 10 {
		t.Errorf("10 requests were sent as %d", n)
	}
}

// TestSettingsThatCannotBeRestoredFailTheRequest: the client is told and stays, the server connection is
// reset.
func TestSettingsThatCannotBeRestoredFailTheRequest(t *testing.T) {
	t.Parallel()
	w := of(2).start(t)
	a, b := w.seat(), w.seat()
	w.eventually("both are open", func() bool { return w.serversIn(serverIdle) == 2 })
	a.ask("C(SET) Z(I)", query("SET work_mem = '1MB'"))
	w.toy.setBefore(func(s *toySession, text string) {
		if strings.HasPrefix(text, "SET") && strings.Contains(text, "1MB") {
			s.status = wire.StatusFailed // makes it fail
		}
	})
	b.ask("C(BEGIN) Z(T)", query("BEGIN")) // takes the one a has used
	a.send(query("SELECT 'a'"))
	a.want("E(55000) Z(I)")
	b.ask("C(COMMIT) Z(I)", query("COMMIT"))
	b.ask("T D(b) C(SELECT_1) Z(I)", query("SELECT 'b'"))
}

func TestAListenerIsPinnedUntilItListensNoMore(t *testing.T) {
	t.Parallel()
	w := of(2).start(t)
	a, b := w.seat(), w.seat()
	a.ask("C(LISTEN) Z(I)", query("LISTEN c"))
	a.pinned("listen")
	if place := a.place(); place != clientLinked {
		t.Errorf("a client that listens is %v", place)
	}
	for range 5 {
		b.ask("C(NOTIFY) Z(I)", query("NOTIFY c")) // elsewhere
		a.ask("T D(a) C(SELECT_1) Z(I)", query("SELECT 'a'"))
	}
	a.ask("A(c) C(NOTIFY) Z(I)", query("NOTIFY c"))
	s := w.pinnedSession()
	notification := wire.AppendBody(nil, wire.NotificationResponse, []byte("\x00\x00\x00\x01c\x00\x00"))
	if _, err := s.conn.Write(notification); err != nil {
		t.Fatal(err)
	}
	a.want("A(c)") // it comes while nothing is asked
	a.ask("C(UNLISTEN) Z(I)", query("UNLISTEN *"))
	a.pinned("")
	w.eventually("it gives its server connection back", func() bool { return a.place() == clientIdle })
}

// pinnedSession is the session of the one server connection that has a client.
func (w *world) pinnedSession() *toySession {
	w.t.Helper()
	number := 0
	w.onLoops(func(l *loop) {
		l.slots.each(func(_ *client, s *server) {
			if s != nil && s.client != nil {
				number = int(s.handle.ProcessID)
			}
		})
	})
	if number == 0 {
		w.t.Fatal("no server connection has a client")
	}
	return w.toy.session(number)
}

func TestAProbeIsInvisible(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a := w.seat()
	a.ask("C(LISTEN) Z(I) T D(x) C(SELECT_1) Z(I) C(UNLISTEN) Z(I) T D(y) C(SELECT_1) Z(I)",
		query("LISTEN c"), query("SELECT 'x'"), query("UNLISTEN *"), query("SELECT 'y'"))
	a.ask("1 2 n C(LISTEN) Z(I) 1 2 T D(x) C(SELECT_1) Z(I)",
		parse("", "LISTEN c"), batch(""), parse("", "SELECT 'x'"), batch(""))
	a.pinned("listen")
	probes := 0
	for _, word := range w.toy.session(1).sent() {
		if strings.HasPrefix(word, "Q(SELECT (SELECT") {
			probes++
		}
	}
	if probes == 0 {
		t.Error("the server was not asked what the statements left behind")
	}
}

// TestAProbeWaitsForTheBatchBehind has a client send a batch right behind the statement that is to be asked
// about, and its Sync later. The question must not come in between: it would be part of the client's
// transaction.
func TestAProbeWaitsForTheBatchBehind(t *testing.T) {
	t.Parallel()
	y := openTheatre(t)
	g := y.seatWith("application_name", "usher")
	g.send(query("LISTEN c"), parse("", "SELECT 1"))
	g.linked()
	y.act(nil, actServer, join(wire.AppendTag(nil, "LISTEN"), wire.AppendReady(nil, wire.StatusIdle)))
	g.want("C(LISTEN) Z(I)")
	y.act(nil, actServer, empty(wire.ParseComplete))
	g.want("1")
	g.send(endBatch())
	g.taken()
	y.act(nil, actServer, wire.AppendReady(nil, wire.StatusIdle))
	g.want("Z(I)")
	y.onLoops(func(l *loop) {
		l.slots.each(func(_ *client, s *server) {
			if s != nil && s.task != taskProbe {
				t.Errorf("the server is not asked, task %d", s.task)
			}
		})
	})
	y.close()
}

func TestAProbeThatFailsPinsTheClient(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a := w.seat()
	w.toy.setBefore(func(s *toySession, text string) {
		if strings.HasPrefix(text, "SELECT (SELECT") {
			s.status = wire.StatusFailed // makes it fail
		}
	})
	a.ask("C(LISTEN) Z(I)", query("LISTEN c"))
	a.pinned("unknown")
	w.toy.setBefore(nil)
	w.pinnedSession()
	a.ask("C(ROLLBACK) Z(I)", query("ROLLBACK"))
	a.pinned("listen") // now it could be asked
}

func TestAProbeWithAnAnswerOfAnotherShapePinsTheClient(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	w.toy.setBefore(func(s *toySession, text string) {
		if strings.HasPrefix(text, "SELECT (SELECT") {
			s.out = wire.AppendRow(s.out, [][]byte{[]byte("one column")})
			s.channels = nil
		}
	})
	a.ask("C(LISTEN) Z(I)", query("LISTEN c"))
	a.pinned("unknown")
	a.send(empty(wire.Terminate))
	a.wantEnd()
	w.toy.setBefore(nil)
	b.ask("T D(b) C(SELECT_1) Z(I)", query("SELECT 'b'"))
}
