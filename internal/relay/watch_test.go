package relay

import (
	"context"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/lanes"
	"github.com/usher-pg/usher/internal/wire"
)

// knock watches a descriptor at which a client can knock. Each knock has a client seated, unless seat is nil.
func (w *world) knock(ready func(knocks []byte) bool) (knock func(), stop func()) {
	w.t.Helper()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _, _ = unix.Close(ends[0]), unix.Close(ends[1]) })
	stop, err = w.Watch(ends[0], func() bool {
		buf := make([]byte, 16)
		n, err := unix.Read(ends[0], buf)
		if err != nil {
			w.t.Error(err)
		}
		return ready(buf[:n])
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return func() {
		if _, err := syscall.Write(ends[1], []byte{1}); err != nil {
			w.t.Error(err)
		}
	}, stop
}

// now seats a client from the loop that calls it.
func (w *world) now() (g *guest, seated bool) {
	ours, theirs, err := socketPair()
	if err != nil {
		w.t.Error(err)
		return nil, false
	}
	g = &guest{t: w.t, w: w, conn: theirs}
	seated = w.SeatNow(w.pool, &Guest{
		Carrier: carrier.New(ours), Protocol: wire.Version30, Grant: lanes.Open,
		Remote: theirs.LocalAddr(), Local: ours.LocalAddr(),
		Welcome: func([]wire.Param, uint32, []byte) error { return nil },
	})
	if !seated {
		_ = ours.Close()
	}
	return g, seated
}

func TestALoopSeatsAClientThatKnocks(t *testing.T) {
	t.Parallel()
	for _, loops := range []int{1, 3} {
		p := of(2)
		p.loops = loops
		w := p.start(t)
		w.eventually("the pool knows its server", func() bool { return w.pool.known() != nil })
		seated := make(chan *guest, 4)
		knock, stop := w.knock(func(knocks []byte) bool {
			g, ok := w.now()
			if !ok {
				t.Error("the client was not seated")
			}
			seated <- g
			return true
		})
		for range 4 {
			knock()
			g := <-seated
			w.guests = append(w.guests, g)
			g.ask("T D(here) C(SELECT_1) Z(I)", query("SELECT 'here'"))
		}
		stop()
		knock()
		w.onLoops(func(*loop) {})
		if len(seated) > 0 {
			t.Error("ready was called after stop")
		}
	}
}

func TestAWatchEndsWhenItIsToldSo(t *testing.T) {
	t.Parallel()
	w := one().start(t)
	called := make(chan int, 10)
	knock, stop := w.knock(func(knocks []byte) bool { called <- len(knocks); return false })
	knock()
	<-called
	knock()
	w.onLoops(func(*loop) {})
	stop() // it has ended already
	if len(called) > 0 {
		t.Error("ready was called again")
	}
}

// TestNobodyIsSeatedNowBeforeTheServerIsKnown: what a client must be told is what a server connection reports.
func TestNobodyIsSeatedNowBeforeTheServerIsKnown(t *testing.T) {
	t.Parallel()
	p := one()
	p.gate = make(chan struct{})
	w := p.start(t)
	refused := make(chan bool, 1)
	knock, stop := w.knock(func([]byte) bool {
		g, ok := w.now()
		_ = g.conn.Close()
		refused <- !ok
		return true
	})
	knock()
	if !<-refused {
		t.Error("the client was seated")
	}
	stop()
	close(p.gate)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := w.pool.Parameters(ctx); err != nil {
		t.Fatal(err)
	}
}
