package auth

import (
	"bytes"
	"crypto/rand"
	"errors"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
)

// Method is how a client proves who it is by a secret.
type Method int

// The methods with a secret. trust and cert need no exchange.
const (
	Password Method = iota
	MD5
	SCRAM
)

func (m Method) String() string { return [...]string{"password", "md5", "scram-sha-256"}[m] }

// MaxAnswerLen bounds a client's message during an exchange. No secret of a users file is longer than
// MaxSecretLen, and no SASL message longer than maxSASLLen; PostgreSQL takes up to 65535 bytes
// (PG_MAX_AUTH_TOKEN_LENGTH).
const MaxAnswerLen = 2 * MaxSecretLen

// maxSASLLen bounds a SASL message: PG_MAX_SASL_MESSAGE_LENGTH of PostgreSQL's libpq/sasl.h.
const maxSASLLen = 1024

// Exchange is usher's side of one client's authentication.
type Exchange struct {
	name string
	user *User // nil: nobody, or nobody who can use the method
	mock error // why user is nil, for the log
	next step
	send []byte
	keys *Keys
}

// step takes the body of a client's message and returns the next message to it.
type step func(body []byte) (reply []byte, done bool, err error)

// Begin begins an exchange with the client that calls itself name.
func (u *Users) Begin(method Method, name string, binding Binding) *Exchange {
	if u == nil {
		u = nobody()
	}
	e := &Exchange{name: name}
	user, ok := u.Lookup(name)
	if ok {
		e.user = user
	} else {
		e.mock = errors.New("no such user")
	}
	kind := u.mockKind
	if ok {
		kind = user.Secret.kind
	}
	switch {
	case kind == KindNone:
		e.refuse("the user has no password")
		kind = u.mockKind
	case kind == KindMD5 && method == SCRAM:
		e.refuse("the user's password is stored as an md5 hash, which SCRAM cannot use")
	}
	// As in PostgreSQL and PgBouncer a user with a SCRAM verifier authenticates with it under method md5 too.
	switch {
	case method == Password:
		e.send = wire.AppendAuth(nil, wire.AuthCleartext, nil)
		e.next = func(body []byte) ([]byte, bool, error) { return e.checkPassword(u, kind, body) }
	case method == MD5 && kind != KindSCRAM:
		salt := make([]byte, 4)
		_, _ = rand.Read(salt) // crypto/rand never fails
		e.send = wire.AppendAuth(nil, wire.AuthMD5, salt)
		e.next = func(body []byte) ([]byte, bool, error) { return e.checkMD5(salt, body) }
	default:
		e.beginSCRAM(u, binding)
	}
	return e
}

// refuse goes on with the mock of the user.
func (e *Exchange) refuse(reason string) {
	e.user = nil
	if e.mock == nil {
		e.mock = errors.New(reason)
	}
}

// Start is the message to send first.
func (e *Exchange) Start() []byte { return e.send }

// Next takes the body of the client's answer. When it is done the client is who it says; reply, which may be
// nil, goes to the client before AuthenticationOk. An error ends the exchange; it is a *pgerr.Error.
func (e *Exchange) Next(body []byte) (reply []byte, done bool, err error) {
	if e.next == nil {
		panic("bug: authentication goes on after its end")
	}
	next := e.next
	e.next = nil
	return next(body)
}

// Keys are what a SCRAM exchange that is done has shown, for pass-through to a server. nil after other
// methods.
func (e *Exchange) Keys() *Keys { return e.keys }

func (e *Exchange) wrong(reason error) error {
	if e.mock != nil {
		reason = e.mock
	}
	return pgerr.WrongPassword.With(e.name).Because(reason)
}

var errMismatch = errors.New("the password does not match")

func malformed(what string, cause error) error {
	return pgerr.ProtocolViolation.With(what).Because(cause)
}

// passwordText is the text of a PasswordMessage.
func passwordText(body []byte) (string, error) {
	i := bytes.IndexByte(body, 0)
	if i < 0 || i != len(body)-1 {
		return "", malformed("invalid password packet size", nil)
	}
	return string(body[:i]), nil
}

func (e *Exchange) checkPassword(users *Users, kind Kind, body []byte) (reply []byte, done bool, err error) {
	password, err := passwordText(body)
	if err != nil {
		return nil, false, err
	}
	var secret Secret // of nobody: nothing is equal to it, and the comparison is of the usual length
	switch {
	case e.user != nil:
		secret = e.user.Secret
	case kind == KindSCRAM:
		secret = Secret{kind: KindSCRAM, verifier: users.mockVerifier(e.name)}
	default:
		random := rand.Text()
		secret = Secret{kind: kind, text: md5Digits(random, e.name)}
	}
	matches := false
	switch secret.kind {
	case KindPlain:
		matches = equalConstantTime(secret.text, password)
	case KindMD5:
		matches = equalConstantTime(secret.text, md5Digits(password, e.name))
	case KindSCRAM:
		matches = secret.verifier.accepts(password)
	}
	if password == "" || !matches || e.user == nil {
		return nil, false, e.wrong(errMismatch)
	}
	return nil, true, nil
}

func (e *Exchange) checkMD5(salt, body []byte) (reply []byte, done bool, err error) {
	answer, err := passwordText(body)
	if err != nil {
		return nil, false, err
	}
	digits := md5Digits(rand.Text(), e.name) // of nobody
	if e.user != nil && e.user.Secret.kind == KindMD5 {
		digits = e.user.Secret.text
	} else if e.user != nil {
		digits = md5Digits(e.user.Secret.text, e.name)
	}
	if !equalConstantTime(md5Answer(digits, salt), answer) || e.user == nil {
		return nil, false, e.wrong(errMismatch)
	}
	return nil, true, nil
}
