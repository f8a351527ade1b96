// Package pgerr is the one table of errors a client of usher can see. Nothing else builds an ErrorResponse; a server's
// own errors pass through untouched. Every row has an SQLSTATE, a severity, a log level, a text and, where there is
// something to do about it, a hint.
//
// A row is turned into an error with New or Row.With: the detail is for the client, the cause is for the log only.
package pgerr

import (
	"fmt"
	"log/slog"

	"github.com/usher-pg/usher/internal/wire"
)

// Severity says what a client does with an error: an Error ends the statement, a Fatal ends the connection.
type Severity string

// The severities usher sends.
const (
	SeverityError Severity = "ERROR"
	SeverityFatal Severity = "FATAL"
)

// Row is an entry of the table.
type Row struct {
	Code     string // SQLSTATE
	Severity Severity
	Level    slog.Level
	Message  string // may hold one %s or %q, filled by With
	Hint     string
}

// Error is a row with its particulars. It is what every package returns for something a client shall be told.
type Error struct {
	Row     *Row
	Message string
	Detail  string
	Hint    string
	Cause   error // for the log; never sent
}

// With is an error of this row. The arguments fill the row's message.
func (r *Row) With(args ...any) *Error {
	message := r.Message
	if len(args) > 0 {
		message = fmt.Sprintf(r.Message, args...)
	}
	return &Error{Row: r, Message: message, Hint: r.Hint}
}

// WithDetail adds a detail line for the client.
func (e *Error) WithDetail(format string, args ...any) *Error {
	e.Detail = fmt.Sprintf(format, args...)
	return e
}

// WithHint replaces the row's hint.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// Because adds the cause, which goes to the log only.
func (e *Error) Because(cause error) *Error {
	e.Cause = cause
	return e
}

// Error is the text for the log: message, and cause if there is one.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Append appends the ErrorResponse.
func (e *Error) Append(dst []byte) []byte {
	return wire.AppendError(dst, wire.ErrorResponse,
		wire.ErrorPart{Field: wire.FieldSeverity, Value: string(e.Row.Severity)},
		wire.ErrorPart{Field: wire.FieldSeverityPlain, Value: string(e.Row.Severity)},
		wire.ErrorPart{Field: wire.FieldCode, Value: e.Row.Code},
		wire.ErrorPart{Field: wire.FieldMessage, Value: e.Message},
		wire.ErrorPart{Field: wire.FieldDetail, Value: e.Detail},
		wire.ErrorPart{Field: wire.FieldHint, Value: e.Hint},
	)
}
