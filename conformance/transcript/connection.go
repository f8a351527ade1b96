//go:build integration

package transcript

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// connection is one of a script's connections.
type connection struct {
	socket    net.Conn
	input     *bufio.Reader
	messages  *pgproto3.Frontend
	processID uint32
	secret    []byte
}

func newConnection(socket net.Conn) *connection {
	input := bufio.NewReaderSize(socket, 64<<10)
	return &connection{socket: socket, input: input, messages: pgproto3.NewFrontend(input, io.Discard)}
}

// exchange writes the pieces and reads answers until the end is reached, the server closes the connection, or
// patience runs out. It writes and reads at once, as a client that streams does, so that neither side can
// block the other.
func (c *connection) exchange(pieces [][]byte, end until) []string {
	c.socket.SetDeadline(time.Now().Add(patience))
	written := make(chan error, 1)
	go func() {
		for _, piece := range pieces {
			if _, err := c.socket.Write(piece); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	lines := c.collect(end)
	if err := <-written; err != nil && !isClosed(err) {
		lines = append(lines, "write: "+err.Error())
	}
	return lines
}

func (c *connection) collect(end until) (lines []string) {
	for seen := 0; end.message != "none" && seen < end.times; {
		name, line, err := c.next(end)
		if err != nil {
			return append(lines, ending(err, end))
		}
		lines = append(lines, line)
		if name == end.message {
			seen++
		}
	}
	return lines
}

func (c *connection) next(end until) (name, line string, err error) {
	if end.message == "byte" {
		answer, err := c.input.ReadByte()
		return "byte", "byte " + string(answer), err
	}
	received, err := c.messages.Receive()
	if err != nil {
		return "", "", err
	}
	if key, ok := received.(*pgproto3.BackendKeyData); ok {
		c.processID, c.secret = key.ProcessID, append([]byte(nil), key.SecretKey...)
	}
	return messageName(received), render(received), nil
}

// ending is the line for a connection that gives no more answers.
func ending(err error, end until) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "nothing more, still waiting for " + end.message
	case isClosed(err):
		return "closed"
	}
	return "broken: " + err.Error()
}

// isClosed tells whether the other side ended the connection. A reset counts: it is what the kernel makes of
// a close with unread input.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || strings.Contains(err.Error(), "unexpected EOF")
}
