package pgtest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Expect reads one message for each type given and fails when another comes.
func Expect(types ...byte) Step {
	return func(c *Conversation) error {
		for _, want := range types {
			if err := c.readMessage(); err != nil {
				return fmt.Errorf("expect %q: %w", want, err)
			}
			if c.Last.Type != want {
				return fmt.Errorf("expect %q: got %q %q", want, c.Last.Type, c.Last.Body)
			}
		}
		return nil
	}
}

// ExpectQuery reads a simple Query whose text contains a string.
func ExpectQuery(text string) Step {
	return func(c *Conversation) error {
		if err := Expect('Q')(c); err != nil {
			return err
		}
		if got := strings.TrimSuffix(string(c.Last.Body), "\x00"); !strings.Contains(got, text) {
			return fmt.Errorf("expect the query %q: got %q", text, got)
		}
		return nil
	}
}

// ExpectClose waits until the other side closes the connection, and fails when it sends something else than
// Terminate before.
func ExpectClose() Step {
	return func(c *Conversation) error {
		err := c.readMessage()
		if err == nil && c.Last.Type == 'X' {
			err = c.readMessage()
		}
		if err == nil {
			return fmt.Errorf("expect the end of the connection: got %q %q", c.Last.Type, c.Last.Body)
		}
		if waited, ok := errors.AsType[net.Error](err); ok && waited.Timeout() {
			return fmt.Errorf("expect the end of the connection: %w", err)
		}
		return nil // end of file or a reset
	}
}

// Send sends messages in one write.
func Send(messages ...pgproto3.BackendMessage) Step {
	return func(c *Conversation) error {
		content, err := Encode(messages...)
		if err != nil {
			return err
		}
		return c.write(content)
	}
}

// SendBytes sends bytes as they are.
func SendBytes(content []byte) Step {
	return func(c *Conversation) error { return c.write(content) }
}

// SendInPieces sends messages in writes of a few bytes each, with TCP_NODELAY, so that message ends and
// segment ends do not meet.
func SendInPieces(size int, messages ...pgproto3.BackendMessage) Step {
	return func(c *Conversation) error {
		content, err := Encode(messages...)
		if err != nil {
			return err
		}
		for len(content) > 0 {
			n := min(size, len(content))
			if err := c.write(content[:n]); err != nil {
				return err
			}
			content = content[n:]
		}
		return nil
	}
}

// Encode is what messages look like on the wire.
func Encode(messages ...pgproto3.BackendMessage) ([]byte, error) {
	var content []byte
	for _, message := range messages {
		var err error
		if content, err = message.Encode(content); err != nil {
			return nil, fmt.Errorf("encode %T: %w", message, err)
		}
	}
	return content, nil
}

// Login lets the client in without a password and tells it what a PostgreSQL 15 would.
func Login() Step {
	return func(c *Conversation) error {
		process := uint32(1000 + c.Number)
		return Send(
			&pgproto3.AuthenticationOk{},
			&pgproto3.ParameterStatus{Name: "server_version", Value: "15.0"},
			&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"},
			&pgproto3.ParameterStatus{Name: "server_encoding", Value: "UTF8"},
			&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"},
			&pgproto3.ParameterStatus{Name: "DateStyle", Value: "ISO, MDY"},
			&pgproto3.ParameterStatus{Name: "IntervalStyle", Value: "postgres"},
			&pgproto3.ParameterStatus{Name: "TimeZone", Value: "UTC"},
			&pgproto3.ParameterStatus{Name: "integer_datetimes", Value: "on"},
			&pgproto3.ParameterStatus{Name: "is_superuser", Value: "off"},
			&pgproto3.ParameterStatus{Name: "session_authorization", Value: c.Startup.Parameters["user"]},
			&pgproto3.ParameterStatus{Name: "application_name", Value: c.Startup.Parameters["application_name"]},
			&pgproto3.BackendKeyData{ProcessID: process, SecretKey: []byte{0, 0, 0, byte(c.Number)}},
			&pgproto3.ReadyForQuery{TxStatus: 'I'},
		)(c)
	}
}

// AnswerRow sends what a query of one text column with one row is answered with.
func AnswerRow(value string) Step {
	return Send(
		&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{
			Name: []byte("value"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1,
		}}},
		&pgproto3.DataRow{Values: [][]byte{[]byte(value)}},
		&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")},
		&pgproto3.ReadyForQuery{TxStatus: 'I'},
	)
}

// AnswerQueries answers every simple Query with one row, its own text, until the client goes. Sync is
// answered with ReadyForQuery; anything else fails.
func AnswerQueries() Step {
	return func(c *Conversation) error {
		for {
			err := c.readMessage()
			if errors.Is(err, io.EOF) || err == nil && c.Last.Type == 'X' {
				return errFinished
			}
			if err != nil {
				return err
			}
			switch c.Last.Type {
			case 'Q':
				err = AnswerRow(strings.TrimSuffix(string(c.Last.Body), "\x00"))(c)
			case 'S':
				err = Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})(c)
			default:
				err = fmt.Errorf("answer queries: got %q", c.Last.Type)
			}
			if err != nil {
				return err
			}
		}
	}
}

// Fail sends an ErrorResponse.
func Fail(severity, code, message string) Step {
	return Send(&pgproto3.ErrorResponse{
		Severity: severity, SeverityUnlocalized: severity, Code: code, Message: message,
	})
}

// Do calls a function, for what a script shares with its test.
func Do(function func(*Conversation)) Step {
	return func(c *Conversation) error {
		function(c)
		return nil
	}
}

// Wait stops the script until the channel is closed or the test ends.
func Wait(until <-chan struct{}) Step {
	return func(c *Conversation) error {
		select {
		case <-until:
			return nil
		case <-c.fake.done:
			return errFinished
		}
	}
}

// Stall says and reads nothing until the test ends.
func Stall() Step { return Wait(nil) }

// Drain reads and drops everything until the other side closes or the test ends.
func Drain() Step {
	return func(c *Conversation) error {
		if err := c.limit(); err != nil {
			return err
		}
		_ = c.conn.SetReadDeadline(time.Time{})
		if c.fake.ended() { // the deadline that wakes us may have come before ours
			return errFinished
		}
		_, _ = io.Copy(io.Discard, c.conn)
		return errFinished
	}
}

// Close closes the connection in order.
func Close() Step {
	return func(c *Conversation) error {
		_ = c.conn.Close()
		return errFinished
	}
}

// Reset makes the other side's next read or write fail with a reset, as when the machine went away.
func Reset() Step {
	return func(c *Conversation) error {
		if err := c.conn.(*net.TCPConn).SetLinger(0); err != nil {
			return fmt.Errorf("reset: %w", err)
		}
		return Close()(c)
	}
}
