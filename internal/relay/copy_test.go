package relay

import (
	"strings"
	"testing"

	"github.com/usher-pg/usher/internal/wire"
)

func copyFail() []byte { return wire.AppendBody(nil, wire.CopyFail, []byte("no\x00")) }

func TestCopyDataReachesTheServer(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.ask("G", query("COPY t FROM STDIN"))
	b.send(query("SELECT 'b'"))
	b.waiting()
	a.ask("C(COPY_3) Z(I)", copyData("1"), copyData("2"), copyData("3"), empty(wire.CopyDone))
	b.want("T D(b) C(SELECT_1) Z(I)")
	a.ask("G", query("COPY t FROM STDIN"))
	a.ask("E(57014) Z(I)", copyData("1"), copyFail())
	a.ask("H d(a_) d(b_) c C(COPY_2) Z(I)", query("COPY t TO STDOUT"))
	a.ask("T D(a) C(SELECT_1) Z(I)", query("SELECT 'a'"))
}

// TestCopyDataSentAheadReachesTheServer sends everything at once, as a driver that does not wait for
// CopyInResponse.
func TestCopyDataSentAheadReachesTheServer(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.send(query("COPY t FROM STDIN"), copyData("1"), copyData("2"), empty(wire.CopyDone), query("SELECT 'x'"))
	a.want("G C(COPY_2) Z(I) T D(x) C(SELECT_1) Z(I)")
	b.ask("T D(b) C(SELECT_1) Z(I)", query("SELECT 'b'"))
}

// TestCopyDataBehindAnErrorIsIgnored: a client goes on sending until it reads that the COPY has failed. What
// comes late reaches nobody, whoever has the server connection by then.
func TestCopyDataBehindAnErrorIsIgnored(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.ask("G", query("COPY t FROM STDIN"))
	a.ask("E(22P04) Z(I)", copyData("1"), copyData("bad"), copyData("2"))
	b.ask("C(BEGIN) Z(T)", query("BEGIN"))
	a.send(copyData("3"), copyData("4"), empty(wire.CopyDone), copyFail(), query("SELECT 'a'"))
	b.ask("T D(b) C(SELECT_1) Z(T)", query("SELECT 'b'"))
	b.ask("C(COMMIT) Z(I)", query("COMMIT"))
	a.want("T D(a) C(SELECT_1) Z(I)")
	for _, word := range w.toy.session(1).sent() {
		if word == "d(3)" || word == "d(4)" {
			t.Errorf("COPY data of a COPY that had failed was sent: %v", w.toy.session(1).sent())
		}
	}
}

func TestACopyInABatchIgnoresTheSyncsBehindItsExecute(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	// libpq's PQexecParams sends a Sync behind the Execute, and another one behind the data.
	a.ask("1 2 n G", parse("", "COPY t FROM STDIN"), batch(""))
	b.send(query("SELECT 'b'"))
	b.waiting()
	a.ask("C(COPY_1) Z(I)", copyData("1"), empty(wire.CopyDone), endBatch())
	b.want("T D(b) C(SELECT_1) Z(I)")

	a.ask("1 2 G", parse("", "COPY t FROM STDIN"), bind("", ""), execute(""), empty(wire.Flush))
	a.ask("C(COPY_1) Z(I)", copyData("1"), empty(wire.CopyDone), endBatch())
	a.send(parse("", "COPY t FROM STDIN"), bind("", ""), execute(""), endBatch(), endBatch())
	a.ask("1 2 G C(COPY_1) Z(I)", copyData("1"), empty(wire.CopyDone), endBatch())
	b.ask("T D(b) C(SELECT_1) Z(I)", query("SELECT 'b'"))
}

func TestACopyInABatchThatFailsSkipsToTheNextSync(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.ask("1 2 n G", parse("", "COPY t FROM STDIN"), batch(""))
	a.ask("E(22P04)", copyData("bad"), empty(wire.Flush))
	b.send(query("SELECT 'b'"))
	b.waiting()
	a.ask("Z(I)", copyData("late"), empty(wire.CopyDone), query("SELECT 'never'"), endBatch())
	b.want("T D(b) C(SELECT_1) Z(I)")
	a.ask("1 2 n G", parse("", "COPY t FROM STDIN"), batch(""))
	a.ask("E(57014) Z(I)", copyFail(), endBatch())
	a.ask("T D(1) C(SELECT_1) Z(I)", query("SELECT pid"))
}

// TestACopySentAheadLeavesItsBatchOpen: the Sync behind the Execute is ignored, also if the end of the data has been
// sent before the server asked for it. Without another one the server connection is nobody else's.
func TestACopySentAheadLeavesItsBatchOpen(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		end  []byte
		want string
	}{
		"done":   {empty(wire.CopyDone), "1 2 G C(COPY_1)"},
		"failed": {copyFail(), "1 2 G E(57014)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := one().start(t)
			a, b := w.seat(), w.seat()
			a.ask(tt.want, join(parse("", "COPY t FROM STDIN"), bind("", ""), execute(""), endBatch(),
				copyData("1"), tt.end, empty(wire.Flush)))
			b.send(query("SELECT 'b'"))
			b.waiting()
			a.ask("Z(I)", endBatch())
			b.want("T D(b) C(SELECT_1) Z(I)")
		})
	}
}

func TestAClientThatDiesInACopyCostsItsServerConnection(t *testing.T) {
	t.Parallel()
	for name, last := range map[string][]byte{
		"between two messages": copyData("1"),
		"in the middle of one": copyData(strings.Repeat("x", 1000))[:500],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := one().start(t)
			a, b := w.seat(), w.seat()
			a.ask("G", query("COPY t FROM STDIN"))
			a.send(last)
			a.taken()
			a.close()
			b.ask("T D(2) C(SELECT_1) Z(I)", query("SELECT pid"))
		})
	}
}
