package login

import (
	"context"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/pgerr"
)

// DefaultMaxLogins is how many logins run at a time unless Options say otherwise. It is generous, because a
// login that waits for a slow client costs a goroutine and a descriptor only.
const DefaultMaxLogins = 4096

// Options are what a Server is made of.
type Options struct {
	Listeners []net.Listener // TCP or unix; Run closes them. See Listen.
	Seating   Seating
	Prompt    Prompt // nil: every client has a goroutine
	// Cancel carries out a cancel request, and returns when it was delivered. It must end when ctx does.
	Cancel func(ctx context.Context, processID uint32, secret []byte)
	// Admit, if there is one, may refuse a client before it is authenticated. It must not tell whether a user or
	// a database exists.
	Admit     func(*Client) *pgerr.Error
	MaxLogins int // 0 is DefaultMaxLogins
	// Rank, if there is one, says whose login goes on first when many want to: a smaller number, 0 to Ranks-1. It
	// must not depend on whether a user or a database exists.
	Rank func(*Client) int
	Log  *slog.Logger
}

// Server accepts clients and logs them in.
type Server struct {
	options Options
	config  atomic.Pointer[Config]
	// reloaded holds one when config was changed and warm has not looked at it.
	reloaded chan struct{}
	gate     *gate
	turns    *turns
	spare    spare

	// mutex guards logins.
	mutex  sync.Mutex
	logins map[*carrier.Conn]struct{} // those under way, to be hurried at the end
	wait   sync.WaitGroup             // for the workers
	// arrivals hands clients to workers that have nothing to do; nobody waits to send.
	arrivals chan *carrier.Conn
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
		turns:   newTurns(runtime.GOMAXPROCS(0) - 1), // one processor is for the clients that are seated
		logins:  map[*carrier.Conn]struct{}{},

		arrivals: make(chan *carrier.Conn),
		reloaded: make(chan struct{}, 1),
	}
	s.config.Store(config)
	return s
}

// Reload makes logins that begin from now on use another config.
func (s *Server) Reload(config *Config) {
	s.config.Store(config)
	select {
	case s.reloaded <- struct{}{}:
	default: // it is known already
	}
}

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
	var entrances []*entrance
	for _, l := range s.options.Listeners {
		e := newEntrance(l)
		if s.options.Prompt != nil {
			e.strip()
		}
		entrances = append(entrances, e)
		acceptors.Go(func() {
			if err := s.accept(ctx, e); err != nil {
				cancel(err)
			}
		})
	}
	acceptors.Go(func() { s.warm(ctx) })
	<-ctx.Done()
	s.gate.close()
	for _, e := range entrances {
		if !e.bare { // whose acceptor sees ctx end; until then a loop may watch the descriptor
			e.close()
		}
	}
	acceptors.Wait()
	for _, e := range entrances {
		if e.bare {
			e.close()
		}
	}
	s.hurry()
	s.wait.Wait()
	if parent.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

// start logs a client in: by a worker that has nothing to do, or by a new one.
func (s *Server) start(ctx context.Context, c *carrier.Conn) {
	s.mutex.Lock()
	s.logins[c] = struct{}{}
	s.mutex.Unlock()
	select {
	case s.arrivals <- c:
	default:
		s.wait.Go(func() { s.serve(ctx, c) })
	}
}

// serve is a worker. One that has done its login waits for another for a moment: its stack has grown to what
// a login needs, which costs as much as the rest of a new goroutine.
func (s *Server) serve(ctx context.Context, c *carrier.Conn) {
	idle := time.NewTimer(workerIdle)
	defer idle.Stop()
	for {
		s.logIn(ctx, c)
		idle.Reset(workerIdle)
		select {
		case c = <-s.arrivals:
		case <-idle.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// workerIdle is how long a worker waits for its next client.
const workerIdle = time.Second

func (s *Server) logIn(ctx context.Context, c *carrier.Conn) {
	defer s.gate.leave()
	a := s.newAttempt(c)
	err := a.run(ctx)
	s.mutex.Lock()
	delete(s.logins, c)
	s.mutex.Unlock()
	if err != nil {
		a.fail(ctx, err)
	}
}

// hurry ends the logins under way: their reads and writes fail from now on.
func (s *Server) hurry() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for c := range s.logins {
		c.Interrupt()
	}
}

// warm computes what logins by SCRAM need of users with plain passwords, so that a user's first login takes
// no longer than that of a user who does not exist.
func (s *Server) warm(ctx context.Context) {
	for {
		config := s.config.Load()
		if config.Choose != nil || config.Method == SCRAM {
			config.Users.Warm(ctx.Done())
		}
		select {
		case <-s.reloaded:
		case <-ctx.Done():
			return
		}
	}
}
