package relay

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net"
	"sync"

	"github.com/usher-pg/usher/internal/wire"
)

// toy is a scripted server: enough of PostgreSQL's protocol and session state that what a pooler does wrong
// shows, in the answers a client gets. toy_session_test.go lists the statements it knows.
type toy struct {
	playing sync.WaitGroup

	// mutex guards what follows, and the sessions' done and wrote.
	mutex    sync.Mutex
	sessions []*toySession // in the order they were opened
	alive    int
	stopped  bool
	cancels  []int // numbers of the sessions that were cancelled

	// hold, when set, is received from before a cancel request is delivered.
	hold chan struct{}
	// release lets every SELECT wait go on.
	release chan struct{}
	// split is where in a session's output a write ends and the next begins.
	split int
	// before, when set, is called before a statement is executed. See setBefore.
	before func(s *toySession, text string)
}

// reported is what a server connection reports at its start.
func reported() []wire.Param {
	return []wire.Param{
		{Name: "server_version", Value: "18.1"}, {Name: "client_encoding", Value: "UTF8"},
		{Name: "DateStyle", Value: "ISO, MDY"}, {Name: "TimeZone", Value: "UTC"},
		{Name: "application_name", Value: "usher"}, {Name: "standard_conforming_strings", Value: "on"},
	}
}

func newToy(split int) *toy { return &toy{release: make(chan struct{}), split: split} }

// open begins a session.
func (y *toy) open(conn net.Conn) *toySession {
	y.mutex.Lock()
	defer y.mutex.Unlock()
	s := &toySession{
		toy: y, conn: conn, number: len(y.sessions) + 1, cancelled: make(chan struct{}, 1),
		ending: make(chan struct{}),
		status: wire.StatusIdle, statements: map[string]string{}, portals: map[string]string{},
		settings: map[string]string{}, made: map[string]bool{}, channels: map[string]bool{},
	}
	for _, p := range reported() {
		s.settings[p.Name] = p.Value
	}
	s.told = maps.Clone(s.settings)
	y.sessions = append(y.sessions, s)
	if y.stopped {
		_ = conn.Close()
	}
	y.alive++
	y.playing.Go(func() {
		s.run()
		_ = conn.Close()
		y.mutex.Lock()
		defer y.mutex.Unlock()
		s.done = true
		y.alive--
	})
	return s
}

// cancel delivers a cancel request: it returns when the session has been signalled.
func (y *toy) cancel(ctx context.Context, s *toySession) error {
	y.mutex.Lock()
	hold := y.hold
	y.mutex.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	y.mutex.Lock()
	defer y.mutex.Unlock()
	y.cancels = append(y.cancels, s.number)
	select {
	case s.cancelled <- struct{}{}:
	default:
	}
	return nil
}

// cancelled lists the sessions that were cancelled.
func (y *toy) cancelled() []int {
	y.mutex.Lock()
	defer y.mutex.Unlock()
	return append([]int(nil), y.cancels...)
}

// setBefore has f called before every statement that is executed from now on.
func (y *toy) setBefore(f func(s *toySession, text string)) {
	y.mutex.Lock()
	defer y.mutex.Unlock()
	y.before = f
}

// living is how many sessions have not ended.
func (y *toy) living() int {
	y.mutex.Lock()
	defer y.mutex.Unlock()
	return y.alive
}

// opened is how many sessions there have been.
func (y *toy) opened() int {
	y.mutex.Lock()
	defer y.mutex.Unlock()
	return len(y.sessions)
}

// session is the n-th that was opened, from 1.
func (y *toy) session(n int) *toySession {
	y.mutex.Lock()
	defer y.mutex.Unlock()
	return y.sessions[n-1]
}

// stop ends all sessions.
func (y *toy) stop() {
	y.mutex.Lock()
	y.stopped = true
	for _, s := range y.sessions {
		_ = s.conn.Close()
		close(s.ending)
	}
	y.mutex.Unlock()
	y.playing.Wait()
}

// toySession is a server's end of a server connection.
type toySession struct {
	toy       *toy
	conn      net.Conn
	number    int
	cancelled chan struct{}
	ending    chan struct{} // closed when the test ends
	done      bool

	in      bytes.Buffer // all that was received, under toy.mutex
	out     []byte       // not yet sent
	written int          // bytes sent

	status     byte
	skipping   bool
	statements map[string]string
	portals    map[string]string
	settings   map[string]string
	told       map[string]string // the settings as they were last reported
	made       map[string]bool   // settings of this session's own
	channels   map[string]bool
	before     *undo // what the transaction may be rolled back to; nil outside of one
}

// undo is the transactional part of a session's state.
type undo struct {
	settings map[string]string
	made     map[string]bool
	channels map[string]bool
}

// received is all that was sent to the session so far.
func (s *toySession) received() []byte {
	s.toy.mutex.Lock()
	defer s.toy.mutex.Unlock()
	return bytes.Clone(s.in.Bytes())
}

// sent is the messages the session was sent so far, as words: a type, and in brackets its text up to the
// first zero.
func (s *toySession) sent() []string {
	var words []string
	r := bytes.NewReader(s.received())
	for {
		kind, body, err := readMessage(r)
		if err != nil {
			return words
		}
		words = append(words, showSent(kind, body))
	}
}

func showSent(kind wire.Type, body []byte) string {
	parts := bytes.Split(body, []byte{0})
	text := ""
	switch kind {
	case wire.Query, wire.Execute:
		text = string(parts[0])
	case wire.Parse, wire.Bind:
		text = string(parts[0]) + "," + string(parts[1])
	case wire.Describe, wire.Close:
		text = string(parts[0])
	case wire.CopyData:
		text = string(body)
	default:
		return string(byte(kind))
	}
	return string(byte(kind)) + "(" + text + ")"
}

// errEnd ends a session as its script wants.
var errEnd = errors.New("the session ends")

// run answers messages until the connection ends.
func (s *toySession) run() {
	for {
		kind, body, err := readMessage(s)
		if err != nil || kind == wire.Terminate {
			return
		}
		if err := s.answer(kind, body); err != nil {
			return
		}
	}
}

// Read reads what comes, and notes it.
func (s *toySession) Read(p []byte) (int, error) {
	n, err := s.conn.Read(p)
	s.toy.mutex.Lock()
	defer s.toy.mutex.Unlock()
	if s.in.Len() < 1<<20 { // of huge messages the beginning will do
		s.in.Write(p[:n])
	}
	return n, err
}

// waitFor waits until the gate is closed, or the test ends.
func (s *toySession) waitFor(gate <-chan struct{}) {
	select {
	case <-gate:
	case <-s.ending:
	}
}

// flush sends what has been said so far, in the pieces the test wants.
func (s *toySession) flush() error {
	for len(s.out) > 0 {
		piece := s.out
		if cut := s.toy.split - s.written; cut > 0 && cut < len(piece) {
			piece = piece[:cut]
		}
		n, err := s.conn.Write(piece)
		s.written += n
		s.out = s.out[n:]
		if err != nil {
			return err
		}
		for len(s.out) > 0 && unread(s.conn) > 0 { // the pieces are to be read one by one
			select {
			case <-s.ending:
				return errEnd
			default:
				yield()
			}
		}
	}
	s.out = nil
	return nil
}
