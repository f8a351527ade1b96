package simulation

import (
	"math"
	"time"

	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/scaler"
	"github.com/usher-pg/usher/internal/staffing"
)

const (
	// fine is the step where somebody could have to wait, coarse where the target could have to rise.
	fine, coarse = 10 * time.Second, time.Minute
	// calm is which share of late requests needs no closer look.
	calm = 1e-4
	// warmUp is how long a new connection counts half.
	warmUp = time.Minute
	// queueMost is how long requests wait at most.
	queueMost = 30 * time.Second
)

// policy decides how many connections there should be.
type policy interface {
	// begin is called at the beginning of each bucket, decide after each step with what it brought, record after each
	// bucket.
	begin(bucket int)
	decide(now time.Time, o scaler.Observed) int
	record(b history.Bucket)
}

// queue is a pool under a policy.
type queue struct {
	world  *World
	policy policy

	target  int // and open, as soon as a step has passed
	cold    []cohort
	coldSum int
	opening int     // of the cold ones, since the last step
	backlog float64 // connections times seconds that are waited for
	turned  bool    // somebody was turned away in this bucket

	outcome
}

// cohort is connections that were opened at a time.
type cohort struct {
	n    int
	warm time.Time
}

// outcome is what becomes of a year.
type outcome struct {
	// Requests and late ones, in connections times seconds: by what the bucket's demand came from.
	requests, late [troubles]float64
	seconds        float64 // connections times seconds
	// warm is how many were open and warm at the beginning of each bucket.
	warm []int
}

// live is a year under a policy.
func (w *World) live(p policy) outcome {
	q := queue{world: w, policy: p, target: need(w.level[0])}
	q.warm = make([]int, w.buckets())
	for b := range w.buckets() {
		p.begin(b)
		q.bucket(b)
	}
	return q.outcome
}

// bucket lives through one.
func (q *queue) bucket(b int) {
	w, start := q.world, q.world.at(b)
	q.warmed(start)
	q.warm[b] = q.target - q.coldSum
	step := q.step(b)
	sum, most := 0.0, 0.0
	full := true
	q.turned = false
	for at := time.Duration(0); at < history.Step; at += step {
		demand := w.mean(b)
		if step < history.Step {
			demand = w.demand(b, float64(at+step/2)/float64(history.Step))
		}
		observed := q.pass(demand, step, w.trouble[b])
		if w.trouble[b] == out {
			observed = 0
		}
		sum += observed * float64(step) / float64(history.Step)
		most = max(most, observed)
		full = full && q.target == w.most && observed >= float64(q.target)
		now := start.Add(at + step)
		q.open(q.policy.decide(now, scaler.Observed{
			Demand: observed, Open: q.target, Load: traffic, Outage: w.trouble[b] == out,
		}), now)
	}
	q.policy.record(history.Bucket{
		Start: start, Width: history.Step, Samples: int(history.Step / time.Second), Mean: sum, P95: most, Max: most,
		Arrivals: sum * history.Step.Seconds() / traffic.Service.Seconds(), ArrivalSpread: traffic.ArrivalSpread,
		Service: traffic.Service, ServiceSpread: traffic.ServiceSpread,
		CutOff: full || q.turned, Outage: w.trouble[b] == out,
	})
}

// step is how closely a bucket must be looked at.
func (q *queue) step(b int) time.Duration {
	peak := q.world.peak(b)
	load := traffic
	load.Offered = peak
	switch {
	case q.world.trouble[b] == out:
		return coarse
	case q.backlog > 0 || staffing.Late(load, q.capacity(), staffing.DefaultGoal.Wait) > calm:
		return fine
	case peak > 0.69*float64(q.target):
		return coarse
	}
	return history.Step
}

// capacity is how many connections there are, those that are cold by half, and those that are being opened in this step
// by half of that.
func (q *queue) capacity() int { return q.target - q.coldSum/2 - q.opening/4 }

// pass lets a step pass, and is the demand that is observed in it.
func (q *queue) pass(demand float64, step time.Duration, why trouble) float64 {
	seconds := step.Seconds()
	q.seconds += float64(q.target) * seconds
	if why == out {
		return 0 // nobody is served, whatever the policy
	}
	capacity := float64(q.capacity())
	before := q.backlog
	q.backlog = before + (demand-capacity)*seconds
	if most := queueMost.Seconds() * capacity; q.backlog > most {
		q.backlog, q.turned = most, true
	}
	load := traffic
	load.Offered = demand
	late := 1.0
	switch {
	case q.backlog > 0:
	case before > 0:
		drained := before / (capacity - demand) / seconds
		late = drained + (1-drained)*staffing.Late(load, q.capacity(), staffing.DefaultGoal.Wait)
	default:
		late = staffing.Late(load, q.capacity(), staffing.DefaultGoal.Wait)
	}
	q.backlog = max(q.backlog, 0)
	q.requests[why] += demand * seconds
	q.late[why] += late * demand * seconds
	waiting := (before + q.backlog) / 2 / traffic.Service.Seconds()
	return min(demand, capacity) + waiting
}

// open opens or closes connections.
func (q *queue) open(target int, now time.Time) {
	q.warmed(now)
	q.opening = max(0, target-q.target)
	if more := q.opening; more > 0 {
		q.cold = append(q.cold, cohort{more, now.Add(warmUp)})
		q.coldSum += more
	}
	q.target = target
	q.coldSum = min(q.coldSum, target)
}

// warmed forgets those that are warm.
func (q *queue) warmed(now time.Time) {
	for len(q.cold) > 0 && !q.cold[0].warm.After(now) {
		q.coldSum = max(0, q.coldSum-q.cold[0].n)
		q.cold = q.cold[1:]
	}
}

// share is late requests over all, of those whose demand came from some things.
func (o *outcome) share(of ...trouble) float64 {
	requests, late := 0.0, 0.0
	for _, t := range of {
		requests, late = requests+o.requests[t], late+o.late[t]
	}
	return late / math.Max(requests, 1e-9)
}
