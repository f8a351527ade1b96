package auth

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"github.com/usher-pg/usher/internal/wire"
)

func request(code uint32, data string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, code), data...)
}

func TestServersThatBreakTheRulesAreRefused(t *testing.T) {
	t.Parallel()
	offer := "SCRAM-SHA-256\x00\x00"
	ask := func(r *Responder, requests ...[]byte) (err error) {
		for _, b := range requests {
			if _, _, err = r.Answer(b); err != nil {
				return err
			}
		}
		return nil
	}
	for name, requests := range map[string][][]byte{
		"too short":                     {{0, 0, 0}},
		"md5 salt too short":            {request(wire.AuthMD5, "abc")},
		"md5 twice":                     {request(wire.AuthMD5, "abcd"), request(wire.AuthMD5, "efgh")},
		"cleartext after md5":           {request(wire.AuthMD5, "abcd"), request(wire.AuthCleartext, "")},
		"cleartext in SCRAM":            {request(wire.AuthSASL, offer), request(wire.AuthCleartext, "")},
		"SCRAM twice":                   {request(wire.AuthSASL, offer), request(wire.AuthSASL, offer)},
		"let in in the middle of SCRAM": {request(wire.AuthSASL, offer), request(wire.AuthOK, "")},
		"no known mechanism":            {request(wire.AuthSASL, "PLAIN\x00\x00")},
		"SASL goes on first":            {request(wire.AuthSASLContinue, "r=")},
		"SASL ends first":               {request(wire.AuthSASLFinal, "v=")},
		"end before the challenge":      {request(wire.AuthSASL, offer), request(wire.AuthSASLFinal, "v=")},
	} {
		r := NewCredentials("alice", PlainSecret("x"), nil).Begin(Binding{})
		if err := ask(r, requests...); !errors.Is(err, ErrBadServer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := NewCredentials("alice", PlainSecret("x"), nil).Begin(Binding{})
	if err := ask(r, request(7, "")); err == nil || !strings.Contains(err.Error(), "method 7") {
		t.Errorf("GSS: %v", err)
	}
}

func TestServerChallengesAreChecked(t *testing.T) {
	t.Parallel()
	for name, format := range map[string]string{
		"nothing":             "",
		"not our nonce":       "r=xyz%.0s,s=c2FsdA==,i=4096",
		"no nonce of its own": "r=%s,s=c2FsdA==,i=4096",
		"no salt":             "r=%sx,s=,i=4096",
		"salt is no base64":   "r=%sx,s=!,i=4096",
		"no iterations":       "r=%sx,s=c2FsdA==,i=0",
		"too many iterations": "r=%sx,s=c2FsdA==,i=2000000000",
		"iterations overflow": "r=%sx,s=c2FsdA==,i=99999999999999999999",
		"mandatory extension": "m=x,r=%sx,s=c2FsdA==,i=4096",
		"NUL":                 "r=%sx\x00,s=c2FsdA==,i=4096",
		"too long":            "r=%sx" + strings.Repeat("x", 1024) + ",s=c2FsdA==,i=4096",
	} {
		s := newSCRAMClient(NewCredentials("alice", PlainSecret("x"), nil), mechanism, Binding{})
		message := format
		if strings.Contains(message, "%") {
			message = fmt.Sprintf(format, s.nonce)
		}
		if _, err := s.final(message); !errors.Is(err, ErrBadServer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAServerThatDoesNotKnowTheSecretIsRefused(t *testing.T) {
	t.Parallel()
	for _, last := range []string{"v=" + keyText('x', 32), "v=", "e=other-error", "", "v=!"} {
		s := newSCRAMClient(NewCredentials("alice", PlainSecret("x"), nil), mechanism, Binding{})
		if _, err := s.final("r=" + s.nonce + "x,s=c2FsdA==,i=1"); err != nil {
			t.Fatal(err)
		}
		if err := s.verify(last); !errors.Is(err, ErrBadServer) {
			t.Errorf("final message %q: %v", last, err)
		}
	}
}

// The library's server is written by others: it and our client's side must agree.
func TestTheLibrarysServerLetsUsIn(t *testing.T) {
	t.Parallel()
	v := NewVerifier("pencil")
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) {
		return scram.StoredCredentials{
			KeyFactors: scram.KeyFactors{Salt: string(v.Salt), Iters: v.Iterations},
			StoredKey:  v.StoredKey[:], ServerKey: v.ServerKey[:],
		}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c := NewCredentials("alice", PlainSecret("pencil"), nil)
	for _, binding := range []Binding{{}, {TLS: true, EndPoint: endPoint}} {
		name := mechanism
		if binding.TLS {
			name = mechanismPlus
		}
		s := newSCRAMClient(c, name, binding)
		conversation := server.NewConversationWithChannelBinding(binding.channel())
		challenge, err := conversation.Step(s.header + s.bare())
		if err != nil {
			t.Fatal(err)
		}
		proof, err := s.final(challenge)
		if err != nil {
			t.Fatal(err)
		}
		last, err := conversation.Step(string(proof))
		if err != nil || !conversation.Valid() {
			t.Fatalf("refused: %v", err)
		}
		if err := s.verify(last); err != nil {
			t.Error(err)
		}
	}
}

func TestKeysAreDerivedOncePerSalt(t *testing.T) {
	t.Parallel()
	secret := PlainSecret("x")
	c := NewCredentials("alice", secret, nil)
	first, _ := c.scramKeys("salt", 2)
	if first != derive("x", []byte("salt"), 2) {
		t.Error("wrong keys")
	}
	secret.derived.keys.ClientKey[0]++ // to recognise them by
	copied := secret
	if again, _ := NewCredentials("alice", copied, nil).scramKeys("salt", 2); again == first {
		t.Error("the keys were derived again for other credentials of the same secret")
	}
	if again, _ := c.scramKeys("salt", 3); again != derive("x", []byte("salt"), 3) {
		t.Error("wrong keys for another count")
	}
	if again, _ := c.scramKeys("pepper", 3); again != derive("x", []byte("pepper"), 3) {
		t.Error("wrong keys for another salt")
	}
}

func FuzzResponder(f *testing.F) {
	f.Add(request(wire.AuthSASL, "SCRAM-SHA-256\x00\x00"), request(wire.AuthSASLContinue, "r=a,s=c2FsdA==,i=1"))
	f.Add(request(wire.AuthMD5, "abcd"), request(wire.AuthOK, ""))
	f.Add(request(wire.AuthSASL, "SCRAM-SHA-256-PLUS\x00SCRAM-SHA-256\x00\x00"), request(wire.AuthOK, ""))
	c := NewCredentials("alice", PlainSecret("x"), nil)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		if strings.Contains(string(second), "i=") {
			second = second[:min(len(second), 60)] // no room for many iterations: they only cost time
		}
		r := c.Begin(Binding{TLS: true, EndPoint: endPoint})
		if _, done, err := r.Answer(first); done || err != nil {
			return
		}
		_, done, err := r.Answer(second)
		if done && err == nil && r.scram != nil {
			t.Errorf("SCRAM ended by %q", second)
		}
	})
}
