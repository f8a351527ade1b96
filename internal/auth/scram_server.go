package auth

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/xdg-go/scram"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
)

// scramServer is the part of an exchange that remembers what was said: the library judges it, and the
// ClientKey is found in it afterwards.
type scramServer struct {
	exchange     *Exchange
	binding      Binding
	verifier     Verifier
	conversation *scram.ServerConversation
	clientFirst  string
	serverFirst  string
}

func (e *Exchange) beginSCRAM(users *Users, binding Binding) {
	s := &scramServer{exchange: e, binding: binding, verifier: users.mockVerifier(e.name)}
	if e.user != nil {
		if v, ok := e.user.verifier(); ok {
			s.verifier = v
		}
	}
	var mechanisms []byte
	if len(binding.EndPoint) > 0 {
		mechanisms = append(append(mechanisms, mechanismPlus...), 0)
	}
	mechanisms = append(append(mechanisms, mechanism...), 0, 0)
	e.send = wire.AppendAuth(nil, wire.AuthSASL, mechanisms)
	e.next = s.first
}

// first takes a SASLInitialResponse: a mechanism's name, a length, and the client-first-message.
func (s *scramServer) first(body []byte) (reply []byte, done bool, err error) {
	name, rest, ok := bytes.Cut(body, []byte{0})
	if !ok || len(rest) < 4 {
		return nil, false, malformed("malformed SASLInitialResponse", nil)
	}
	plus := string(name) == mechanismPlus
	if !plus && string(name) != mechanism || plus && len(s.binding.EndPoint) == 0 {
		return nil, false, malformed("client selected an invalid SASL authentication mechanism", nil)
	}
	length := int32(binary.BigEndian.Uint32(rest))
	message := rest[4:]
	if length == -1 && len(message) == 0 {
		return nil, false, malformed("SASL initial response is empty", nil)
	}
	if int(length) != len(message) {
		return nil, false, malformed("malformed SASLInitialResponse", nil)
	}
	if err := checkSASL(message); err != nil {
		return nil, false, err
	}
	// The mechanism and the flag in the message must say the same, or somebody between has changed one of them.
	if plus != bytes.HasPrefix(message, []byte("p=")) {
		return nil, false, malformed("malformed SCRAM message",
			errors.New("the channel binding flag does not fit the mechanism"))
	}
	if !bytes.HasSuffix(gs2Header(message), []byte(",,")) {
		return nil, false, malformed("client uses authorization identity, but it is not supported", nil)
	}
	// The name in the message is not used, as in PostgreSQL.
	lookup := func(string) (scram.StoredCredentials, error) {
		return scram.StoredCredentials{
			KeyFactors: scram.KeyFactors{Salt: string(s.verifier.Salt), Iters: s.verifier.Iterations},
			StoredKey:  s.verifier.StoredKey[:], ServerKey: s.verifier.ServerKey[:],
		}, nil
	}
	server, err := scram.SHA256.NewServer(lookup)
	if err != nil {
		return nil, false, malformed("malformed SCRAM message", err)
	}
	s.conversation = server.NewConversationWithChannelBinding(s.binding.channel())
	s.clientFirst = string(message)
	s.serverFirst, err = s.conversation.Step(s.clientFirst)
	if err != nil {
		return nil, false, s.refused(s.serverFirst, err)
	}
	s.exchange.next = s.final
	return wire.AppendAuth(nil, wire.AuthSASLContinue, []byte(s.serverFirst)), false, nil
}

// final takes a SASLResponse: the client-final-message.
func (s *scramServer) final(body []byte) (reply []byte, done bool, err error) {
	if err := checkSASL(body); err != nil {
		return nil, false, err
	}
	answer, err := s.conversation.Step(string(body))
	if err != nil {
		return nil, false, s.refused(answer, err)
	}
	if s.exchange.user == nil || !s.conversation.Valid() {
		return nil, false, s.exchange.wrong(errMismatch)
	}
	keys, err := s.recover(string(body))
	if err != nil {
		return nil, false, s.exchange.wrong(err)
	}
	s.exchange.keys = keys
	return wire.AppendAuth(nil, wire.AuthSASLFinal, []byte(answer)), true, nil
}

// refused is the error for a message that the library did not accept.
func (s *scramServer) refused(answer string, cause error) error {
	switch answer {
	case scram.ErrInvalidProof:
		return s.exchange.wrong(errMismatch)
	case scram.ErrServerDoesSupportChannelBinding, scram.ErrChannelBindingsDontMatch,
		scram.ErrChannelBindingNotSupported, scram.ErrUnsupportedChannelBindingType:
		return pgerr.TrustFailed.With(s.exchange.name).Because(fmt.Errorf("SCRAM channel binding: %s", answer[2:]))
	}
	return malformed("malformed SCRAM message", cause)
}

// recover finds the ClientKey in a proof that was right: ClientProof = ClientKey XOR HMAC(StoredKey,
// AuthMessage) (RFC 5802, section 3).
func (s *scramServer) recover(clientFinal string) (*Keys, error) {
	bare := s.clientFirst[len(gs2Header([]byte(s.clientFirst))):]
	withoutProof, encoded, ok := cutLast(clientFinal, ",p=")
	proof, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(proof) != sha256.Size {
		return nil, errors.New("no proof in the client's final message")
	}
	signature := hmacSum(s.verifier.StoredKey[:], bare+","+s.serverFirst+","+withoutProof)
	keys := &Keys{ServerKey: s.verifier.ServerKey}
	subtle.XORBytes(keys.ClientKey[:], proof, signature[:])
	if sha256.Sum256(keys.ClientKey[:]) != s.verifier.StoredKey {
		return nil, errors.New("the client's proof does not hold the client key")
	}
	return keys, nil
}

// gs2Header is the part of a client-first-message up to its second comma.
func gs2Header(message []byte) []byte {
	seen := 0
	for i, b := range message {
		if b == ',' {
			if seen++; seen == 2 {
				return message[:i+1]
			}
		}
	}
	return message
}

func cutLast(s, separator string) (before, after string, ok bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

// checkSASL refuses what no SCRAM message is: too long, or with a NUL byte in it.
func checkSASL(message []byte) error {
	if len(message) == 0 || len(message) > maxSASLLen || bytes.IndexByte(message, 0) >= 0 {
		return malformed("malformed SCRAM message",
			fmt.Errorf("%d bytes, expected 1 to %d without NUL", len(message), maxSASLLen))
	}
	return nil
}
