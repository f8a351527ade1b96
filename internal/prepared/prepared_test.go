package prepared

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/usher-pg/usher/internal/session"
	"github.com/usher-pg/usher/internal/wire"
)

// body is a Parse message without the name.
func body(text string, types ...uint32) []byte {
	b := append([]byte(text), 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(types)))
	for _, oid := range types {
		b = binary.BigEndian.AppendUint32(b, oid)
	}
	return b
}

func intern(t testing.TB, r *Registry, text string, types ...uint32) *Statement {
	t.Helper()
	s, err := r.Intern(body(text, types...), "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStatementsAreTheSameByTextTypesAndReading(t *testing.T) {
	t.Parallel()
	r := NewRegistry()
	a := intern(t, r, "SELECT $1")
	if b := intern(t, r, "SELECT $1"); b != a {
		t.Error("the same text is two statements")
	}
	if b := intern(t, r, "SELECT $1", 23); b == a || b.Name() == a.Name() {
		t.Error("other types are the same statement")
	}
	other, err := r.Intern(body("SELECT $1"), "search_path tenant_7")
	if err != nil || other == a {
		t.Errorf("another reading is the same statement, %v", err)
	}
	if r.Len() != 3 {
		t.Errorf("%d statements", r.Len())
	}
}

func TestAStatementKnowsItsMessages(t *testing.T) {
	t.Parallel()
	s := intern(t, NewRegistry(), "SET app.x = 'y'", 23, 25)
	if s.Name() != fmt.Sprintf("usher_%d", s.ID()) || !Internal(s.Name()) {
		t.Errorf("name %s", s.Name())
	}
	if Internal("usher_") || Internal("usher_x") || Internal("s1") {
		t.Error("names of clients are internal")
	}
	if s.Text() != "SET app.x = 'y'" || string(s.SQL()) != s.Text() || s.Finding() != session.Setting ||
		len(s.Types()) != 10 {
		t.Errorf("%q %q %v %q", s.Text(), s.SQL(), s.Finding(), s.Types())
	}
	types := append([]byte{0, 2, 0, 0, 0, 23, 0, 0, 0}, 25)
	want := wire.AppendParse(nil, s.Name(), []byte(s.Text()), types)
	if got := s.AppendParse(nil); !bytes.Equal(got, want) {
		t.Errorf("Parse %q, want %q", got, want)
	}
	want = wire.AppendParse(nil, "", []byte(s.Text()), types)
	if got := s.AppendParseAs(nil, ""); !bytes.Equal(got, want) {
		t.Errorf("unnamed Parse %q, want %q", got, want)
	}
	name, rest, err := Body(s.AppendParse(nil)[wire.HeaderLen:])
	if err != nil || string(name) != s.Name() || !bytes.Equal(rest, body(s.Text(), 23, 25)) {
		t.Errorf("Body: %q %q %v", name, rest, err)
	}
	kind, target, err := wire.Target(s.AppendClose(nil)[wire.HeaderLen:])
	if err != nil || kind != wire.KindStatement || string(target) != s.Name() {
		t.Errorf("Close: %v %q %v", kind, target, err)
	}
	kind, target, err = wire.Target(s.AppendDescribe(nil)[wire.HeaderLen:])
	if err != nil || kind != wire.KindStatement || string(target) != s.Name() {
		t.Errorf("Describe: %v %q %v", kind, target, err)
	}
}

func TestStatementsNobodyHoldsLeaveTheRegistry(t *testing.T) {
	t.Parallel()
	r := NewRegistry()
	s := intern(t, r, "SELECT 1")
	intern(t, r, "SELECT 1")
	s.Release()
	if r.Len() != 1 || r.Bytes() != s.Size() {
		t.Errorf("%d statements, %d bytes", r.Len(), r.Bytes())
	}
	s.Release()
	if r.Len() != 0 || r.Bytes() != 0 {
		t.Errorf("%d statements, %d bytes are left", r.Len(), r.Bytes())
	}
	if again := intern(t, r, "SELECT 1"); again == s || again.Name() == s.Name() {
		t.Error("a name is used again")
	}
	defer func() {
		if message, ok := recover().(string); !ok || !strings.HasPrefix(message, "bug: ") {
			t.Errorf("released too often: %v", message)
		}
	}()
	s.Release()
}

func TestARetiredStatementIsReplacedAtTheNextParse(t *testing.T) {
	t.Parallel()
	r := NewRegistry()
	old := intern(t, r, "SELECT * FROM t")
	r.Retire(old)
	r.Retire(old)
	fresh := intern(t, r, "SELECT * FROM t")
	if fresh == old || fresh.Name() == old.Name() || !old.Retired() || fresh.Retired() {
		t.Errorf("old %s, fresh %s", old.Name(), fresh.Name())
	}
	old.Release()
	if r.Len() != 1 || intern(t, r, "SELECT * FROM t") != fresh {
		t.Error("releasing the old statement removes the fresh one")
	}
	r.Retire(old)
	if fresh.Retired() || r.Len() != 1 {
		t.Error("retiring the old statement again retires the fresh one")
	}
	fresh.Release()
	fresh.Release()
	if r.Len() != 0 || r.Bytes() != 0 {
		t.Errorf("%d statements, %d bytes are left", r.Len(), r.Bytes())
	}
}

func TestTheRegistryHasLimits(t *testing.T) {
	t.Parallel()
	r := NewRegistry()
	r.limit = 1000
	intern(t, r, strings.Repeat("x", 500))
	if _, err := r.Intern(body(strings.Repeat("y", 500)), ""); !errors.Is(err, ErrRegistryFull) {
		t.Errorf("a full registry: %v", err)
	}
	if r.Len() != 1 || r.Bytes() >= 1000 {
		t.Errorf("%d statements, %d bytes", r.Len(), r.Bytes())
	}
	if _, err := r.Intern(body(strings.Repeat("y", MaxStatementBytes)), ""); !errors.Is(err, ErrTooLong) {
		t.Errorf("a long statement: %v", err)
	}
	truncated := []string{"", "SELECT 1", "SELECT 1\x00", "SELECT 1\x00\x00\x01\x00", "SELECT 1\x00\x00\x00x"}
	for _, bad := range truncated {
		if _, err := r.Intern([]byte(bad), ""); !errors.Is(err, wire.ErrTruncated) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestNamesHoldStatements(t *testing.T) {
	t.Parallel()
	r := NewRegistry()
	var none *Names
	if none.Get([]byte("a")) != nil || none.Len() != 0 || none.Bytes() != 0 || none.Delete([]byte("a")) {
		t.Error("nil has names")
	}
	none.Clear()
	var n Names
	a, b := intern(t, r, "SELECT 1"), intern(t, r, "SELECT 2")
	for name, s := range map[string]*Statement{"a": a, "b": b, "": a} {
		if err := n.Set([]byte(name), s); err != nil {
			t.Fatal(err)
		}
	}
	a.Release()
	b.Release()
	if n.Get([]byte("a")) != a || n.Get([]byte("b")) != b || n.Get(nil) != a || n.Get([]byte("c")) != nil ||
		n.Len() != 2 {
		t.Error("names are lost")
	}
	if err := n.Set([]byte("a"), b); !errors.Is(err, ErrNameTaken) {
		t.Errorf("a name given twice: %v", err)
	}
	if err := n.Set(nil, b); err != nil || n.Get(nil) != b {
		t.Errorf("the unnamed statement given twice: %v", err)
	}
	if !n.Delete([]byte("a")) || n.Delete([]byte("a")) || r.Len() != 1 {
		t.Errorf("%d statements after the last name of one is gone", r.Len())
	}
	if !n.Delete([]byte("b")) || r.Len() != 1 || n.Bytes() != 0 {
		t.Errorf("%d statements, %d bytes", r.Len(), n.Bytes())
	}
	n.Clear()
	if r.Len() != 0 || n.Get(nil) != nil {
		t.Errorf("%d statements after clear", r.Len())
	}
}

func TestAClientCannotHaveTooManyNames(t *testing.T) {
	t.Parallel()
	r := NewRegistry()
	s := intern(t, r, "SELECT 1")
	var n Names
	for i := range MaxNames {
		if err := n.Set(fmt.Append(nil, i), s); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Set([]byte("one more"), s); !errors.Is(err, ErrTooManyNames) {
		t.Errorf("too many names: %v", err)
	}
	if err := n.Set(nil, s); err != nil {
		t.Errorf("the unnamed statement counts: %v", err)
	}
	n.Clear()
	long := intern(t, r, strings.Repeat("x", MaxStatementBytes-3))
	var err error
	for i := 0; err == nil; i++ {
		err = n.Set(fmt.Append(nil, i), long)
	}
	if !errors.Is(err, ErrTooManyNames) || n.Bytes() > MaxNameBytes {
		t.Errorf("too many bytes: %v with %d", err, n.Bytes())
	}
}

func TestSeveralLoopsShareTheRegistry(t *testing.T) {
	t.Parallel()
	r := NewRegistry()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			c := NewCache(8)
			for i := range 2000 {
				s, err := r.Intern(body(fmt.Sprint("SELECT ", i%32)), "")
				if err != nil {
					t.Error(err)
					return
				}
				if !c.Has(s) {
					c.Add(s)
				}
				c.Evict()
				if i%97 == 0 {
					r.Retire(s)
				}
				s.Release()
			}
			c.Clear()
		})
	}
	group.Wait()
	if r.Len() != 0 || r.Bytes() != 0 {
		t.Errorf("%d statements, %d bytes are left", r.Len(), r.Bytes())
	}
}

func TestHitsDoNotAllocate(t *testing.T) {
	r := NewRegistry()
	key := body("SELECT abalance FROM pgbench_accounts WHERE aid = $1", 23)
	s, err := r.Intern(key, "public")
	if err != nil {
		t.Fatal(err)
	}
	c := NewCache(100)
	c.Add(s)
	c.Add(intern(t, r, "another"))
	var n Names
	name := []byte("P0_1")
	if err := n.Set(name, s); err != nil {
		t.Fatal(err)
	}
	path := "public"
	allocations := testing.AllocsPerRun(100, func() {
		found, err := r.Intern(key, path)
		if err != nil || found != s || !c.Has(found) || n.Get(name) != s || n.Set(nil, s) != nil {
			t.Error("not a hit")
		}
		found.Release()
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func TestBindHeadRewritesTheNameAndStreamsTheRest(t *testing.T) {
	t.Parallel()
	original := wire.AppendBind(nil, []byte("portal"), "mine", []byte("the rest, which may be long"))
	whole := original[wire.HeaderLen:]
	for cut := range len("portal\x00mine\x00") {
		if _, ok, err := ParseBindHead(whole[:cut]); ok || err != nil {
			t.Errorf("%d bytes are enough: %v", cut, err)
		}
	}
	head, ok, err := ParseBindHead(whole[:20])
	if !ok || err != nil || string(head.Portal) != "portal" || string(head.Statement) != "mine" ||
		head.Length != 12 {
		t.Fatalf("%+v, %v, %v", head, ok, err)
	}
	got := append(head.Append(nil, "usher_12345", len(whole)), whole[head.Length:]...)
	want := wire.AppendBind(nil, []byte("portal"), "usher_12345", whole[head.Length:])
	if !bytes.Equal(got, want) {
		t.Errorf("%q\n%q", got, want)
	}
	if _, _, err := ParseBindHead(bytes.Repeat([]byte("x"), MaxBindHead+1)); !errors.Is(err, wire.ErrTruncated) {
		t.Errorf("names without an end: %v", err)
	}
	long := append(bytes.Repeat([]byte("x"), MaxBindHead), 0, 0)
	if _, _, err := ParseBindHead(long); !errors.Is(err, wire.ErrTruncated) {
		t.Errorf("long names: %v", err)
	}
}

func FuzzIntern(f *testing.F) {
	f.Add(body("SELECT $1", 23), "public")
	f.Add([]byte{0, 0, 0}, "")
	f.Add([]byte("x\x00\xff\xff"), "")
	f.Fuzz(func(t *testing.T, data []byte, path string) {
		r := NewRegistry()
		s, err := r.Intern(data, path)
		if err != nil {
			return
		}
		_, again, err := Body(s.AppendParse(nil)[wire.HeaderLen:])
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("%q becomes %q, %v", data, again, err)
		}
		s.Release()
		if r.Len() != 0 || r.Bytes() != 0 {
			t.Fatal("not forgotten")
		}
	})
}

func FuzzParseBindHead(f *testing.F) {
	f.Add([]byte("portal\x00statement\x00rest"))
	f.Fuzz(func(t *testing.T, data []byte) {
		head, ok, err := ParseBindHead(data)
		if !ok || err != nil {
			return
		}
		portal, statement, rest, err := wire.BindParts(data)
		if err != nil || !bytes.Equal(portal, head.Portal) || !bytes.Equal(statement, head.Statement) ||
			!bytes.Equal(rest, data[head.Length:]) {
			t.Fatalf("%q: %+v", data, head)
		}
	})
}

func BenchmarkIntern(b *testing.B) {
	r := NewRegistry()
	key := body("SELECT abalance FROM pgbench_accounts WHERE aid = $1", 23)
	intern(b, r, "SELECT abalance FROM pgbench_accounts WHERE aid = $1", 23)
	b.ReportAllocs()
	for b.Loop() {
		s, _ := r.Intern(key, "")
		s.Release()
	}
}

func BenchmarkCacheHas(b *testing.B) {
	r := NewRegistry()
	c := NewCache(200)
	var all []*Statement
	for i := range 200 {
		s := intern(b, r, fmt.Sprint(i))
		c.Add(s)
		all = append(all, s)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.Has(all[i*7%200])
	}
}
