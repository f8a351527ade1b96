package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

type scramState int

const (
	scramBegun scramState = iota
	scramProved
	scramVerified
)

// scramClient is usher's side of a SCRAM-SHA-256 exchange with a server (RFC 5802, RFC 7677).
type scramClient struct {
	credentials *Credentials
	mechanism   string
	header      string // gs2-header
	binding     []byte // channel binding data behind the header
	nonce       string
	state       scramState
	signature   [sha256.Size]byte // what the server will have to show
}

func newSCRAMClient(c *Credentials, name string, binding Binding) *scramClient {
	s := &scramClient{credentials: c, mechanism: name, header: "n,,", nonce: rand.Text()}
	switch {
	case name == mechanismPlus:
		s.header, s.binding = "p=tls-server-end-point,,", binding.EndPoint
	case len(binding.EndPoint) > 0:
		s.header = "y,," // could bind, but saw no offer: if the server made one, it will notice who hid it
	}
	return s
}

// bare is the client-first-message without its header. The name is empty as libpq's: the server has it from
// the start-up packet.
func (s *scramClient) bare() string { return "n=,r=" + s.nonce }

// first is the body of the SASLInitialResponse.
func (s *scramClient) first() []byte {
	message := s.header + s.bare()
	b := append([]byte(s.mechanism), 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(message)))
	return append(b, message...)
}

// final answers the server-first-message.
func (s *scramClient) final(serverFirst string) ([]byte, error) {
	if s.state != scramBegun {
		return nil, fmt.Errorf("SCRAM: a second challenge: %w", ErrBadServer)
	}
	nonce, salt, iterations, err := parseServerFirst(serverFirst)
	if err != nil {
		return nil, fmt.Errorf("SCRAM: %w: %w", err, ErrBadServer)
	}
	if !strings.HasPrefix(nonce, s.nonce) || len(nonce) == len(s.nonce) {
		return nil, fmt.Errorf("SCRAM: the server's nonce does not extend the client's: %w", ErrBadServer)
	}
	keys, ok := s.credentials.scramKeys(string(salt), iterations)
	if !ok {
		return nil, fmt.Errorf("the server asks user %q for SCRAM: %w", s.credentials.user, ErrNoPassword)
	}
	channel := base64.StdEncoding.EncodeToString(append([]byte(s.header), s.binding...))
	withoutProof := "c=" + channel + ",r=" + nonce
	message := s.bare() + "," + serverFirst + "," + withoutProof
	storedKey := sha256.Sum256(keys.ClientKey[:])
	proof := hmacSum(storedKey[:], message)
	subtle.XORBytes(proof[:], proof[:], keys.ClientKey[:])
	s.signature = hmacSum(keys.ServerKey[:], message)
	s.state = scramProved
	return []byte(withoutProof + ",p=" + base64.StdEncoding.EncodeToString(proof[:])), nil
}

// verify checks the server-final-message: that the server knows the secret too.
func (s *scramClient) verify(serverFinal string) error {
	if s.state != scramProved {
		return fmt.Errorf("SCRAM: an end out of turn: %w", ErrBadServer)
	}
	encoded, ok := strings.CutPrefix(serverFinal, "v=")
	signature, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || subtle.ConstantTimeCompare(signature, s.signature[:]) != 1 {
		return fmt.Errorf("SCRAM: the server does not know the user's secret: %w", ErrBadServer)
	}
	s.state = scramVerified
	return nil
}

// parseServerFirst reads "r=nonce,s=salt,i=iterations" and whatever extensions follow. A mandatory extension
// (m=) comes first and is refused by that.
func parseServerFirst(message string) (nonce string, salt []byte, iterations int, err error) {
	if len(message) > maxSASLLen || strings.IndexByte(message, 0) >= 0 {
		return "", nil, 0, fmt.Errorf("server message of %d bytes, expected at most %d without NUL", len(message),
			maxSASLLen)
	}
	fields := strings.SplitN(message, ",", 4)
	if len(fields) < 3 || !strings.HasPrefix(fields[0], "r=") || !strings.HasPrefix(fields[1], "s=") ||
		!strings.HasPrefix(fields[2], "i=") {
		return "", nil, 0, errors.New("expected nonce, salt and iteration count from the server")
	}
	if salt, err = parseSalt(fields[1][2:]); err != nil {
		return "", nil, 0, err
	}
	if iterations, err = parseIterations(fields[2][2:]); err != nil {
		return "", nil, 0, err
	}
	return fields[0][2:], salt, iterations, nil
}
