//go:build integration

package transcript

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"
)

func TestTokensReadStringsWordsAndOptions(t *testing.T) {
	t.Parallel()
	cases := []struct {
		line     string
		expected []token
	}{
		{``, nil},
		{`word`, []token{{text: "word"}}},
		{`"a b" null`, []token{{text: "a b", quoted: true}, {text: "null"}}},
		{`"x"*3+"y\n"`, []token{{text: "xxxy\n", quoted: true}}},
		{`user=u options="-c a=b"`, []token{{key: "user", text: "u"},
			{key: "options", text: "-c a=b", quoted: true}}},
		{`"key=value"`, []token{{text: "key=value", quoted: true}}},
	}
	for _, c := range cases {
		actual, err := tokens(c.line)
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
		}
		if diff := cmp.Diff(c.expected, actual, cmp.AllowUnexported(token{})); diff != "" {
			t.Errorf("%s: (-expected +actual)\n%s", c.line, diff)
		}
	}
	for _, line := range []string{`"open`, `"a"b`, `"a"*`, `"a"+`} {
		if got, err := tokens(line); err == nil {
			t.Errorf("%s: read as %v, expected an error", line, got)
		}
	}
}

func TestEncodeMakesTheBytesOfTheProtocol(t *testing.T) {
	t.Parallel()
	cases := []struct {
		line     string
		expected string
	}{
		{`Query "SELECT 1"`, "Q\x00\x00\x00\x0dSELECT 1\x00"},
		{`Sync`, "S\x00\x00\x00\x04"},
		{`Parse "s" "x" int4 0`, "P\x00\x00\x00\x12s\x00x\x00\x00\x02\x00\x00\x00\x17\x00\x00\x00\x00"},
		{`Execute "p" 7`, "E\x00\x00\x00\x0ap\x00\x00\x00\x00\x07"},
		{`Close portal "p"`, "C\x00\x00\x00\x07Pp\x00"},
		{`raw 51 0000 "\xff"`, "Q\x00\x00\xff"},
		{`Startup 3.2 user=u`, "\x00\x00\x00\x10\x00\x03\x00\x02user\x00u\x00\x00"},
		{
			`Bind "p" "s" "v" null results=binary`,
			"B\x00\x00\x00\x19p\x00s\x00\x00\x00\x00\x02\x00\x00\x00\x01v\xff\xff\xff\xff\x00\x01\x00\x01",
		},
	}
	for _, c := range cases {
		actual, err := encode(c.line)
		if err != nil || string(actual.bytes) != c.expected {
			t.Errorf("%s: got %q, %v; expected %q", c.line, actual.bytes, err, c.expected)
		}
	}
	for _, line := range []string{`Nonsense`, `Close "s"`, `Startup x`, `raw zz`, `Parse "s" "x" no_type`} {
		if _, err := encode(line); err == nil {
			t.Errorf("%s: expected an error", line)
		}
	}
}

func TestParseRefusesWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	for text, expected := range map[string]string{
		"sleep 5":                        `f:1: unknown line "sleep 5"`,
		"> Query":                        "",
		"> Nonsense":                     `f:1: unknown message "Nonsense"`,
		"< ReadyForQuery idle":           `f:1: an answer of connection "" belongs to no block`,
		"> Sync\nb< ReadyForQuery idle":  `f:2: an answer of connection "b" belongs to no block`,
		"diverges usher: because":        `f:1: diverges belongs to no block`,
		"\n\nawait":                      `f:3: await takes one string`,
		"> Sync\n\n< ReadyForQuery idle": `f:3: an answer of connection "" belongs to no block`,
	} {
		_, err := Parse("f", text)
		if (err == nil) != (expected == "") || err != nil && err.Error() != expected {
			t.Errorf("%q: got %v, expected %q", text, err, expected)
		}
	}
}

const sample = `# Comment.
skip bouncer: not for it
hide NoticeResponse

> Query "SELECT '$TAG'"
> Sync
< old

b: until NotificationResponse x2
b< old
diverges usher: it is better
b< new

connect c user=x
c> Flush
c: until none
# The end.
`

func TestParseMakesBlocks(t *testing.T) {
	t.Parallel()
	script, err := Parse("f", sample)
	if err != nil {
		t.Fatal(err)
	}
	expected := []step{
		{kind: stepBlock, line: 4, sends: []string{`Query "SELECT '$TAG'"`, "Sync"}, golden: []string{"old"},
			goldenLine: 6},
		{
			kind: stepBlock, line: 8, connection: "b", until: until{"NotificationResponse",
				2}, golden: []string{"old"},
			goldenLine: 9, divergence: map[string][]string{"usher": {"new"}},
		},
		{kind: stepConnect, line: 13, connection: "c", options: []token{{key: "user", text: "x"}}},
		{kind: stepBlock, line: 14, connection: "c", sends: []string{"Flush"}, until: until{"none", 1},
			goldenLine: 16},
	}
	if diff := cmp.Diff(expected, script.steps, cmp.AllowUnexported(step{}, until{}, token{})); diff != "" {
		t.Errorf("(-expected +actual)\n%s", diff)
	}
	if reason, skip := script.Skips("bouncer"); !skip || reason != "not for it" {
		t.Errorf("skips bouncer: %q, %v", reason, skip)
	}
	if !script.hidden("NoticeResponse NOTICE") || script.hidden("DataRow null") {
		t.Error("the wrong messages are hidden")
	}
}

func TestRewriteReplacesGoldenLinesOnly(t *testing.T) {
	t.Parallel()
	script, err := Parse("f", sample)
	if err != nil {
		t.Fatal(err)
	}
	actual := script.Rewrite(Recording{{"one", "two"}, {}, nil, {"three"}})
	expected := strings.NewReplacer("\n< old", "\n< one\n< two", "b< old\n", "", "c: until none\n",
		"c: until none\nc< three\n").
		Replace(sample)
	if diff := cmp.Diff(expected, actual); diff != "" {
		t.Errorf("(-expected +actual)\n%s", diff)
	}
}

func TestDiffShowsTheBlockAndHonoursDivergence(t *testing.T) {
	t.Parallel()
	script, err := Parse("f", sample)
	if err != nil {
		t.Fatal(err)
	}
	answered := Recording{{"old", "extra"}, {"new"}, nil, nil}
	actual := script.Diff(script.Diverge(script.Golden(), "usher"), answered)
	expected := "f:5: (-expected +actual)\n  > Query \"SELECT '$TAG'\"\n  > Sync\n    old\n  + extra\n"
	if diff := cmp.Diff(expected, actual); diff != "" {
		t.Errorf("(-expected +actual)\n%s", diff)
	}
	if diff := script.Diff(script.Golden(), script.Golden()); diff != "" {
		t.Errorf("a difference with itself: %s", diff)
	}
}

func TestCollectReadsUntilItsEndAndSaysWhenTheServerCloses(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	var answers []byte
	for _, answer := range []pgproto3.BackendMessage{
		&pgproto3.DataRow{Values: [][]byte{[]byte("v"), nil, bytes.Repeat([]byte("x"), 100)}},
		&pgproto3.ReadyForQuery{TxStatus: 'E'},
		&pgproto3.ReadyForQuery{TxStatus: 'I'},
	} {
		var err error
		if answers, err = answer.Encode(answers); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		io.ReadFull(server, make([]byte, 5))
		server.Write(answers)
		server.Close()
	}()
	c := newConnection(client)
	first := c.exchange([][]byte{[]byte("he"), []byte("llo")}, until{"ReadyForQuery", 1})
	rest := c.exchange(nil, until{"ReadyForQuery", 2})
	if diff := cmp.Diff([]string{`DataRow "v" null "x"*100`, "ReadyForQuery failed"}, first); diff != "" {
		t.Errorf("first block: (-expected +actual)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ReadyForQuery idle", "closed"}, rest); diff != "" {
		t.Errorf("second block: (-expected +actual)\n%s", diff)
	}
}
