//go:build integration

package conformance

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// chaosPatience is how long a client waits for an answer. Longer means that it hangs, which is a failure.
const chaosPatience = 60 * time.Second

// chaosClient is one client of the chaos test. It speaks the protocol itself, so that it can stop in the
// middle of a message, and it never sends the same token twice.
type chaosClient struct {
	test   *chaosTest
	id     int
	random *rand.Rand
	tokens int

	socket     *net.TCPConn
	messages   *pgproto3.Frontend
	key        pgproto3.BackendKeyData
	statements map[string]string // names this connection has prepared → what each appends to its parameter
	name       string            // application_name as this client has set it
	mayCancel  int               // how many of the next answers a cancel of our own may still hit
}

// answer is what came up to one ReadyForQuery.
type answer struct {
	rows   []string // first columns, and COPY data
	err    *pgproto3.ErrorResponse
	status byte
}

// fatal is a connection that the other side has ended.
type fatal struct {
	said *pgproto3.ErrorResponse // nil if it ended without a word
	err  error
}

func (f *fatal) Error() string {
	if f.said == nil {
		return "closed without a word: " + f.err.Error()
	}
	return f.said.Severity + " " + f.said.Code + " " + f.said.Message
}

func (c *chaosClient) token() string {
	c.tokens++
	return fmt.Sprintf("token-%d-%d", c.id, c.tokens)
}

// connect logs in.
func (c *chaosClient) connect() error {
	socket, err := net.DialTimeout("tcp", c.test.target.address(), chaosPatience)
	if err != nil {
		return err
	}
	c.socket, c.messages = socket.(*net.TCPConn), pgproto3.NewFrontend(socket, socket)
	c.statements, c.name, c.mayCancel = map[string]string{}, fmt.Sprint("chaos ", c.id), 0
	c.socket.SetDeadline(time.Now().Add(chaosPatience))
	c.messages.Send(&pgproto3.StartupMessage{
		ProtocolVersion: pgproto3.ProtocolVersion30,
		Parameters: map[string]string{
			"user": c.test.target.user, "database": c.test.target.database, "application_name": c.name,
		},
	})
	if err := c.messages.Flush(); err != nil {
		return err
	}
	_, err = c.read(1)
	if err != nil {
		c.drop()
	}
	return err
}

func (c *chaosClient) drop() {
	if c.socket != nil {
		c.socket.Close()
		c.socket = nil
	}
}

// ask sends messages and reads the answers up to the last of their ReadyForQuery.
func (c *chaosClient) ask(readies int, send ...pgproto3.FrontendMessage) ([]answer, error) {
	c.socket.SetDeadline(time.Now().Add(chaosPatience))
	for _, message := range send {
		c.messages.Send(message)
	}
	if err := c.messages.Flush(); err != nil {
		if answers, reason := c.read(readies); reason != nil { // why it was closed
			return answers, reason
		}
		return nil, &fatal{err: err}
	}
	return c.read(readies)
}

func (c *chaosClient) read(readies int) ([]answer, error) {
	var answers []answer
	var current answer
	for len(answers) < readies {
		received, err := c.messages.Receive()
		if err != nil {
			return answers, &fatal{current.err, err}
		}
		switch m := received.(type) {
		case *pgproto3.DataRow:
			current.rows = append(current.rows, string(m.Values[0]))
		case *pgproto3.CopyData:
			current.rows = append(current.rows, string(m.Data))
		case *pgproto3.BackendKeyData:
			c.key = pgproto3.BackendKeyData{ProcessID: m.ProcessID, SecretKey: append([]byte(nil), m.SecretKey...)}
		case *pgproto3.ErrorResponse:
			kept := *m
			ends := kept.Severity == "FATAL" || kept.Severity == "PANIC"
			if current.err != nil && !ends { // a backend may be ended while it skips to the Sync
				return answers, fmt.Errorf("two errors for one question: %s %s, %s %s",
					current.err.Code, current.err.Message, kept.Code, kept.Message)
			}
			current.err = &kept
			if ends {
				return answers, c.lastWords(&kept)
			}
		case *pgproto3.ReadyForQuery:
			current.status = m.TxStatus
			answers = append(answers, current)
			current = answer{}
			if readies == copyBegins {
				return answers, nil
			}
		case *pgproto3.CopyInResponse:
			if readies == copyBegins {
				return nil, nil
			}
		}
	}
	return answers, nil
}

// copyBegins stands for a number of ReadyForQuery: read until the server wants COPY data.
const copyBegins = 1 << 20

// lastWords checks that a FATAL error is the last thing said.
func (c *chaosClient) lastWords(said *pgproto3.ErrorResponse) error {
	if received, err := c.messages.Receive(); err == nil {
		return fmt.Errorf("after FATAL %s %s came %T", said.Code, said.Message, received)
	}
	return &fatal{said: said}
}

// cancel sends a CancelRequest for this client's own connection and waits until it has been taken.
func (c *chaosClient) cancel() error {
	socket, err := net.DialTimeout("tcp", c.test.target.address(), chaosPatience)
	if err != nil {
		return err
	}
	defer socket.Close()
	socket.SetDeadline(time.Now().Add(chaosPatience))
	request := binary.BigEndian.AppendUint32(nil, uint32(12+len(c.key.SecretKey)))
	request = binary.BigEndian.AppendUint32(request, 80877102)
	request = binary.BigEndian.AppendUint32(request, c.key.ProcessID)
	if _, err := socket.Write(append(request, c.key.SecretKey...)); err != nil {
		return err
	}
	c.test.counts.cancels.Add(1)
	c.mayCancel = 2 // the statement that runs, or the next one if the cancel comes late
	if answer, err := io.ReadAll(socket); err == nil && len(answer) > 0 {
		return fmt.Errorf("a cancel request was answered with %q", answer)
	}
	return nil
}

// run lives the life of a client until the test ends: it asks, checks, and connects again when it was cut
// off.
func (c *chaosClient) run(stop <-chan struct{}) {
	defer c.drop()
	for {
		select {
		case <-stop:
			return
		default:
		}
		if c.socket == nil && !c.reconnect(stop) {
			return
		}
		operation := chaosOperations[c.random.IntN(len(chaosOperations))]
		err := operation.do(c)
		if err == nil {
			c.test.counts.done.Add(1)
			c.test.progress[c.id].Add(1)
			continue
		}
		c.drop()
		if !c.test.excuses(err) {
			c.test.fail("client %d, %s: %v", c.id, operation.name, err)
		} else if isSilent(err) {
			c.test.note("client %d, %s: %v", c.id, operation.name, err)
		}
	}
}

func (c *chaosClient) reconnect(stop <-chan struct{}) bool {
	deadline := time.Now().Add(chaosPatience)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := c.connect()
		if err == nil {
			c.test.counts.logins.Add(1)
			return true
		}
		if time.Now().After(deadline) || !c.test.excuses(err) || c.test.target.ended() {
			c.test.fail("client %d cannot log in: %v", c.id, err)
			return false
		}
		select {
		case <-stop:
			return false
		case <-ticker.C:
		}
	}
}

// isSilent tells whether a connection ended without a reason.
func isSilent(err error) bool {
	var end *fatal
	return isCutOff(err) && (!errors.As(err, &end) || end.said == nil)
}

// isCutOff tells whether an error is the end of a connection.
func isCutOff(err error) bool {
	var end *fatal
	return errors.As(err, &end) || isNetwork(err)
}

func isNetwork(err error) bool {
	var network net.Error
	return errors.As(err, &network) && !network.Timeout() || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF)
}
