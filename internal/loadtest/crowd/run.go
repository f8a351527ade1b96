package crowd

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/usher-pg/usher/internal/status"
	"github.com/usher-pg/usher/internal/wire"
	"github.com/usher-pg/usher/pool"
)

// run is a Run under way.
type run struct {
	command *Run
	script  *script
	keys    *rand.Rand
	start   time.Duration
	over    bool // no more arrivals; what is under way drains
	lanes   [pool.Lanes]*laneRun

	lateness   pool.Histogram
	seconds    int // reported
	nextSecond time.Duration
}

// laneRun is a lane of a run. Its times count from the start of the loop.
type laneRun struct {
	arrivals *Arrivals // nil: closed
	next     time.Duration
	pending  bool // next is one
	backlog  ring[time.Duration]

	total, second tally
	lost          uint64 // arrivals that were never sent
	clients       int
	failures      failures
	refusal       pool.Histogram
}

// tally is what is counted for a second and for the whole.
type tally struct {
	arrived, served, failed uint64
	latency, began          pool.Histogram
}

func bucketsOf(h *pool.Histogram) status.Buckets { return status.BucketsOf(h) }

// begin begins a run.
func (l *loop) begin(command *Run) error {
	if err := command.check(); err != nil {
		return err
	}
	s, err := scriptOf(command.Work)
	if err != nil {
		return err
	}
	now := l.Now()
	l.runs++
	r := &run{
		command: command, script: s, start: now, nextSecond: now + time.Second,
		keys: rand.New(rand.NewPCG(command.Seed, pool.Lanes)),
	}
	l.run = r
	for _, load := range command.Loads {
		lane, _ := pool.ParseLane(load.Lane) // checked
		if r.lanes[lane] != nil {
			l.run = nil
			return fmt.Errorf("lane %s has two loads", lane)
		}
		lr := &laneRun{}
		r.lanes[lane] = lr
		if load.Closed == 0 {
			lr.arrivals = NewArrivals(command.Seed, uint64(lane), load.Rate)
			lr.draw(r)
		}
	}
	for _, load := range command.Loads {
		lane, _ := pool.ParseLane(load.Lane)
		for range load.Closed {
			l.arrive(lane, now)
		}
	}
	return nil
}

// draw finds the next arrival of a lane.
func (lr *laneRun) draw(r *run) {
	at, ok := lr.arrivals.Next()
	lr.next, lr.pending = r.start+at, ok && at < r.command.Duration
}

// advance does what is due in a run and says when to be called again.
func (l *loop) advance(now time.Duration) (wake time.Duration) {
	r := l.run
	end := r.start + r.command.Duration
	if !r.over {
		for lane, lr := range r.lanes {
			for lr != nil && lr.pending && lr.next <= now {
				at := lr.next
				lr.draw(r)
				l.arrive(pool.Lane(lane), at)
			}
		}
		if now >= end {
			l.endArrivals()
		}
	}
	for now >= r.nextSecond {
		l.reportSecond()
	}
	if r.over && (l.count[busy] == 0 || now >= end+r.command.Drain) {
		l.finish()
		return now + tick
	}
	wake = r.nextSecond
	if r.over {
		return min(wake, end+r.command.Drain)
	}
	wake = min(wake, end)
	for _, lr := range r.lanes {
		if lr != nil && lr.pending {
			wake = min(wake, lr.next)
		}
	}
	return wake
}

// arrive takes a request that is due: a client sends it, or it waits for one.
func (l *loop) arrive(lane pool.Lane, intended time.Duration) {
	lr := l.run.lanes[lane]
	lr.total.arrived++
	lr.second.arrived++
	if lr.backlog.count > 0 {
		lr.backlog.push(intended)
		return
	}
	seat, ok := l.take(lane)
	if !ok {
		lr.backlog.push(intended)
		return
	}
	l.request(seat, intended)
	l.run.lateness.Record(l.Now() - intended)
}

// serveBacklog gives idle clients of a lane the arrivals that wait for them.
func (l *loop) serveBacklog(lane pool.Lane) {
	if l.run == nil || l.run.lanes[lane] == nil {
		return
	}
	for lr := l.run.lanes[lane]; lr.backlog.count > 0; {
		seat, ok := l.take(lane)
		if !ok {
			return
		}
		l.request(seat, lr.backlog.pop())
	}
}

// request sends a request.
func (l *loop) request(seat int, intended time.Duration) {
	c, r := &l.clients[seat], l.run
	if c.last != l.runs {
		c.last = l.runs
		r.lanes[c.lane].clients++
	}
	now := time.Now()
	c.intended, c.intendedWall = intended, now.Add(intended-l.Now()).UnixMicro()
	c.beganWall, c.failed = 0, false
	if n := r.command.Work.Keys; n > 0 {
		r.script.setKey(1 + r.keys.IntN(n))
	}
	l.become(c, busy)
	l.send(seat, r.script.bytes)
}

// answered takes the end of a request.
func (l *loop) answered(seat int) {
	c, now := &l.clients[seat], l.Now()
	if c.failed {
		c.failed = false
		l.requestFailed(seat, c.failure)
	} else {
		lr := l.run.lanes[c.lane]
		for _, t := range []*tally{&lr.total, &lr.second} {
			t.served++
			t.latency.Record(now - c.intended)
			if c.beganWall != 0 {
				t.began.Record(time.Duration(c.beganWall-c.intendedWall) * time.Microsecond)
			}
		}
	}
	l.rest(seat)
	l.next(c.lane, now)
}

// next keeps a closed lane busy, and an open one working on its backlog.
func (l *loop) next(lane pool.Lane, now time.Duration) {
	r := l.run
	if lr := r.lanes[lane]; lr.arrivals == nil && !r.over {
		l.arrive(lane, now)
	}
	l.serveBacklog(lane)
}

// requestFailed counts a request that has failed.
func (l *loop) requestFailed(seat int, f refusal) {
	if l.run == nil {
		return
	}
	c := &l.clients[seat]
	lr := l.run.lanes[c.lane]
	lr.total.failed++
	lr.second.failed++
	lr.failures.add(f)
	lr.refusal.Record(l.Now() - c.intended)
	if c.place == away && lr.arrivals == nil && !l.run.over {
		l.arrive(c.lane, l.Now()) // in place of the one whose client is gone
	}
}

// endArrivals gives up what has not been sent.
func (l *loop) endArrivals() {
	l.run.over = true
	for _, lr := range l.run.lanes {
		if lr != nil {
			lr.lost = uint64(lr.backlog.count)
			lr.backlog.clear()
		}
	}
}

func (l *loop) reportSecond() {
	r := l.run
	r.seconds++
	r.nextSecond += time.Second
	s := &Second{Number: r.seconds}
	for lane, lr := range r.lanes {
		if lr == nil {
			continue
		}
		s.Lanes = append(s.Lanes, LaneSecond{
			Lane: pool.Lane(lane).String(), Arrived: lr.second.arrived, Served: lr.second.served,
			Failed: lr.second.failed, Backlog: lr.backlog.count,
			Latency: bucketsOf(&lr.second.latency), Began: bucketsOf(&lr.second.began),
		})
		lr.second = tally{}
	}
	l.report(Report{Second: s})
}

// finish reports a run. Clients that have no answer yet are thrown out and come back.
func (l *loop) finish() {
	r := l.run
	l.run = nil
	out := &Outcome{Lateness: bucketsOf(&r.lateness)}
	var unfinished [pool.Lanes]uint64
	for seat := range l.clients {
		if c := &l.clients[seat]; c.place == busy {
			unfinished[c.lane]++
			l.lost(seat, "no answer")
		}
	}
	for lane, lr := range r.lanes {
		if lr == nil {
			continue
		}
		out.Lanes = append(out.Lanes, LaneOutcome{
			Lane: pool.Lane(lane).String(), Clients: lr.clients,
			Arrived: lr.total.arrived, Served: lr.total.served, Failed: lr.total.failed,
			Unfinished: unfinished[lane], Unsent: lr.lost,
			Latency: bucketsOf(&lr.total.latency), Began: bucketsOf(&lr.total.began),
			Refusal: bucketsOf(&lr.refusal), Failures: lr.failures.list(),
		})
	}
	l.report(Report{Outcome: out, Done: true})
}

// beganAt reads a column, from 1 on, of a DataRow: a number in text. 0 if it is not one.
func beganAt(body []byte, column int) int64 {
	if column == 0 {
		return 0
	}
	var buffer [8][]byte
	columns, err := wire.RowColumns(buffer[:0], body)
	if err != nil || len(columns) < column {
		return 0
	}
	n := int64(0)
	for _, digit := range columns[column-1] {
		if digit < '0' || digit > '9' || n > 1<<58 {
			return 0
		}
		n = n*10 + int64(digit-'0')
	}
	return n
}
