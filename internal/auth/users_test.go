package auth

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUsersFileIsRead(t *testing.T) {
	t.Parallel()
	text := "\ufeff; a comment\n" +
		"# another\n" +
		"\n" +
		"\"alice\" \"pencil\"\n" +
		"  \"bob \"\"the builder\"\"\"\t\"say \"\"hi\"\"\" ignored\r\n" +
		"\"carol\" \"" + md5OfAliceSecret + "\"\n" +
		"\"dave\" \"" + NewVerifier("x").Text() + "\" \"more\"\n" +
		"\"erin\" \"\"\n" +
		"\"frank\" \"; no comment # here\""
	users, err := ParseUsers([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, u := range users.byName {
		got[name] = u.Secret.Kind().String()
	}
	want := map[string]string{
		"alice": "plain", `bob "the builder"`: "plain", "carol": "md5", "dave": "scram-sha-256", "erin": "none",
		"frank": "plain",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if u, _ := users.Lookup(`bob "the builder"`); u == nil || u.Secret.text != `say "hi"` {
		t.Error("doubled quotes are not read as one")
	}
	if users.Len() != 6 {
		t.Errorf("%d users", users.Len())
	}
}

func TestUsersFileErrorsNameTheLineAndNoSecret(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	const noPassword = "line 1: expected a space and the password in double quotes behind the user name"
	const noEnd = "expected a closing double quote on the same line"
	for _, c := range []struct{ name, text, want string }{
		{"no quotes", "\"a\" \"b\"\nalice pencil\n", "line 2: user name: expected a double quote"},
		{"no password", `"alice"`, noPassword},
		{"no space", `"alice""pencil"`, noPassword},
		{"password without quotes", `"alice" pencil`, "line 1: password: expected a double quote"},
		{"name without end", "\"alice \nbob\" \"x\"", "line 1: user name: " + noEnd},
		{"password without end", `"alice" "pencil`, "line 1: password: " + noEnd},
		{"glued", `"alice" "pencil"x`, "line 1: expected a space or the end of the line behind the password"},
		{"empty name", `"" "pencil"`, "line 1: user name: empty"},
		{"twice", "\"alice\" \"a\"\n\n\"alice\" \"b\"", "line 3: the user of line 1 again"},
		{"long name", `"` + long(129) + `" "x"`, "line 1: user name: 129 bytes, expected at most 128"},
		{"long password", `"x" "` + long(2049) + `"`, "line 1: password: 2049 bytes, expected at most 2048"},
		{"NUL", "\"a\x00b\" \"x\"", "line 1: user name: NUL byte"},
		{"bad verifier", `"alice" "SCRAM-SHA-256$pencil"`, "line 1: " + errVerifier.Error()},
	} {
		_, err := ParseUsers([]byte(c.text))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, expected %q", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "pencil") {
			t.Errorf("%s: the error shows the password", c.name)
		}
	}
}

func TestUsersFileSizeIsBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(MaxUsersFileLen + 1<<30); err != nil { // a hole: it takes no space
		t.Fatal(err)
	}
	f.Close()
	if _, err := ReadUsersFile(path); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a users file of a gigabyte: %v", err)
	}
	_, err = ReadUsersFile(path + ".absent")
	if err == nil || !strings.HasPrefix(err.Error(), "read users file: ") {
		t.Errorf("a users file that is not there: %v", err)
	}
	if err := os.WriteFile(path, []byte(`"a" "b"`), 0o600); err != nil {
		t.Fatal(err)
	}
	if users, err := ReadUsersFile(path); err != nil || users.Len() != 1 {
		t.Errorf("%d users, %v", users.Len(), err)
	}
}

func TestMockLooksLikeMostUsers(t *testing.T) {
	t.Parallel()
	plain := func(name string) *User { return NewUser(name, PlainSecret("x")) }
	md5 := func(name string) *User { return NewUser(name, Secret{kind: KindMD5, text: strings.Repeat("a", 32)}) }
	scram := func(name string, iterations int) *User {
		return NewUser(name, derive("x", []byte("salt"), 1).verifier([]byte("salt"), iterations).Secret())
	}
	for _, c := range []struct {
		name       string
		users      []*User
		kind       Kind
		iterations int
	}{
		{"nobody", nil, KindSCRAM, 4096},
		{"plain", []*User{plain("a"), plain("b"), scram("c", 8192)}, KindPlain, 4096},
		{"md5", []*User{md5("a"), md5("b"), plain("c")}, KindMD5, 4096},
		{"scram", []*User{scram("a", 10000), scram("b", 10000), scram("c", 4096), md5("d")}, KindSCRAM, 10000},
		{"plain users count for the default", []*User{scram("a", 10000), plain("b"), scram("c", 4096)},
			KindSCRAM, 4096},
	} {
		u := NewUsers(c.users...)
		if u.mockKind != c.kind || u.mockIterations != c.iterations {
			t.Errorf("%s: mock is %v with %d iterations, expected %v, %d", c.name, u.mockKind, u.mockIterations,
				c.kind, c.iterations)
		}
	}
}

func TestMockIsTheSameForTheSameName(t *testing.T) {
	t.Parallel()
	u := NewUsers()
	a, b := u.mockVerifier("a"), u.mockVerifier("b")
	if !a.equal(u.mockVerifier("a")) || string(a.Salt) == string(b.Salt) || len(a.Salt) != saltLen {
		t.Error("the salt of a mock is not a function of the name")
	}
	if NewUsers().mockVerifier("a").equal(a) {
		t.Error("the salt of a mock can be computed by others")
	}
}

func TestReloadKeepsSaltsOfWhoDidNotChange(t *testing.T) {
	t.Parallel()
	old := NewUsers(NewUser("same", PlainSecret("x")), NewUser("changed", PlainSecret("x")))
	before := map[string]Verifier{}
	for name, u := range old.byName {
		before[name], _ = u.verifier()
	}
	users := NewUsers(NewUser("same", PlainSecret("x")), NewUser("changed", PlainSecret("y")))
	users.Inherit(nil)
	users.Inherit(old)
	same, _ := users.byName["same"].verifier()
	changed, _ := users.byName["changed"].verifier()
	if !same.equal(before["same"]) || changed.equal(before["changed"]) || !changed.accepts("y") {
		t.Error("Inherit took over the wrong verifiers")
	}
	if !users.mockVerifier("nobody").equal(old.mockVerifier("nobody")) {
		t.Error("the salts of mocks changed at a reload, which tells them from users")
	}
}

func TestWarmComputesVerifiersUntilStopped(t *testing.T) {
	t.Parallel()
	u := NewUser("a", PlainSecret("x"))
	stop := make(chan struct{})
	NewUsers(u).Warm(stop)
	if u.derived.Iterations == 0 {
		t.Error("no verifier after Warm")
	}
	close(stop)
	late := NewUser("b", PlainSecret("x"))
	NewUsers(late).Warm(stop)
	if late.derived.Iterations != 0 {
		t.Error("Warm goes on after stop")
	}
}

func FuzzParseUsers(f *testing.F) {
	f.Add([]byte("\"alice\" \"pencil\"\n"))
	f.Add([]byte("; c\n\"a \"\"b\"\"\" \"\" x\n"))
	f.Add([]byte("\"alice\" \"SCRAM-SHA-256$1:AA==$x:y\""))
	f.Fuzz(func(t *testing.T, text []byte) {
		users, err := ParseUsers(text)
		if err != nil {
			return
		}
		var again []byte
		for name, u := range users.byName {
			secret := u.Secret.text
			switch u.Secret.kind {
			case KindMD5:
				secret = md5Prefix + secret
			case KindSCRAM:
				secret = u.Secret.verifier.Text()
			}
			if strings.ContainsAny(name+secret, "\n") {
				t.Fatalf("a line break in %q", name)
			}
			again = AppendUser(again, name, secret)
		}
		same, err := ParseUsers(again)
		if err != nil || same.Len() != users.Len() {
			t.Fatalf("%q: %v", again, err)
		}
		for name, u := range users.byName {
			if v, ok := same.Lookup(name); !ok || !v.Secret.Equal(u.Secret) {
				t.Errorf("user %q differs when written and read again", name)
			}
		}
	})
}
