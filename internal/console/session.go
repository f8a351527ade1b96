package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/status"
	"github.com/usher-pg/usher/internal/wire"
)

// Limits of a console connection.
const (
	// maxMessageLen bounds a message: a query of maxQueryLen, its header and its NUL. Ours.
	maxMessageLen = wire.HeaderLen + maxQueryLen + 1
	// flushAt is how much of an answer is gathered before it is written: one socket buffer or so. Ours.
	flushAt = 32 << 10
	// writeTimeout ends a connection whose client does not read. Ours.
	writeTimeout = 30 * time.Second
	// snapshotTimeout bounds the gathering of a snapshot. Ours.
	snapshotTimeout = 10 * time.Second
)

// Session is who is at the console.
type Session struct {
	User       string
	Database   string // the virtual database asked for
	Permission Permission
	// Canceled gets a value for every cancel request for this connection, sent without blocking into a buffer of one.
	// It may be nil.
	Canceled <-chan struct{}
	Log      *slog.Logger // nil: no log
	Remote   net.Addr     // nil: not known
}

// who is at the console, for the record of what was ordered.
func (s *Session) who() string {
	if s.Remote == nil {
		return "console " + clean(s.User)
	}
	return "console " + clean(s.User) + " " + s.Remote.String()
}

// Parameters are what a client of the console is told in ParameterStatus when it is welcomed; PgBouncer's.
func Parameters() []wire.Param {
	return []wire.Param{
		{Name: "server_version", Value: ServerVersion},
		{Name: "client_encoding", Value: "UTF8"},
		{Name: "server_encoding", Value: "UTF8"},
		{Name: "DateStyle", Value: "ISO"},
		{Name: "TimeZone", Value: "GMT"},
		{Name: "standard_conforming_strings", Value: "on"},
		{Name: "is_superuser", Value: "on"},
	}
}

// Serve answers one client of the console until it leaves or ctx ends. The client is authenticated and welcomed: it
// has got AuthenticationOk, Parameters, and the first ReadyForQuery. The caller closes conn. Serve returns nil when the
// client left, and the reason otherwise.
func Serve(ctx context.Context, conn net.Conn, session Session, ctl status.Controller) error {
	if session.Log == nil {
		session.Log = slog.New(slog.DiscardHandler)
	}
	c := &connection{
		conn: conn, session: session, ctl: ctl,
		reader: bufio.NewReaderSize(conn, maxMessageLen),
	}
	unblock := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer unblock()
	err := c.serve(ctx)
	if ctx.Err() != nil {
		c.out = pgerr.ShuttingDown.With().Append(c.out)
		_ = c.flush()
		return context.Cause(ctx)
	}
	if isGone(err) || errors.Is(err, errLeft) {
		return nil
	}
	return err
}

type connection struct {
	conn    net.Conn
	session Session
	ctl     status.Controller
	reader  *bufio.Reader
	out     []byte // not yet written

	// skipping is set between an error in the extended protocol and the next Sync.
	skipping bool
}

func (c *connection) serve(ctx context.Context) error {
	for ctx.Err() == nil {
		t, body, err := c.read()
		if err != nil {
			return err
		}
		if t == wire.Terminate {
			return nil
		}
		if err := c.handle(ctx, t, body); err != nil {
			return err
		}
		if err := c.flush(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// read reads one message. The body is valid until the next read.
func (c *connection) read() (wire.Type, []byte, error) {
	head, err := c.reader.Peek(wire.HeaderLen)
	if err != nil {
		return 0, nil, ended(err, len(head))
	}
	t, length, _ := wire.Header(head)
	if !t.IsClient() {
		return 0, nil, c.refuse(pgerr.ProtocolViolation.With(
			fmt.Sprintf("unsupported packet type for admin console: %v", t)))
	}
	if err := wire.CheckLength(t, length); err != nil {
		return 0, nil, c.refuse(pgerr.ProtocolViolation.With(err.Error()))
	}
	if length > maxMessageLen {
		return 0, nil, c.refuse(pgerr.ProtocolViolation.With(
			fmt.Sprintf("message %v of %d bytes is too large for the console", t, length)))
	}
	message, err := c.reader.Peek(length)
	if err != nil {
		return 0, nil, ended(err, len(message))
	}
	if _, err := c.reader.Discard(length); err != nil {
		return 0, nil, fmt.Errorf("read console message: %w", err)
	}
	return t, message[wire.HeaderLen:], nil
}

// ended tells a client that left between messages from one that broke off.
func ended(err error, got int) error {
	if errors.Is(err, io.EOF) && got > 0 {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read console message: %w", err)
}

// refuse tells the client why the connection ends, and returns that.
func (c *connection) refuse(e *pgerr.Error) error {
	c.out = e.Append(c.out)
	_ = c.flush()
	return e
}

// handle answers one message. An error ends the connection.
func (c *connection) handle(ctx context.Context, t wire.Type, body []byte) error {
	switch t {
	case wire.Query:
		if c.skipping {
			return nil
		}
		text, err := wire.QueryText(body)
		if err != nil {
			return c.refuse(pgerr.ProtocolViolation.With(err.Error()))
		}
		return c.query(ctx, string(text))
	case wire.Sync:
		c.skipping = false
		c.ready()
	case wire.Parse, wire.Bind, wire.Describe, wire.Execute, wire.Close:
		if !c.skipping {
			c.skipping = true
			c.out = pgerr.ConsoleExtended.With().Append(c.out)
		}
	case wire.FunctionCall:
		if !c.skipping {
			c.out = pgerr.ConsoleExtended.With().Append(c.out)
			c.ready()
		}
	default:
		// Flush has nothing to do, and copy messages outside a COPY are ignored as in PostgreSQL.
	}
	return nil
}

func (c *connection) ready() { c.out = wire.AppendReady(c.out, wire.StatusIdle) }

// query runs the commands of one query until one fails.
func (c *connection) query(ctx context.Context, text string) error {
	statements, err := parse(text)
	if err == nil && len(statements) == 0 {
		c.out = append(c.out, byte(wire.EmptyQueryResponse), 0, 0, 0, 4)
	}
	for _, s := range statements {
		if err = c.run(ctx, s); err != nil {
			break
		}
	}
	if err != nil {
		if fatal := c.fatal(ctx, err); fatal != nil {
			return fatal
		}
		e := asClientError(err)
		// Without the message: it repeats what was typed.
		c.session.Log.LogAttrs(ctx, e.Row.Level, "console command failed",
			slog.String("user", c.session.User), slog.String("sqlstate", e.Row.Code), slog.Any("cause", e.Cause))
		c.out = e.Append(c.out)
	}
	c.ready()
	return nil
}

// writeError marks an error of the connection, which is not the client's to be told.
type writeError struct{ error }

func (e writeError) Unwrap() error { return e.error }

// fatal is err if it ends the connection, else nil.
func (c *connection) fatal(ctx context.Context, err error) error {
	if _, ok := errors.AsType[writeError](err); ok || errors.Is(err, errLeft) || ctx.Err() != nil {
		return err
	}
	return nil
}

// run carries out one command. Here is the one place that looks at permissions.
func (c *connection) run(ctx context.Context, s statement) error {
	cmd, err := find(s)
	if err != nil {
		return err
	}
	if c.session.Permission < cmd.permission {
		return pgerr.ConsoleDenied.With()
	}
	if err := cmd.checkArgument(s); err != nil {
		return err
	}
	switch {
	case cmd.result != nil:
		err = c.show(ctx, cmd)
	case cmd.notice != nil:
		c.notice(cmd.notice(commands))
	default:
		err = c.act(ctx, cmd, s)
	}
	if err != nil {
		return err
	}
	c.out = wire.AppendTag(c.out, cmd.tag(s))
	return nil
}

func (c *connection) show(ctx context.Context, cmd *command) error {
	ctx, cancel := context.WithTimeout(ctx, snapshotTimeout)
	defer cancel()
	snapshot, err := c.ctl.Snapshot(ctx, cmd.sections)
	if err != nil {
		return fmt.Errorf("gather status: %w", err)
	}
	c.out = wire.AppendRowDescription(c.out, cmd.result.describe())
	c.out, err = cmd.result.render(c.out, snapshot, c.flushLarge)
	return err
}

func (c *connection) act(ctx context.Context, cmd *command, s statement) error {
	c.session.Log.LogAttrs(ctx, slog.LevelInfo, "console command", // without the value of SET: it may be a secret
		slog.String("user", c.session.User), slog.String("command", cmd.name), slog.String("argument", s.argument))
	s.by = c.session.who()
	if !cmd.waits {
		return cmd.act(ctx, c.ctl, s)
	}
	if err := c.flush(); err != nil {
		return err
	}
	select {
	case <-c.session.Canceled: // one that came too late for an earlier command
	default:
	}
	err := c.watch(ctx, func(ctx context.Context) error { return cmd.act(ctx, c.ctl, s) })
	if errors.Is(err, errCanceled) && cmd.undo != nil || errors.Is(err, errLeft) && cmd.undoOnLeave {
		if undoErr := cmd.undo(context.WithoutCancel(ctx), c.ctl, s); undoErr != nil {
			c.session.Log.LogAttrs(ctx, slog.LevelWarn, "console command not undone",
				slog.String("command", cmd.name), slog.Any("error", undoErr))
		}
	}
	return err
}

func (c *connection) notice(message, detail string) {
	c.out = wire.AppendError(c.out, wire.NoticeResponse,
		wire.ErrorPart{Field: wire.FieldSeverity, Value: "NOTICE"},
		wire.ErrorPart{Field: wire.FieldSeverityPlain, Value: "NOTICE"},
		wire.ErrorPart{Field: wire.FieldCode, Value: "00000"},
		wire.ErrorPart{Field: wire.FieldMessage, Value: message},
		wire.ErrorPart{Field: wire.FieldDetail, Value: detail},
	)
}

// flushLarge writes out when enough has come together. It is a flusher.
func (c *connection) flushLarge(out []byte) ([]byte, error) {
	if len(out) < flushAt {
		return out, nil
	}
	c.out = out
	err := c.flush()
	return c.out, err
}

func (c *connection) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return writeError{fmt.Errorf("write to console client: %w", err)}
	}
	_, err := c.conn.Write(c.out)
	c.out = c.out[:0]
	if err != nil {
		return writeError{fmt.Errorf("write to console client: %w", err)}
	}
	return nil
}
