package login

import (
	"bytes"
	"context"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/reactor"
	"github.com/usher-pg/usher/internal/wire"
)

// hall is a Prompt: a loop that watches, and a lobby that takes whom it need not ask.
type hall struct {
	lobby *lobby
	loop  *reactor.Loop

	mutex   sync.Mutex // guards what follows
	next    reactor.Token
	watched map[reactor.Token]func() bool
	prompt  int // clients it has seated
	watches int // times it was asked to watch
}

// newHall runs a loop until the test ends.
func newHall(t *testing.T, l *lobby) *hall {
	t.Helper()
	h := &hall{lobby: l, watched: map[reactor.Token]func() bool{}}
	var err error
	if h.loop, err = reactor.New(h, time.Now()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.loop.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the loop: %v", err)
		}
	})
	return h
}

func (h *hall) Ready(descriptors []reactor.Readiness) {
	for _, d := range descriptors {
		h.mutex.Lock()
		ready := h.watched[d.Token]
		h.mutex.Unlock()
		if ready != nil {
			ready()
		}
	}
}

func (h *hall) Turn() time.Duration { return time.Second }

func (h *hall) Watch(fd int, ready func() bool) (stop func(), err error) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.watches++
	h.next++
	token := h.next
	end := func() {
		h.mutex.Lock()
		defer h.mutex.Unlock()
		if h.watched[token] != nil {
			delete(h.watched, token)
			_ = h.loop.Remove(fd, reactor.Read)
		}
	}
	h.watched[token] = func() bool {
		goOn := ready()
		if !goOn {
			end()
		}
		return goOn
	}
	if err := h.loop.Add(fd, token, reactor.Read); err != nil {
		return nil, err
	}
	return func() {
		done := make(chan struct{})
		h.loop.Post(func() { end(); close(done) })
		<-done
	}, nil
}

func (h *hall) SeatNow(c *Client) bool {
	if h.lobby.seat != nil || h.lobby.Seat(context.Background(), c) != nil {
		return false
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.prompt++
	return true
}

func (h *hall) counts() (prompt, watches int) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.prompt, h.watches
}

// openHall is open for a house whose clients a loop lets in.
func openHall(t *testing.T, config *Config, change func(*Options)) (*house, *hall) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only on Linux does a loop let clients in")
	}
	var l *hall
	h := open(t, config, func(o *Options) {
		l = newHall(t, o.Seating.(*lobby))
		o.Prompt = l
		if change != nil {
			change(o)
		}
	})
	return h, l
}

func TestALoopLetsClientsIn(t *testing.T) {
	t.Parallel()
	h, l := openHall(t, nil, nil)
	for _, network := range []string{"tcp", "unix"} {
		address := map[string]string{"tcp": h.tcp, "unix": h.unix}[network]
		for range 40 {
			p := dial(t, network, address)
			p.send(append(append([]byte(nil), alice...), wire.AppendQuery(nil, "SELECT 1")...))
			p.expectWelcome()
			c := h.next(t)
			if ahead := c.Carrier.Buffered(); network == "tcp" && ahead != len(wire.AppendQuery(nil, "SELECT 1")) {
				t.Fatalf("%d bytes behind the start-up packet are kept", ahead)
			}
			if c.User != "alice" || c.Method != Trust {
				t.Fatalf("seated %q by %v", c.User, c.Method)
			}
		}
	}
	if prompt, watches := l.counts(); prompt < 40 || watches != 2 {
		t.Errorf("%d of 80 clients were let in by the loop, which was asked %d times to watch", prompt, watches)
	}
	if _, err := os.Stat(h.unix); err != nil {
		t.Error(err)
	}
	h.cancel()
	if err := <-h.ended; err != nil {
		t.Error(err)
	}
	h.ended <- nil
	if _, err := os.Stat(h.unix); !os.IsNotExist(err) {
		t.Errorf("the unix socket is left: %v", err)
	}
	if nc, err := net.Dial("tcp", h.tcp); err == nil {
		nc.Close()
		t.Error("the listener is open")
	}
}

func TestWhoMustWaitGetsAGoroutine(t *testing.T) {
	t.Parallel()
	h, l := openHall(t, nil, nil)
	var dribbling []*peer
	for cut := 1; cut < len(alice); cut++ {
		p := dial(t, "tcp", h.tcp)
		p.send(alice[:cut])
		dribbling = append(dribbling, p)
	}
	quick := dial(t, "tcp", h.tcp)
	quick.send(alice)
	quick.expectWelcome()
	for i, p := range dribbling {
		p.send(alice[1+i:])
		p.expectWelcome()
	}
	asking := dial(t, "tcp", h.tcp)
	asking.send(askTLS)
	if b := asking.answer(); b != 'N' {
		t.Fatalf("asked for TLS and got %q", b)
	}
	asking.send(alice)
	asking.expectWelcome()
	canceling := dial(t, "tcp", h.tcp)
	canceling.send(wire.AppendCancel(nil, 77, welcomeSecret))
	canceling.expectEnd()
	broken := dial(t, "tcp", h.tcp)
	broken.send(startupPacket(wire.Version30, "database", "without a user"))
	broken.expectError("28000", "no PostgreSQL user name")
	if prompt, _ := l.counts(); prompt != 1 {
		t.Errorf("the loop let %d clients in", prompt)
	}
}

func TestWhomTheLoopCannotSeatIsSeatedAsOthersAre(t *testing.T) {
	t.Parallel()
	h, l := openHall(t, nil, func(o *Options) {
		o.Seating.(*lobby).seat = func(_ context.Context, c *Client) error {
			if c.Database == "none" {
				return pgerr.NoSuchDatabase.With(c.Database)
			}
			return c.Welcome(welcomeParams, 77, welcomeSecret)
		}
	})
	p := dial(t, "tcp", h.tcp)
	p.send(alice)
	p.expectWelcome()
	h.next(t)
	refused := dial(t, "tcp", h.tcp)
	refused.send(startupPacket(wire.Version30, "user", "alice", "database", "none"))
	refused.expectError("3D000", "none")
	if prompt, _ := l.counts(); prompt != 0 {
		t.Errorf("the loop let %d clients in", prompt)
	}
}

// TestALoopThatIsFullWaitsForRoom: clients under way hold up the others, and the loop is asked again only when there is
// room.
func TestALoopThatIsFullWaitsForRoom(t *testing.T) {
	t.Parallel()
	h, l := openHall(t, &Config{Timeout: 50 * time.Millisecond}, func(o *Options) {
		o.MaxLogins = 1
		o.Listeners = o.Listeners[1:]
	})
	h.comeBehindSilentClients(t)
	if _, watches := l.counts(); watches > 10 {
		t.Errorf("the loop was asked %d times to watch", watches)
	}
}

// FuzzFirstWords: whatever a client says first, the loop that accepts it cuts and reads it, or leaves it as it is.
func FuzzFirstWords(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte{0})
	f.Add(alice)
	f.Add(append(append([]byte(nil), alice...), 'Q', 0, 0, 0, 5, 0))
	f.Add(askTLS)
	f.Add(wire.AppendCancel(nil, 77, welcomeSecret))
	f.Add([]byte{0, 0, 0, 4, 0, 0})
	f.Fuzz(func(t *testing.T, said []byte) {
		packet, behind, ok := cutStartup(said)
		if !bytes.Equal(append(append([]byte(nil), packet...), behind...), said) {
			t.Errorf("%q was cut into %q and %q", said, packet, behind)
		}
		if !ok {
			return
		}
		if s, err := readStartup(packet); err == nil && s.user == "" {
			t.Errorf("a client without a name: %q", packet)
		}
	})
}
