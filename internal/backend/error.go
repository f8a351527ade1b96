package backend

import (
	"errors"
	"fmt"
	"slices"

	"github.com/usher-pg/usher/internal/wire"
)

// ErrProtocol is wrapped by the error for a server that breaks the protocol.
var ErrProtocol = errors.New("the server broke the protocol")

// ServerError is an ErrorResponse with which a server refused a login.
type ServerError struct {
	Body []byte // of the ErrorResponse, to be passed on as it is; any field may be absent
}

// Code is the SQLSTATE, or empty.
func (e *ServerError) Code() string { return e.field(wire.FieldCode) }

// Message is the primary message, or empty.
func (e *ServerError) Message() string { return e.field(wire.FieldMessage) }

func (e *ServerError) field(f wire.ErrorField) string {
	return string(wire.ErrorFieldValue(e.Body, f))
}

func (e *ServerError) Error() string {
	return fmt.Sprintf("the server says: %q (SQLSTATE %q)", e.Message(), e.Code())
}

func newServerError(body []byte) *ServerError { return &ServerError{Body: slices.Clone(body)} }

// forbidden reports whether the server refused the kind of connection, so that another kind may be let in.
func forbidden(err error) bool {
	e, ok := errors.AsType[*ServerError](err)
	return ok && e.Code() == "28000"
}

// ErrorResponse is Body. By it package login passes the error on to a client as it is.
func (e *ServerError) ErrorResponse() []byte { return e.Body }
