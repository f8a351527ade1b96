//go:build integration

package conformance

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/lib/pq"
)

// SQLSTATEs the tests look for.
const (
	queryCanceled     = "57014"
	adminShutdown     = "57P01"
	cannotConnectNow  = "57P03"
	divisionByZero    = "22012"
	undefinedTable    = "42P01"
	uniqueViolation   = "23505"
	invalidPassword   = "28P01"
	noSuchDatabase    = "3D000"
	failedTransaction = "25P02"
	undefinedPrepared = "26000"
	protocolViolation = "08P01"
	featureNotThere   = "0A000"
)

func asPgError(err error, into **pgconn.PgError) bool { return errors.As(err, into) }

// sqlState is the code of a server's error, whichever driver reports it; "" if the error is none.
func sqlState(err error) string {
	var fromPgx *pgconn.PgError
	if errors.As(err, &fromPgx) {
		return fromPgx.Code
	}
	var fromPq *pq.Error
	if errors.As(err, &fromPq) {
		return string(fromPq.Code)
	}
	return ""
}

func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
