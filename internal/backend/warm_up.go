package backend

import (
	"fmt"

	"github.com/usher-pg/usher/internal/wire"
)

// maxWarmUpMessage bounds a message a warm-up statement may be answered with. Its rows are thrown away.
const maxWarmUpMessage = 1 << 20

// warmUp executes what the operator wants a connection to have executed before it is given to anybody.
func (l *loginState) warmUp() error {
	for _, sql := range l.conn.config.WarmUp {
		if err := l.execute(sql); err != nil {
			return fmt.Errorf("warm up with %q: %w", sql, err)
		}
	}
	return nil
}

// execute executes a statement and returns when the server is ready again.
func (l *loginState) execute(sql string) error {
	if _, err := l.conn.stream().Write(wire.AppendQuery(nil, sql)); err != nil {
		return err
	}
	var failed error
	for {
		t, body, err := l.reader.Message(maxWarmUpMessage)
		if err != nil {
			return err
		}
		switch t {
		case wire.ErrorResponse:
			failed = newServerError(body)
		case wire.ParameterStatus:
			if err := l.parameter(body); err != nil {
				return err
			}
		case wire.CopyInResponse, wire.CopyBothResponse:
			return fmt.Errorf("it asks for data, by message %v", t)
		case wire.ReadyForQuery:
			if failed != nil {
				return failed
			}
			return l.end(body)
		}
	}
}
