package relay

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/usher-pg/usher/internal/wire"
)

func TestEveryKindOfRequestIsAnswered(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	g := w.seat()
	g.ask("T D(hello) C(SELECT_1) Z(I)", query("SELECT 'hello'"))
	g.ask("I Z(I)", query(""))
	g.ask("E(22012) Z(I)", query("SELECT fail"))
	g.ask("T D(a) C(SELECT_1) T D(b) C(SELECT_1) Z(I)", query("SELECT 'a'; SELECT 'b'"))
	g.ask("N(00000) T D(noted) C(SELECT_1) Z(I)", query("SELECT notice"))
	g.ask("1 2 T D(x) C(SELECT_1) Z(I)", parse("", "SELECT 'x'"), batch(""))
	g.ask("1 2 n C(INSERT_0_1) Z(I)", parse("", "INSERT 1"), batch(""))
	g.ask("V(\x00\x00\x00\x00) Z(I)", call())
	g.ask("H d(a_) d(b_) c C(COPY_2) Z(I)", query("COPY t TO STDOUT"))
	g.ask("Z(I)", endBatch())
	g.ask("Z(I)", empty(wire.Flush), endBatch())
}

func TestClientsTakeTurnsOnOneServerConnection(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	for i := range 50 {
		text := strconv.Itoa(i)
		a.ask("T D(a"+text+") C(SELECT_1) Z(I)", query("SELECT 'a"+text+"'"))
		b.ask("T D(b"+text+") C(SELECT_1) Z(I)", query("SELECT 'b"+text+"'"))
	}
	if n := w.toy.opened(); n != 1 {
		t.Errorf("%d server connections were opened", n)
	}
}

func TestATransactionKeepsItsServerConnection(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	b.send(query("SELECT 'b'"))
	b.waiting()
	a.ask("T D(1) C(SELECT_1) Z(T)", query("SELECT pid"))
	a.ask("E(22012) Z(E)", query("SELECT fail"))
	a.ask("E(25P02) Z(E)", query("SELECT 'x'"))
	a.ask("C(ROLLBACK) Z(I)", query("ROLLBACK"))
	b.want("T D(b) C(SELECT_1) Z(I)")
}

func TestWaitingClientsAreServedInTheirOrder(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	first := w.seat()
	first.ask("C(BEGIN) Z(T)", query("BEGIN"))
	var waiters []*guest
	for range 5 {
		g := w.seat()
		g.send(query("BEGIN"))
		g.waiting()
		waiters = append(waiters, g)
	}
	first.ask("C(COMMIT) Z(I)", query("COMMIT"))
	for i, g := range waiters {
		g.want("C(BEGIN) Z(T)")
		for _, later := range waiters[i+1:] {
			if later.place() != clientWaiting {
				t.Errorf("a later client does not wait while client %d has the server connection", i)
			}
		}
		g.ask("C(COMMIT) Z(I)", query("COMMIT"))
	}
}

func TestPipelinedQueriesAreAnsweredInOrder(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	var messages []byte
	var words strings.Builder
	for i := range 200 {
		text := strconv.Itoa(i)
		messages = append(messages, query("SELECT '"+text+"'")...)
		words.WriteString("T D(" + text + ") C(SELECT_1) Z(I) ")
	}
	a.send(messages)
	b.ask("T D(b) C(SELECT_1) Z(I)", query("SELECT 'b'"))
	a.want(words.String())
}

// TestMorePipelinedThanAreCounted sends more requests than repliesMax before it reads the first answer.
func TestMorePipelinedThanAreCounted(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	g := w.seat()
	const n = 3 * repliesMax
	done := make(chan struct{})
	go func() {
		defer close(done)
		var messages []byte
		for range n / 4 {
			messages = append(messages, join(parse("", "SELECT 'x'"), bind("", ""), execute(""), endBatch())...)
		}
		if _, err := g.conn.Write(messages); err != nil {
			t.Error(err)
		}
	}()
	for range n / 4 {
		g.want("1 2 D(x) C(SELECT_1) Z(I)")
	}
	<-done
}

// TestMoreMadeUpThanAreCounted sends more requests than repliesMax in one batch. Only the first reaches the server,
// which keeps its answer until it is asked for it.
func TestMoreMadeUpThanAreCounted(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	g := w.seat()
	const n = 2 * repliesMax
	done := make(chan struct{})
	go func() {
		defer close(done)
		messages := join(parse("", "SELECT 'x'"), bytes.Repeat(closing('S', "nobody"), n), endBatch())
		if _, err := g.conn.Write(messages); err != nil {
			t.Error(err)
		}
	}()
	g.want("1 " + strings.Repeat("3 ", n) + "Z(I)")
	<-done
}

func TestABatchIsAnsweredMessageByMessage(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	g := w.seat()
	g.ask("1 t T 2 T D(x) C(SELECT_1) 3 Z(I)",
		parse("", "SELECT 'x'"), describe('S', ""), bind("p", ""), describe('P', "p"), execute("p"),
		closing('P', "p"), endBatch())
	g.ask("1 t n 2 n C(INSERT_0_1) Z(I)",
		parse("", "INSERT 1"), describe('S', ""), bind("", ""), describe('P', ""), execute(""), endBatch())
	g.ask("1 2 I Z(I)", parse("", ""), bind("", ""), execute(""), endBatch())
}

func TestAfterFlushABatchIsAnsweredButStaysOpen(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.ask("1 2 D(x) C(SELECT_1)", parse("", "SELECT 'x'"), bind("", ""), execute(""), empty(wire.Flush))
	b.send(query("SELECT 'b'"))
	b.waiting() // PostgreSQL's transaction is open until the Sync
	a.ask("Z(I)", endBatch())
	b.want("T D(b) C(SELECT_1) Z(I)")
}

// TestAfterAnErrorABatchIsSkippedUntilSync holds trap 8 of the survey: a simple Query inside is skipped too,
// and its ReadyForQuery must not be waited for.
func TestAfterAnErrorABatchIsSkippedUntilSync(t *testing.T) {
	t.Parallel()
	for name, messages := range map[string][]byte{
		"all at once": join(parse("", "SELECT unparsable"), bind("", ""), execute(""), query("SELECT 'never'"),
			parse("s", "SELECT 'never'"), closing('S', "s"), empty(wire.Flush), call(), endBatch()),
		"error in the middle": join(parse("", "SELECT fail"), bind("", ""), execute(""), query("SELECT 'never'"),
			endBatch()),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := one().start(t)
			a, b := w.seat(), w.seat()
			a.send(messages)
			if strings.HasPrefix(name, "all") {
				a.want("E(42601) Z(I)")
			} else {
				a.want("1 2 E(22012) Z(I)")
			}
			b.ask("T D(b) C(SELECT_1) Z(I)", query("SELECT 'b'"))
			a.ask("1 2 T D(a) C(SELECT_1) Z(I)", parse("", "SELECT 'a'"), batch(""))
		})
	}
}

func TestASkippedBatchKeepsItsServerConnectionUntilSync(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.ask("E(42601)", parse("", "SELECT unparsable"), empty(wire.Flush))
	b.send(query("SELECT 'b'"))
	b.waiting()
	a.send(query("SELECT 'never'"), parse("s", "SELECT 'never'"), empty(wire.Flush))
	a.taken()
	if b.place() != clientWaiting {
		t.Error("a server connection that skips to the next Sync was given away")
	}
	a.ask("Z(I)", endBatch())
	b.want("T D(b) C(SELECT_1) Z(I)")
}

func TestAQueryInsideABatchIsAnswered(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.ask("1 2 D(x) C(SELECT_1) T D(y) C(SELECT_1) Z(I)",
		parse("", "SELECT 'x'"), bind("", ""), execute(""), query("SELECT 'y'"))
	a.ask("Z(I)", endBatch())
	b.ask("T D(b) C(SELECT_1) Z(I)", query("SELECT 'b'"))
}

func TestTerminateEndsAClient(t *testing.T) {
	t.Parallel()
	w := of(2).start(t)
	a, b := w.seat(), w.seat()
	a.send(empty(wire.Terminate))
	a.wantEnd()
	b.ask("C(BEGIN) Z(T)", query("BEGIN"))
	b.send(empty(wire.Terminate))
	b.wantEnd()
	w.eventually("both are gone", func() bool { return w.seated.Load() == 0 })
}

// TestWhatWasAskedBeforeTerminateIsAnswered holds that a client which says goodbye at once behind a request,
// as psql does at the end of its input, gets its answer.
func TestWhatWasAskedBeforeTerminateIsAnswered(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	g := w.seat()
	g.ask("T D(x) C(SELECT_1) Z(I)", query("SELECT 'x'"), empty(wire.Terminate))
	g.wantEnd()
	g = w.seatWith("TimeZone", "Europe/Berlin") // its server connection has to be made fit first
	g.ask("T D(x) C(SELECT_1) Z(I)", query("SELECT 'x'"), empty(wire.Terminate))
	g.wantEnd()
}

func TestInSessionModeAServerConnectionIsKept(t *testing.T) {
	t.Parallel()
	p := one()
	p.rules.Mode = ModeSession
	w := p.start(t)
	a, b := w.seat(), w.seat()
	a.ask("C(LISTEN) Z(I)", query("LISTEN c"))
	a.ask("1 Z(I)", parse("mine", "SELECT 'x'"), endBatch())
	b.send(query("SELECT 'b'"))
	b.waiting()
	a.ask("2 T D(x) C(SELECT_1) Z(I)", batch("mine"))
	a.send(empty(wire.Terminate))
	b.want("T D(b) C(SELECT_1) Z(I)")
	sent := strings.Join(w.toy.session(1).sent(), " ")
	if !strings.Contains(sent, "Q(DISCARD ALL)") || !strings.Contains(sent, "P(mine,SELECT 'x')") {
		t.Errorf("the server was sent %s", sent)
	}
}

func TestInStatementModeATransactionIsRefused(t *testing.T) {
	t.Parallel()
	p := one()
	p.rules.Mode = ModeStatement
	w := p.start(t)
	a, b := w.seat(), w.seat()
	a.ask("T D(x) C(SELECT_1) Z(I)", query("SELECT 'x'"))
	a.ask("C(BEGIN) E(0A000)", query("BEGIN"))
	a.wantEnd()
	b.ask("T D(2) C(SELECT_1) Z(I)", query("SELECT pid"))
}
