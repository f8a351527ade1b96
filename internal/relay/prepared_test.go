package relay

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/usher-pg/usher/internal/wire"
)

// onSecond seats a client that holds the first server connection, so that others meet the second, and returns
// what lets it go.
func (w *world) onSecond(first *guest) (release func()) {
	w.t.Helper()
	first.ask("C(BEGIN) Z(T)", query("BEGIN"))
	return func() { first.ask("C(COMMIT) Z(I)", query("COMMIT")) }
}

// prepares counts the Parse messages of usher's statements that a session was sent.
func prepares(s *toySession) int {
	n := 0
	for _, word := range s.sent() {
		if strings.HasPrefix(word, "P(usher_") {
			n++
		}
	}
	return n
}

func TestANamedStatementWorksOnEveryServerConnection(t *testing.T) {
	t.Parallel()
	w := of(2).start(t)
	a, b := w.seat(), w.seat()
	b.ask("C(BEGIN) Z(T)", query("BEGIN"))
	a.ask("1 Z(I)", parse("s", "SELECT pid"), endBatch())
	a.send(batch("s"))
	first, err := a.read()
	if err != nil || first != "2" {
		t.Fatal(first, err)
	}
	a.want("T")
	here, _ := a.read()
	a.want("C(SELECT_1) Z(I)")
	a.ask("2 T "+here+" C(SELECT_1) Z(I)", batch("s")) // it is prepared here: no second Parse

	c := w.seat()
	c.ask("C(BEGIN) Z(T)", query("BEGIN")) // takes a's
	b.ask("C(COMMIT) Z(I)", query("COMMIT"))
	there := map[string]string{"D(1)": "D(2)", "D(2)": "D(1)"}[here]
	a.ask("2 T "+there+" C(SELECT_1) Z(I)", batch("s"))
	a.ask("2 T "+there+" C(SELECT_1) Z(I)", batch("s"))
	c.ask("C(COMMIT) Z(I)", query("COMMIT"))
	for n := range 2 {
		if got := prepares(w.toy.session(n + 1)); got != 1 {
			t.Errorf("on server connection %d it was prepared %d times", n+1, got)
		}
	}
}

func TestClientsWithTheSameTextShareAStatement(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.ask("1 2 T D(x) C(SELECT_1) Z(I)", parse("mine", "SELECT 'x'"), batch("mine"))
	b.ask("1 2 T D(x) C(SELECT_1) Z(I)", parse("yours", "SELECT 'x'"), batch("yours"))
	b.ask("E(26000) Z(I)", batch("mine"))
	if got := prepares(w.toy.session(1)); got != 1 {
		t.Errorf("the same text was prepared %d times", got)
	}
}

func TestTheSameTextWithOtherTypesIsAnotherStatement(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a := w.seat()
	typed := wire.AppendParse(nil, "b", []byte("SELECT 'x'"), []byte{0, 1, 0, 0, 0, 23})
	a.ask("1 1 Z(I)", parse("a", "SELECT 'x'"), typed, endBatch())
	if got := prepares(w.toy.session(1)); got != 2 {
		t.Errorf("two statements were prepared as %d", got)
	}
}

// TestMadeUpRepliesStandInTheirOrder has a batch whose Parses and Closes partly reach the server and partly
// do not. The client must not see the difference.
func TestMadeUpRepliesStandInTheirOrder(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	other := w.seat()
	other.ask("1 Z(I)", parse("o", "SELECT 'known'"), endBatch())
	a := w.seat()
	a.ask("1 2 D(known) C(SELECT_1) 1 t T 3 1 2 D(new) C(SELECT_1) 3 3 Z(I)",
		parse("k", "SELECT 'known'"), bind("", "k"), execute(""), // made up, forwarded
		parse("n", "SELECT 'new'"), describe('S', "n"), // forwarded
		closing('S', "k"),                                        // made up
		parse("k", "SELECT 'known'"), bind("", "n"), execute(""), // made up, forwarded
		closing('S', "n"), closing('S', "none"), endBatch())
	a.ask("1 3 1 3 Z(I)", parse("k2", "SELECT 'known'"), closing('S', "k2"),
		parse("k2", "SELECT 'known'"), closing('S', "k2"), endBatch())
	a.ask("1", parse("k3", "SELECT 'known'"), empty(wire.Flush)) // a Flush gets at made-up replies too
	a.ask("3 Z(I)", closing('S', "k3"), endBatch())
}

func TestAMadeUpReplyWaitsForTheRealOnesBeforeIt(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a := w.seat()
	a.ask("1 Z(I)", parse("k", "SELECT 'known'"), endBatch())
	a.send(parse("", "SELECT wait"), bind("", ""), execute(""), closing('S', "k"), parse("k", "SELECT 'known'"),
		endBatch())
	a.want("1 2")
	w.toy.release <- struct{}{}
	a.want("D(released) C(SELECT_1) 3 1 Z(I)")
}

func TestAStatementIsClosedWhenTooManyAreKept(t *testing.T) {
	t.Parallel()
	p := one()
	p.rules.Statements = 3
	w := p.start(t)
	a := w.seat()
	for i := range 10 {
		name := strconv.Itoa(i)
		a.ask("1 2 T D("+name+") C(SELECT_1) Z(I)", parse(name, "SELECT '"+name+"'"), batch(name))
	}
	for i := range 10 { // all of them still work: they are prepared again
		name := strconv.Itoa(i)
		a.ask("2 T D("+name+") C(SELECT_1) Z(I)", batch(name))
	}
	a.ask("Z(I)", endBatch())
	s := w.toy.session(1)
	if got := prepares(s); got != 20 {
		t.Errorf("%d times something was prepared, expected 20", got)
	}
	closes := 0
	for _, word := range s.sent() {
		if strings.HasPrefix(word, "C(Susher_") {
			closes++
		}
	}
	if closes != 17 {
		t.Errorf("%d statements were closed, expected 17", closes)
	}
}

// TestWhatAnErrorSkippedDidNotHappen has a batch fail in front of Parses and Closes that usher has counted
// already.
func TestWhatAnErrorSkippedDidNotHappen(t *testing.T) {
	t.Parallel()
	p := one()
	p.rules.Statements = 2
	w := p.start(t)
	a := w.seat()
	a.ask("1 1 Z(I)", parse("a", "SELECT 'a'"), parse("b", "SELECT 'b'"), endBatch())
	a.ask("E(42601) Z(I)", parse("", "SELECT unparsable"), parse("c", "SELECT 'c'"), closing('S', "a"),
		parse("d", "SELECT 'd'"), endBatch())
	a.ask("2 T D(a) C(SELECT_1) Z(I)", batch("a"))
	a.ask("2 T D(b) C(SELECT_1) Z(I)", batch("b"))
	a.ask("E(26000) Z(I)", batch("c"))
	a.ask("1 Z(I)", parse("c", "SELECT 'c'"), endBatch())
	a.ask("2 T D(c) C(SELECT_1) Z(I)", batch("c"))
	a.ask("E(42601) Z(I)", parse("e", "SELECT unparsable"), endBatch())
	a.ask("E(26000) Z(I)", batch("e"))
	a.ask("1 2 T D(e) C(SELECT_1) Z(I)", parse("e", "SELECT 'e'"), batch("e"))
	a.ask("E(42601) Z(I) E(26000) Z(I)", parse("f", "SELECT unparsable"), endBatch(),
		bind("", "f"), closing('S', "f"), endBatch())
	a.ask("1 Z(I)", parse("f", "SELECT 'f'"), endBatch())
}

// TestAPipelineBehindAnErrorFindsWhatThereIs binds, in a batch behind one that fails, what that one was to prepare.
func TestAPipelineBehindAnErrorFindsWhatThereIs(t *testing.T) {
	t.Parallel()
	w := of(2).start(t)
	a, b := w.seat(), w.seat()
	a.ask("1 2 T D(x) C(SELECT_1) Z(I)", parse("s", "SELECT 'x'"), batch("s"))
	// The server has the statement, but b's Parse is skipped.
	b.ask("E(26000) Z(I) E(26000) Z(I)", bind("", "nobody"), parse("n", "SELECT 'x'"), endBatch(), batch("n"))
	// The Parse is refused, and with it all that prepares the statement that has the name.
	b.ask("C(BEGIN) Z(T)", query("BEGIN"))
	a.ask("E(42P05) Z(I) 2 T D(x) C(SELECT_1) Z(I)", parse("s", "SELECT 'y'"), describe('S', "s"), endBatch(), batch("s"))
	b.ask("C(COMMIT) Z(I)", query("COMMIT"))
}

func TestANameThatIsTakenIsRefusedByTheServer(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a := w.seat()
	a.ask("1 Z(I)", parse("s", "SELECT 'a'"), endBatch())
	a.ask("E(42P05) Z(I)", parse("s", "SELECT 'b'"), endBatch())
	a.ask("2 T D(a) C(SELECT_1) Z(I)", batch("s"))
	a.ask("3 1 2 T D(b) C(SELECT_1) Z(I)", closing('S', "s"), parse("s", "SELECT 'b'"), batch("s"))
}

func TestAnErrorCallsAStatementByTheClientsName(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a := w.seat()
	a.ask("1 Z(I)", parse("mine", "SELECT 'a'"), endBatch())
	a.send(parse("mine", "SELECT 'a'"), endBatch())
	for range 2 {
		kind, body, err := readMessage(a.conn)
		if err != nil {
			t.Fatal(err)
		}
		if kind != wire.ErrorResponse {
			continue
		}
		said := string(wire.ErrorFieldValue(body, wire.FieldMessage))
		if said != `prepared statement "mine" already exists` {
			t.Errorf("the client is told: %s", said)
		}
	}
}

func TestDeallocateReachesTheProtocolsStatements(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.ask("1 1 Z(I)", parse("s", "SELECT 'a'"), parse("t", "SELECT 't'"), endBatch())
	a.ask("C(DEALLOCATE) Z(I)", query("DEALLOCATE s"))
	a.ask("E(26000) Z(I)", batch("s"))
	a.ask("1 Z(I)", parse("s", "SELECT 'b'"), endBatch())
	a.ask("2 T D(b) C(SELECT_1) Z(I)", batch("s"))
	a.ask("1 2 n C(DEALLOCATE) Z(I)", parse("", "DEALLOCATE s"), batch(""))
	a.ask("E(26000) Z(I)", batch("s"))
	b.ask("1 2 T D(t) C(SELECT_1) Z(I)", parse("x", "SELECT 't'"), batch("x"))

	a.ask("C(DEALLOCATE_ALL) Z(I)", query("DEALLOCATE ALL"))
	a.ask("E(26000) Z(I)", batch("t"))
	b.ask("2 T D(t) C(SELECT_1) Z(I)", batch("x")) // the server connection lost it, the client did not
	b.ask("C(DISCARD_ALL) Z(I)", query("DISCARD ALL"))
	b.ask("E(26000) Z(I)", batch("x"))
	a.ask("1 2 T D(t) C(SELECT_1) Z(I)", parse("t", "SELECT 't'"), batch("t"))
}

func TestDeallocateAllThatFailsKeepsTheStatements(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a := w.seat()
	a.ask("1 Z(I)", parse("s", "SELECT 'a'"), endBatch())
	a.ask("C(BEGIN) Z(T) E(22012) Z(E) E(25P02) Z(E) C(ROLLBACK) Z(I)",
		query("BEGIN"), query("SELECT fail"), query("DEALLOCATE ALL"), query("ROLLBACK"))
	a.ask("2 T D(a) C(SELECT_1) Z(I)", batch("s"))
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	a.ask("E(22012) Z(E)", query("SELECT fail; DEALLOCATE ALL"))
	a.ask("C(ROLLBACK) Z(I)", query("ROLLBACK"))
	a.ask("2 T D(a) C(SELECT_1) Z(I)", batch("s"))
}

func TestAnUnnamedStatementMayBeBoundInALaterBatch(t *testing.T) {
	t.Parallel()
	w := of(2).start(t)
	a, b := w.seat(), w.seat()
	for name, text := range map[string]string{
		"short": "SELECT pid", "long": "SELECT pid " + strings.Repeat(" ", 12000),
	} {
		a.ask("1 t T Z(I)", parse("", text), describe('S', ""), endBatch())
		sessions := map[string]bool{}
		for _, other := range []*guest{b, nil, b} { // here, elsewhere, and here again
			var release func()
			if other != nil {
				release = w.onSecond(other)
			}
			a.send(batch(""))
			a.want("2 T")
			word, _ := a.read()
			sessions[word] = true
			a.want("C(SELECT_1) Z(I)")
			if other != nil {
				release()
			}
		}
		if len(sessions) == 0 {
			t.Errorf("%s: nothing was answered", name)
		}
	}
}

// TestAnUnnamedStatementMovesToAnotherServerConnection is the same with the connections named: the Parse goes
// to one, the Bind to the other.
func TestAnUnnamedStatementMovesToAnotherServerConnection(t *testing.T) {
	t.Parallel()
	w := of(2).start(t)
	a, b, c := w.seat(), w.seat(), w.seat()
	release := w.onSecond(b)
	a.ask("1 Z(I)", parse("", "SELECT 'mine'"), endBatch())
	c.ask("C(BEGIN) Z(T)", query("BEGIN")) // takes the one with the statement
	release()
	a.ask("2 T D(mine) C(SELECT_1) Z(I)", batch(""))
	c.ask("C(COMMIT) Z(I)", query("COMMIT"))
	parsed := 0
	for n := range 2 {
		for _, word := range w.toy.session(n + 1).sent() {
			if strings.HasSuffix(word, ",SELECT 'mine')") {
				parsed++
			}
		}
	}
	if parsed != 2 {
		t.Errorf("it was parsed %d times, expected once on each server connection", parsed)
	}
}

// TestAnUnknownUnnamedStatementIsNobodyElses holds that a Bind without a Parse never reaches the unnamed
// statement that another client has left on the server connection.
func TestAnUnknownUnnamedStatementIsNobodyElses(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.ask("1 Z(I)", parse("", "SELECT 'secret'"), endBatch())
	b.send(batch(""))
	if word, err := b.read(); err != nil || word != "E(26000)" {
		t.Fatalf("got %s, %v", word, err)
	}
	b.want("Z(I)")
	b.ask("E(26000) Z(I)", describe('S', ""), endBatch())
	a.ask("2 T D(secret) C(SELECT_1) Z(I)", batch("")) // its own it still has
	b.ask("1 Z(I)", parse("", "SELECT 'b'"), endBatch())
	a.ask("2 T D(secret) C(SELECT_1) Z(I)", batch(""))
	b.ask("2 T D(b) C(SELECT_1) Z(I)", batch(""))
}

func TestAQueryDropsTheUnnamedStatement(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a := w.seat()
	a.ask("1 Z(I)", parse("", "SELECT 'x'"), endBatch())
	a.ask("T D(y) C(SELECT_1) Z(I)", query("SELECT 'y'"))
	a.ask("E(26000) Z(I)", batch(""))
	a.ask("1 3 Z(I)", parse("", "SELECT 'x'"), closing('S', ""), endBatch())
	a.ask("E(26000) Z(I)", batch(""))
}

// TestUshersOwnNamesAreOutOfReach holds that a client which guesses a name neither runs nor drops what others
// prepared.
func TestUshersOwnNamesAreOutOfReach(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.ask("1 Z(I)", parse("s", "SELECT 'secret'"), endBatch())
	own := ""
	for _, word := range w.toy.session(1).sent() {
		if name, ok := strings.CutPrefix(word, "P("); ok {
			own, _, _ = strings.Cut(name, ",")
		}
	}
	if !strings.HasPrefix(own, "usher_") {
		t.Fatalf("the server was sent %v", w.toy.session(1).sent())
	}
	b.ask("E(26000) Z(I)", batch(own))
	b.ask("E(26000) Z(I)", describe('S', own), endBatch())
	b.ask("3 Z(I)", closing('S', own), endBatch())
	b.send(query("DEALLOCATE " + own))
	_, _ = b.read()
	b.want("Z(I)")
	a.ask("2 T D(secret) C(SELECT_1) Z(I)", batch("s"))
	// As a name of its own it may have it.
	b.ask("1 2 T D(b) C(SELECT_1) Z(I)", parse(own, "SELECT 'b'"), batch(own))
	a.ask("2 T D(secret) C(SELECT_1) Z(I)", batch("s"))
}

func TestAStalePlanIsPreparedAnew(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.ask("1 Z(I)", parse("s", "SELECT stale"), endBatch())
	a.ask("E(0A000) Z(I)", batch("s"))
	a.ask("E(0A000) Z(I)", batch("s"))
	b.ask("1 E(0A000) Z(I)", parse("s", "SELECT stale"), batch("s"))
	a.ask("3 1 E(0A000) Z(I)", closing('S', "s"), parse("s", "SELECT stale"), batch("s"))
	names := map[string]bool{}
	for _, word := range w.toy.session(1).sent() {
		if strings.HasSuffix(word, ",SELECT stale)") {
			names[word] = true
		}
	}
	if len(names) != 4 {
		t.Errorf("after an error the statement was not prepared anew: %v", w.toy.session(1).sent())
	}
}

func TestWithoutTrackingNamesGoThroughAsTheyAre(t *testing.T) {
	t.Parallel()
	p := one()
	p.rules.Statements = 0
	w := p.start(t)
	a := w.seat()
	a.ask("1 2 T D(x) C(SELECT_1) Z(I)", parse("mine", "SELECT 'x'"), batch("mine"))
	a.ask("3 Z(I)", closing('S', "mine"), endBatch())
	if sent := w.toy.session(1).sent(); !slices.Contains(sent, "P(mine,SELECT 'x')") ||
		!slices.Contains(sent, "C(Smine)") {
		t.Errorf("the server was sent %v", sent)
	}
}

// TestAReloadLeavesNobodysNames: a pool of session mode becomes one of transaction mode. The server connections of the
// sessions have statements by the clients' own names, which the next client must not meet.
func TestAReloadLeavesNobodysNames(t *testing.T) {
	t.Parallel()
	p := one()
	p.rules.Mode = ModeSession
	w := p.start(t)
	a, b := w.seat(), w.seat()
	a.ask("1 2 T D(a) C(SELECT_1) Z(I)", parse("s", "SELECT 'a'"), batch("s"))
	rules := *w.pool.rules()
	rules.Mode = ModeTransaction
	w.pool.Configure(rules, false)
	a.ask("T D(x) C(SELECT_1) Z(I)", query("SELECT 'x'"))
	b.ask("E(26000) Z(I)", batch("s"))
	b.ask("1 2 T D(b) C(SELECT_1) Z(I)", parse("s", "SELECT 'b'"), batch("s"))
}

// TestARollbackAfterADeadClientKeepsTheStatements: what is prepared on a server connection is still prepared
// when the transaction of a client that died was rolled back.
func TestARollbackAfterADeadClientKeepsTheStatements(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seatWith("application_name", "usher"), w.seatWith("application_name", "usher")
	a.ask("1 Z(I)", parse("s", "SELECT 'x'"), endBatch())
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	a.close()
	b.ask("1 Z(I)", parse("t", "SELECT 'x'"), endBatch())
	b.ask("2 T D(x) C(SELECT_1) Z(I)", batch("t"))
}

func TestALongUnnamedStatementMayBeDescribedFirst(t *testing.T) {
	t.Parallel()
	w := of(2).start(t)
	a, b := w.seat(), w.seat()
	messages := join(parse("", "SELECT 'x' --"+strings.Repeat("y", 100<<10)), describe('S', ""), endBatch())
	a.send(messages[:60<<10]) // so that it is not whole when it is read
	a.taken()
	a.send(messages[60<<10:])
	a.want("1 t T Z(I)")
	b.ask("C(BEGIN) Z(T)", query("BEGIN"))
	a.ask("2 T D(102405_bytes) C(SELECT_1) Z(I)", batch(""))
	b.ask("C(COMMIT) Z(I)", query("COMMIT"))
}

func TestAnErrorForgetsOnlyTheStatementItIsAbout(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a := w.seat()
	a.ask("E(42601) Z(I) 1 Z(I)",
		parse("", "SELECT unparsable"), endBatch(), parse("", "SELECT 'x'"), endBatch())
	a.ask("2 T D(x) C(SELECT_1) Z(I)", batch(""))
}
