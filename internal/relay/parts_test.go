package relay

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/usher-pg/usher/internal/reactor"
	"github.com/usher-pg/usher/internal/session"
	"github.com/usher-pg/usher/internal/wire"
	engine "github.com/usher-pg/usher/pool"
)

// sink is a conn whose output can be read.
func sink(t *testing.T) (c *conn, read func() string) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		t.Cleanup(func() { _ = unix.Close(fd) })
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
	}
	return &conn{loop: &loop{}, fd: fds[0]}, func() string {
		b := make([]byte, 1<<16)
		n, err := unix.Read(fds[1], b)
		if err == unix.EAGAIN {
			return ""
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

func TestAFlowKeepsLeavesOutAndPutsIn(t *testing.T) {
	t.Parallel()
	const input = "abcdefghij"
	made := func(f *flow, text string) {
		f.spill()
		f.made = append(f.made, text...)
	}
	for name, c := range map[string]struct {
		do   func(f *flow)
		want string
	}{
		"nothing":                {func(*flow) {}, ""},
		"all as it is":           {func(f *flow) { f.keep(10) }, "abcdefghij"},
		"in two parts":           {func(f *flow) { f.keep(4); f.keep(6) }, "abcdefghij"},
		"the beginning left out": {func(f *flow) { f.skip(3); f.keep(7) }, "defghij"},
		"the middle left out":    {func(f *flow) { f.keep(3); f.skip(3); f.keep(4) }, "abcghij"},
		"the end left out":       {func(f *flow) { f.keep(3); f.skip(7) }, "abc"},
		"all left out":           {func(f *flow) { f.skip(10) }, ""},
		"put in front":           {func(f *flow) { made(f, "<>"); f.keep(10) }, "<>abcdefghij"},
		"put in the middle":      {func(f *flow) { f.keep(3); made(f, "<>"); f.keep(7) }, "abc<>defghij"},
		"exchanged":              {func(f *flow) { f.keep(3); made(f, "<>"); f.skip(3); f.keep(4) }, "abc<>ghij"},
		"put in at the end":      {func(f *flow) { f.keep(10); made(f, "<>") }, "abcdefghij<>"},
		"not all looked at":      {func(f *flow) { f.keep(2); f.skip(1) }, "ab"},
	} {
		to, read := sink(t)
		f := &flow{made: make([]byte, 0, 8)}
		f.begin([]byte(input))
		c.do(f)
		f.flush(to)
		f.flush(to) // what was sent is not sent again
		if got := read(); got != c.want {
			t.Errorf("%s: %q, expected %q", name, got, c.want)
		}
	}
}

func TestAFlowThatIsDiscardedSendsNothing(t *testing.T) {
	t.Parallel()
	to, read := sink(t)
	f := &flow{}
	f.begin([]byte("abcdef"))
	f.keep(2)
	f.skip(1)
	f.keep(1)
	f.discard()
	f.keep(2)
	f.flush(to)
	if got := read(); got != "ef" {
		t.Errorf("%q is sent", got)
	}
	f.begin(make([]byte, 2*flowKept))
	f.keep(2*flowKept - 1)
	f.skip(1)
	f.discard()
	if cap(f.made) > flowKept {
		t.Errorf("a flow keeps a buffer of %d bytes", cap(f.made))
	}
}

// TestRepliesAreAQueue plays random pushes, pops and removals against a slice.
func TestRepliesAreAQueue(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	var q replies
	var twin []reply
	for step := range 20000 {
		switch n := random.IntN(10); {
		case n < 5-step/5000: // it fills at first and is emptied towards the end
			r := reply{expect: expect(1 + random.IntN(int(expectSync))), manner: manner(random.IntN(3))}
			r.called = &called{name: string(rune('a' + random.IntN(26)))}
			q.push(r)
			twin = append(twin, r)
		case n < 8 && len(twin) > 0:
			if got := q.pop(); got != twin[0] {
				t.Fatalf("seed %d, step %d: popped %v, expected %v", seed, step, got, twin[0])
			}
			twin = twin[1:]
		case n == 8 && len(twin) > 1:
			q.removeSecond()
			twin = append(twin[:1:1], twin[2:]...)
		}
		ready := 0
		for i, r := range twin {
			if r.expect.endsReady() {
				ready++
			}
			// Long queues are not compared from end to end each time: what is wrong stays until it is popped.
			if (i < 8 || i > len(twin)-8 || step%25 == 0) && *q.at(i) != r {
				t.Fatalf("seed %d, step %d: %v stands at %d, expected %v", seed, step, *q.at(i), i, r)
			}
		}
		if q.count != len(twin) || q.ready != ready {
			t.Fatalf("seed %d, step %d: counts %d and %d, expected %d and %d",
				seed, step, q.count, q.ready, len(twin), ready)
		}
		if len(twin) == 0 && *q.head() != (reply{}) || len(twin) > 0 && *q.head() != twin[0] {
			t.Fatalf("seed %d, step %d: the head is %v", seed, step, *q.head())
		}
	}
	q.clear()
	if q.count != 0 || q.ready != 0 {
		t.Errorf("cleared, the counts are %d and %d", q.count, q.ready)
	}
}

func TestRepliesAreFullAtTheirLimit(t *testing.T) {
	t.Parallel()
	var q replies
	for !q.full() {
		q.push(reply{expect: expectSync})
	}
	if q.count != repliesMax {
		t.Errorf("full at %d", q.count)
	}
	q.pop()
	if q.full() {
		t.Error("full below the limit")
	}
}

func TestACopyForgetsTheSyncsBehindIt(t *testing.T) {
	t.Parallel()
	e, s, c, q := expectExecute, expectSync, expectCopyEnd, expectQuery
	for _, row := range []struct {
		before, after []expect
		ended         bool
	}{
		{[]expect{e}, []expect{e}, false},
		{[]expect{e, s}, []expect{e}, false},
		{[]expect{e, s, s, s}, []expect{e}, false},
		{[]expect{e, s, c, s}, []expect{e, s}, true},
		{[]expect{q, c, q}, []expect{q, q}, true},
		{[]expect{e, e, s}, []expect{e, e, s}, false},
	} {
		var queue replies
		for _, x := range row.before {
			queue.push(reply{expect: x})
		}
		ended := queue.copyBegins()
		var after []expect
		for queue.count > 0 {
			after = append(after, queue.pop().expect)
		}
		if ended != row.ended || !slices.Equal(after, row.after) {
			t.Errorf("%v becomes %v, ended %v, expected %v, %v", row.before, after, ended, row.after, row.ended)
		}
	}
}

func TestChunksComeInClasses(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{
		0: 256, 1: 256, 256: 256, 257: 512, 512: 512, 513: 1024, 65536: 65536, 65537: chunkLargest,
		chunkLargest: chunkLargest, chunkLargest + 1: chunkLargest + 1, 5 << 20: 5 << 20,
	} {
		var s chunks
		b := s.get(n)
		if len(b) != 0 || cap(b) != want {
			t.Errorf("asked for %d bytes: %d of %d", n, len(b), cap(b))
		}
		s.put(b)
		if again := s.get(n); want <= chunkLargest && &again[:1][0] != &b[:1][0] {
			t.Errorf("the buffer of %d bytes is not used again", want)
		}
	}
	if got := chunkSmallest << (chunkClasses - 1); got != chunkLargest {
		t.Errorf("the last class has %d bytes", got)
	}
}

func TestChunksKeepOnlySoMuch(t *testing.T) {
	t.Parallel()
	var s chunks
	var all [][]byte
	for range 2 * chunkKeptByte / chunkLargest {
		all = append(all, s.get(chunkLargest))
	}
	for _, b := range all {
		s.put(b)
	}
	if s.kept > chunkKeptByte || s.kept < chunkKeptByte/2 {
		t.Errorf("%d bytes are kept", s.kept)
	}
	for range all {
		s.get(chunkLargest)
	}
	if s.kept != 0 {
		t.Errorf("all are in use, and %d bytes are kept", s.kept)
	}
	s.put(make([]byte, 300)) // not from here
	s.put(nil)
	if s.kept != 0 {
		t.Error("a buffer from elsewhere is kept")
	}
}

func TestChunksGrowWithWhatIsInThem(t *testing.T) {
	t.Parallel()
	var s chunks
	var want []byte
	b := s.get(1)
	for i := range 2000 {
		more := bytes.Repeat([]byte{byte(i)}, i%97)
		b = s.keep(b, more)
		want = append(want, more...)
	}
	if !bytes.Equal(b, want) {
		t.Error("the content was changed")
	}
	b = append(s.get(256), bytes.Repeat([]byte("ab"), 128)...)
	if b = s.keep(b, b[:200]); string(b[256:]) != string(b[:200]) {
		t.Error("what lies in the buffer's own array cannot be appended to it")
	}
}

// TestReleasable has one server connection that may leave its client, and everything that stands against it.
func TestReleasable(t *testing.T) {
	t.Parallel()
	sessionMode := &Rules{Mode: ModeSession}
	for name, against := range map[string]func(s *server, c *client){
		"":                               func(*server, *client) {},
		"half a message to the client":   func(s *server, _ *client) { s.left = 1 },
		"half a message from the server": func(s *server, _ *client) { s.stash = []byte{0} },
		"half a message to the server":   func(_ *server, c *client) { c.left = 1 },
		"an outstanding reply":           func(s *server, _ *client) { s.replies.push(reply{expect: expectSync}) },
		"a transaction":                  func(s *server, _ *client) { s.status = wire.StatusInTransaction },
		"a failed transaction":           func(s *server, _ *client) { s.status = wire.StatusFailed },
		"an open batch":                  func(s *server, _ *client) { s.batch = true },
		"a skipped batch":                func(s *server, _ *client) { s.skipping = true },
		"a COPY":                         func(s *server, _ *client) { s.copying = true },
		"a replay":                       func(s *server, _ *client) { s.task = taskReplay },
		"a probe":                        func(s *server, _ *client) { s.task = taskProbe },
		"a probe to come":                func(s *server, _ *client) { s.probeDue = true },
		"a pin":                          func(_ *server, c *client) { c.tracker.ProbeFailed() },
		"replication":                    func(_ *server, c *client) { c.replicating = true },
		"a long unnamed statement":       func(_ *server, c *client) { c.large = true },
		"session mode":                   func(_ *server, c *client) { c.pool.current.Store(sessionMode) },
	} {
		p := &Pool{}
		p.current.Store(&Rules{})
		c := &client{pool: p}
		s := &server{client: c, pool: p, status: idleStatus}
		c.server = s
		against(s, c)
		if got := s.releasable(); got != (name == "") {
			t.Errorf("%q stands against it, but releasable is %v", name, got)
		}
	}
}

func TestAProcessIDSaysWhereItsClientIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		node uint32
		loop int
		slot uint32
	}{
		{0, 0, 0}, {1, 2, 3}, {1<<nodeBits - 1, LoopsMax - 1, slotsMax - 1},
	} {
		k := newKeys(c.node)
		id := k.processID(c.loop, tokenOf(c.slot, 77))
		loop, slot, ok := k.where(id)
		if !ok || loop != c.loop || slot != c.slot || id>>31 != 0 {
			t.Errorf("%+v: process ID %x is at %d, %d, %v", c, id, loop, slot, ok)
		}
		if _, _, ok := newKeys(c.node + 1).where(id); ok {
			t.Errorf("%+v: another node takes the key for its own", c)
		}
	}
}

func TestASecretFitsItsClientOnly(t *testing.T) {
	t.Parallel()
	k := newKeys(1)
	token := tokenOf(5, 9)
	id := k.processID(1, token)
	for _, version := range []uint32{wire.Version30, wire.Version32} {
		secret := k.secretOf(id, token, version)
		if !k.fits(id, token, version, secret) {
			t.Errorf("version %x: its own secret does not fit", version)
		}
		for name, wrong := range map[string]bool{
			"another use of the slot": k.fits(id, tokenOf(5, 10), version, secret),
			"another slot":            k.fits(k.processID(1, tokenOf(6, 9)), tokenOf(6, 9), version, secret),
			"another loop":            k.fits(k.processID(2, token), token, version, secret),
			"another process":         newKeys(1).fits(id, token, version, secret),
			"a part of it":            k.fits(id, token, version, secret[:3]),
			"nothing":                 k.fits(id, token, version, nil),
			"more than it":            k.fits(id, token, version, append(slices.Clone(secret), 0)),
		} {
			if wrong {
				t.Errorf("version %x: the secret fits %s", version, name)
			}
		}
	}
	if k.fits(id, token, wire.Version32, k.secretOf(id, token, wire.Version30)) {
		t.Error("four bytes are enough for a client with a secret of 32")
	}
}

func TestASlotIsKnownByHowOftenItWasUsed(t *testing.T) {
	t.Parallel()
	var s slots
	first, _ := s.reserve()
	c := &client{}
	s.put(seat{token: first, client: c})
	if s.get(first).client != c {
		t.Error("who was put there is not found")
	}
	s.drop(first)
	if s.get(first) != (seat{}) {
		t.Error("who is gone is found")
	}
	second, _ := s.reserve()
	if uint32(second) != uint32(first) || second == first {
		t.Errorf("the slot is used again as %x behind %x", second, first)
	}
	s.put(seat{token: second, client: &client{}})
	if s.get(first) != (seat{}) {
		t.Error("a stale token finds the next one in the slot")
	}
	if s.client(uint32(second)) == nil || s.client(99) != nil {
		t.Error("a slot is found by its number, and no other")
	}
	seen := map[reactor.Token]bool{}
	for range 100 {
		token, err := s.reserve()
		if err != nil || seen[token] {
			t.Fatalf("slot %x is given away twice", token)
		}
		seen[token] = true
	}
}

func TestModesAndReasonsHaveNames(t *testing.T) {
	t.Parallel()
	for mode, want := range map[Mode]string{
		ModeTransaction: "transaction", ModeSession: "session", ModeStatement: "statement",
	} {
		if mode.String() != want {
			t.Errorf("mode %d is called %s", mode, mode)
		}
	}
	var view PoolView
	view.Pins = map[string]uint64{}
	total := &counters{Counters: Counters{Queries: 2}}
	total.pin(session.Pins(session.PinListen, session.PinTemp))
	total.addTo(&view)
	total.addTo(&view)
	if view.Counters.Queries != 4 || view.Pins["listen"] != 2 || view.Pins["temp table"] != 2 {
		t.Errorf("counted: %+v", view)
	}
	if engine.Normal.String() != "normal" {
		t.Error("the lanes of the engine have other names")
	}
}
