package relay

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/wire"
)

// A pooler nobody notices answers as a session of one's own. So random clients talk to a server through the relay,
// several to a server connection, and each says the same to a server of its own. The answers must be the same bytes.

// talker says random things.
type talker struct {
	random *rand.Rand
	parsed bool // the unnamed statement was parsed in this batch
}

var (
	statementTexts = []string{
		"SELECT 'a'", "SELECT 'b'", "SELECT big 3 50", "INSERT 1", "SELECT fail", "SHOW TimeZone", "SHOW my.var",
		"BEGIN", "COMMIT", "ROLLBACK", "SET TimeZone = 'Asia/Tokyo'", "SET TimeZone = 'UTC'", "SET my.var = 'mine'",
		"RESET my.var", "RESET ALL", "LISTEN c", "UNLISTEN *", "NOTIFY c", "COPY t TO STDOUT", "SELECT notice", "",
	}
	queryTexts = append([]string{
		"SELECT 'a'; SELECT 'b'", "SET my.var = 'both'; SELECT fail", "BEGIN; SET my.var = 'tx'", "COMMIT; SELECT 'c'",
		"DEALLOCATE s1", "DEALLOCATE s2", "DEALLOCATE ALL", "DISCARD ALL", "BEGIN; SELECT fail", "ROLLBACK; BEGIN",
	}, statementTexts...)
	statementNames = []string{"s1", "s2", "s3"}
)

func (k *talker) pick(list []string) string { return list[k.random.IntN(len(list))] }

// message is a random one. What a client must not do without the pooler either is left out: binding an unnamed
// statement again that was bound in an earlier batch is what no pooler can know.
func (k *talker) message() []byte {
	switch n := k.random.IntN(20); {
	case n < 7:
		k.parsed = false
		return query(k.pick(queryTexts))
	case n < 9:
		return parse(k.pick(statementNames), k.pick(statementTexts))
	case n < 11:
		k.parsed = true
		return join(parse("", k.pick(statementTexts)), k.run(""))
	case n < 14:
		return k.run(k.pick(statementNames))
	case n == 14:
		return closing('S', k.pick(statementNames))
	case n == 15:
		return describe('S', k.pick(statementNames))
	case n == 16:
		return empty(wire.Flush)
	case n == 17:
		return join(query("COPY t FROM STDIN"), copyData("1"), copyData(k.pick([]string{"2", "bad"})), copyData("3"),
			k.end())
	default:
		k.parsed = false
		return endBatch()
	}
}

// end ends a COPY.
func (k *talker) end() []byte {
	if k.random.IntN(4) == 0 {
		return copyFail()
	}
	return empty(wire.CopyDone)
}

// run binds and executes a statement.
func (k *talker) run(name string) []byte {
	messages := [][]byte{bind("", name), describe('P', ""), execute("")}
	if k.random.IntN(2) == 0 {
		messages = append(messages[:1], messages[2])
	}
	return join(messages...)
}

// step is some messages whose answer ends with a FunctionCallResponse and a ReadyForQuery, whatever went wrong before.
func (k *talker) step() []byte {
	var step []byte
	for range 1 + k.random.IntN(6) {
		step = append(step, k.message()...)
	}
	return join(step, endBatch(), call())
}

// answerTo sends a step and reads its answer.
func answerTo(conn net.Conn, step []byte) (words []string, err error) {
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(step)
		sent <- err
	}()
	last := wire.Type(0)
	for {
		kind, body, err := readMessage(conn)
		if err != nil {
			return words, err
		}
		word := show(kind, body)
		if kind == wire.ErrorResponse {
			word += fmt.Sprintf("[%s]", wire.ErrorFieldValue(body, wire.FieldMessage))
		}
		words = append(words, word)
		if last == wire.FunctionCallResponse && kind == wire.ReadyForQuery {
			return words, <-sent
		}
		last = kind
	}
}

// told is a step as words.
func told(step []byte) string {
	var words []string
	r := strings.NewReader(string(step))
	for {
		kind, body, err := readMessage(r)
		if err == io.EOF {
			return strings.Join(words, " ")
		}
		words = append(words, showSent(kind, body))
	}
}

// TestARelayAnswersAsAServerOfOnesOwn: USHER_SEED repeats a run.
func TestARelayAnswersAsAServerOfOnesOwn(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	if text := os.Getenv("USHER_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	steps := 150
	if racing {
		steps = 50
	}
	for _, c := range []struct{ loops, servers, clients, statements int }{
		{1, 1, 1, 100}, {1, 1, 3, 2}, {1, 2, 5, 100}, {2, 2, 6, 1},
	} {
		t.Run(fmt.Sprintf("%d clients on %d", c.clients, c.servers), func(t *testing.T) {
			t.Parallel()
			p := of(c.servers)
			p.loops, p.rules.Statements = c.loops, c.statements
			w := p.start(t)
			var talking sync.WaitGroup
			for i := range c.clients {
				g := w.seatWith("application_name", "usher")
				talking.Go(func() { w.compare(g, rand.New(rand.NewPCG(seed, uint64(i))), steps) })
			}
			talking.Wait()
			if t.Failed() {
				t.Logf("again with USHER_SEED=%d", seed)
			}
		})
	}
}

// compare has a client talk to the relay and to a server of its own.
func (w *world) compare(g *guest, random *rand.Rand, steps int) {
	ours, theirs, err := socketPair()
	if err != nil {
		w.t.Error(err)
		return
	}
	own := newToy(0)
	own.open(theirs)
	defer own.stop()
	defer ours.Close()
	k := &talker{random: random}
	history := ""
	for range steps {
		step := k.step()
		history += told(step) + "\n"
		deadline := time.Now().Add(patience)
		if err := ours.SetDeadline(deadline); err != nil {
			w.t.Error(err)
		}
		if err := g.conn.SetDeadline(deadline); err != nil {
			w.t.Error(err)
		}
		want, err := answerTo(ours, step)
		if err != nil {
			w.t.Errorf("the server of its own: %v behind %v, asked\n%s", err, want, told(step))
			return
		}
		got, err := answerTo(g.conn, step)
		if text := strings.Join(got, " "); err != nil || text != strings.Join(want, " ") {
			w.t.Errorf("asked\n%s\ngot  %s, %v\nwant %s", history, text, err, strings.Join(want, " "))
			return
		}
	}
}
