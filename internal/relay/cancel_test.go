package relay

import (
	"context"
	"slices"
	"testing"

	"github.com/usher-pg/usher/internal/lanes"
	"github.com/usher-pg/usher/internal/wire"
)

func TestARunningStatementIsCancelled(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.send(query("SELECT wait"))
	w.running("SELECT wait")
	a.cancel()
	a.want("E(57014) Z(I)")
	b.ask("T D(1) C(SELECT_1) Z(I)", query("SELECT pid"))
	if got := w.toy.cancelled(); !slices.Equal(got, []int{1}) {
		t.Errorf("cancelled: %v", got)
	}
}

func TestACancelInATransactionHitsIt(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a := w.seat()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	a.send(query("SELECT wait"))
	w.running("SELECT wait")
	a.cancel()
	a.want("E(57014) Z(E)")
	a.ask("C(ROLLBACK) Z(I)", query("ROLLBACK"))
}

func TestAWaitingRequestIsCancelledWhereItWaits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		messages []byte
		words    string
	}{
		"a query": {query("SELECT 'never'"), "E(57014) Z(I)"},
		"a batch": {join(parse("", "SELECT 'never'"), batch("")), "E(57014) Z(I)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := one().start(t)
			a, b := w.seat(), w.seat()
			a.ask("C(BEGIN) Z(T)", query("BEGIN"))
			b.send(c.messages, query("SELECT 'next'"))
			b.waiting()
			b.taken()
			b.cancel()
			b.want(c.words) // and the next one waits
			b.waiting()
			a.ask("C(COMMIT) Z(I)", query("COMMIT"))
			b.want("T D(next) C(SELECT_1) Z(I)")
			if got := w.toy.cancelled(); len(got) != 0 {
				t.Errorf("a server was told to cancel something: %v", got)
			}
		})
	}
}

func TestARequestIsCancelledWhileItsSettingsAreRestored(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	goOn := w.stallOn(`SET "`)
	a, b := w.seatWith("TimeZone", "Asia/Tokyo"), w.seat()
	a.send(query("SELECT 'never'"))
	w.running(`SET "`)
	a.cancel()
	a.want("E(57014)")
	goOn()
	a.want("Z(I)")
	a.ask("T D(Asia/Tokyo) C(SELECT_1) Z(I)", query("SHOW TimeZone"))
	b.ask("T D(UTC) C(SELECT_1) Z(I)", query("SHOW TimeZone"))
	for _, word := range w.toy.session(1).sent() {
		if word == "Q(SELECT 'never')" {
			t.Error("a request that was cancelled was sent")
		}
	}
}

func TestACancelOfNothingHitsNobody(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.cancel()
	a.ask("T D(1) C(SELECT_1) Z(I)", query("SELECT pid"))
	a.cancel()
	b.ask("C(BEGIN) Z(T)", query("BEGIN"))
	b.cancel() // idle in its transaction
	a.cancel()
	b.send(query("SELECT wait"))
	w.running("SELECT wait")
	a.cancel()
	for _, wrong := range []struct {
		id     uint32
		secret []byte
	}{
		{b.processID, a.secret}, {a.processID, b.secret}, {b.processID, []byte("none")}, {b.processID, nil},
		{b.processID, append(slices.Clone(b.secret), 0)}, {b.processID, b.secret[:3]},
		{b.processID ^ 1<<(slotBits+loopBits), b.secret}, // another node's
		{b.processID ^ 1<<slotBits, b.secret},            // a loop there is not
		{b.processID ^ 1<<(slotBits-1), b.secret},        // a slot there is not
		{0xffffffff, make([]byte, wire.MaxCancelKeyLen)},
	} {
		w.Cancel(context.Background(), wrong.id, wrong.secret)
	}
	if got := w.toy.cancelled(); len(got) != 0 {
		t.Fatalf("cancelled: %v", got)
	}
	b.cancel()
	b.want("E(57014) Z(E)")
	b.ask("C(ROLLBACK) Z(I)", query("ROLLBACK"))
}

// TestALateCancelNeverHitsTheNextClient is trap 1 of the survey: while a cancel request is on its way to the
// server, the server connection goes to nobody else.
func TestALateCancelNeverHitsTheNextClient(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	hold := make(chan struct{})
	w.toy.mutex.Lock()
	w.toy.hold = hold
	w.toy.mutex.Unlock()
	a, b := w.seat(), w.seat()
	a.send(query("SELECT wait"))
	w.running("SELECT wait")
	cancelled := make(chan struct{})
	go func() {
		defer close(cancelled)
		a.cancel()
	}()
	w.eventually("the request is on its way", func() bool {
		cancels := 0
		a.onLoop(func(c *client) { cancels = c.server.cancels })
		return cancels == 1
	})
	w.toy.release <- struct{}{} // the statement ends by itself
	a.want("T D(released) C(SELECT_1) Z(I)")
	b.send(query("SELECT 'b'"))
	b.waiting()
	if n := w.serversIn(serverCancelling); n != 1 {
		t.Errorf("%d server connections wait for their cancel request", n)
	}
	close(hold)
	<-cancelled
	b.want("T D(b) C(SELECT_1) Z(I)")
}

// TestACancelThatCannotBeDeliveredCostsTheServerConnection: it might still arrive.
func TestACancelThatCannotBeDeliveredCostsTheServerConnection(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	fail, failed := make(chan struct{}), make(chan struct{})
	a.onLoop(func(c *client) {
		c.server.handle.Cancel = func(context.Context) error {
			<-fail
			defer close(failed)
			return context.DeadlineExceeded
		}
	})
	a.send(query("SELECT wait"))
	w.running("SELECT wait")
	go a.w.Cancel(context.Background(), a.processID, a.secret)
	w.eventually("the request is on its way", func() bool {
		cancels := 0
		a.onLoop(func(c *client) { cancels = c.server.cancels })
		return cancels == 1
	})
	w.toy.release <- struct{}{}
	a.want("T D(released) C(SELECT_1) Z(T)")
	a.ask("C(COMMIT) Z(I)", query("COMMIT"))
	w.eventually("the server connection waits", func() bool { return w.serversIn(serverCancelling) == 1 })
	close(fail)
	<-failed
	b.ask("T D(2) C(SELECT_1) Z(I)", query("SELECT pid"))
}

func TestTheStatementOfAClientThatDiedIsCancelled(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.send(query("SELECT wait"))
	w.running("SELECT wait")
	a.close()
	b.ask("T D(1) C(SELECT_1) Z(I)", query("SELECT pid"))
	if got := w.toy.cancelled(); !slices.Equal(got, []int{1}) {
		t.Errorf("cancelled: %v", got)
	}
}

func TestKeysHaveTheLengthOfTheProtocol(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	for protocol, length := range map[uint32]int{wire.Version30: 4, wire.Version32: 32} {
		g, err := w.trySeat(newcomer{protocol: protocol, grant: lanes.Open})
		if err != nil {
			t.Fatal(err)
		}
		if len(g.secret) != length {
			t.Errorf("protocol %d.%d: a secret of %d bytes", wire.Major(protocol), wire.Minor(protocol), len(g.secret))
		}
		if g.processID>>31 != 0 {
			t.Errorf("process ID %x is negative", g.processID)
		}
		g.send(query("BEGIN"), query("SELECT wait"))
		g.want("C(BEGIN) Z(T)")
		w.eventually("it runs", func() bool {
			sent := w.toy.session(1).sent()
			return sent[len(sent)-1] == "Q(SELECT wait)"
		})
		g.cancel()
		g.want("E(57014) Z(E)")
		g.close()
		w.eventually("idle", func() bool { return w.serversIn(serverIdle) == 1 })
	}
}
