package simulation

import (
	"math"
	"time"

	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/staffing"
)

// What a spike is, by what people plan and do: not by noise.
const (
	spikeEnter, spikeLeave, spikeLeast = 2.0, 1.5, 4.0
	// spikeGap joins spikes with less between them.
	spikeGap = 6
	// leadBuckets is how long ahead it must be prepared for.
	leadBuckets = int(30 * time.Minute / history.Step)
	// learning is how many buckets pass before spikes count: three weekends.
	learning = 24 * bucketsADay
	// lateMatters is from which part of a spike's demand weddings that were published on the day make it a surprise.
	lateMatters = 0.1
)

// span is the buckets of a spike.
type span struct {
	first, end int
	// predictable: it is past the first weekends, nobody was out or viral, and the calendar had it the day before.
	predictable bool
}

// spans are the spikes of a year.
func (w *World) spans() []span {
	var list []span
	open := false
	for b := range w.buckets() {
		above := w.level[b] - w.ordinary[b]
		switch ratio := w.level[b] / w.ordinary[b]; {
		case !open && ratio >= spikeEnter && above >= spikeLeast:
			open = true
			if n := len(list); n == 0 || b-list[n-1].end > spikeGap {
				list = append(list, span{first: b})
			}
		case open && ratio < spikeLeave:
			open = false
		}
		if open {
			list[len(list)-1].end = b + 1
		}
	}
	for i := range list {
		list[i].predictable = w.predictable(list[i])
	}
	return list
}

func (w *World) predictable(s span) bool {
	if s.first < learning {
		return false
	}
	most := 0.0
	for b := s.first; b < s.end; b++ {
		if w.trouble[b] != none {
			return false
		}
		most = max(most, w.level[b])
	}
	late := 0.0
	for i := range w.weddings {
		e := &w.weddings[i]
		if e.happens && e.Start.Sub(e.published) < 24*time.Hour && w.bucket(e.Start) < s.end && w.bucket(e.End) > s.first {
			late += e.load * w.grown(s.first)
		}
	}
	return late < lateMatters*most
}

// prepared reports whether, half an hour before each of its buckets, as many connections were open and warm as it needs
// by a goal.
func (o *outcome) prepared(w *World, s span, goal staffing.Goal) bool {
	load := traffic
	for b := s.first; b < s.end; b++ {
		load.Offered = w.mean(b)
		if o.warm[b-leadBuckets] < min(w.most, staffing.Connections(load, goal, staffing.MaxConnections)) {
			return false
		}
	}
	return true
}

// waiting is the goal without a limit to utilisation: what the promise needs, and no margin.
func waiting() staffing.Goal {
	goal := staffing.DefaultGoal
	goal.Utilisation = 0
	return goal
}

// ratios are the evenings of Saturdays as expected over as they came, the first ones first.
func (o *ours) ratios() []float64 {
	var list []float64
	for _, e := range o.evenings {
		came := 0.0
		for b := e.day; b < min(e.day+bucketsADay, o.world.buckets()); b++ {
			if eveningOf(o.world.at(b).In(o.world.zone)) {
				came = math.Max(came, o.world.mean(b))
			}
		}
		list = append(list, e.expected/came)
	}
	return list
}
