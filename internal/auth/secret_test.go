package auth

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// md5OfAliceSecret looks like an md5 hash.
const md5OfAliceSecret = "md5a12f4fbf7f4e0c2e2f5be7c4aaf2bc0d"

func keyText(fill byte, n int) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(fill), n)))
}

func TestSecretsAreRecognised(t *testing.T) {
	t.Parallel()
	verifier := "SCRAM-SHA-256$4096:" + keyText('s', 16) + "$" + keyText('a', 32) + ":" + keyText('b', 32)
	for _, c := range []struct {
		text string
		kind Kind
	}{
		{"", KindNone},
		{"pencil", KindPlain},
		{"md5", KindPlain},
		{"md5" + strings.Repeat("a", 31), KindPlain},
		{"md5" + strings.Repeat("A", 32), KindPlain}, // PostgreSQL takes lower case only
		{"md5" + strings.Repeat("a", 33), KindPlain},
		{md5OfAliceSecret, KindMD5},
		{verifier, KindSCRAM},
		{"SCRAM-SHA-512$x", KindPlain},
	} {
		s, err := ParseSecret(c.text)
		if err != nil || s.Kind() != c.kind {
			t.Errorf("ParseSecret(%q) is %v, %v, expected %v", c.text, s.Kind(), err, c.kind)
		}
	}
}

func TestVerifiersThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	salt, key := keyText('s', 16), keyText('a', 32)
	for name, text := range map[string]string{
		"nothing behind the name":  "SCRAM-SHA-256$",
		"no keys":                  "SCRAM-SHA-256$4096:" + salt,
		"one key":                  "SCRAM-SHA-256$4096:" + salt + "$" + key,
		"no salt":                  "SCRAM-SHA-256$4096$" + key + ":" + key,
		"an empty salt":            "SCRAM-SHA-256$4096:$" + key + ":" + key,
		"a salt that is no base64": "SCRAM-SHA-256$4096:!!!!$" + key + ":" + key,
		"a salt too long":          "SCRAM-SHA-256$4096:" + keyText('s', 513) + "$" + key + ":" + key,
		"a short key":              "SCRAM-SHA-256$4096:" + salt + "$" + keyText('a', 31) + ":" + key,
		"a long key":               "SCRAM-SHA-256$4096:" + salt + "$" + key + ":" + keyText('a', 33),
		"no iterations":            "SCRAM-SHA-256$0:" + salt + "$" + key + ":" + key,
		"negative iterations":      "SCRAM-SHA-256$-1:" + salt + "$" + key + ":" + key,
		"signed iterations":        "SCRAM-SHA-256$+4096:" + salt + "$" + key + ":" + key,
		"too many iterations":      "SCRAM-SHA-256$1000001:" + salt + "$" + key + ":" + key,
	} {
		_, err := ParseSecret(text)
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), key) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
	if _, err := ParseSecret("a\x00b"); err == nil {
		t.Error("a NUL byte is accepted in a password")
	}
}

func TestVerifierRoundTrip(t *testing.T) {
	t.Parallel()
	v := NewVerifier("pencil")
	again, err := ParseVerifier(v.Text())
	if err != nil || !again.equal(v) {
		t.Fatalf("the verifier read back differs: %v", err)
	}
	if v.Iterations != DefaultIterations || len(v.Salt) != 16 {
		t.Errorf("%d iterations, salt of %d bytes", v.Iterations, len(v.Salt))
	}
	if !v.accepts("pencil") || v.accepts("pencil ") {
		t.Error("the verifier accepts the wrong password or not the right one")
	}
	if NewVerifier("pencil").equal(v) {
		t.Error("two verifiers have the same salt")
	}
}

// RFC 7677, section 3: user "user", password "pencil".
func TestDeriveMatchesTheRFC(t *testing.T) {
	t.Parallel()
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	if err != nil {
		t.Fatal(err)
	}
	keys := derive("pencil", salt, 4096)
	message := "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0," +
		"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	signature := hmacSum(keys.ServerKey[:], message)
	const want = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
	if got := base64.StdEncoding.EncodeToString(signature[:]); got != want {
		t.Errorf("server signature %s", got)
	}
}

func TestPasswordsAreNormalisedAsInPostgreSQL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ password, prepared string }{
		{"pencil", "pencil"},
		{"IX\u00ad", "IX"}, // soft hyphen: mapped to nothing
		{"\u2168", "IX"},   // compatibility form
		{"a\u00a0b", "a b"},
		{"\u0007", "\u0007"},         // prohibited: as it is
		{"\u0627\u0031", "\u06271"},  // breaks the bidirectional rule: as it is
		{"\U0001f600", "\U0001f600"}, // unassigned in Unicode 3.2: as it is
		{"\xff\xfe", "\xff\xfe"},     // no UTF-8: as it is
		{"\u00ad", "\u00ad"},         // nothing would be left: as it is
	} {
		if got := prepare(c.password); got != c.prepared {
			t.Errorf("prepare(%q) is %q, expected %q", c.password, got, c.prepared)
		}
	}
}

func TestSecretsDoNotPrintThemselves(t *testing.T) {
	t.Parallel()
	const password = "correct horse"
	v := NewVerifier(password)
	user := NewUser("alice", PlainSecret(password))
	for _, value := range []any{
		PlainSecret(password), v, v.Secret(), derive(password, v.Salt, 1), user.Secret,
		struct{ S Secret }{PlainSecret(password)},
	} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			text := fmt.Sprintf(format, value)
			if strings.Contains(text, "horse") || strings.Contains(text, keyText(v.StoredKey[0], 1)[:2]+"==") {
				t.Errorf("%s of %T shows %s", format, value, text)
			}
		}
	}
}

func FuzzParseSecret(f *testing.F) {
	f.Add("SCRAM-SHA-256$4096:" + keyText('s', 16) + "$" + keyText('a', 32) + ":" + keyText('b', 32))
	f.Add(md5OfAliceSecret)
	f.Add("pencil")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSecret(text)
		if err != nil || s.Kind() != KindSCRAM {
			return
		}
		again, err := ParseSecret(s.verifier.Text())
		if err != nil || !again.Equal(s) {
			t.Errorf("verifier of %q differs when read back: %v", text, err)
		}
	})
}
