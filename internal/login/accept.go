package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/usher-pg/usher/internal/carrier"
	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
)

// Waiting times after an accept that failed for want of something: the first, and the longest.
const (
	firstPause   = 5 * time.Millisecond
	longestPause = 200 * time.Millisecond
)

// accept accepts clients of a listener until ctx ends.
func (s *Server) accept(ctx context.Context, e *entrance) error {
	pause := firstPause
	for s.gate.enter() {
		c, err := s.next(ctx, e)
		if err == nil {
			pause = firstPause
			s.start(ctx, c)
			continue
		}
		if errors.Is(err, errFull) {
			s.gate.await()
			s.gate.leave()
			pause = firstPause
			continue
		}
		s.gate.leave()
		switch {
		case ctx.Err() != nil:
			return nil
		case !isShortage(err):
			return fmt.Errorf("accept at %v: %w", e.listener.Addr(), err)
		}
		if pause == firstPause {
			s.options.Log.LogAttrs(ctx, slog.LevelError, "cannot accept clients", slog.Any("error", err),
				slog.String("listener", e.listener.Addr().String()))
		}
		if isTableFull(err) {
			s.spare.lend(func() { refuseOne(e) })
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
	return nil
}

// next is the next client for a worker. At a bare entrance a loop finds them, and next is why it has ended.
func (s *Server) next(ctx context.Context, e *entrance) (*carrier.Conn, error) {
	if e.bare {
		return nil, s.prompt(ctx, e)
	}
	return e.accept()
}

// isShortage reports whether accept failed because something is used up that comes back.
func isShortage(err error) bool {
	return isTableFull(err) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM) ||
		errors.Is(err, syscall.ECONNABORTED)
}

func isTableFull(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// spare is a descriptor kept for the moment when there is none left.
type spare struct {
	// mutex guards file.
	mutex sync.Mutex
	file  *os.File
}

func (s *spare) take() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.file == nil {
		s.file, _ = os.Open(os.DevNull) // nil if there is none now: lend tries again
	}
}

func (s *spare) drop() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
}

// lend gives the descriptor up while f runs.
func (s *spare) lend(f func()) {
	s.drop()
	f()
	s.take()
}

// refusal is how long a client may take to be refused when there is no descriptor for it.
const refusal = 250 * time.Millisecond

// refuseOne accepts one client in order to tell it that there is no descriptor for it.
func refuseOne(e *entrance) {
	e.setDeadline(time.Now().Add(refusal))
	defer e.setDeadline(time.Time{})
	c, err := e.accept()
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(refusal))
	reader := carrier.NewReader(c, false)
	for range 3 { // it may ask for GSS encryption, then for TLS, then log in
		packet, err := reader.Startup()
		if err != nil {
			return
		}
		code := wire.StartupCode(packet)
		if code != wire.SSLRequestCode && code != wire.GSSENCRequestCode {
			break
		}
		if _, err := c.Write([]byte{'N'}); err != nil {
			return
		}
	}
	_, _ = c.Write(pgerr.NoDescriptors.With().Append(nil))
}
