package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// What usher keeps in memory is little: 3 MB with a few clients. Left alone, Go's collector then runs whenever the heap
// has grown to 4 MB, which is every 50 logins over TLS: 5 % of a storm's CPU. So a heap smaller than leastHeap grows to
// that before it is collected; a bigger one is collected when it has doubled, as always. TLS logins cost 0.97 of what
// they did (six pairs), and usher has 4 to 6 MB more.
const (
	leastHeap   = 8 << 20
	leastGrowth = 100                         // percent of what lives: Go's default
	mostGrowth  = 100 * leastHeap / (4 << 20) // makes Go's own least heap, 4 MB for every hundred, leastHeap
	growthStep  = 25                          // setting it stops the world for a moment: not for less
)

// growth is how much the heap may grow before it is collected, in percent, when live bytes are left after the last
// time.
func growth(live uint64) int {
	if live >= leastHeap {
		return leastGrowth
	}
	percent := int(100 * (leastHeap - live) / max(live, 1))
	return max(leastGrowth, min(percent-percent%growthStep, mostGrowth))
}

// tend keeps the growth of the heap as growth says, from one collection to the next, unless the environment says
// something else.
func tend() {
	if os.Getenv("GOGC") != "" {
		return
	}
	(&collector{percent: leastGrowth}).look()
}

// collector is Go's, as far as it is tended.
type collector struct {
	percent int
}

// bell is garbage that is found when other garbage is. Without a pointer in it it would share its place with other
// tiny things, and be found when the last of them is.
type bell struct{ _ *collector }

// look is called after each collection.
func (c *collector) look() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if want := growth(live[0].Value.Uint64()); want != c.percent {
		c.percent = want
		debug.SetGCPercent(want)
	}
	runtime.AddCleanup(&bell{c}, (*collector).look, c)
}
