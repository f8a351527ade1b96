package login

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
)

// Passed is an error that a server has worded: the client is sent the body as it is.
type Passed interface {
	error
	ErrorResponse() []byte
}

// farewell is how long a client may take to receive the error it is closed with.
const farewell = time.Second

// errLeft ends a login without a word: the client has gone, or has said goodbye.
var errLeft = errors.New("the client left")

// reason is what a client is told about an error, nil for nothing, and how important that is to the operator.
func reason(ctx context.Context, err error) (told *pgerr.Error, level slog.Level) {
	if told, ok := errors.AsType[*pgerr.Error](err); ok {
		return told, told.Row.Level
	}
	switch {
	case errors.Is(err, errLeft), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return nil, slog.LevelDebug
	case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
		told = pgerr.ShuttingDown.With()
	case errors.Is(err, os.ErrDeadlineExceeded):
		told = pgerr.LoginTimeout.With()
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		told = pgerr.NoDescriptors.With()
	case errors.Is(err, wire.ErrStartup):
		told = pgerr.ProtocolViolation.With("invalid length of startup packet")
	case errors.Is(err, wire.ErrLength):
		told = pgerr.ProtocolViolation.With("invalid message length")
	default:
		return nil, slog.LevelInfo
	}
	return told, told.Row.Level
}

// fail tells the log and the client, and closes the client.
func (a *attempt) fail(ctx context.Context, err error) {
	told, level := reason(ctx, err)
	if log := a.server.options.Log; log.Enabled(ctx, level) {
		log.LogAttrs(ctx, level, "login failed", slog.Any("error", err),
			slog.String("remote", a.client.Remote.String()), slog.String("user", a.client.User),
			slog.String("database", a.client.Database))
	}
	_ = a.client.Carrier.SetDeadline(time.Now().Add(farewell))
	if passed, ok := errors.AsType[Passed](err); ok && told == nil {
		body := passed.ErrorResponse()
		message := append(a.client.due, byte(wire.ErrorResponse))
		message = binary.BigEndian.AppendUint32(message, uint32(4+len(body)))
		_, _ = a.client.stream().Write(append(message, body...))
	} else if told != nil && !a.mute {
		_ = a.client.Refuse(told)
	}
	_ = a.client.Close()
}
