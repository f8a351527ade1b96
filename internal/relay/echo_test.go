package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/carrier"
)

// echo is a server without a mind: it reads as many bytes as it is told to expect and answers with what it is
// given. It allocates nothing, so that what is allocated is the relay's doing.
type echo struct {
	conn  net.Conn
	turns chan turn
	ended chan struct{}
}

type turn struct {
	expect int
	answer []byte
	times  int
}

// expect makes the server read n bytes and answer, so many times.
func (e *echo) expect(n int, answer []byte, times int) { e.turns <- turn{n, answer, times} }

func (e *echo) run(t testing.TB) {
	defer close(e.ended)
	scratch := make([]byte, 256<<10)
	for turn := range e.turns {
		for range turn.times {
			for left := turn.expect; left > 0; {
				n, err := e.conn.Read(scratch[:min(left, len(scratch))])
				if err != nil {
					if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("server: %v", err)
					}
					return
				}
				left -= n
			}
			if _, err := e.conn.Write(turn.answer); err != nil {
				return
			}
		}
	}
}

// echoWorld is a world of one server connection to an echo.
func echoWorld(t testing.TB) (*world, *echo) {
	t.Helper()
	p := one()
	p.rules.Engine.Min = 1
	w := p.start(t)
	e := &echo{turns: make(chan turn, 1), ended: make(chan struct{})}
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	e.conn = theirs
	if err := theirs.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	w.eventually("the first one is open", func() bool { return w.pool.Stat().Idle == 1 })
	rules := *w.pool.rules()
	rules.Dial = func(context.Context) (*Opened, error) {
		return &Opened{
			Carrier: carrier.New(ours), ProcessID: 1, Parameters: reported(),
			Cancel: func(context.Context) error { return nil },
		}, nil
	}
	w.pool.Configure(rules, true)
	w.eventually("the server connection is replaced", func() bool {
		return w.toy.living() == 0 && w.pool.Stat().Idle == 1
	})
	go e.run(t)
	t.Cleanup(func() {
		close(e.turns)
		_ = theirs.Close()
		<-e.ended
	})
	return w, e
}
