package relay

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/lanes"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
	engine "github.com/usher-pg/usher/pool"
)

// TestAQueueTimeoutSkipsItsRequestOnly holds that a request which waited too long is refused, with exactly
// what belongs to it, and that its client stays.
func TestAQueueTimeoutSkipsItsRequestOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		messages []byte
		words    string
	}{
		"a query":         {query("SELECT 'never'"), "E(53300) Z(I)"},
		"a function call": {call(), "E(53300) Z(I)"},
		"a batch":         {join(parse("", "SELECT 'never'"), batch("")), "E(53300) Z(I)"},
		"a batch with a query inside": {
			join(parse("", "SELECT 'never'"), bind("", ""), execute(""), query("SELECT 'never'"), endBatch()),
			"E(53300) Z(I)",
		},
		"a batch with a Parse of a name": {
			join(parse("s", "SELECT 'never'"), endBatch()), "E(53300) Z(I)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := one()
			p.rules.Engine.QueueTimeout = 50 * time.Millisecond
			w := p.start(t)
			a, b := w.seat(), w.seat()
			a.ask("C(BEGIN) Z(T)", query("BEGIN"))
			b.send(c.messages, query("SELECT 'next'"))
			b.want(c.words)
			b.want("E(53300) Z(I)") // so does the next one, by itself
			a.ask("C(COMMIT) Z(I)", query("COMMIT"))
			b.ask("T D(b) C(SELECT_1) Z(I)", query("SELECT 'b'"))
			b.ask("E(26000) Z(I)", batch("s"))
			if sent := strings.Join(w.toy.session(1).sent(), " "); strings.Contains(sent, "never") {
				t.Errorf("the server was sent %s", sent)
			}
		})
	}
}

// TestAClientThatBreaksWhileItIsNotReadIsGone: nobody reads a client that waits and has sent more than is read ahead,
// so nobody meets the end of its connection there.
func TestAClientThatBreaksWhileItIsNotReadIsGone(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	text := query("SELECT '" + strings.Repeat("b", 8<<10) + "'")
	for range 3 * stashMax / len(text) / 2 {
		b.send(text)
	}
	w.eventually("the client is not read", func() (full bool) {
		b.onLoop(func(c *client) { full = c.pauses&pauseStash != 0 })
		return full
	})
	b.close()
	w.eventually("the client is gone", func() bool {
		clients, _ := w.places()
		return clients[clientWaiting] == 0
	})
	a.ask("C(COMMIT) Z(I)", query("COMMIT"))
}

// TestARefusedBatchIsSkippedWhenItComes: the rest of a refused batch may come much later than the refusal.
func TestARefusedBatchIsSkippedWhenItComes(t *testing.T) {
	t.Parallel()
	p := one()
	p.rules.Engine.QueueTimeout = 20 * time.Millisecond
	w := p.start(t)
	a, b := w.seat(), w.seat()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	long := wire.AppendBind(nil, nil, "", make([]byte, 10000))
	b.ask("E(53300)", parse("", "SELECT 'never'"), long[:5000])
	a.ask("C(COMMIT) Z(I)", query("COMMIT"))
	b.send(long[5000:], execute(""), query("SELECT 'never'"))
	b.taken()
	b.ask("Z(I)", endBatch())
	b.ask("T D(b) C(SELECT_1) Z(I)", query("SELECT 'b'"))
}

func TestARefusalSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	for _, r := range refusals {
		e := w.pool.explain(r.err, 0)
		if e.Row != r.row {
			t.Errorf("%v is told as %q", r.err, e.Message)
		}
	}
	known := map[error]bool{}
	for _, r := range refusals {
		known[r.err] = true
	}
	for reason := range engine.Reason(engine.Reasons) {
		if !known[reason.Err()] {
			t.Errorf("refusal %v has no row", reason)
		}
		if e := w.pool.explain(reason.Err(), 1500*time.Millisecond); !strings.Contains(e.Hint, "1.5s") {
			t.Errorf("the expected wait is not in the hint of %v: %q", reason, e.Hint)
		}
	}
	defer func() {
		if text, _ := recover().(string); !strings.HasPrefix(text, "bug: ") {
			t.Errorf("an unknown refusal panics with %q", text)
		}
	}()
	w.pool.explain(errors.New("unheard of"), 0)
}

func TestTooManyWaitersAreRefused(t *testing.T) {
	t.Parallel()
	p := one()
	p.rules.Engine.QueueLimit[engine.Normal] = 1
	w := p.start(t)
	a, b, c := w.seat(), w.seat(), w.seat()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	b.send(query("SELECT 'b'"))
	b.waiting()
	c.ask("E(53300) Z(I)", query("SELECT 'c'"))
	c.ask("E(53300) Z(I)", parse("", "SELECT 'c'"), batch(""))
	a.ask("C(COMMIT) Z(I)", query("COMMIT"))
	b.want("T D(b) C(SELECT_1) Z(I)")
	c.ask("T D(c) C(SELECT_1) Z(I)", query("SELECT 'c'"))
}

func TestAServerThatCannotBeReachedIsSaidSo(t *testing.T) {
	t.Parallel()
	p := one()
	p.rules.Engine.Grace = time.Millisecond
	p.rules.Engine.RetryMin, p.rules.Engine.RetryMax = time.Millisecond, 5*time.Millisecond
	w := p.start(t)
	a := w.seat()
	a.ask("T D(1) C(SELECT_1) Z(I)", query("SELECT pid"))
	w.eventually("idle", func() bool { return w.serversIn(serverIdle) == 1 })
	w.setRefuse(errors.New("no route to host"))
	_ = w.toy.session(1).conn.Close()
	w.eventually("it is noticed", func() bool { return w.pool.Stat().Open == 0 })
	a.send(query("SELECT 'x'"))
	a.want("E(08006) Z(I)")
	if _, err := w.trySeat(newcomer{protocol: wire.Version30, grant: lanes.Open}); err != nil {
		t.Errorf("what the server reports is known: %v", err)
	}
	w.setRefuse(nil)
	w.eventually("it is back", func() bool { return w.pool.Stat().Idle == 1 })
	a.ask("T D(2) C(SELECT_1) Z(I)", query("SELECT pid"))
}

func TestNobodyIsSeatedBeforeAServerWasSeen(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	w.setRefuse(errors.New("no route to host"))
	var refused *pgerr.Error
	w.eventually("the client is refused", func() bool { // unless the first attempt had succeeded
		_, err := w.trySeat(newcomer{protocol: wire.Version30, grant: lanes.Open})
		return errors.As(err, &refused) || err == nil
	})
	if refused != nil && refused.Row != pgerr.ServerLogin {
		t.Errorf("the client is told %v", refused)
	}
	w.setRefuse(nil)
	w.eventually("the server is back", func() bool { return w.pool.Stat().Idle == 1 })
	g := w.seat()
	g.ask("T D(1) C(SELECT_1) Z(I)", query("SELECT pid"))
}

func TestAHoldLetsRequestsWait(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	w.pool.Hold()
	a.ask("T D(1) C(SELECT_1) Z(T)", query("SELECT pid")) // what runs goes on
	b.send(query("SELECT 'b'"))
	b.waiting()
	a.ask("C(COMMIT) Z(I)", query("COMMIT"))
	a.send(query("SELECT 'a'"))
	a.waiting()
	ctx := context.Background()
	for _, v := range w.Clients(ctx) {
		if !v.Held || v.Place != "waiting" {
			t.Errorf("a client is %s, held %v", v.Place, v.Held)
		}
	}
	w.pool.Resume()
	b.want("T D(b) C(SELECT_1) Z(I)")
	a.want("T D(a) C(SELECT_1) Z(I)")
	if n := w.toy.opened(); n != 1 {
		t.Errorf("%d server connections were opened", n)
	}
}

func TestAPauseClosesTheServerConnections(t *testing.T) {
	t.Parallel()
	w := of(2).start(t)
	a, b := w.seat(), w.seat()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	paused := make(chan error, 1)
	go func() { paused <- w.pool.Pause(context.Background()) }()
	w.eventually("the idle one is closed", func() bool { return w.toy.living() == 1 })
	b.send(query("SELECT 'b'"))
	b.waiting()
	select {
	case err := <-paused:
		t.Fatalf("Pause has returned %v while a transaction runs", err)
	default:
	}
	a.ask("C(COMMIT) Z(I)", query("COMMIT"))
	if err := <-paused; err != nil {
		t.Fatal(err)
	}
	w.eventually("so is the other", func() bool { return w.toy.living() == 0 })
	w.pool.Resume()
	b.want("T D(b) C(SELECT_1) Z(I)")
}

func TestAnImpatientPauseStaysInForce(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a := w.seat()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if err := w.pool.Pause(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Pause returns %v", err)
	}
	a.ask("C(COMMIT) Z(I)", query("COMMIT"))
	w.eventually("it is closed", func() bool { return w.toy.living() == 0 })
	a.send(query("SELECT 'a'"))
	a.waiting()
	w.pool.Resume()
	a.want("T D(a) C(SELECT_1) Z(I)")
}

func TestAReconnectReplacesTheServerConnectionsAsTheyComeFree(t *testing.T) {
	t.Parallel()
	w := of(2).start(t)
	a, b := w.seat(), w.seat()
	w.eventually("both are open", func() bool { return w.serversIn(serverIdle) == 2 })
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	w.pool.Reconnect()
	w.eventually("the idle one is replaced", func() bool { return w.toy.opened() >= 3 && w.toy.living() == 2 })
	b.ask("T D(3) C(SELECT_1) Z(I)", query("SELECT pid"))
	a.ask("C(COMMIT) Z(I)", query("COMMIT"))
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	if err := w.pool.WaitClosed(ctx); err != nil {
		t.Fatal(err)
	}
	w.eventually("the other one too", func() bool { return w.toy.opened() == 4 && w.toy.living() == 2 })
}

func TestAKillEndsEverybody(t *testing.T) {
	t.Parallel()
	w := of(2).start(t)
	a, b, c := w.seat(), w.seat(), w.seat()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	b.send(query("SELECT wait"))
	b.linked()
	c.send(query("SELECT 'c'"))
	c.waiting()
	if err := w.pool.Kill(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, g := range []*guest{a, b, c} {
		g.want("E(57P01)")
		g.wantEnd()
	}
	w.pool.Resume()
	w.seat().ask("T D(x) C(SELECT_1) Z(I)", query("SELECT 'x'"))
}

func TestOneClientCanBeEnded(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	ctx := context.Background()
	var id uint64
	a.onLoop(func(c *client) { id = c.id })
	if !w.KillClient(ctx, id) || w.KillClient(ctx, id) || w.KillClient(ctx, 1<<60) {
		t.Error("ended: not once")
	}
	a.want("E(57P01)")
	a.wantEnd()
	b.ask("T D(b) C(SELECT_1) Z(I)", query("SELECT 'b'"))
}

func TestIdleClientsEndFirst(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a, b := w.seat(), w.seat()
	ctx := context.Background()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	b.onLoop(func(*client) {})
	if left := w.EndIdle(ctx); left != 1 {
		t.Errorf("%d clients are left", left)
	}
	b.want("E(57P01)")
	b.wantEnd()
	a.ask("C(COMMIT) Z(I)", query("COMMIT"))
	w.eventually("it is idle", func() bool { return a.place() == clientIdle })
	if left := w.EndIdle(ctx); left != 0 {
		t.Errorf("%d clients are left", left)
	}
	a.want("E(57P01)")
	a.wantEnd()
}

func TestASuspendedRelayReadsNothing(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	a := w.seat()
	ctx := context.Background()
	if err := w.Suspend(ctx); err != nil {
		t.Fatal(err)
	}
	a.send(query("SELECT 'a'"))
	for range 5 {
		w.onLoops(func(*loop) {})
	}
	if unread(a.conn) == 0 {
		t.Error("a suspended relay reads")
	}
	w.Unsuspend(ctx)
	a.want("T D(a) C(SELECT_1) Z(I)")
}

// TestTimeoutsEndWhatTheyAreAbout has each of a pool's limits in time run out. They are looked at every
// longestSleep.
func TestTimeoutsEndWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	const short = 10 * time.Millisecond
	for name, c := range map[string]struct {
		limits Timeouts
		begin  func(g *guest)
		told   string
	}{
		"a statement": {
			Timeouts{Query: short}, func(g *guest) { g.send(query("SELECT wait")) }, "E(57014)",
		},
		"a transaction": {
			Timeouts{Transaction: short}, func(g *guest) { g.ask("C(BEGIN) Z(T)", query("BEGIN")) }, "E(57014)",
		},
		"idle in a transaction": {
			Timeouts{IdleInTransaction: short}, func(g *guest) { g.ask("C(BEGIN) Z(T)", query("BEGIN")) }, "E(25P03)",
		},
		"an idle client": {Timeouts{ClientIdle: short}, func(*guest) {}, "E(57P05)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := one()
			p.rules.Timeouts = c.limits
			w := p.start(t)
			a := w.seat()
			c.begin(a)
			a.want(c.told)
			a.wantEnd()
			if strings.HasPrefix(name, "a statement") {
				w.toy.release <- struct{}{}
			}
			w.eventually("the next one finds a server connection", func() bool { return w.pool.Stat().Idle == 1 })
		})
	}
}

func TestAServerConnectionThatCannotBeBroughtBackIntoOrderIsLeft(t *testing.T) {
	t.Parallel()
	p := one()
	p.rules.Timeouts.Reset = 10 * time.Millisecond
	w := p.start(t)
	goOn := w.stallOn("ROLLBACK")
	defer goOn()
	a, b := w.seat(), w.seat()
	a.ask("C(BEGIN) Z(T)", query("BEGIN"))
	a.close()
	b.ask("T D(2) C(SELECT_1) Z(I)", query("SELECT pid"))
}
