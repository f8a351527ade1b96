package relay

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/wire"
)

// conversation is what is cut into two pieces at every byte.
type conversation struct {
	name     string
	messages [][]byte
	// early: what the server gets depends on when its answers come, as when it has failed and would throw away
	// what follows, or when it is not certain yet that a statement is prepared.
	early bool
}

var conversations = []conversation{
	{"simple", [][]byte{
		query("SELECT 'one'; SELECT 'two'"), query("BEGIN"), query("INSERT 1"), query("COMMIT"), query(""),
		query("COPY t TO STDOUT"), call(), query("SET timezone = 'Asia/Tokyo'"), query("SELECT notice"),
	}, false},
	{"extended", [][]byte{
		parse("", "SELECT 'x'"), batch(""), parse("", "INSERT 1"), batch(""),
	}, false},
	{"unnamed later", [][]byte{parse("", "INSERT 1"), endBatch(), batch(""), batch("")}, true},
	{"named", [][]byte{
		parse("a", "SELECT 'a'"), batch("a"), parse("b", "SELECT 'a'"), closing('S', "a"), batch("b"),
		query("DEALLOCATE b"), parse("b", "SELECT 'b'"), describe('S', "b"), batch("b"),
	}, true},
	{"copy", [][]byte{
		query("COPY t FROM STDIN"), copyData("one"), copyData("two"), empty(wire.CopyDone),
		parse("", "COPY t FROM STDIN"), bind("", ""), execute(""), endBatch(), copyData("1"), empty(wire.CopyDone),
		endBatch(), query("SELECT 'x'"),
	}, false},
	{"session", [][]byte{
		query("LISTEN c"), query("NOTIFY c"), query("UNLISTEN *"), query("SELECT 'x'"), query("SHOW TimeZone"),
	}, false},
	{"errors", [][]byte{
		query("SELECT fail"), parse("", "SELECT unparsable"), batch(""), query("BEGIN"), query("SELECT fail"),
		query("ROLLBACK"), parse("b", "SELECT 'b'"), parse("", "SELECT unparsable"), closing('S', "b"), endBatch(),
		batch("b"), batch("none"), query("COPY t FROM STDIN"), copyData("bad"), copyData("late"),
		empty(wire.CopyDone),
	}, true},
}

// transcript is what both ends of a relay got.
type transcript struct {
	client  []byte
	server  []string // without what usher sent on its own
	written int      // bytes the server sent
}

// play plays a conversation: what the client sends is cut at one byte, what the server sends at another; 0 is
// not at all.
func (w *world) play(messages [][]byte, clientCut, serverCut int) transcript {
	w.t.Helper()
	p := one()
	p.rules.Statements = 2
	p.serverCut = serverCut
	w = w.again(p)
	g := w.seat()
	sent := append(join(messages...), query("SELECT 'the end'")...)
	g.send(sent[:clientCut])
	if clientCut > 0 {
		g.taken()
	}
	g.send(sent[clientCut:])
	var got []byte
	end := join(wire.AppendRow(nil, [][]byte{[]byte("the end")}), wire.AppendTag(nil, "SELECT 1"),
		wire.AppendReady(nil, wire.StatusIdle))
	for !bytes.HasSuffix(got, end) {
		kind, body, err := readMessage(g.conn)
		if err != nil {
			w.t.Fatalf("cut at %d and %d: %v behind %q\n%s", clientCut, serverCut, err, got, w.state())
		}
		got = wire.AppendBody(got, kind, body)
	}
	w.leave()
	s := w.toy.session(1)
	own := func(word string) bool {
		return word == "X" || strings.HasPrefix(word, "Q(SELECT (SELECT") || strings.HasPrefix(word, ownSet)
	}
	return transcript{client: got, server: renamed(slices.DeleteFunc(s.sent(), own)), written: s.written}
}

// ownSet is how a Query begins with which usher restores a session's settings.
const ownSet = `Q(SET "`

var usherName = regexp.MustCompile(`usher_[0-9]+`)

// renamed numbers usher's names of statements from 1.
func renamed(words []string) []string {
	names := map[string]string{}
	for i, word := range words {
		words[i] = usherName.ReplaceAllStringFunc(word, func(name string) string {
			if names[name] == "" {
				names[name] = "usher_" + strconv.Itoa(len(names)+1)
			}
			return names[name]
		})
	}
	return words
}

func TestAMessageMayBeCutAnywhere(t *testing.T) {
	t.Parallel()
	for _, c := range conversations {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := one().start(t)
			whole := w.play(c.messages, 0, 0)
			compare := func(side string, cut int, got transcript) {
				t.Helper()
				if !bytes.Equal(got.client, whole.client) {
					t.Errorf("%s's bytes cut at %d: the client got\n%q, not\n%q", side, cut, got.client, whole.client)
				}
				if diff := cmp.Diff(whole.server, got.server); diff != "" && !c.early {
					t.Errorf("%s's bytes cut at %d: the server got (-whole +cut)\n%s", side, cut, diff)
				}
			}
			for cut := 1; cut < len(join(c.messages...)) && !t.Failed(); cut += cutStride {
				compare("the client", cut, w.play(c.messages, cut, 0))
			}
			for cut := 1; cut < whole.written && !t.Failed(); cut += cutStride {
				compare("the server", cut, w.play(c.messages, 0, cut))
			}
		})
	}
}
