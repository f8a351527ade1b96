package relay

import (
	"io"
	"runtime"
	"testing"

	"github.com/usher-pg/usher/internal/wire"
)

// A transaction as it is measured: what a client sends and what the server answers. The server is an echo
// without a mind, so that what is measured is the relay.
type measured struct {
	name             string
	prepare, request []byte
	prepared, answer []byte
	forwarded        int // bytes of the request as the server gets it
}

// transactions are the three ways of a SELECT, as pgbench -S has them.
func transactions() []measured {
	row := join(wire.AppendRow(nil, [][]byte{[]byte("12345")}), wire.AppendTag(nil, "SELECT 1"),
		wire.AppendReady(nil, wire.StatusIdle))
	described := wire.AppendRowDescription(nil, []wire.Column{{Name: "abalance", OID: 23, Size: 4}})
	const text = "SELECT abalance FROM pgbench_accounts WHERE aid = 4711"
	simple := query(text)
	run := join(bind("", ""), describe('P', ""), execute(""), endBatch())
	extended := join(parse("", text), run)
	parsed := empty(wire.ParseComplete)
	bound := join(empty(wire.BindComplete), described, row)
	named := join(bind("", "P0"), describe('P', ""), execute(""), endBatch())
	rename := len("usher_1") - len("P0")
	return []measured{
		{name: "simple", request: simple, answer: join(described, row), forwarded: len(simple)},
		{name: "extended", request: extended, answer: join(parsed, bound), forwarded: len(extended)},
		{
			name:    "prepared",
			prepare: join(parse("P0", text), endBatch()), prepared: join(parsed, wire.AppendReady(nil, 'I')),
			request: named, answer: bound, forwarded: len(named) + rename,
		},
	}
}

// play makes n transactions.
func (m *measured) play(tb testing.TB, g *guest, e *echo, n int) {
	got := make([]byte, len(m.answer))
	e.expect(m.forwarded, m.answer, n)
	for range n {
		if _, err := g.conn.Write(m.request); err != nil {
			tb.Fatal(err)
		}
		if _, err := io.ReadFull(g.conn, got); err != nil {
			tb.Fatalf("%v\n%s", err, g.w.state())
		}
	}
	if string(got) != string(m.answer) {
		tb.Fatalf("got %q, expected %q", got, m.answer)
	}
}

// begin seats a client and prepares what is to be measured.
func (m *measured) begin(tb testing.TB) (*guest, *echo) {
	w, e := echoWorld(tb)
	g := w.seatWith("application_name", "usher") // as the server connection: nothing needs to be set
	if m.prepare != nil {
		e.expect(len(m.prepare)+len("usher_1")-len("P0"), m.prepared, 1)
		got := make([]byte, len(m.prepared))
		if _, err := g.conn.Write(m.prepare); err != nil {
			tb.Fatal(err)
		}
		if _, err := io.ReadFull(g.conn, got); err != nil {
			tb.Fatalf("%v\n%s", err, w.state())
		}
	}
	m.play(tb, g, e, 100)
	return g, e
}

// TestATransactionAllocatesNothing counts the allocations of the whole process, as the loop's cannot be told
// apart: the client, the relay and the server.
func TestATransactionAllocatesNothing(t *testing.T) {
	const n = 2000
	for _, m := range transactions() {
		g, e := m.begin(t)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		m.play(t, g, e, n)
		runtime.ReadMemStats(&after)
		// The runtime itself allocates now and then: for its timers, the collector, the poller.
		if each := float64(after.Mallocs-before.Mallocs) / n; each > 0.05 {
			t.Errorf("%s: %.3f allocations a transaction", m.name, each)
		}
		g.w.finish()
	}
}

func BenchmarkTransaction(b *testing.B) {
	for _, m := range transactions() {
		b.Run(m.name, func(b *testing.B) {
			g, e := m.begin(b)
			b.ReportAllocs()
			b.ResetTimer()
			m.play(b, g, e, b.N)
			b.StopTimer()
			g.w.finish()
		})
	}
}
