package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/xdg-go/stringprep"
)

const (
	verifierPrefix = "SCRAM-SHA-256$"

	// DefaultIterations and saltLen are those of PostgreSQL: SCRAM_SHA_256_DEFAULT_ITERATIONS and
	// SCRAM_DEFAULT_SALT_LEN in common/scram-common.h.
	DefaultIterations = 4096
	saltLen           = 16

	// MaxIterations is the highest iteration count usher computes with. PostgreSQL has no such limit, and a
	// hostile server could keep a CPU busy for hours (pgjdbc's CVE-2026-42198); this one is some tenths of a
	// second.
	MaxIterations = 1_000_000

	// maxSaltLen bounds a salt: it must fit into a SASL message.
	maxSaltLen = 512
)

// Verifier is what a server stores to check SCRAM-SHA-256 proofs (RFC 5802, section 3).
type Verifier struct {
	Iterations int
	Salt       []byte
	StoredKey  [sha256.Size]byte
	ServerKey  [sha256.Size]byte
}

// Keys are the secrets of a user that a won SCRAM exchange shows to the side that holds the verifier.
type Keys struct {
	ClientKey [sha256.Size]byte
	ServerKey [sha256.Size]byte
}

// String hides the keys.
func (Keys) String() string { return "(SCRAM keys)" }

// GoString hides the keys.
func (Keys) GoString() string { return "(SCRAM keys)" }

var errVerifier = errors.New(
	"not a SCRAM verifier, expected SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey")

// ParseVerifier reads the form of pg_authid.rolpassword. Errors hold nothing of the text.
func ParseVerifier(text string) (Verifier, error) {
	rest, ok := strings.CutPrefix(text, verifierPrefix)
	if !ok {
		return Verifier{}, errVerifier
	}
	head, tail, ok := strings.Cut(rest, "$")
	if !ok {
		return Verifier{}, errVerifier
	}
	count, salt, ok := strings.Cut(head, ":")
	if !ok {
		return Verifier{}, errVerifier
	}
	stored, server, ok := strings.Cut(tail, ":")
	if !ok {
		return Verifier{}, errVerifier
	}
	var v Verifier
	var err error
	if v.Iterations, err = parseIterations(count); err != nil {
		return Verifier{}, fmt.Errorf("SCRAM verifier: %w", err)
	}
	if v.Salt, err = parseSalt(salt); err != nil {
		return Verifier{}, fmt.Errorf("SCRAM verifier: %w", err)
	}
	if !decodeKey(&v.StoredKey, stored) || !decodeKey(&v.ServerKey, server) {
		return Verifier{}, fmt.Errorf("SCRAM verifier: keys must be %d bytes in base64", sha256.Size)
	}
	return v, nil
}

// NewVerifier is a verifier of a password with a salt of its own.
func NewVerifier(password string) Verifier {
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // crypto/rand never fails
	return derive(password, salt, DefaultIterations).verifier(salt, DefaultIterations)
}

// Text is the form of pg_authid.rolpassword. It is a secret: who reads it can pretend to be the server.
func (v Verifier) Text() string {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s%d:%s$%s:%s", verifierPrefix, v.Iterations, encode(v.Salt), encode(v.StoredKey[:]),
		encode(v.ServerKey[:]))
}

// Secret is the secret that holds this verifier.
func (v Verifier) Secret() Secret { return Secret{kind: KindSCRAM, verifier: v} }

// String hides the verifier.
func (v Verifier) String() string { return "(SCRAM verifier)" }

// GoString hides the verifier.
func (v Verifier) GoString() string { return v.String() }

func (v Verifier) equal(other Verifier) bool {
	return v.Iterations == other.Iterations && bytes.Equal(v.Salt, other.Salt) &&
		v.StoredKey == other.StoredKey && v.ServerKey == other.ServerKey
}

// accepts checks a password. It costs what deriving the keys costs.
func (v Verifier) accepts(password string) bool {
	k := derive(password, v.Salt, v.Iterations)
	return subtle.ConstantTimeCompare(k.ServerKey[:], v.ServerKey[:]) == 1
}

// derive computes the keys of a password (RFC 5802, section 3). iterations is at most MaxIterations.
func derive(password string, salt []byte, iterations int) Keys {
	salted, err := pbkdf2.Key(sha256.New, prepare(password), salt, iterations, sha256.Size)
	if err != nil {
		panic("bug: key derivation: " + err.Error()) // only a wrong count or size can fail
	}
	return Keys{ClientKey: hmacSum(salted, "Client Key"), ServerKey: hmacSum(salted, "Server Key")}
}

func (k Keys) verifier(salt []byte, iterations int) Verifier {
	return Verifier{
		Iterations: iterations, Salt: salt, StoredKey: sha256.Sum256(k.ClientKey[:]), ServerKey: k.ServerKey,
	}
}

// prepare normalises a password as PostgreSQL does: by SASLprep, and if that refuses it, not at all
// (pg_saslprep and its callers in libpq and in the server).
func prepare(password string) string {
	prepared, err := stringprep.SASLprep.Prepare(password)
	if err != nil || prepared == "" {
		return password
	}
	return prepared
}

func hmacSum(key []byte, text string) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	mac.Sum(sum[:0])
	return sum
}

func parseIterations(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n < 1 || n > MaxIterations {
		return 0, fmt.Errorf("iteration count must be a number from 1 to %d", MaxIterations)
	}
	return int(n), nil
}

func parseSalt(text string) ([]byte, error) {
	salt, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(salt) == 0 || len(salt) > maxSaltLen {
		return nil, fmt.Errorf("salt must be 1 to %d bytes in base64", maxSaltLen)
	}
	return salt, nil
}

func decodeKey(key *[sha256.Size]byte, text string) bool {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	return err == nil && copy(key[:], b) == len(key) && len(b) == len(key)
}
