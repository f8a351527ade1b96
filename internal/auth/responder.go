package auth

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/usher-pg/usher/internal/wire"
)

// ErrNoPassword is wrapped by the error for a server that asks for a proof which the credentials cannot give.
var ErrNoPassword = errors.New("no password for the server")

// ErrBadServer is wrapped by the error for a server that breaks the rules of an authentication.
var ErrBadServer = errors.New("the server broke the authentication protocol")

// Responder answers the authentication requests of one server.
type Responder struct {
	credentials *Credentials
	binding     Binding
	scram       *scramClient
	answered    bool // cleartext or md5: the server may say yes or no now
}

// Begin begins a login at a server.
func (c *Credentials) Begin(binding Binding) *Responder {
	return &Responder{credentials: c, binding: binding}
}

// Answer takes the body of an Authentication message. reply is the message to send, nil for none. done is
// true when the server has let usher in.
func (r *Responder) Answer(body []byte) (reply []byte, done bool, err error) {
	if len(body) < 4 {
		return nil, false, fmt.Errorf("authentication request of %d bytes: %w", len(body), ErrBadServer)
	}
	code, data := binary.BigEndian.Uint32(body), body[4:]
	if code == wire.AuthOK {
		return nil, true, r.mayEnd()
	}
	var answer []byte
	switch code {
	case wire.AuthCleartext:
		answer, err = r.cleartext()
	case wire.AuthMD5:
		answer, err = r.md5(data)
	case wire.AuthSASL:
		answer, err = r.beginSCRAM(data)
	case wire.AuthSASLContinue:
		if r.scram == nil {
			return nil, false, fmt.Errorf("SASL goes on before it begins: %w", ErrBadServer)
		}
		answer, err = r.scram.final(string(data))
	case wire.AuthSASLFinal:
		if r.scram == nil {
			return nil, false, fmt.Errorf("SASL ends before it begins: %w", ErrBadServer)
		}
		return nil, false, r.scram.verify(string(data))
	default:
		return nil, false, fmt.Errorf("the server asks for authentication method %d, which usher does not have",
			code)
	}
	if err != nil {
		return nil, false, err
	}
	return wire.AppendPassword(nil, answer), false, nil
}

// mayEnd refuses a server that lets usher in before it has proved to know the user's secret itself.
func (r *Responder) mayEnd() error {
	if r.scram != nil && r.scram.state != scramVerified {
		return fmt.Errorf("login allowed in the middle of SCRAM: %w", ErrBadServer)
	}
	return nil
}

// once refuses a second question: a server that may ask again can make usher answer what it should not.
func (r *Responder) once() error {
	if r.answered || r.scram != nil {
		return fmt.Errorf("a second authentication method: %w", ErrBadServer)
	}
	return nil
}

func (r *Responder) cleartext() ([]byte, error) {
	if err := r.once(); err != nil {
		return nil, err
	}
	r.answered = true
	if r.credentials.secret.kind != KindPlain {
		return nil, fmt.Errorf("the server asks user %q for a plain password: %w", r.credentials.user,
			ErrNoPassword)
	}
	return append([]byte(r.credentials.secret.text), 0), nil
}

func (r *Responder) md5(salt []byte) ([]byte, error) {
	if err := r.once(); err != nil {
		return nil, err
	}
	r.answered = true
	if len(salt) != 4 {
		return nil, fmt.Errorf("md5 salt of %d bytes: %w", len(salt), ErrBadServer)
	}
	digits := r.credentials.secret.text
	switch r.credentials.secret.kind {
	case KindMD5:
	case KindPlain:
		digits = md5Digits(digits, r.credentials.user)
	default:
		return nil, fmt.Errorf("the server asks user %q for md5: %w", r.credentials.user, ErrNoPassword)
	}
	return append([]byte(md5Answer(digits, salt)), 0), nil
}

func (r *Responder) beginSCRAM(offer []byte) ([]byte, error) {
	if err := r.once(); err != nil {
		return nil, err
	}
	offered := strings.Split(string(offer), "\x00")
	if c := r.credentials; c.secret.kind != KindPlain && c.keys == nil {
		return nil, fmt.Errorf("the server asks user %q for SCRAM: %w", c.user, ErrNoPassword)
	}
	switch {
	case slices.Contains(offered, mechanismPlus) && len(r.binding.EndPoint) > 0:
		r.scram = newSCRAMClient(r.credentials, mechanismPlus, r.binding)
	case slices.Contains(offered, mechanism):
		r.scram = newSCRAMClient(r.credentials, mechanism, r.binding)
	default:
		return nil, fmt.Errorf("the server offers no SASL mechanism that usher has: %w", ErrBadServer)
	}
	return r.scram.first(), nil
}
