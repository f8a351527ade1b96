package relay

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/usher-pg/usher/internal/socket"
)

// requireBatches skips a test where the system has none.
func requireBatches(t *testing.T) {
	t.Helper()
	b, err := socket.NewBatch(outboxPieces)
	if err != nil {
		t.Skipf("no batches here: %v", err)
	}
	b.Close()
}

// TestManyWhoAreAnsweredInOneTurn: more than the outbox has room for, so that it goes out in between.
func TestManyWhoAreAnsweredInOneTurn(t *testing.T) {
	t.Parallel()
	requireBatches(t)
	const clients = 2*outboxPieces + 1
	w := of(4).start(t)
	var all []*guest
	for range clients {
		all = append(all, w.seat())
	}
	for range 5 {
		for _, g := range all {
			g.send(query("SELECT 'a'"), query("SELECT 'b'"))
		}
		for _, g := range all {
			g.want("T D(a) C(SELECT_1) Z(I) T D(b) C(SELECT_1) Z(I)")
		}
	}
}

// TestSomeOfATurnDoNotTakeTheirAnswers: one does not read, one is gone; the others are served, and the one that does
// not read gets all of it later.
func TestSomeOfATurnDoNotTakeTheirAnswers(t *testing.T) {
	t.Parallel()
	requireBatches(t)
	w := of(3).start(t)
	slow, gone, other := w.seat(), w.seat(), w.seat()
	slow.send(bytes.Repeat(query("SELECT big 20 3000"), 40))
	w.eventually("what it does not read is kept", func() bool {
		kept := 0
		slow.onLoop(func(c *client) { kept = c.pending() })
		return kept > 0
	})
	gone.send(query("SELECT 'never read'"))
	gone.close()
	for range 50 {
		other.ask("T D(x) C(SELECT_1) Z(I)", query("SELECT 'x'"))
	}
	for range 40 {
		for range 20 + 1 + 1 + 1 { // RowDescription, CommandComplete, ReadyForQuery
			if _, err := slow.read(); err != nil {
				t.Fatal(err)
			}
		}
	}
	slow.ask("T D(x) C(SELECT_1) Z(I)", query("SELECT 'x'"))
}

// TestAnOutboxWhoseBatchFailsSendsAtOnce: nothing is lost, and what comes later goes by system calls.
func TestAnOutboxWhoseBatchFailsSendsAtOnce(t *testing.T) {
	t.Parallel()
	requireBatches(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var said bytes.Buffer
	o := &outbox{}
	o.open(slog.New(slog.NewTextHandler(&said, nil)))
	l := &loop{}
	var conns []*conn
	for i := range outboxWorth {
		c := &conn{loop: l, fd: -1, token: tokenOf(uint32(i), 1)}
		conns = append(conns, c)
		if !o.add(c, []byte("piece")) || !o.holds(c) {
			t.Fatal("a piece was not kept")
		}
	}
	done := make(chan struct{})
	go func() { // another thread, which the kernel does not let use the batch
		defer close(done)
		runtime.LockOSThread()
		o.flush()
	}()
	<-done
	if o.batch != nil {
		t.Skip("the kernel is older than 6.1 and lets any thread use the batch")
	}
	for _, c := range conns {
		if o.holds(c) || string(c.unsent) != "piece" || c.lost != nil {
			t.Errorf("held %v, unsent %q, lost %v", o.holds(c), c.unsent, c.lost)
		}
	}
	if len(o.troubled) != outboxWorth || o.add(conns[0], []byte("next")) {
		t.Errorf("%d are troubled, and another piece is kept", len(o.troubled))
	}
	if !bytes.Contains(said.Bytes(), []byte("system call of its own")) {
		t.Errorf("it said %q", said.String())
	}
}

// TestAPieceThatCannotBeSentIsKeptOrItsConnIsLost is what becomes of a piece, by what a send said.
func TestAPieceThatCannotBeSentIsKeptOrItsConnIsLost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sent     int
		errno    syscall.Errno
		unsent   string
		lost     error
		troubled int
	}{
		{5, 0, "", nil, 0},
		{2, 0, "ece", nil, 1},
		{0, syscall.EAGAIN, "piece", nil, 1},
		{0, syscall.EINTR, "piece", nil, 1},
		{0, syscall.EPIPE, "", syscall.EPIPE, 1},
	} {
		o := &outbox{}
		at := &conn{loop: &loop{}, fd: -1}
		o.conns[0], o.pieces[0] = at, []byte("piece")
		o.sent(0, c.sent, c.errno)
		if string(at.unsent) != c.unsent || !errors.Is(at.lost, c.lost) || len(o.troubled) != c.troubled {
			t.Errorf("%d bytes and %v: unsent %q, lost %v, %d troubled",
				c.sent, error(c.errno), at.unsent, at.lost, len(o.troubled))
		}
	}
}

// TestManyWhoAskInOneTurn: short requests are fetched together, long ones are read by themselves, and so is what comes
// behind the first piece of a long one.
func TestManyWhoAskInOneTurn(t *testing.T) {
	t.Parallel()
	requireBatches(t)
	const clients = inboxPieces + inboxPieces/2
	w := of(4).start(t)
	var all []*guest
	for range clients {
		all = append(all, w.seat())
	}
	long := strings.Repeat("long", 3*inboxPiece)
	for round := range 8 { // nobody is long in the last
		for i, g := range all {
			text := fmt.Sprintf("SELECT '%d of %d'", i, round)
			if i%7 == round {
				text = "SELECT '" + long + "'"
			}
			g.send(query(text))
		}
		for i, g := range all {
			if i%7 == round {
				g.want(fmt.Sprintf("T D(%d_bytes) C(SELECT_1) Z(I)", len(long)))
			} else {
				g.want(fmt.Sprintf("T D(%d_of_%d) C(SELECT_1) Z(I)", i, round))
			}
		}
	}
	for _, g := range all {
		g.onLoop(func(c *client) {
			if len(c.fetched) > 0 || c.bulk {
				t.Errorf("%d bytes are still fetched, bulk %v", len(c.fetched), c.bulk)
			}
		})
	}
}

// TestInputThatIsFetchedForAConnThatGoes: its server connection ends in the same turn.
func TestInputThatIsFetchedForAConnThatGoes(t *testing.T) {
	t.Parallel()
	requireBatches(t)
	w := of(3).start(t)
	for range 30 {
		dying, other := w.seat(), w.seat()
		dying.send(query("SELECT 'x'"), query("SELECT fatal"), query("SELECT 'never'"))
		dying.send(query("SELECT 'nor this'"))
		other.send(query("SELECT 'o'"))
		other.want("T D(o) C(SELECT_1) Z(I)")
		dying.want("T D(x) C(SELECT_1) Z(I) E(57P01)")
		dying.wantEnd()
		other.close()
	}
}
