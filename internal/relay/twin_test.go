package relay

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
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
		"DEALLOCATE ALL", "DISCARD ALL",
	}
	queryTexts = append([]string{
		"SELECT 'a'; SELECT 'b'", "SET my.var = 'both'; SELECT fail", "BEGIN; SET my.var = 'tx'", "COMMIT; SELECT 'c'",
		"DEALLOCATE s1", "DEALLOCATE s2", "BEGIN; SELECT fail", "ROLLBACK; BEGIN",
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
type step struct {
	client   int
	messages [][]byte
}

func (k *talker) step(client int) step {
	s := step{client: client}
	for range 1 + k.random.IntN(6) {
		s.messages = append(s.messages, k.message())
	}
	return s
}

// bytes is what is sent.
func (s step) bytes() []byte { return join(join(s.messages...), endBatch(), call()) }

// String is a step as words.
func (s step) String() string {
	words := []string{fmt.Sprintf("client %d:", s.client)}
	r := bytes.NewReader(s.bytes())
	for {
		kind, body, err := readMessage(r)
		if err != nil {
			return strings.Join(words, " ")
		}
		words = append(words, showSent(kind, body))
	}
}

// answerTo sends a step and reads its answer.
func (s step) answerTo(conn net.Conn, patience time.Duration) (answer string, err error) {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(s.bytes())
		sent <- err
	}()
	var words []string
	for last := wire.Type(0); ; {
		kind, body, err := readMessage(conn)
		if err != nil {
			return strings.Join(words, " "), err
		}
		word := show(kind, body)
		if kind == wire.ErrorResponse {
			word += fmt.Sprintf("[%s]", wire.ErrorFieldValue(body, wire.FieldMessage))
		}
		if kind == wire.FunctionCallResponse {
			word = "V"
		}
		words = append(words, word)
		if last == wire.FunctionCallResponse && kind == wire.ReadyForQuery {
			return strings.Join(words, " "), <-sent
		}
		last = kind
	}
}

// pair is a client of the relay, and its twin that has a server of its own.
type pair struct {
	guest *guest
	own   *toy
	conn  net.Conn
}

func (w *world) pair() (*pair, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	p := &pair{guest: w.seatWith("application_name", "usher"), own: newToy(0), conn: ours}
	p.own.open(theirs)
	return p, nil
}

func (p *pair) stop() {
	_ = p.conn.Close()
	p.own.stop()
}

// keeps reports whether the client may keep its server connection: then others must not count on it.
func (p *pair) keeps() bool {
	s := p.own.session(1)
	p.own.mutex.Lock()
	defer p.own.mutex.Unlock()
	return s.status != wire.StatusIdle || len(s.channels) > 0
}

// differs has both say the same, and compares what they are answered.
func (p *pair) differs(s step, patience time.Duration) error {
	want, err := s.answerTo(p.conn, patience)
	if err != nil {
		return fmt.Errorf("the server of its own: %w behind %s", err, want)
	}
	got, err := s.answerTo(p.guest.conn, patience)
	if got != want || err != nil {
		return fmt.Errorf("%v\ngot  %s, %v\nwant %s", s, got, err, want)
	}
	return nil
}

// dialogue is what several clients say, one after the other.
type dialogue []step

func (d dialogue) String() string {
	var lines []string
	for _, s := range d {
		lines = append(lines, s.String())
	}
	return strings.Join(lines, "\n")
}

// play plays a dialogue in a world. A client who would have to wait for another one's server connection says nothing.
func (d dialogue) play(w *world, clients, servers int, patience time.Duration) error {
	pairs := make([]*pair, clients)
	for i := range pairs {
		p, err := w.pair()
		if err != nil {
			return err
		}
		defer p.stop()
		pairs[i] = p
	}
	for _, s := range d {
		keeping := 0
		for i, p := range pairs {
			if i != s.client && p.keeps() {
				keeping++
			}
		}
		if keeping == servers {
			continue
		}
		if err := pairs[s.client].differs(s, patience); err != nil {
			return err
		}
	}
	return nil
}

// attempt is a test in a test, which may fail: what is shrunk fails again and again.
type attempt struct {
	testing.TB
	failed   bool
	cleanups []func()
}

type attemptEnds struct{}

func (a *attempt) Cleanup(f func())          { a.cleanups = append(a.cleanups, f) }
func (a *attempt) Failed() bool              { return a.failed }
func (a *attempt) Error(...any)              { a.failed = true }
func (a *attempt) Errorf(string, ...any)     { a.failed = true }
func (a *attempt) Log(...any)                {}
func (a *attempt) Fatal(...any)              { a.failed = true; panic(attemptEnds{}) }
func (a *attempt) Fatalf(f string, x ...any) { a.failed = true; panic(attemptEnds{}) }

// run calls f, which may end as a test ends that calls Fatal.
func (a *attempt) run(f func()) {
	defer func() {
		if r := recover(); r != nil && r != (attemptEnds{}) {
			panic(r)
		}
	}()
	f()
}

// try plays a dialogue in a world of its own.
func (d dialogue) try(t testing.TB, c cast) (err error) {
	a := &attempt{TB: t}
	a.run(func() { err = d.play(c.plan().start(a), c.clients, c.servers, time.Second) })
	a.failed = a.failed || err != nil
	for _, f := range slices.Backward(a.cleanups) {
		a.run(f)
	}
	if err == nil && a.failed {
		err = errors.New("something is left when all have gone")
	}
	return err
}

// shrinkTime bounds how long a failed dialogue is made shorter. Where nothing comes, each attempt takes seconds.
const shrinkTime = 30 * time.Second

// shrink leaves out what is not needed for d to fail.
func (d dialogue) shrink(t testing.TB, c cast) (dialogue, error) {
	why := d.try(t, c)
	if why == nil {
		return d, errors.New("it does not fail again")
	}
	until := time.Now().Add(shrinkTime)
	shorter := func(less dialogue) bool {
		if time.Now().After(until) {
			return false
		}
		err := less.try(t, c)
		if err != nil {
			d, why = less, err
		}
		return err != nil
	}
	for size := len(d) / 2; size > 0; size /= 2 {
		for from := 0; from+size <= len(d); {
			if !shorter(slices.Concat(d[:from], d[from+size:])) {
				from += size
			}
		}
	}
	for i := range d {
		for j := 0; j < len(d[i].messages); {
			less := slices.Clone(d)
			less[i].messages = slices.Delete(slices.Clone(d[i].messages), j, j+1)
			if !shorter(less) {
				j++
			}
		}
	}
	return d, why
}

// cast is who plays.
type cast struct {
	loops, servers, clients, statements int
	unbatched                           bool
}

func (c cast) plan() *plan {
	p := of(c.servers)
	p.loops, p.rules.Statements, p.unbatched = c.loops, c.statements, c.unbatched
	return p
}

// TestARelayAnswersAsAServerOfOnesOwn: USHER_SEED repeats a run.
func TestARelayAnswersAsAServerOfOnesOwn(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	if text := os.Getenv("USHER_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	for _, c := range []cast{
		{1, 1, 1, 100, false}, {1, 1, 3, 2, true}, {1, 2, 5, 100, false}, {2, 2, 6, 1, false},
	} {
		t.Run(fmt.Sprintf("%d clients on %d", c.clients, c.servers), func(t *testing.T) {
			t.Parallel()
			k := &talker{random: rand.New(rand.NewPCG(seed, uint64(c.clients)))}
			var d dialogue
			for range twinSteps {
				d = append(d, k.step(k.random.IntN(c.clients)))
			}
			if err := d.play(c.plan().start(t), c.clients, c.servers, patience/4); err != nil {
				less, why := d.shrink(t, c)
				t.Errorf("with USHER_SEED=%d: %v\nshorter:\n%v\n%v", seed, err, less, why)
			}
		})
	}
}
