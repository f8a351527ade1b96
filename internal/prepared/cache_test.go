package prepared

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestTheCacheEvictsTheLeastRecentlyUsed(t *testing.T) {
	t.Parallel()
	r := NewRegistry()
	c := NewCache(2)
	a, b, d := intern(t, r, "a"), intern(t, r, "b"), intern(t, r, "d")
	c.Add(a)
	c.Add(b)
	if c.Evict() != nil {
		t.Error("evicts within the limit")
	}
	if !c.Has(a) || c.Has(d) {
		t.Error("does not know what it has")
	}
	c.Add(d)
	if got := c.Evict(); got != b || c.Has(b) || c.Evict() != nil || c.Len() != 2 {
		t.Errorf("evicts %v", got)
	}
	c.Restore(b)
	c.Restore(b)
	if c.Len() != 3 || c.Evict() != a || !c.Remove(b) || c.Remove(b) {
		t.Error("a restored statement is not there")
	}
	c.Clear()
	for _, s := range []*Statement{a, b, d} {
		s.Release()
	}
	if c.Len() != 0 || r.Len() != 0 {
		t.Errorf("%d in the cache, %d in the registry", c.Len(), r.Len())
	}
}

func TestACacheWithoutALimitIsOff(t *testing.T) {
	t.Parallel()
	c := NewCache(0)
	s := intern(t, NewRegistry(), "a")
	c.Add(s)
	c.Restore(s)
	c.Clear()
	if c != nil || c.Has(s) || c.Remove(s) || c.Evict() != nil || c.Len() != 0 {
		t.Error("it is not off")
	}
	c.Oldest(func(*Statement) bool { t.Error("it has something"); return true })
}

// TestTheCacheIsALeastRecentlyUsedList compares it with a slice that is searched.
func TestTheCacheIsALeastRecentlyUsedList(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	r := NewRegistry()
	var all []*Statement
	for i := range 40 {
		all = append(all, intern(t, r, fmt.Sprint(i)))
	}
	const limit = 10
	c := NewCache(limit)
	var twin []*Statement // least recently used first
	touch := func(s *Statement) bool {
		i := slices.Index(twin, s)
		if i >= 0 {
			twin = append(slices.Delete(twin, i, i+1), s)
		}
		return i >= 0
	}
	for range 20_000 {
		s := all[random.IntN(len(all))]
		switch n := random.IntN(100); {
		case n < 80:
			if has := c.Has(s); has != touch(s) {
				t.Fatalf("Has %s: %v", s.Name(), has)
			} else if !has {
				c.Add(s)
				twin = append(twin, s)
			}
			for old := c.Evict(); old != nil; old = c.Evict() {
				if old != twin[0] {
					t.Fatalf("evicted %s, not %s", old.Name(), twin[0].Name())
				}
				twin = twin[1:]
			}
		case n < 90:
			if i := slices.Index(twin, s); c.Remove(s) != (i >= 0) {
				t.Fatalf("Remove %s", s.Name())
			} else if i >= 0 {
				twin = slices.Delete(twin, i, i+1)
			}
		case n < 99:
			c.Restore(s)
			if !touch(s) {
				twin = append(twin, s)
			}
		default:
			c.Clear()
			twin = nil
		}
		var listed []*Statement
		c.Oldest(func(s *Statement) bool { listed = append(listed, s); return true })
		if !slices.Equal(listed, twin) || c.Len() != len(twin) {
			t.Fatalf("%d listed, %d expected", len(listed), len(twin))
		}
	}
	c.Clear()
	for _, s := range all {
		s.Release()
	}
	if r.Len() != 0 {
		t.Errorf("%d statements are left", r.Len())
	}
}
