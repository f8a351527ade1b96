package auth

import "sync"

// Credentials are what usher knows to log in to a server as a user. They may be used by many logins at a
// time.
type Credentials struct {
	user   string
	secret Secret
	keys   *Keys
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
	switch {
	case c.secret.kind == KindPlain:
		return c.secret.derived.of(c.secret.text, salt, iterations), true
	case c.keys != nil:
		return *c.keys, true
	}
	return Keys{}, false
}

// derivation remembers the keys of a password for the salt that a server named last. All copies of a Secret
// share it, so that opening a hundred server connections costs one key derivation, not a hundred.
type derivation struct {
	// mutex guards all below. It is not held while keys are derived.
	mutex      sync.Mutex
	salt       string
	iterations int
	keys       Keys
}

func (d *derivation) of(password, salt string, iterations int) Keys {
	d.mutex.Lock()
	if d.salt == salt && d.iterations == iterations {
		defer d.mutex.Unlock()
		return d.keys
	}
	d.mutex.Unlock()
	keys := derive(password, []byte(salt), iterations)
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.salt, d.iterations, d.keys = salt, iterations, keys
	return keys
}
