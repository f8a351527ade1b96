package auth

import (
	"sync"
)

// Credentials are what usher knows to log in to a server as a user. They may be used by many logins at a
// time.
type Credentials struct {
	user   string
	secret Secret
	keys   *Keys

	// mu guards derived and its source: the keys of a plain password for the salt the server named last. Opening
	// a hundred server connections then costs one key derivation, not a hundred.
	mu         sync.Mutex
	salt       string
	iterations int
	derived    Keys
}

// NewCredentials are those of a user with a secret. keys, which may be nil, are those of a SCRAM exchange
// that the user has won here; they are used where the secret is not a password.
func NewCredentials(user string, secret Secret, keys *Keys) *Credentials {
	return &Credentials{user: user, secret: secret, keys: keys}
}

// User is the name to log in with.
func (c *Credentials) User() string { return c.user }

// scramKeys are the keys for a salt and an iteration count. ok is false if SCRAM is not possible.
func (c *Credentials) scramKeys(salt string, iterations int) (keys Keys, ok bool) {
	if c.secret.kind != KindPlain {
		if c.keys == nil {
			return Keys{}, false
		}
		return *c.keys, true
	}
	c.mu.Lock()
	if c.salt == salt && c.iterations == iterations {
		defer c.mu.Unlock()
		return c.derived, true
	}
	c.mu.Unlock()
	keys = derive(c.secret.text, []byte(salt), iterations)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.salt, c.iterations, c.derived = salt, iterations, keys
	return keys, true
}
