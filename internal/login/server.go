package login

import (
	"context"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usher-pg/usher/internal/pgerr"
)

// DefaultMaxLogins is how many logins run at a time unless Options say otherwise. It is generous, because a
// login that waits for a slow client costs a goroutine and a descriptor only.
const DefaultMaxLogins = 4096

// Options are what a Server is made of.
type Options struct {
	Listeners []net.Listener // TCP or unix; Run closes them. See Listen.
	Seating   Seating
	// Cancel carries out a cancel request, and returns when it was delivered. It must end when ctx does.
	Cancel func(ctx context.Context, processID uint32, secret []byte)
	// Admit, if there is one, may refuse a client before it is authenticated. It must not tell whether a user or
	// a database exists.
	Admit     func(*Client) *pgerr.Error
	MaxLogins int // 0 is DefaultMaxLogins
	Log       *slog.Logger
}

// Server accepts clients and logs them in.
type Server struct {
	options Options
	config  atomic.Pointer[Config]
	gate    *gate
	cpu     chan struct{} // one place for each computation of a password's proof
	spare   spare

	// mutex guards logins.
	mutex  sync.Mutex
	logins map[net.Conn]struct{} // those under way, to be hurried at the end
	wait   sync.WaitGroup        // for them
}

// New is a Server with its first config.
func New(options Options, config *Config) *Server {
	if options.MaxLogins <= 0 {
		options.MaxLogins = DefaultMaxLogins
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		options: options,
		gate:    newGate(options.MaxLogins + len(options.Listeners)),
		cpu:     make(chan struct{}, runtime.GOMAXPROCS(0)),
		logins:  map[net.Conn]struct{}{},
	}
	s.config.Store(config)
	return s
}

// Reload makes logins that begin from now on use another config.
func (s *Server) Reload(config *Config) { s.config.Store(config) }

// SetMaxLogins changes Options.MaxLogins.
func (s *Server) SetMaxLogins(n int) { s.gate.setLimit(n + len(s.options.Listeners)) }

// Logins is the number of logins under way.
func (s *Server) Logins() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.logins)
}

// Run accepts clients until ctx ends. Then it closes the listeners, tells the clients whose login is under
// way that usher shuts down, and returns when the last of them is gone or seated. It returns an error if a
// listener fails for good.
func (s *Server) Run(ctx context.Context) error {
	parent := ctx
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	s.spare.take()
	defer s.spare.drop()
	var acceptors sync.WaitGroup
	for _, l := range s.options.Listeners {
		acceptors.Go(func() {
			if err := s.accept(ctx, l); err != nil {
				cancel(err)
			}
		})
	}
	<-ctx.Done()
	s.gate.close()
	for _, l := range s.options.Listeners {
		_ = l.Close()
	}
	acceptors.Wait()
	s.hurry()
	s.wait.Wait()
	if parent.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// start logs a client in on a goroutine of its own.
func (s *Server) start(ctx context.Context, nc net.Conn) {
	s.mutex.Lock()
	s.logins[nc] = struct{}{}
	s.mutex.Unlock()
	s.wait.Go(func() {
		defer s.gate.leave()
		a := s.newAttempt(nc)
		err := a.run(ctx)
		s.mutex.Lock()
		delete(s.logins, nc)
		s.mutex.Unlock()
		if err != nil {
			a.fail(ctx, err)
		}
	})
}

// hurry ends the logins under way: their reads and writes fail from now on.
func (s *Server) hurry() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for nc := range s.logins {
		_ = nc.SetDeadline(past)
	}
}

// hurryIfDone is for a login that has set its deadline after hurry.
func (s *Server) hurryIfDone(ctx context.Context, nc net.Conn) {
	if ctx.Err() != nil {
		_ = nc.SetDeadline(past)
	}
}

var past = time.Unix(1, 0)

// work does what is all CPU, a limited number at a time.
func (s *Server) work(f func()) {
	s.cpu <- struct{}{}
	defer func() { <-s.cpu }()
	f()
}
