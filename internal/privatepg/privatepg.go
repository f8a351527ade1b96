// Package privatepg runs a PostgreSQL of usher's own: what `usher serve` starts when it has no config, and
// what tests and benchmarks connect to.
//
// A private PostgreSQL lives in one folder:
//
//	DIR/lock        held by the usher that uses the folder; a second one is refused
//	DIR/data        PostgreSQL's data folder, made by initdb at the first start and kept
//	DIR/.s.PGSQL.*  its unix socket (elsewhere if the folder's path is too long for a socket)
//
// The superuser is called postgres. Who reaches the loopback address or the socket is trusted: a private
// PostgreSQL is for one machine and one purpose, not for secrets.
//
// The server is a child of this process and ends with it. After a crash of either the next Start cleans up
// and recovers. initdb and postgres refuse to run as root, so as root they run as the folder's owner, or as
// user postgres, or as nobody; see [Config.Elsewhere] for folders such a user cannot reach.
package privatepg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Superuser is the role that initdb creates and that every method here connects as.
const Superuser = "postgres"

// loopback is the only address a private PostgreSQL listens at.
const loopback = "127.0.0.1"

// Config says where a private PostgreSQL lives and how it is set up.
type Config struct {
	// Dir is the folder everything is kept in. It is created if missing.
	Dir string
	// Elsewhere is a folder to keep things below when Dir cannot be reached by the unprivileged user
	// PostgreSQL runs as (a clone in /root, say). Empty: such a Dir is an error. Server.Dir tells the choice.
	Elsewhere string
	// Port on the loopback address; 0 picks a free one.
	Port int
	// Settings are written to usher.conf, which postgresql.conf includes: ALTER SYSTEM still wins over them.
	// {"fsync": "off"} also makes initdb skip its syncs.
	Settings map[string]string
	// HBA lines go before the trusting defaults of pg_hba.conf when the folder is new.
	HBA []string
	// Files are written into the data folder (certificates, say), readable by its owner only.
	Files map[string][]byte
	// Bin is the folder of the PostgreSQL programs. Empty: Find's first that fits the data folder.
	Bin string
	// Log receives the log of initdb and postgres; nil drops it. The last lines are kept for errors anyway.
	Log io.Writer
}

// Server is a running private PostgreSQL. Its methods may be called from several goroutines.
type Server struct {
	config  Config
	dir     string // the folder in use: config.Dir or one below config.Elsewhere
	sockets string
	port    int
	install Installation
	account Account
	lock    *os.File
	log     *logTail

	mu      sync.Mutex // guards process and closed; held across no I/O
	process *process
	closed  bool
}

// Start makes the folder if it is new, starts PostgreSQL in it and returns when it answers.
func Start(ctx context.Context, config Config) (*Server, error) {
	s, err := prepare(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("private PostgreSQL: %w", err)
	}
	if err := s.launch(ctx); err != nil {
		_ = s.lock.Close()
		return nil, fmt.Errorf("private PostgreSQL in %s: %w", s.dir, err)
	}
	return s, nil
}

// prepare does what has to be done before postgres can be launched. On success the folder's lock is held.
func prepare(ctx context.Context, config Config) (*Server, error) {
	if config.Dir == "" {
		return nil, errors.New("no folder given")
	}
	wanted, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, fmt.Errorf("find the folder: %w", err)
	}
	s := &Server{config: config, port: config.Port, log: newLogTail(config.Log)}
	if s.dir, s.account, err = settle(wanted, config.Elsewhere); err != nil {
		return nil, err
	}
	if s.install, err = choose(ctx, config.Bin, s.dataDir()); err != nil {
		return nil, err
	}
	if s.lock, err = lockFolder(filepath.Join(s.dir, "lock")); err != nil {
		return nil, err
	}
	if err := s.furnish(ctx); err != nil {
		_ = s.lock.Close()
		return nil, fmt.Errorf("in %s: %w", s.dir, err)
	}
	return s, nil
}

// furnish brings the locked folder into a state in which postgres can be launched.
func (s *Server) furnish(ctx context.Context) error {
	if err := s.endLeftover(ctx); err != nil {
		return err
	}
	if err := s.initialise(ctx); err != nil {
		return err
	}
	if err := s.writeSettings(); err != nil {
		return err
	}
	var err error
	s.sockets, err = s.account.socketDir(s.dir)
	return err
}

// Stop shuts PostgreSQL down the fast way (transactions are rolled back, clients disconnected) and releases
// the folder. If ctx ends first, the server is ended the hard way and recovers at its next start.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	p, closed := s.process, s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	defer s.lock.Close()
	if err := p.stop(ctx); err != nil {
		return s.withLog(fmt.Errorf("stop PostgreSQL: %w", err))
	}
	return nil
}

// Kill ends PostgreSQL with all its processes as a crash would, and returns when they are gone. The folder
// stays locked: Restart brings the server back, Stop releases the folder.
func (s *Server) Kill() error {
	return s.current().kill()
}

// Restart stops PostgreSQL (if it runs) the fast way and starts it again at the same port.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.current().stop(ctx); err != nil {
		return s.withLog(fmt.Errorf("restart PostgreSQL: stop: %w", err))
	}
	return s.Resume(ctx)
}

// Resume starts a PostgreSQL that has ended (Kill, Shutdown) again, at the same port.
func (s *Server) Resume(ctx context.Context) error {
	if err := s.endLeftover(ctx); err != nil {
		return fmt.Errorf("start PostgreSQL again: %w", err)
	}
	if err := s.launch(ctx); err != nil {
		return fmt.Errorf("start PostgreSQL again: %w", err)
	}
	return nil
}

// Shutdown stops PostgreSQL the fast way like Stop, but keeps the folder, so that Resume can follow.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.current().stop(ctx); err != nil {
		return s.withLog(fmt.Errorf("shut PostgreSQL down: %w", err))
	}
	return nil
}

// Exited is closed when the PostgreSQL that runs now has ended, for whatever reason.
func (s *Server) Exited() <-chan struct{} { return s.current().exited }

// PID of the postmaster.
func (s *Server) PID() int { return s.current().pid }

// Host is the loopback address the server listens at.
func (s *Server) Host() string { return loopback }

// Port is the TCP port, the same over restarts.
func (s *Server) Port() int { return s.port }

// Address is Host and Port in the form net.Dial takes.
func (s *Server) Address() string { return net.JoinHostPort(loopback, strconv.Itoa(s.port)) }

// SocketDir is the folder of the unix socket: what libpq takes as host.
func (s *Server) SocketDir() string { return s.sockets }

// Dir is the folder in use: Config.Dir, or one below Config.Elsewhere.
func (s *Server) Dir() string { return s.dir }

// Major is PostgreSQL's major version.
func (s *Server) Major() int { return s.install.Major }

// Program is the path of one of this PostgreSQL's programs, pgbench say. It may not be installed.
func (s *Server) Program(name string) string { return s.install.Program(name) }

// LogTail returns the last lines of the server's log.
func (s *Server) LogTail() string { return s.log.String() }

// URL of a database, for the superuser over TCP without TLS.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.User(Superuser),
		Host:     s.Address(),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

func (s *Server) dataDir() string { return filepath.Join(s.dir, "data") }

func (s *Server) current() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process
}

// withLog adds the last lines of the server's log to an error.
func (s *Server) withLog(err error) error {
	tail := s.log.String()
	if tail == "" {
		return err
	}
	return fmt.Errorf("%w; the last lines of its log:\n%s", err, tail)
}

// backoff sleeps a little longer at each turn, and not beyond ctx.
type backoff struct {
	next, most time.Duration
}

func (b *backoff) wait(ctx context.Context, woken <-chan struct{}) error {
	timer := time.NewTimer(b.next)
	defer timer.Stop()
	b.next = min(2*b.next, b.most)
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-woken:
	case <-timer.C:
	}
	return nil
}
