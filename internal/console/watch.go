package console

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/usher-pg/usher/internal/wire"
)

// Causes with which the context of a waiting command ends.
var (
	errCanceled = errors.New("canceled by the client")
	errLeft     = errors.New("the client left")
)

// watch runs act while it looks at the connection, and cancels act's context when the client leaves or asks for it. It
// returns when both have ended. Nothing is taken from the connection: what a client pipelines behind the command stays
// in the reader, and once that is more than the reader holds the watch is blind and the command just goes on.
func (c *connection) watch(ctx context.Context, act func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	looked := make(chan struct{})
	go func() {
		defer close(looked)
		if clientLeaves(c.reader) {
			cancel(errLeft)
		}
	}()
	stopListening := make(chan struct{})
	listened := make(chan struct{})
	go func() {
		defer close(listened)
		select {
		case <-c.session.Canceled:
			cancel(errCanceled)
		case <-stopListening:
		}
	}()

	err := act(ctx)

	close(stopListening)
	<-listened
	// The deadline ends the Peek in clientLeaves and leaves what has arrived in the reader.
	if deadlineErr := c.conn.SetReadDeadline(time.Unix(1, 0)); deadlineErr != nil {
		_ = c.conn.Close() // the only other way to end a read
	}
	<-looked
	_ = c.conn.SetReadDeadline(time.Time{})

	if cause := context.Cause(ctx); err != nil && cause != nil && errors.Is(err, ctx.Err()) {
		return cause
	}
	return err
}

// clientLeaves blocks until the connection ends, a Terminate arrives (true), or there is no telling (false).
func clientLeaves(r *bufio.Reader) bool {
	skip := 0
	for {
		head, err := r.Peek(skip + wire.HeaderLen)
		if err != nil {
			return isEnd(err)
		}
		t, length, _ := wire.Header(head[skip:])
		if t == wire.Terminate {
			return true
		}
		if wire.CheckLength(t, length) != nil || skip+length+wire.HeaderLen > r.Size() {
			return false
		}
		skip += length
	}
}

func isEnd(err error) bool {
	return !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, bufio.ErrBufferFull)
}

// isGone reports whether err is the ordinary end of a connection.
func isGone(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}
