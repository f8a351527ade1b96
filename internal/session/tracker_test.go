package session

import (
	"testing"
	"unsafe"

	"github.com/usher-pg/usher/internal/wire"
)

func TestAnIdleTrackerIsSmall(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(Tracker{}); size > 40 {
		t.Errorf("%d bytes for each idle client", size)
	}
}

// plainTransaction plays a transaction that leaves nothing.
func plainTransaction(tracker *Tracker, begin, statement, commit, tag []byte) ActionKind {
	tracker.Observe(Scan(begin), begin, 0)
	tracker.CommandTag(begin)
	tracker.Ready('T', false)
	tracker.Observe(Scan(statement), statement, 0)
	tracker.CommandTag(tag)
	tracker.Ready('T', false)
	tracker.Observe(Scan(commit), commit, 0)
	tracker.CommandTag(commit)
	return tracker.Ready('I', false).Kind
}

func TestPlainTransactionsDoNotAllocate(t *testing.T) {
	var tracker Tracker
	tracker.Start(Reported([]wire.Param{{Name: "TimeZone", Value: "UTC"}}))
	begin, statement, commit := []byte("BEGIN"), []byte("SELECT 1 FROM t WHERE id = 17"), []byte("COMMIT")
	allocations := testing.AllocsPerRun(100, func() {
		if plainTransaction(&tracker, begin, statement, commit, []byte("SELECT 1")) != Nothing {
			t.Fatal("not nothing")
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func TestPinReasonsHaveNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range AllPinReasons() {
		name := r.String()
		if name == "" || seen[name] {
			t.Errorf("reason %d is called %q", r, name)
		}
		seen[name] = true
		if set := Pins(r); !set.Has(r) || set.Len() != 1 || set.String() != name {
			t.Errorf("the set of %s is %s", name, set)
		}
	}
	if len(seen) != int(pinReasons) {
		t.Errorf("%d reasons", len(seen))
	}
	if Pins(PinListen, PinTemp).String() != "listen, temp table" || PinReasons(0).String() != "" {
		t.Error("sets are not listed")
	}
}

func TestFindingsHaveNames(t *testing.T) {
	t.Parallel()
	if Unsure != 1<<(len(findingNames)-1) {
		t.Error("not every finding has a name")
	}
	if got := (Setting | Multi).String(); got != "setting, multi" {
		t.Errorf("got %q", got)
	}
	if got := Finding(0).String(); got != "nothing" {
		t.Errorf("got %q", got)
	}
}

func BenchmarkTracker(b *testing.B) {
	b.Run("plain", func(b *testing.B) {
		var tracker Tracker
		begin, statement, commit := []byte("BEGIN"), []byte("SELECT 1 FROM t WHERE id = 17"), []byte("COMMIT")
		tag := []byte("SELECT 1")
		b.ReportAllocs()
		for b.Loop() {
			plainTransaction(&tracker, begin, statement, commit, tag)
		}
	})
	b.Run("set", func(b *testing.B) {
		var tracker Tracker
		texts := [][]byte{[]byte("SET app.user = '42'"), []byte("SET app.user = '43'")}
		tag := []byte("SET")
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			sql := texts[i&1]
			tracker.Observe(Scan(sql), sql, 0)
			tracker.CommandTag(tag)
			tracker.Ready('I', false)
		}
	})
}

func BenchmarkAppendDiff(b *testing.B) {
	base := Reported([]wire.Param{
		{Name: "TimeZone", Value: "UTC"}, {Name: "DateStyle", Value: "ISO, MDY"},
		{Name: "application_name", Value: "a"},
		{Name: "client_encoding", Value: "UTF8"}, {Name: "standard_conforming_strings", Value: "on"},
	})
	other, err := base.Reported("application_name", "b")
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendDiff(dst[:0], base, other)
	}
}
