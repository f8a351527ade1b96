package forecast

import (
	"math"
	"time"
)

// How sure the rules of thumb are, and how much one occurrence tells: standard deviations of the logarithm of the
// multiple. Together they say that after three occurrences a rule has a seventh of the say.
const (
	priorDeviation    = 0.5
	evidenceDeviation = 0.35
)

// priorWeight is the say of a rule of thumb after n occurrences: normal prior, normal evidence, known variances.
func priorWeight(n float64) float64 {
	return 1 / (1 + n*sqr(priorDeviation)/sqr(evidenceDeviation))
}

// yield is the posterior multiple: of the rule's and what was observed in n occurrences.
func yield(rule, observed, n float64) float64 {
	k := priorWeight(n)
	return math.Exp(k*math.Log(rule) + (1-k)*math.Log(max(observed, 1e-6)))
}

// priorAt is the index of the rule a cell is in, or -1. Where rules overlap, the larger multiple holds.
func priorAt(priors []Prior, c cell) int {
	found := -1
	for i, p := range priors {
		if p.has(c) && (found < 0 || p.Multiple > priors[found].Multiple) {
			found = i
		}
	}
	return found
}

// has reports whether the middle of a cell is in the hours of the rule.
func (p Prior) has(c cell) bool {
	middle := time.Duration(c)*slotSeconds*time.Second + slotSeconds*time.Second/2
	begin := time.Duration(p.Day) * 24 * time.Hour
	const wholeWeek = 7 * 24 * time.Hour
	for _, at := range []time.Duration{middle, middle + wholeWeek} {
		if at >= begin+p.From && at < begin+p.To {
			return true
		}
	}
	return false
}

// valid reports whether a rule can be used.
func (p Prior) valid() bool {
	return p.Multiple > 0 && p.Multiple <= mostMultiple && p.From >= 0 && p.From < p.To && p.To <= 48*time.Hour &&
		p.Day >= time.Sunday && p.Day <= time.Saturday
}

// mostMultiple bounds what a rule of thumb may claim.
const mostMultiple = 1000

// eventShare is the most of a rule's excess that is put down to the events that are usual then.
const eventShare = 0.8

// expectation is what the rules of thumb say, given the calendar.
type expectation struct {
	priors []Prior
	// usual is the mean event mass in the hours of each rule, and share how much of its excess that explains.
	usual, share []float64
	// unit is what one unit of event mass brings outside the hours of all rules.
	unit float64
}

// multiple is the prior multiple of the plain day in a cell, where the event mass is as given.
func (x *expectation) multiple(c cell, mass float64) float64 {
	i := priorAt(x.priors, c)
	if i < 0 {
		return 1 + x.unit*mass
	}
	excess := x.priors[i].Multiple - 1
	if excess <= 0 || x.share[i] == 0 {
		return x.priors[i].Multiple + x.unit*mass
	}
	return 1 + excess*(1-x.share[i]+x.share[i]*mass/x.usual[i])
}

// unitDefault is what an event of usual size is expected to bring where no rule says anything: as much again.
const unitDefault = 1.0

// expect puts rules and calendar together. mass is that of each slot from first on, weeks how many weeks these are.
func expect(priors []Prior, cells []cell, mass []float64) *expectation {
	x := &expectation{priors: priors, usual: make([]float64, len(priors)), share: make([]float64, len(priors))}
	slots := make([]float64, len(priors))
	busy := make([]float64, len(priors))
	for i, c := range cells {
		if p := priorAt(priors, c); p >= 0 {
			slots[p]++
			x.usual[p] += mass[i]
			if mass[i] > 0 {
				busy[p]++
			}
		}
	}
	sum, of := 0.0, 0.0
	for p := range priors {
		if busy[p] == 0 {
			continue
		}
		x.usual[p] /= slots[p]
		part := busy[p] / slots[p] // a calendar that knows nothing of most of these hours explains little of them
		weeks := busy[p] * slotSeconds / (priors[p].To - priors[p].From).Seconds()
		x.share[p] = eventShare * min(1, 2*part) * weeks / (weeks + 1)
		sum += x.share[p] * (priors[p].Multiple - 1)
		of += x.usual[p]
	}
	x.unit = unitDefault
	if of > 0 && sum > 0 {
		x.unit = sum / of
	}
	return x
}
