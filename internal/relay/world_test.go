package relay

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/lanes"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
	engine "github.com/usher-pg/usher/pool"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// world is a relay that runs, a pool of it, and the scripted server behind.
type world struct {
	*Relay
	t      testing.TB
	pool   *Pool
	toy    *toy // behind the pool
	log    *lockedBuffer
	guests []*guest
	ended  chan error // gets what Run returned
	stop   context.CancelFunc
	over   bool // finish has been called

	// refuse is why the dialer fails, nil when it does not; gate lets an attempt to dial begin.
	dialling sync.Mutex // guards refuse
	refuse   error
	gate     chan struct{}
	dials    atomic.Int32 // begun
}

// plan is how a world is made; change it before start.
type plan struct {
	loops  int
	limits Limits
	rules  Rules
	gate   chan struct{} // nil: the dialer waits for nothing

	unbatched bool   // every message is a system call of its own
	dial      Dialer // nil: the toy's
	serverCut int    // where in its output a server connection's write ends and the next begins; 0: nowhere
}

// one is a plan of one loop and one server connection.
func one() *plan { return of(1) }

// of is a plan of one loop and n server connections.
func of(n int) *plan {
	return &plan{
		loops:  1,
		limits: Limits{Message: 64 << 20, Clients: 1000},
		rules: Rules{
			Mode:           ModeTransaction,
			Engine:         engine.Config{Min: n, Max: n},
			ConnectTimeout: patience,
			Statements:     100,
			ResetQuery:     "DISCARD ALL",
		},
	}
}

// start runs a world until the test ends, and then holds that nothing of it is left.
func (p *plan) start(t testing.TB) *world {
	t.Helper()
	log := new(lockedBuffer)
	r, err := New(Config{
		Loops: p.loops, Node: 5, Limits: p.limits, Batches: !p.unbatched,
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range r.loops {
		l.outbox.worth = 1 // what batches do wrong is to show, also when little happens
	}
	w := &world{Relay: r, t: t, log: log, ended: make(chan error, 1)}
	w.addPool(p)
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	go func() { w.ended <- r.Run(ctx) }()
	t.Cleanup(func() { w.finish(); w.endRun() })
	return w
}

// again is another pool, with a server of its own, of a relay that runs already. Its user calls leave.
func (w *world) again(p *plan) *world {
	other := &world{Relay: w.Relay, t: w.t, log: w.log}
	other.addPool(p)
	return other
}

func (w *world) addPool(p *plan) {
	w.toy, w.gate = newToy(p.serverCut), p.gate
	rules := p.rules
	if rules.Dial = p.dial; rules.Dial == nil {
		rules.Dial = w.dial
	}
	w.pool = w.AddPool("shop", "app", rules, nil)
}

// lockedBuffer is the log, which is shown when the test has failed.
type lockedBuffer struct {
	mutex sync.Mutex // guards text
	text  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text.String()
}

// dial opens a server connection.
func (w *world) dial(ctx context.Context) (*Opened, error) {
	w.dials.Add(1)
	if w.gate != nil {
		select {
		case <-w.gate:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	w.dialling.Lock()
	err := w.refuse
	w.dialling.Unlock()
	if err != nil {
		return nil, err
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	s := w.toy.open(theirs)
	return &Opened{
		Carrier: carrier.New(ours), ProcessID: uint32(s.number), Parameters: reported(),
		Cancel: func(ctx context.Context) error { return w.toy.cancel(ctx, s) },
	}, nil
}

// setRefuse makes the dialer fail, or work again.
func (w *world) setRefuse(err error) {
	w.dialling.Lock()
	defer w.dialling.Unlock()
	w.refuse = err
}

// socketPair is two connected sockets.
func socketPair() (a, b net.Conn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	ends := make([]net.Conn, 2)
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "socket")
		conn, connErr := net.FileConn(file)
		ends[i], err = conn, errors.Join(err, connErr, file.Close())
	}
	return ends[0], ends[1], err
}

// eventually polls until done reports true.
func (w *world) eventually(what string, done func() bool) {
	w.t.Helper()
	for range 100 {
		if done() {
			return
		}
		runtime.Gosched()
	}
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	timeout := time.After(patience)
	for !done() {
		select {
		case <-ticker.C:
		case <-timeout:
			w.t.Fatalf("%s: not so after %v\n%s", what, patience, w.state())
		}
	}
}

// state shows where everything is, and the log.
func (w *world) state() string {
	var b bytes.Buffer
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	for _, v := range w.Clients(ctx) {
		b.WriteString("client " + v.Place + " " + v.Pins + "\n")
	}
	for _, v := range w.Servers(ctx) {
		b.WriteString("server " + v.Place + "\n")
	}
	b.WriteString(w.log.String())
	return b.String()
}

// onLoops calls f on every loop and waits for it.
func (w *world) onLoops(f func(l *loop)) {
	w.t.Helper()
	for _, l := range w.loops {
		done := make(chan struct{})
		l.reactor.Post(func() { f(l); close(done) })
		select {
		case <-done:
		case <-time.After(patience):
			w.t.Fatalf("loop %d does not answer\n%s", l.index, w.log)
		}
	}
}

// places counts the clients and server connections by place.
func (w *world) places() (clients [clientPlaces]int, servers [serverPlaces]int) {
	w.t.Helper()
	w.onLoops(func(l *loop) {
		for place, n := range l.clients {
			clients[place] += n
		}
		for place, n := range l.servers {
			servers[place] += n
		}
	})
	return clients, servers
}

func (w *world) serversIn(place serverPlace) int {
	_, servers := w.places()
	return servers[place]
}

// rest waits until no client is left and every server connection is idle in the pool.
func (w *world) rest() {
	w.t.Helper()
	w.eventually("every client is gone", func() bool {
		clients, _ := w.places()
		return clients[clientIdle]+clients[clientWaiting]+clients[clientLinked]+clients[clientClosing] == 0
	})
	w.eventually("every server connection rests", func() bool {
		_, servers := w.places()
		stat := w.pool.Stat()
		return servers[serverLinked]+servers[serverResetting]+servers[serverCancelling] == 0 &&
			stat.Busy == 0 && stat.TotalWaiting() == 0 && stat.Opening == 0
	})
}

// finish ends the pool and the server and holds that nothing of them is left. It may be called twice.
func (w *world) finish() {
	t := w.t
	t.Helper()
	if w.over {
		return
	}
	w.over = true
	defer func() {
		if t.Failed() {
			t.Log("\n" + w.log.String())
		}
	}()
	defer w.toy.stop()
	for _, g := range w.guests {
		_ = g.conn.Close()
	}
	if t.Failed() {
		return
	}
	w.rest()
	w.consistent()
	if n := w.seated.Load(); n != 0 {
		t.Errorf("%d clients are counted when none is left", n)
	}
	w.pool.Remove(context.Background(), pgerr.PoolGone)
	w.eventually("the server connections are closed", func() bool {
		stat := w.pool.Stat()
		return stat.Open+stat.Closing == 0 && w.toy.living() == 0
	})
}

// leave ends the pool and the server without looking at what is left: the end of the relay does.
func (w *world) leave() {
	w.t.Helper()
	w.pool.Remove(context.Background(), pgerr.PoolGone)
	for _, g := range w.guests {
		_ = g.conn.Close()
	}
	w.eventually("the server connections are closed", func() bool { return w.toy.living() == 0 })
	w.toy.stop()
}

// endRun ends the relay and holds that nothing of it is left.
func (w *world) endRun() {
	if !w.t.Failed() {
		w.rest()
		w.onLoops(func(l *loop) {
			if len(l.slots.numbers.free) != len(l.slots.numbers.uses) {
				w.t.Errorf("loop %d: %d slots of %d are free", l.index, len(l.slots.numbers.free), len(l.slots.numbers.uses))
			}
		})
		if n := w.statements.Len(); n != 0 {
			w.t.Errorf("%d prepared statements are held by nobody", n)
		}
	}
	w.stop()
	select {
	case err := <-w.ended:
		if err != nil {
			w.t.Errorf("Run: %v", err)
		}
	case <-time.After(patience):
		w.t.Errorf("Run does not end\n%s", w.log)
	}
}

// newcomer is what a client may ask for.
type newcomer struct {
	params   []wire.Param
	protocol uint32
	grant    lanes.Grant
}

// seat seats a client.
func (w *world) seat() *guest {
	w.t.Helper()
	g, err := w.trySeat(newcomer{protocol: wire.Version30, grant: lanes.Open})
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// seatWith seats a client with start-up parameters: name, value, ….
func (w *world) seatWith(params ...string) *guest {
	w.t.Helper()
	n := newcomer{protocol: wire.Version30, grant: lanes.Open}
	for i := 0; i < len(params); i += 2 {
		n.params = append(n.params, wire.Param{Name: params[i], Value: params[i+1]})
	}
	g, err := w.trySeat(n)
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

func (w *world) trySeat(n newcomer) (*guest, error) {
	w.t.Helper()
	ours, theirs, err := socketPair()
	if err != nil {
		w.t.Fatal(err)
	}
	g := &guest{t: w.t, w: w, conn: theirs}
	w.guests = append(w.guests, g)
	if err := theirs.SetDeadline(time.Now().Add(patience)); err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	err = w.Seat(ctx, w.pool, &Guest{
		Carrier: carrier.New(ours), Params: n.params, Protocol: n.protocol, Grant: n.grant,
		Remote: theirs.LocalAddr(), Local: ours.LocalAddr(),
		Welcome: func(params []wire.Param, processID uint32, secret []byte) error {
			g.welcome, g.processID, g.secret = params, processID, secret
			return nil
		},
	})
	if err != nil {
		_ = ours.Close()
	}
	return g, err
}
