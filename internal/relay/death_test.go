package relay

import (
	"strings"
	"testing"

	"github.com/usher-pg/usher/internal/wire"
)

func TestAServerThatDiesEndsItsClient(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, told string
	}{
		"in the middle of a result":         {"SELECT die", "T D(the_last_words) E(08006)"},
		"after it said why":                 {"SELECT fatal", "E(57P01)"},
		"in the middle of a message":        {"SELECT raw 440000ffff0001", ""},
		"in the middle of a header":         {"SELECT raw 4400", "E(08006)"},
		"in the middle of an ErrorResponse": {"SELECT raw 4500000fff53", "E(08006)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := one().start(t)
			a, b := w.seat(), w.seat()
			a.send(query(c.text))
			if strings.Contains(c.text, "raw") {
				s := w.toy.session(1)
				w.eventually("the pieces are sent", func() bool {
					return strings.Contains(strings.Join(s.sent(), " "), "raw") && unread(s.conn) == 0
				})
				_ = s.conn.Close()
			}
			a.want(c.told)
			if c.told == "" {
				// Half a message was passed on: nothing that is sent behind it could be understood. The end of the
				// connection must come, whatever stands before it.
				for {
					if _, err := a.read(); err != nil {
						break
					}
				}
			} else {
				a.wantEnd()
			}
			b.ask("T D(2) C(SELECT_1) Z(I)", query("SELECT pid"))
		})
	}
}

func TestAServerThatDiesInATransactionEndsItsClient(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	_ = w.toy.session(1).conn.Close()
	a.want("E(08006)")
	a.wantEnd()
	b.ask("T D(2) C(SELECT_1) Z(I)", query("SELECT pid"))
}

func TestAServerThatDiesIdleIsReplaced(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a := w.seat()
	a.ask("T D(1) C(SELECT_1) Z(I)", query("SELECT pid"))
	w.eventually("it is idle", func() bool { return w.serversIn(serverIdle) == 1 })
	_ = w.toy.session(1).conn.Close()
	w.eventually("it is noticed", func() bool { return w.toy.opened() == 2 })
	a.ask("T D(2) C(SELECT_1) Z(I)", query("SELECT pid"))
}

// TestAServerThatDiesBehindItsAnswerConcernsNobody: the answer is whole, and the client is told nothing else.
func TestAServerThatDiesBehindItsAnswerConcernsNobody(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a := w.seat()
	ready := "5a0000000549" // ReadyForQuery
	a.send(query("SELECT raw " + "430000000d53454c454354203100" + ready))
	a.want("C(SELECT_1) Z(I)")
	_ = w.toy.session(1).conn.Close()
	w.eventually("it is replaced", func() bool { return w.toy.opened() == 2 })
	a.ask("T D(2) C(SELECT_1) Z(I)", query("SELECT pid"))
}

// deaths are moments at which a client dies. fresh: its server connection cannot be used any more.
var deaths = []struct {
	name  string
	until func(w *world, g *guest)
	fresh bool
}{
	{"idle", func(*world, *guest) {}, false},
	{"idle in a transaction", func(_ *world, g *guest) { g.ask("C(BEGIN) Z(T)", query("BEGIN")) }, false},
	{"in a failed transaction", func(_ *world, g *guest) {
		g.ask("C(BEGIN) Z(T) E(22012) Z(E)", query("BEGIN"), query("SELECT fail"))
	}, false},
	{"in the middle of a header", func(w *world, g *guest) {
		g.send(query("SELECT 'x'")[:3])
		g.taken()
	}, false},
	{"in the middle of a short Query", func(w *world, g *guest) {
		g.send(query("SELECT 'x'")[:9])
		g.taken()
	}, false},
	{"in the middle of a long Query", func(w *world, g *guest) {
		g.send(query(strings.Repeat("x", 3*wholeMax))[:2*wholeMax])
		g.taken()
		g.linked()
	}, true},
	{"in an open batch", func(w *world, g *guest) {
		g.ask("1 2", parse("", "SELECT 'x'"), bind("", ""), empty(wire.Flush))
	}, true},
	{"in a batch that skips", func(w *world, g *guest) {
		g.ask("E(42601)", parse("", "SELECT unparsable"), empty(wire.Flush))
	}, true},
	{"while a statement runs", func(w *world, g *guest) {
		g.send(query("SELECT wait"))
		g.w.running("SELECT wait")
	}, false},
	{"while several statements run", func(w *world, g *guest) {
		g.send(query("BEGIN"), query("SELECT wait"), query("SELECT 'never'"), query("COMMIT"))
		g.w.running("SELECT wait")
	}, false},
	{"while a batch runs", func(w *world, g *guest) {
		g.send(parse("p", "SELECT wait"), batch("p"), parse("q", "SELECT 'q'"), batch("q"))
		g.w.running("SELECT wait")
	}, false},
	{"pinned", func(w *world, g *guest) {
		g.ask("C(LISTEN) Z(I)", query("LISTEN c"))
		g.pinned("listen")
	}, false},
	{"with settings", func(w *world, g *guest) {
		g.ask("C(SET) S(TimeZone=Asia/Tokyo) Z(I)", query("SET TimeZone = 'Asia/Tokyo'"))
	}, false},
	{"while it does not read", func(w *world, g *guest) {
		g.send(query("SELECT big 2000 4000"))
		w.eventually("the server is not read any more", func() bool {
			paused := false
			g.onLoop(func(c *client) { paused = c.server != nil && c.server.pauses&pauseUnsent != 0 })
			return paused
		})
	}, false},
}

// running waits until the first session has been sent a text.
func (w *world) running(text string) {
	w.t.Helper()
	w.eventually(text+" runs", func() bool {
		return w.toy.opened() > 0 && strings.Contains(strings.Join(w.toy.session(1).sent(), " "), text)
	})
}

func TestAClientThatDiesLeavesItsServerConnectionFit(t *testing.T) {
	t.Parallel()
	for _, c := range deaths {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := one().start(t)
			a, b := w.seat(), w.seat()
			b.ask("T D(UTC) C(SELECT_1) Z(I)", query("SHOW TimeZone"))
			c.until(w, a)
			a.close()
			want := map[bool]string{false: "D(1)", true: "D(2)"}[c.fresh]
			b.ask("T "+want+" C(SELECT_1) Z(I)", query("SELECT pid"))
			b.ask("T D(UTC) C(SELECT_1) Z(I)", query("SHOW TimeZone"))
			b.ask("C(NOTIFY) Z(I)", query("NOTIFY c"))
			b.ask("1 2 T D(q) C(SELECT_1) Z(I)", parse("q", "SELECT 'q'"), batch("q"))
		})
	}
}

func TestAClientThatDiesWaitingIsForgotten(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b, c := w.seat(), w.seat(), w.seat()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	b.send(query("SELECT 'b'"))
	b.waiting()
	c.send(query("SELECT 'c'"))
	c.waiting()
	b.close()
	w.eventually("it is gone", func() bool { return w.seated.Load() == 2 })
	if stat := w.pool.Stat(); stat.TotalWaiting() != 1 {
		t.Errorf("%d requests wait", stat.TotalWaiting())
	}
	a.ask("C(COMMIT) Z(I)", query("COMMIT"))
	c.want("T D(c) C(SELECT_1) Z(I)")
	for _, word := range w.toy.session(1).sent() {
		if word == "Q(SELECT 'b')" {
			t.Error("the request of a client that had died was sent")
		}
	}
}

// TestAClientThatDiesWhileUsherUsesItsServerConnection: settings being restored, the state being asked for.
func TestAClientThatDiesWhileUsherUsesItsServerConnection(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"replay": `SET "timezone`, "probe": "SELECT (SELECT"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := one().start(t)
			b := w.seat()
			b.ask("T D(b) C(SELECT_1) Z(I)", query("SELECT 'b'"))
			w.eventually("idle", func() bool { return w.serversIn(serverIdle) == 1 })
			goOn := w.stallOn(text)
			a := w.seatWith("TimeZone", "Asia/Tokyo")
			a.send(query("LISTEN c"))
			w.running(text)
			a.close()
			w.eventually("it is gone", func() bool { return w.seated.Load() == 1 })
			goOn()
			b.ask("T D(UTC) C(SELECT_1) Z(I)", query("SHOW TimeZone"))
			b.ask("C(NOTIFY) Z(I)", query("NOTIFY c"))
		})
	}
}

// TestAClientThatSaysGoodbyeIsNotCancelled: what runs ends as it would without a pooler.
func TestAClientThatSaysGoodbyeIsNotCancelled(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.send(query("SELECT wait"), empty(wire.Terminate))
	w.running("SELECT wait")
	a.taken()
	b.send(query("SELECT 'b'"))
	b.waiting()
	if cancelled := w.toy.cancelled(); len(cancelled) != 0 {
		t.Errorf("the statement of a client that had said goodbye was cancelled: %v", cancelled)
	}
	w.toy.release <- struct{}{}
	a.want("T D(released) C(SELECT_1) Z(I)")
	b.want("T D(b) C(SELECT_1) Z(I)")
}

func TestAServerThatDiesWhileItIsBroughtBackIntoOrderIsReplaced(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	goOn := w.stallOn("ROLLBACK")
	a, b := w.seat(), w.seat()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	a.close()
	w.running("ROLLBACK")
	_ = w.toy.session(1).conn.Close()
	w.eventually("it is replaced", func() bool { return w.toy.opened() == 2 })
	goOn()
	b.ask("T D(2) C(SELECT_1) Z(I)", query("SELECT pid"))
}
