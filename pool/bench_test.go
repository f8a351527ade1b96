package pool_test

import (
	"sync"
	"testing"
	"time"

	"github.com/usher-pg/usher/pool"
)

// filled is a pool with n idle resources.
func filled(tb testing.TB, cfg pool.Config, n int) *pool.Pool[int] {
	tb.Helper()
	p := pool.New[int](cfg, nil, 0)
	p.SetTarget(n)
	var work pool.Work[int]
	for opened := 0; opened < n; {
		p.Tick(0, &work)
		if work.Open == 0 {
			tb.Fatalf("only %d of %d opened", opened, n)
		}
		for range work.Open {
			p.Opened(opened, 0)
			opened++
		}
	}
	p.Tick(0, &work)
	return p
}

func BenchmarkAcquireReleaseUncontended(b *testing.B) {
	p := filled(b, pool.Config{Max: 20, IdleTimeout: time.Minute, Lifetime: time.Hour}, 20)
	var w pool.Waiter[int]
	now := time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		now += time.Microsecond
		r := p.Acquire(&w, pool.Normal, now, now).Resource
		p.Release(r, now)
	}
}

// One transaction of a pool in overload: a request queues, another's release hands over to the oldest, who
// accepts.
func BenchmarkHandOver(b *testing.B) {
	const waiters = 1000
	p := filled(b, pool.Config{Max: 1}, 1)
	ws := make([]pool.Waiter[int], waiters)
	now := time.Duration(0)
	var holder *pool.Resource[int]
	for i := range ws {
		if out := p.Acquire(&ws[i], pool.Lane(i%pool.Lanes), now, now); out.Resource != nil {
			holder = out.Resource
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		now += time.Microsecond
		g, ok := p.Release(holder, now)
		if !ok || !p.Accept(g) {
			b.Fatal("nobody got it")
		}
		holder = g.Resource
		p.Acquire(g.Waiter, pool.Normal, now, now)
	}
}

func BenchmarkHandOverWithDeadlines(b *testing.B) {
	const waiters = 1000
	p := filled(b, pool.Config{Max: 1}, 1)
	ws := make([]pool.Waiter[int], waiters)
	now := time.Duration(0)
	var holder *pool.Resource[int]
	for i := range ws {
		ws[i].Deadline = time.Hour + time.Duration(i*7919%waiters)
		if out := p.Acquire(&ws[i], pool.Normal, now, now); out.Resource != nil {
			holder = out.Resource
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		now += time.Microsecond
		g, ok := p.Release(holder, now)
		if !ok || !p.Accept(g) {
			b.Fatal("nobody got it")
		}
		holder = g.Resource
		p.Acquire(g.Waiter, pool.Normal, now, now)
	}
}

func BenchmarkTickWithNothingToDo(b *testing.B) {
	p := filled(b, pool.Config{Max: 20, IdleTimeout: time.Minute, Lifetime: time.Hour}, 20)
	var work pool.Work[int]
	b.ReportAllocs()
	for b.Loop() {
		p.Tick(0, &work)
	}
}

func BenchmarkDue(b *testing.B) {
	p := filled(b, pool.Config{Max: 20}, 20)
	sum := time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		sum += p.Due() & 1
	}
	_ = sum
}

func BenchmarkAcquireReleaseParallel(b *testing.B) {
	p := filled(b, pool.Config{Max: 20}, 20)
	var ids sync.Mutex
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		ids.Lock()
		w := new(pool.Waiter[int])
		ids.Unlock()
		for pb.Next() {
			r := p.Acquire(w, pool.Normal, 0, 0).Resource
			p.Release(r, 0)
		}
	})
}

func BenchmarkHistogramRecord(b *testing.B) {
	var h pool.Histogram
	d := time.Duration(1)
	b.ReportAllocs()
	for b.Loop() {
		h.Record(d)
		d = d*5%999_999_937 + 1
	}
}
