package routing

import (
	"errors"
	"strings"

	"github.com/usher-pg/usher/internal/backend"
)

// Worded lets a client of a route have the server's own words about why there is no server connection: that
// the database does not exist, say. It learns nothing about the authentication of a user it has never heard
// of, and is not sent what has no SQLSTATE or no message, which clients fail on.
func (r *Route) Worded(err error) error {
	refusal, ok := errors.AsType[*backend.ServerError](err)
	if !ok || len(refusal.Code()) != sqlstateLen || refusal.Message() == "" {
		return err
	}
	if r.key.user == "" && strings.HasPrefix(refusal.Code(), authorizationClass) {
		return err
	}
	return refusal
}

const (
	sqlstateLen = 5
	// authorizationClass begins the SQLSTATEs of class "Invalid Authorization Specification".
	authorizationClass = "28"
)
