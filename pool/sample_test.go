package pool_test

import (
	"testing"
	"time"

	"github.com/usher-pg/usher/pool"
)

// TestSampleSaysWhatStatSays plays a few requests and compares the two.
func TestSampleSaysWhatStatSays(t *testing.T) {
	t.Parallel()
	p := pool.New[int](pool.Config{Max: 2, Reserve: 1, QueueTimeout: time.Second}, nil, 0)
	var work pool.Work[int]
	p.SetTarget(2)
	p.Tick(0, &work)
	now := time.Duration(0)
	for i := range work.Open {
		p.Opened(i, now)
	}
	var first *pool.Resource[int]
	for i := range 5 {
		now += time.Millisecond
		if out := p.Acquire(&pool.Waiter[int]{}, pool.Lane(i%pool.Lanes), now, now); first == nil {
			first = out.Resource
		}
	}
	now += 100 * time.Millisecond
	p.Release(first, now)
	if n := p.Sample(now).Late; n != 0 {
		t.Errorf("%d critical requests are late: the reserve was for them", n)
	}
	p.Hold(now)
	for range 3 {
		p.Acquire(&pool.Waiter[int]{}, pool.Critical, now, now)
	}
	if n := p.Sample(now).Late; n != 0 {
		t.Errorf("%d critical requests that have just come are late", n)
	}
	now += 100 * time.Millisecond
	if s := p.Sample(now); s.Late != 3 || !s.Held {
		t.Errorf("%d critical requests are late and held is %v; three waited for 100 ms in a pool on hold", s.Late, s.Held)
	}
	p.Unhold(now, &work)
	now += 2 * time.Second
	p.Tick(now, &work) // what waits is refused

	s, st := p.Sample(now), p.Stat(now)
	type view struct {
		busy, waiting, open, opening, target, limit, reserve int
		oldest                                               time.Duration
		arrived, refused, emergencies, served                uint64
		sum, waits                                           time.Duration
	}
	want := view{
		st.Busy, st.TotalWaiting(), st.Open, st.Opening, st.Target, st.Limit, st.ReserveBusy,
		st.OldestWait, 0, 0, 0, st.Service.Count(), st.Service.Sum(), st.TotalWait,
	}
	for l := range pool.Lanes {
		want.arrived += st.Arrived[l]
		want.emergencies += st.Emergencies[l]
	}
	for _, n := range st.Refused {
		want.refused += n
	}
	got := view{
		s.Busy, s.Waiting, s.Open, s.Opening, s.Target, s.Limit, s.ReserveBusy,
		s.OldestWait, s.Arrived, s.Refused, s.Emergencies, s.Served, s.ServiceSum, s.WaitSum,
	}
	if got != want {
		t.Errorf("Sample says %+v, Stat %+v", got, want)
	}
	if s.Arrived != 8 || s.Refused == 0 || s.Served != 1 || s.Demand() != s.Busy+s.Waiting {
		t.Errorf("the sample is %+v: eight came, some were refused, one was served", s)
	}
	seconds := s.ServiceSum.Seconds()
	if square := seconds * seconds; s.ServiceSquares < square*0.96 || s.ServiceSquares > square*1.04 {
		t.Errorf("one service of %v has a square of %v", s.ServiceSum, s.ServiceSquares)
	}
}
