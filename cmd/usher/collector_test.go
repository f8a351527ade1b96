package main

import (
	"runtime"
	"runtime/metrics"
	"testing"
)

func TestASmallHeapGrowsBeforeItIsCollected(t *testing.T) {
	const mb = 1 << 20
	for live, want := range map[uint64]int{
		0: 200, 1: 200, 2 * mb: 200, 3 * mb: 150, 3*mb + mb/2: 125, 4 * mb: 100, 7 * mb: 100, 8 * mb: 100, 1 << 40: 100,
	} {
		if got := growth(live); got != want {
			t.Errorf("with %d bytes alive the heap may grow by %d %%, want %d %%", live, got, want)
		}
	}
}

func TestTheCollectorIsTended(t *testing.T) {
	t.Setenv("GOGC", "")
	allowed := func() int {
		sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(sample)
		return int(sample[0].Value.Uint64())
	}
	await := func(when string, good func(int) bool) {
		t.Helper()
		const collections = 200 // the next look may come after several
		for range collections {
			if good(allowed()) {
				return
			}
			runtime.GC()
		}
		t.Fatalf("%s: the heap may grow by %d %%", when, allowed())
	}
	tend()
	if got := allowed(); got <= leastGrowth {
		t.Fatalf("at the beginning the heap may grow by %d %%, want more than %d %%", got, leastGrowth)
	}
	much := make([]byte, 4*leastHeap)
	await("with much alive", func(percent int) bool { return percent == leastGrowth })
	runtime.KeepAlive(much)
	await("with little alive", func(percent int) bool { return percent > leastGrowth })
}
