package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Kind is the form of a secret.
type Kind int

// The kinds of secret.
const (
	KindNone Kind = iota // no password: no method but trust and cert lets the user in
	KindPlain
	KindMD5
	KindSCRAM
)

func (k Kind) String() string {
	return [...]string{"none", "plain", "md5", "scram-sha-256"}[k]
}

// Secret is a password or what is stored in its place. It never prints itself.
type Secret struct {
	kind     Kind
	text     string // KindPlain: the password; KindMD5: the 32 hexadecimal digits
	verifier Verifier
	derived  *derivation // of a plain password
}

// ParseSecret reads a secret as PostgreSQL's pg_authid and PgBouncer's users file hold it: a password, "md5"
// and 32 hexadecimal digits, or a SCRAM verifier. An empty one is no password.
func ParseSecret(text string) (Secret, error) {
	switch {
	case text == "":
		return Secret{}, nil
	case strings.IndexByte(text, 0) >= 0:
		return Secret{}, errors.New("NUL byte in a password")
	case isMD5Hash(text):
		return Secret{kind: KindMD5, text: text[len(md5Prefix):]}, nil
	case strings.HasPrefix(text, verifierPrefix):
		v, err := ParseVerifier(text)
		if err != nil {
			return Secret{}, err
		}
		return Secret{kind: KindSCRAM, verifier: v}, nil
	}
	return PlainSecret(text), nil
}

// PlainSecret is a secret that is a password, whatever it looks like.
func PlainSecret(password string) Secret {
	if password == "" {
		return Secret{}
	}
	return Secret{kind: KindPlain, text: password, derived: &derivation{}}
}

// Kind is the form of the secret.
func (s Secret) Kind() Kind { return s.kind }

// Equal reports whether two secrets are the same. It is for a reload to find out what changed, not for
// logins.
func (s Secret) Equal(other Secret) bool {
	return s.kind == other.kind && s.text == other.text && s.verifier.equal(other.verifier)
}

// String hides the secret.
func (s Secret) String() string { return fmt.Sprintf("(%s secret)", s.kind) }

// GoString hides the secret.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
