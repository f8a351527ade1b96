package auth

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
)

// endPoint stands for the hash of a certificate.
var endPoint = []byte("hash of a certificate, 32 bytes.")

// body is the body of one whole message of the given type.
func body(t testing.TB, message []byte, want wire.Type) []byte {
	t.Helper()
	got, length, ok := wire.Header(message)
	if !ok || got != want || length != len(message) {
		t.Fatalf("message %q, expected one of type %v", message, want)
	}
	return message[wire.HeaderLen:]
}

// login runs an exchange against credentials and returns what each side says in the end.
func login(t testing.TB, e *Exchange, c *Credentials, binding Binding) (exchangeErr, responderErr error) {
	t.Helper()
	r := c.Begin(binding)
	message := e.Start()
	for range 10 {
		reply, _, err := r.Answer(body(t, message, wire.Authentication))
		if err != nil {
			return nil, err
		}
		next, done, err := e.Next(body(t, reply, wire.PasswordOrSASL))
		if err != nil {
			return err, nil
		}
		if done {
			if len(next) > 0 {
				if _, _, err := r.Answer(body(t, next, wire.Authentication)); err != nil {
					return nil, err
				}
			}
			_, let, err := r.Answer(binary.BigEndian.AppendUint32(nil, wire.AuthOK))
			if !let && err == nil {
				t.Fatal("AuthenticationOk is not the end")
			}
			return nil, err
		}
		message = next
	}
	t.Fatal("the exchange has no end")
	return nil, nil
}

// secretsOf are all the forms in which a password can be stored.
func secretsOf(user, password string) map[string]Secret {
	return map[string]Secret{
		"plain": PlainSecret(password),
		"md5":   {kind: KindMD5, text: md5Digits(password, user)},
		"scram": NewVerifier(password).Secret(),
	}
}

func TestEveryMethodAcceptsTheRightPasswordOnly(t *testing.T) {
	t.Parallel()
	const right = `pa$s w0rd'"ü`
	for stored, secret := range secretsOf("alice", right) {
		users := NewUsers(NewUser("alice", secret))
		for _, method := range []Method{Password, MD5, SCRAM} {
			for _, binding := range []Binding{{}, {TLS: true}, {TLS: true, EndPoint: endPoint}} {
				name := fmt.Sprintf("%v, stored as %s, binding %+v", method, stored, binding)
				impossible := method == SCRAM && stored == "md5"
				c := NewCredentials("alice", PlainSecret(right), nil)
				err, _ := login(t, users.Begin(method, "alice", binding), c, binding)
				if (err == nil) == impossible {
					t.Errorf("%s: the right password: %v", name, err)
				}
				c = NewCredentials("alice", PlainSecret("wrong"), nil)
				err, _ = login(t, users.Begin(method, "alice", binding), c, binding)
				checkWrongPassword(t, name+": a wrong password", err, "alice")
			}
		}
	}
}

func checkWrongPassword(t *testing.T, what string, err error, user string) {
	t.Helper()
	e, ok := errors.AsType[*pgerr.Error](err)
	want := fmt.Sprintf("password authentication failed for user %q", user)
	if !ok || e.Row != pgerr.WrongPassword || e.Message != want || e.Detail != "" {
		t.Errorf("%s: %v, expected the error of a wrong password", what, err)
	}
}

func TestUnknownUsersLookLikeWrongPasswords(t *testing.T) {
	t.Parallel()
	users := NewUsers(
		NewUser("alice", PlainSecret("secret")), NewUser("bob", PlainSecret("secret")), NewUser("none", Secret{}),
	)
	binding := Binding{TLS: true, EndPoint: endPoint}
	for _, method := range []Method{Password, MD5, SCRAM} {
		shape := func(name string) (messages []string, err error) {
			e := users.Begin(method, name, binding)
			r := NewCredentials(name, PlainSecret("wrong"), nil).Begin(binding)
			message := e.Start()
			for {
				messages = append(messages, fmt.Sprintf("%v %d bytes, code %d", message[0], len(message), message[8]))
				reply, _, err := r.Answer(message[wire.HeaderLen:])
				if err != nil {
					t.Fatal(err)
				}
				if message, _, err = e.Next(reply[wire.HeaderLen:]); err != nil {
					return messages, err
				}
			}
		}
		known, _ := shape("alice")
		for _, name := range []string{"nobody", "none"} {
			unknown, err := shape(name)
			if strings.Join(known, "; ") != strings.Join(unknown, "; ") {
				t.Errorf("%v: user %s: %v, but a known user: %v", method, name, unknown, known)
			}
			checkWrongPassword(t, method.String()+" for user "+name, err, name)
			if cause := errors.Unwrap(err); cause == nil || errors.Is(cause, errMismatch) {
				t.Errorf("%v for user %s: the log says %v", method, name, cause)
			}
		}
	}
	var nobody *Users
	_, _, err := nobody.Begin(SCRAM, "x", Binding{}).Next([]byte("nonsense"))
	if err == nil || nobody.Len() != 0 {
		t.Error("no users at all: accepted")
	}
}

func TestEmptyPasswordIsWrong(t *testing.T) {
	t.Parallel()
	users := NewUsers(NewUser("none", Secret{}), NewUser("alice", PlainSecret("x")))
	for _, name := range []string{"none", "alice", "nobody"} {
		_, done, err := users.Begin(Password, name, Binding{}).Next([]byte{0})
		if done {
			t.Errorf("user %s is let in without a password", name)
		}
		checkWrongPassword(t, name, err, name)
	}
}

func TestKeysPassThrough(t *testing.T) {
	t.Parallel()
	verifier := NewVerifier("pencil")
	here := NewUsers(NewUser("alice", verifier.Secret()))
	e := here.Begin(SCRAM, "alice", Binding{})
	if err, _ := login(t, e, NewCredentials("alice", PlainSecret("pencil"), nil), Binding{}); err != nil {
		t.Fatal(err)
	}
	keys := e.Keys()
	if keys == nil || sha256.Sum256(keys.ClientKey[:]) != verifier.StoredKey {
		t.Fatal("the exchange has not shown the client key")
	}
	// The server holds the same verifier; usher has never known the password.
	passing := NewCredentials("alice", verifier.Secret(), keys)
	exchangeErr, responderErr := login(t, here.Begin(SCRAM, "alice", Binding{}), passing, Binding{})
	if exchangeErr != nil || responderErr != nil {
		t.Errorf("pass-through: %v, %v", exchangeErr, responderErr)
	}
	elsewhere := NewUsers(NewUser("alice", PlainSecret("pencil")))
	exchangeErr, _ = login(t, elsewhere.Begin(SCRAM, "alice", Binding{}), passing, Binding{})
	checkWrongPassword(t, "a server with another verifier", exchangeErr, "alice")
	for _, secret := range []Secret{verifier.Secret(), {}} {
		c := NewCredentials("alice", secret, nil)
		if _, err := login(t, here.Begin(SCRAM, "alice", Binding{}), c, Binding{}); !errors.Is(err, ErrNoPassword) {
			t.Errorf("a verifier without keys: %v", err)
		}
	}
}

// initial is the body of a SASLInitialResponse.
func initial(name, message string) []byte {
	b := append([]byte(name), 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(message)))
	return append(b, message...)
}

func TestFirstMessagesThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	users := NewUsers(NewUser("alice", PlainSecret("x")))
	bound, plain := Binding{TLS: true, EndPoint: endPoint}, Binding{}
	for _, c := range []struct {
		name    string
		binding Binding
		body    []byte
		code    string
	}{
		{"nothing", plain, nil, "08P01"},
		{"no end of the name", plain, []byte("SCRAM-SHA-256"), "08P01"},
		{"no length", plain, []byte("SCRAM-SHA-256\x00\x00\x00"), "08P01"},
		{"another mechanism", plain, initial("PLAIN", "n,,n=,r=abc"), "08P01"},
		{"PLUS without TLS", plain, initial(mechanismPlus, "p=tls-server-end-point,,n=,r=abc"), "08P01"},
		{"no message", plain, []byte("SCRAM-SHA-256\x00\xff\xff\xff\xff"), "08P01"},
		{"length too small", plain, append(initial(mechanism, "n,,n=,r=abc"), 'x'), "08P01"},
		{"length overflows", plain, []byte("SCRAM-SHA-256\x00\x7f\xff\xff\xffn,,n=,r=abc"), "08P01"},
		{"empty", plain, initial(mechanism, ""), "08P01"},
		{"one byte", plain, initial(mechanism, "n"), "08P01"},
		{"no fields", plain, initial(mechanism, "n,,"), "08P01"},
		{"NUL", plain, initial(mechanism, "n,,n=,r=a\x00c"), "08P01"},
		{"too long", plain, initial(mechanism, "n,,n=,r="+strings.Repeat("a", 1024)), "08P01"},
		{"authorization identity", plain, initial(mechanism, "n,a=root,n=,r=abc"), "08P01"},
		{"mandatory extension", plain, initial(mechanism, "n,,m=x,n=,r=abc"), "08P01"},
		{"binding flag without PLUS", bound, initial(mechanism, "p=tls-server-end-point,,n=,r=abc"), "08P01"},
		{"PLUS without binding flag", bound, initial(mechanismPlus, "n,,n=,r=abc"), "08P01"},
		{"another binding", bound, initial(mechanismPlus, "p=tls-unique,,n=,r=abc"), "28000"},
		{"downgrade", bound, initial(mechanism, "y,,n=,r=abc"), "28000"},
	} {
		_, done, err := users.Begin(SCRAM, "alice", c.binding).Next(c.body)
		e, ok := errors.AsType[*pgerr.Error](err)
		if done || !ok || e.Row.Code != c.code {
			t.Errorf("%s: %v, %v, expected SQLSTATE %s", c.name, done, err, c.code)
		}
	}
}

func TestFinalMessagesThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	binding := Binding{TLS: true, EndPoint: endPoint}
	users := NewUsers(NewUser("alice", PlainSecret("x")))
	header := "p=tls-server-end-point,,"
	channel := base64.StdEncoding.EncodeToString(append([]byte(header), endPoint...))
	proof := keyText('p', 32)
	for _, c := range []struct{ name, format, code string }{
		{"nothing", "", "08P01"},
		{"no proof", "c=" + channel + ",r=%s", "08P01"},
		{"another nonce", "c=" + channel + ",r=x%s,p=" + proof, "08P01"},
		{"no base64", "c=" + channel + ",r=%s,p=!", "08P01"},
		{"short proof", "c=" + channel + ",r=%s,p=" + keyText('p', 31), "08P01"},
		{"long proof", "c=" + channel + ",r=%s,p=" + keyText('p', 33), "08P01"},
		{"wrong proof", "c=" + channel + ",r=%s,p=" + proof, "28P01"},
		{"another channel", "c=" + base64.StdEncoding.EncodeToString([]byte(header+"other")) + ",r=%s,p=" + proof,
			"28000"},
		{"NUL", "c=" + channel + ",r=%s,p=\x00" + proof, "08P01"},
	} {
		e := users.Begin(SCRAM, "alice", binding)
		reply, _, err := e.Next(initial(mechanismPlus, header+"n=,r=abc"))
		if err != nil {
			t.Fatal(err)
		}
		nonce, _, _, err := parseServerFirst(string(body(t, reply, wire.Authentication)[4:]))
		if err != nil {
			t.Fatal(err)
		}
		message := c.format
		if strings.Contains(message, "%s") {
			message = fmt.Sprintf(message, nonce)
		}
		_, done, err := e.Next([]byte(message))
		told, ok := errors.AsType[*pgerr.Error](err)
		if done || !ok || told.Row.Code != c.code {
			t.Errorf("%s: %v, %v, expected SQLSTATE %s", c.name, done, err, c.code)
		}
		if e.Keys() != nil {
			t.Errorf("%s: keys", c.name)
		}
	}
}

func TestPasswordMessagesThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	users := NewUsers(NewUser("alice", PlainSecret("x")))
	for _, method := range []Method{Password, MD5} {
		for _, b := range []string{"", "x", "x\x00x", "x\x00\x00"} {
			_, done, err := users.Begin(method, "alice", Binding{}).Next([]byte(b))
			told, ok := errors.AsType[*pgerr.Error](err)
			if done || !ok || told.Row != pgerr.ProtocolViolation {
				t.Errorf("%v of %q: %v, %v", method, b, done, err)
			}
		}
	}
}

func TestAnExchangeDoesNotGoOnAfterItsEnd(t *testing.T) {
	t.Parallel()
	e := NewUsers(NewUser("alice", PlainSecret("x"))).Begin(Password, "alice", Binding{})
	if _, done, err := e.Next([]byte("x\x00")); !done || err != nil {
		t.Fatal(done, err)
	}
	defer func() {
		if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "bug: ") {
			t.Errorf("recovered %v", r)
		}
	}()
	_, _, _ = e.Next([]byte("x\x00"))
}

// The library's client is written by others: it and our server's side must agree.
func TestTheLibrarysClientIsLetIn(t *testing.T) {
	t.Parallel()
	client, err := scram.SHA256.NewClient("", "pencil", "")
	if err != nil {
		t.Fatal(err)
	}
	users := NewUsers(NewUser("alice", NewVerifier("pencil").Secret()))
	for _, binding := range []Binding{{}, {TLS: true, EndPoint: endPoint}} {
		conversation, name := client.NewConversation(), mechanism
		if binding.TLS {
			conversation, name = client.NewConversationWithChannelBinding(binding.channel()), mechanismPlus
		}
		e := users.Begin(SCRAM, "alice", binding)
		if offer := body(t, e.Start(), wire.Authentication)[4:]; !bytes.Contains(offer, append([]byte(name), 0)) {
			t.Fatalf("offer %q", offer)
		}
		first, err := conversation.Step("")
		if err != nil {
			t.Fatal(err)
		}
		reply, _, err := e.Next(initial(name, first))
		if err != nil {
			t.Fatal(err)
		}
		final, err := conversation.Step(string(body(t, reply, wire.Authentication)[4:]))
		if err != nil {
			t.Fatal(err)
		}
		reply, done, err := e.Next([]byte(final))
		if err != nil || !done {
			t.Fatal(done, err)
		}
		_, err = conversation.Step(string(body(t, reply, wire.Authentication)[4:]))
		if err != nil || !conversation.Valid() {
			t.Errorf("the client does not accept the server: %v", err)
		}
	}
}

func FuzzExchange(f *testing.F) {
	f.Add(byte(SCRAM), true, initial(mechanismPlus, "p=tls-server-end-point,,n=,r=abc"), []byte("c=,r=abc,p="))
	f.Add(byte(SCRAM), false, initial(mechanism, "n,,n=,r=abc"), []byte("c=biws,r=abc,p="+keyText('p', 32)))
	f.Add(byte(MD5), false, []byte("md5\x00"), []byte{})
	f.Add(byte(Password), false, []byte("x\x00"), []byte{})
	users := NewUsers(NewUser("alice", Secret{
		kind: KindSCRAM, verifier: derive("pencil", []byte("salt"), 1).verifier([]byte("salt"), 1),
	}))
	f.Fuzz(func(t *testing.T, method byte, secured bool, first, second []byte) {
		binding := Binding{}
		if secured {
			binding = Binding{TLS: true, EndPoint: endPoint}
		}
		e := users.Begin(Method(method%3), "alice", binding)
		_, done, err := e.Next(first)
		if err == nil && !done {
			_, done, err = e.Next(second)
		}
		if done && !(Method(method%3) == Password && string(first) == "pencil\x00") {
			t.Errorf("let in by %q, %q", first, second)
		}
		if _, ok := errors.AsType[*pgerr.Error](err); err != nil && !ok {
			t.Errorf("%T: %v", err, err)
		}
	})
}

func BenchmarkSCRAMLogin(b *testing.B) {
	users := NewUsers(NewUser("alice", NewVerifier("pencil").Secret()))
	c := NewCredentials("alice", PlainSecret("pencil"), nil)
	for b.Loop() {
		if err, _ := login(b, users.Begin(SCRAM, "alice", Binding{}), c, Binding{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDerive(b *testing.B) {
	for b.Loop() {
		derive("pencil", []byte("0123456789abcdef"), DefaultIterations)
	}
}
