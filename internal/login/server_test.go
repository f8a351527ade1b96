package login

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/wire"
)

func TestLoginsAreBounded(t *testing.T) {
	t.Parallel()
	const limit, clients = 4, 60
	var h *house
	opened := make(chan struct{}) // closed when h is set
	most := 0
	var mutex sync.Mutex // guards most
	h = open(t, nil, func(o *Options) {
		o.MaxLogins = limit
		o.Seating.(*lobby).seat = func(_ context.Context, c *Client) error {
			<-opened
			mutex.Lock()
			most = max(most, h.Logins())
			mutex.Unlock()
			return c.Welcome(welcomeParams, 77, welcomeSecret)
		}
	})
	close(opened)
	var all sync.WaitGroup
	for range clients {
		p := dial(t, "tcp", h.tcp)
		all.Go(func() {
			p.send(alice)
			p.expectWelcome()
		})
	}
	all.Wait()
	for range clients {
		h.next(t)
	}
	if most > limit+2 { // one more for each listener
		t.Errorf("%d logins at a time, the limit is %d", most, limit)
	}
}

func TestSilentClientsHoldOthersUpForTheTimeoutAtMost(t *testing.T) {
	t.Parallel()
	h := open(t, &Config{Timeout: 50 * time.Millisecond}, func(o *Options) {
		o.MaxLogins = 1
		o.Listeners = o.Listeners[1:]
	})
	h.comeBehindSilentClients(t)
}

// comeBehindSilentClients has a client come in behind some who say nothing until they are sent away.
func (h *house) comeBehindSilentClients(t *testing.T) {
	t.Helper()
	var silent []*peer
	for range 4 {
		silent = append(silent, dial(t, "unix", h.unix))
	}
	p := dial(t, "unix", h.unix)
	p.send(alice)
	p.expectWelcome()
	for _, s := range silent {
		s.expectError("57014", "login timed out")
	}
}

func TestMoreLoginsCanBeAllowed(t *testing.T) {
	t.Parallel()
	g := newGate(1)
	if !g.enter() {
		t.Fatal("closed")
	}
	entered := make(chan bool)
	go func() { entered <- g.enter() }()
	g.setLimit(2)
	if !<-entered {
		t.Fatal("refused")
	}
	go func() { entered <- g.enter() }()
	g.leave()
	if !<-entered {
		t.Fatal("refused")
	}
	go func() { entered <- g.enter() }()
	g.close()
	if <-entered || g.enter() {
		t.Fatal("entered a closed gate")
	}
}

func TestRunTellsClientsThatItEnds(t *testing.T) {
	t.Parallel()
	h := open(t, &Config{Method: SCRAM, Users: users(t)}, nil)
	p := dial(t, "tcp", h.tcp)
	p.send(alice)
	p.message()
	h.cancel()
	p.expectError("57P01", "usher is shutting down")
	if err := <-h.ended; err != nil {
		t.Error(err)
	}
	h.ended <- nil
	if h.Logins() != 0 {
		t.Errorf("%d logins under way", h.Logins())
	}
	if nc, err := net.Dial("tcp", h.tcp); err == nil {
		nc.Close()
		t.Error("the listener is open")
	}
}

func TestRunEndsWhenAListenerFails(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Listeners: []net.Listener{other, l}, Seating: &lobby{}}, &Config{})
	err = s.Run(t.Context())
	if !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("Run: %v", err)
	}
}

// failing is a listener whose first accepts fail.
type failing struct {
	net.Listener
	errs []error
}

func (l *failing) Accept() (net.Conn, error) {
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		if err != nil {
			return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", err)}
		}
	}
	return l.Listener.Accept()
}

func TestOutOfDescriptorsOneClientIsToldAndTheOthersWait(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var text log
	lobby := &lobby{seated: make(chan *Client, 1)}
	// The second accept is that of the spare descriptor.
	short := &failing{l, []error{syscall.EMFILE, nil, syscall.ENFILE, syscall.ECONNABORTED, syscall.ENOBUFS}}
	s := New(Options{
		Listeners: []net.Listener{short}, Seating: lobby, Log: slog.New(slog.NewTextHandler(&text, nil)),
	}, &Config{})
	refused, seated := dial(t, "tcp", l.Addr().String()), dial(t, "tcp", l.Addr().String())
	refused.send(askGSS)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	if b := refused.answer(); b != 'N' {
		t.Fatalf("answer %q", b)
	}
	refused.send(askTLS)
	refused.answer()
	refused.send(alice)
	refused.expectError("53300", "too many open files")
	// ENFILE lets the spare descriptor refuse whoever is next: seated has said nothing yet, so it is not it for
	// long.
	third := dial(t, "tcp", l.Addr().String())
	third.send(alice)
	third.expectWelcome()
	seated.Close()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	lobby.close()
	if strings.Count(text.String(), "cannot accept clients") != 1 {
		t.Errorf("one shortage is logged once:\n%s", text.String())
	}
}

func TestListenReplacesADeadSocketOnly(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/s"
	listen := func() (net.Listener, error) {
		return Listen(t.Context(), "unix", path, net.KeepAliveConfig{}, 0o600)
	}
	first, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := listen(); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a socket in use: %v", err)
	}
	first.(*net.UnixListener).SetUnlinkOnClose(false)
	first.Close()
	second, err := listen()
	if err != nil {
		t.Fatalf("a socket left behind: %v", err)
	}
	second.Close()
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("a file: %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("the file is gone: %v", err)
	}
}

func TestWelcomeIsWhatPostgreSQLSends(t *testing.T) {
	t.Parallel()
	c := &Client{due: []byte("due")}
	got := c.AppendWelcome(nil, []wire.Param{{Name: "a", Value: "b"}}, 7, []byte("key!"))
	want := "due" + "R\x00\x00\x00\x08\x00\x00\x00\x00" + "S\x00\x00\x00\x08a\x00b\x00" +
		"K\x00\x00\x00\x0c\x00\x00\x00\x07key!" + "Z\x00\x00\x00\x05I"
	if string(got) != want {
		t.Errorf("%q, expected %q", got, want)
	}
	if got := string((&Client{}).AppendWelcome(nil, nil, 7, nil)); strings.Contains(got, "K") {
		t.Errorf("BackendKeyData without a key: %q", got)
	}
}
