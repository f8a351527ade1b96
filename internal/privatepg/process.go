package privatepg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// startPatience is how long PostgreSQL may take to answer when ctx sets no nearer end. Recovery after a
	// crash is part of it.
	startPatience = 2 * time.Minute
	// probePatience is how long one probe may take.
	probePatience = 5 * time.Second
	// killPatience is how long a server may take to end after it was told to end at once.
	killPatience = 10 * time.Second
	// pipePatience is how long we read the log after postgres has ended: an orphan may still hold it open.
	pipePatience = time.Second
	// maxLaunches bounds the attempts of one start; see worthRetry.
	maxLaunches = 10
)

// process is one run of postgres.
type process struct {
	pid    int
	exited chan struct{} // closed when postgres has ended and its log has been read
	err    error         // how it ended; to be read after exited
}

// launch starts postgres and returns when it answers. A port that was free a moment ago may be taken by
// now, and the memory of a killed server may still be in use: those are tried again.
func (s *Server) launch(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience,
		fmt.Errorf("no answer within %v", startPatience))
	defer cancel()
	pause := backoff{next: 20 * time.Millisecond, most: time.Second}
	for attempt := 1; ; attempt++ {
		err := s.launchOnce(ctx)
		if err == nil {
			return nil
		}
		if attempt == maxLaunches || ctx.Err() != nil || !s.worthRetry() {
			return s.withLog(err)
		}
		if err := pause.wait(ctx, nil); err != nil {
			return s.withLog(fmt.Errorf("start postgres: %w", err))
		}
	}
}

// worthRetry reads in the log whether a failed start may succeed a moment later.
func (s *Server) worthRetry() bool {
	tail := s.log.String()
	return strings.Contains(tail, "pre-existing shared memory block") ||
		s.config.Port == 0 && s.current() == nil && strings.Contains(tail, "Address already in use")
}

func (s *Server) launchOnce(ctx context.Context) error {
	first := s.current() == nil
	if s.config.Port == 0 && first {
		ports, err := FreePorts(1)
		if err != nil {
			return err
		}
		s.port = ports[0]
	}
	cmd := exec.Command(s.install.Program("postgres"),
		"-D", s.dataDir(),
		"-c", "port="+strconv.Itoa(s.port),
		"-c", "listen_addresses="+loopback,
		"-c", "unix_socket_directories="+s.sockets,
		"-c", "logging_collector=off", // the log comes to us
	)
	s.dress(cmd)
	p, err := run(cmd)
	if err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	if err := s.awaitAnswer(ctx, p); err != nil {
		return errors.Join(err, p.kill())
	}
	s.mu.Lock()
	s.process = p
	s.mu.Unlock()
	return nil
}

// run starts a command and waits for its end in the background. The thread that starts it stays until
// then, because the kernel ties the parent-death signal to the thread, not to the process (prctl(2),
// PR_SET_PDEATHSIG).
func run(cmd *exec.Cmd) (*process, error) {
	cmd.WaitDelay = pipePatience
	p := &process{exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err != nil {
			return
		}
		endWatch := watchParent(p.pid)
		p.err = cmd.Wait()
		endWatch()
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// awaitAnswer returns when the server accepts connections, or has ended.
func (s *Server) awaitAnswer(ctx context.Context, p *process) error {
	pause := backoff{next: 10 * time.Millisecond, most: 200 * time.Millisecond}
	var last error
	for {
		if last = s.probe(ctx); last == nil {
			return nil
		}
		if err := pause.wait(ctx, p.exited); err != nil {
			return fmt.Errorf("wait for PostgreSQL to answer: %w (last attempt: %w)", err, last)
		}
		select {
		case <-p.exited:
			return fmt.Errorf("start postgres: it ended at once (%w)", errorOr(p.err, errors.New("exit status 0")))
		default:
		}
	}
}

func (s *Server) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	conn, err := pgconn.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// stop ends the server in order (SIGINT is the fast shutdown; postgres(1)), or the hard way when ctx ends.
func (p *process) stop(ctx context.Context) error {
	if err := p.signal(syscall.SIGINT); err != nil {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), p.kill())
	}
}

// kill ends the postmaster and its children. The children of a postmaster that was killed end by
// themselves, but only when they look up from their work, so the immediate shutdown (SIGQUIT), which ends
// them, goes first.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGQUIT); err != nil {
		return err
	}
	if p.endsWithin(killPatience) {
		return nil
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	if p.endsWithin(killPatience) {
		return nil
	}
	return fmt.Errorf("process %d does not end", p.pid)
}

func (p *process) endsWithin(patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.exited:
		return true
	case <-timer.C:
		return false
	}
}

// signal does nothing when the server has ended: its number may be somebody else's by then.
func (p *process) signal(signal syscall.Signal) error {
	select {
	case <-p.exited:
		return nil
	default:
	}
	if err := syscall.Kill(p.pid, signal); err != nil && !errors.Is(err, os.ErrProcessDone) &&
		!errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("send %v to process %d: %w", signal, p.pid, err)
	}
	return nil
}

// FreePorts asks the kernel for different ports of the loopback address that nobody listens at.
func FreePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		listener, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func errorOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
