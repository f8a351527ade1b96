package console

import (
	"errors"
	"log/slog"
	"strings"
	"unicode/utf8"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/status"
)

// What a refusal of the controller looks like to a client.
var (
	noSuchPool    = refusal("3D000")
	noSuchObject  = refusal("42704")
	invalidValue  = refusal("22023")
	notChangeable = refusal("55P02")
	invalidConfig = refusal("F0000")
	notSupported  = refusal("0A000")
	internalError = refusal("XX000")
)

func refusal(code string) *pgerr.Row {
	return &pgerr.Row{Code: code, Severity: pgerr.SeverityError, Level: slog.LevelInfo, Message: "%s"}
}

var rowOfCause = map[status.Cause]*pgerr.Row{
	status.NoSuchPool:    noSuchPool,
	status.NoSuchClient:  noSuchObject,
	status.NoSuchOption:  noSuchObject,
	status.WrongState:    pgerr.ConsoleFailed,
	status.NotChangeable: notChangeable,
	status.InvalidValue:  invalidValue,
	status.InvalidConfig: invalidConfig,
	status.NotSupported:  notSupported,
}

// asClientError is what the client is told about an error.
func asClientError(err error) *pgerr.Error {
	if known, ok := errors.AsType[*pgerr.Error](err); ok {
		return known
	}
	if refused, ok := errors.AsType[*status.Refusal](err); ok {
		row, ok := rowOfCause[refused.Cause]
		if !ok {
			row = pgerr.ConsoleFailed
		}
		return row.With(clean(refused.Text))
	}
	if errors.Is(err, errCanceled) {
		return pgerr.Cancelled.With()
	}
	return internalError.With(clean(err.Error())).Because(err)
}

// maxEcho is how much of a query an error repeats: enough to recognise it.
const maxEcho = 256

func invalidCommand(query string) error {
	query = strings.TrimSpace(query)
	if len(query) > maxEcho {
		query = query[:maxEcho] + "…"
	}
	return pgerr.ConsoleSyntax.With("invalid command '" + clean(query) + "', use SHOW HELP;")
}

func badArguments() error { return pgerr.ConsoleSyntax.With("bad arguments") }

// clean makes a text fit for a message: valid UTF-8 (the console's client_encoding) without NUL.
func clean(text string) string {
	if utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 {
		return text
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "�"), "\x00", "�")
}
