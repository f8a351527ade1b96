package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

func TestAQueryGivesItsText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body, text string
		ok               bool
	}{
		{"text", "SELECT 1\x00", "SELECT 1", true},
		{"empty text", "\x00", "", true},
		{"no body", "", "", false},
		{"no terminator", "SELECT 1", "", false},
		{"bytes behind the terminator", "SELECT 1\x00x", "", false},
		{"two terminators", "SELECT 1\x00\x00", "", false},
	} {
		text, err := QueryText([]byte(c.body))
		verdict(t, c.name, c.ok, err)
		if c.ok && string(text) != c.text {
			t.Errorf("%s: text %q, expected %q", c.name, text, c.text)
		}
	}
}

// verdict checks that a parser accepts and refuses as the row says, and with an error people can match.
func verdict(t *testing.T, name string, ok bool, err error) {
	t.Helper()
	if ok != (err == nil) {
		t.Errorf("%s: error %v, expected to be accepted: %v", name, err, ok)
	}
	if err != nil && !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrLength) && !errors.Is(err, ErrStartup) {
		t.Errorf("%s: error %q is none of the package's", name, err)
	}
}

func TestAParseSplitsIntoItsParts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body              string
		statement, text, params string
		ok                      bool
	}{
		{"unnamed, no types", "\x00SELECT 1\x00\x00\x00", "", "SELECT 1", "\x00\x00", true},
		{"named, one type", "s\x00SELECT $1\x00\x00\x01\x00\x00\x00\x17",
			"s", "SELECT $1", "\x00\x01\x00\x00\x00\x17", true},
		{"empty text", "s\x00\x00\x00\x00", "s", "", "\x00\x00", true},
		{"nothing", "", "", "", "", false},
		{"name without end", "s", "", "", "", false},
		{"text without end", "s\x00SELECT 1", "", "", "", false},
		{"no types", "s\x00SELECT 1\x00", "", "", "", false},
		{"half a count", "s\x00SELECT 1\x00\x00", "", "", "", false},
		{"fewer types than counted", "s\x00SELECT 1\x00\x00\x02\x00\x00\x00\x17", "", "", "", false},
		{"more types than counted", "s\x00SELECT 1\x00\x00\x00\x00\x00\x00\x17", "", "", "", false},
		{"half a type", "s\x00SELECT 1\x00\x00\x01\x00\x00", "", "", "", false},
		{"most types a count can say, none there", "s\x00SELECT 1\x00\xff\xff", "", "", "", false},
	} {
		name, text, types, err := ParseParts([]byte(c.body))
		verdict(t, c.name, c.ok, err)
		if !c.ok {
			continue
		}
		if string(name) != c.statement || string(text) != c.text || string(types) != c.params {
			t.Errorf("%s: %q, %q, %q, expected %q, %q, %q", c.name, name, text, types, c.statement, c.text, c.params)
		}
	}
}

func TestABindSplitsIntoItsParts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body                string
		portal, statement, params string
		ok                        bool
	}{
		{"unnamed", "\x00\x00\x00\x00\x00\x00\x00\x00", "", "", "\x00\x00\x00\x00\x00\x00", true},
		{"named", "p\x00s\x00rest", "p", "s", "rest", true},
		{"no rest", "p\x00s\x00", "p", "s", "", true},
		{"nothing", "", "", "", "", false},
		{"portal without end", "p", "", "", "", false},
		{"statement without end", "p\x00s", "", "", "", false},
	} {
		portal, statement, rest, err := BindParts([]byte(c.body))
		verdict(t, c.name, c.ok, err)
		if !c.ok {
			continue
		}
		if string(portal) != c.portal || string(statement) != c.statement || string(rest) != c.params {
			t.Errorf("%s: %q, %q, %q, expected %q, %q, %q", c.name, portal, statement, rest,
				c.portal, c.statement, c.params)
		}
	}
}

func TestATargetHasAKindAndAName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body, target string
		kind               byte
		ok                 bool
	}{
		{"statement", "Ss\x00", "s", KindStatement, true},
		{"unnamed portal", "P\x00", "", KindPortal, true},
		{"nothing", "", "", 0, false},
		{"only a kind", "S", "", 0, false},
		{"no terminator", "Ss", "", 0, false},
		{"bytes behind the terminator", "Ss\x00x", "", 0, false},
	} {
		kind, name, err := Target([]byte(c.body))
		verdict(t, c.name, c.ok, err)
		if c.ok && (kind != c.kind || string(name) != c.target) {
			t.Errorf("%s: %c %q, expected %c %q", c.name, kind, name, c.kind, c.target)
		}
	}
	if _, _, err := Target([]byte("Xs\x00")); err == nil {
		t.Error("a target of kind X is accepted")
	}
}

// split takes a message apart and checks that its header fits its length.
func split(t *testing.T, message []byte) (Type, []byte) {
	t.Helper()
	kind, length, ok := Header(message)
	if !ok || length != len(message) {
		t.Fatalf("header %v, %d, %v of a message of %d bytes", kind, length, ok, len(message))
	}
	if err := CheckLength(kind, length); err != nil {
		t.Fatal(err)
	}
	return kind, message[HeaderLen:]
}

func TestWhatIsBuiltForAServerParses(t *testing.T) {
	t.Parallel()
	before := []byte("before")
	types := binary.BigEndian.AppendUint32([]byte{0, 1}, 23)
	build := func(message []byte) (Type, []byte) {
		if !bytes.HasPrefix(message, before) {
			t.Fatalf("%q does not begin with what it was appended to", message)
		}
		return split(t, message[len(before):])
	}

	kind, body := build(AppendQuery(before, "SELECT 1"))
	if text, err := QueryText(body); kind != Query || err != nil || string(text) != "SELECT 1" {
		t.Errorf("Query: %v, %q, %v", kind, text, err)
	}
	kind, body = build(AppendParse(before, "s", []byte("SELECT $1"), types))
	name, text, params, err := ParseParts(body)
	if kind != Parse || err != nil || string(name) != "s" || string(text) != "SELECT $1" ||
		!bytes.Equal(params, types) {
		t.Errorf("Parse: %v, %q, %q, %q, %v", kind, name, text, params, err)
	}
	kind, body = build(AppendBind(before, []byte("p"), "s", []byte("rest")))
	portal, statement, rest, err := BindParts(body)
	if kind != Bind || err != nil || string(portal) != "p" || string(statement) != "s" ||
		string(rest) != "rest" {
		t.Errorf("Bind: %v, %q, %q, %q, %v", kind, portal, statement, rest, err)
	}
	for _, want := range []Type{Describe, Close} {
		kind, body = build(AppendTarget(before, want, KindPortal, "p"))
		which, name, err := Target(body)
		if kind != want || err != nil || which != KindPortal || string(name) != "p" {
			t.Errorf("%v: %v, %c, %q, %v", want, kind, which, name, err)
		}
	}
	for _, want := range []Type{Sync, Flush, Terminate, CopyDone, ParseComplete, CloseComplete} {
		if kind, body = build(AppendEmpty(before, want)); kind != want || len(body) != 0 {
			t.Errorf("%v: %v with a body of %d bytes", want, kind, len(body))
		}
	}
	kind, body = build(AppendBody(before, ErrorResponse, []byte("C26000\x00\x00")))
	if kind != ErrorResponse || string(body) != "C26000\x00\x00" {
		t.Errorf("body: %v, %q", kind, body)
	}
	kind, body = build(AppendPassword(before, []byte("secret")))
	if kind != PasswordOrSASL || string(body) != "secret" {
		t.Errorf("password: %v, %q", kind, body)
	}
}
