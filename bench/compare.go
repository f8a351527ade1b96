package main

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// sample holds the figures of one run.
type sample map[measure]float64

// result is a row of the table: every run's figures of both sides.
type result struct {
	Name      string       `json:"name"`
	Title     string       `json:"title"`
	Candidate string       `json:"candidate"`
	Reference string       `json:"reference"`
	Rate      float64      `json:"open_loop_rate,omitempty"` // of the latency runs, per second
	Measures  []comparison `json:"measures,omitempty"`
	Error     string       `json:"error,omitempty"`
}

// measureRow compares the two sides of a row in pairs of runs.
func (w *world) measureRow(ctx context.Context, r row) result {
	out := result{Name: r.name, Title: r.title, Candidate: w.candidate, Reference: w.reference}
	reference := side{w.reference, r.work}
	if r.beside != nil {
		reference = side{w.candidate, *r.beside}
		out.Reference = fmt.Sprintf("%s %s", w.candidate, r.beside.protocol)
	}
	candidate := side{w.candidate, r.work}
	if need := uint64(r.work.clients + spareDescriptors); need > w.descriptors {
		out.Error = fmt.Sprintf("needs %d descriptors, and a process may have %d here (ulimit -Hn)",
			need, w.descriptors)
		return out
	}
	samples, err := w.runPairs(ctx, &out, candidate, reference)
	if err != nil {
		out.Error = err.Error()
		return out
	}
	bars := r.bars
	if w.reference == "base" {
		bars = nil // they are about PgBouncer
	}
	out.Measures = compare(samples[0], samples[1], bars)
	return out
}

// side is one of the two that are compared.
type side struct {
	pooler string
	work   work
}

// runPairs runs reference and candidate in turn, first all closed loops (or logins, or idle clients), then
// all open ones. It returns the candidate's samples and the reference's.
func (w *world) runPairs(ctx context.Context, out *result, candidate, reference side) ([2][]sample, error) {
	var samples [2][]sample
	sides := [2]side{candidate, reference}
	for pair := range w.pairs {
		for _, i := range []int{1, 0} {
			s, err := w.once(ctx, sides[i], 0)
			if err != nil {
				return samples, fmt.Errorf("%s, %s: %w", out.Name, sides[i].pooler, err)
			}
			progress("%s, pair %d of %d, %s: %s", out.Name, pair+1, w.pairs, sides[i].pooler, s)
			samples[i] = append(samples[i], s)
		}
	}
	if candidate.work.kind != transactions || w.load == 0 {
		return samples, nil
	}
	out.Rate = math.Floor(w.load * median(pick(samples[1], throughput)))
	for pair := range w.pairs {
		for _, i := range []int{1, 0} {
			s, err := w.once(ctx, sides[i], out.Rate)
			if err != nil {
				return samples, fmt.Errorf("%s, %s, open loop: %w", out.Name, sides[i].pooler, err)
			}
			progress("%s, open loop %d of %d, %s: %s", out.Name, pair+1, w.pairs, sides[i].pooler, s)
			for m, value := range s {
				samples[i][pair][m] = value
			}
		}
	}
	return samples, nil
}

// once starts a fresh pooler, runs the work, and stops it. A rate above 0 makes it an open loop.
func (w *world) once(ctx context.Context, s side, rate float64) (sample, error) {
	p, err := w.startPooler(ctx, s.pooler, s.work)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	var out sample
	switch {
	case s.work.kind == logins:
		out, err = w.measureLogins(ctx, p)
	case s.work.kind == idle:
		out, err = w.measureIdle(ctx, p)
	case rate > 0:
		out, err = w.openLoop(ctx, p, rate)
	default:
		out, err = w.closedLoop(ctx, p)
	}
	if err != nil {
		return nil, fmt.Errorf("%w\nthe pooler's log:\n%s", err, p.lastLog())
	}
	return out, nil
}

// comparison is one measure of a row.
type comparison struct {
	Measure    measure   `json:"measure"`
	Candidate  []float64 `json:"candidate"`
	Reference  []float64 `json:"reference"`
	Ratio      float64   `json:"ratio"`       // of the medians
	PairRatios []float64 `json:"pair_ratios"` // of neighbours
	Bar        string    `json:"bar,omitempty"`
	Verdict    verdict   `json:"verdict,omitempty"`
}

type verdict string

const (
	passed verdict = "PASS"
	failed verdict = "FAIL"
	// even is a bar of throughput that is missed by less than the machine's noise: see judge.
	even verdict = "EVEN"
)

// noise is how much of a ratio two poolers that are the same differ by on a quiet machine (measured PgBouncer
// beside PgBouncer).
const noise = 0.02

// measures in the order of the table.
var measures = []measure{cpuPerUnit, throughput, latencyP50, latencyP99, memory, memoryBase}

func compare(candidate, reference []sample, bars []bar) []comparison {
	var out []comparison
	for _, m := range measures {
		c := comparison{Measure: m, Candidate: pick(candidate, m), Reference: pick(reference, m)}
		if len(c.Candidate) == 0 || len(c.Reference) == 0 {
			continue
		}
		c.Ratio = median(c.Candidate) / median(c.Reference)
		for i := range min(len(c.Candidate), len(c.Reference)) {
			c.PairRatios = append(c.PairRatios, c.Candidate[i]/c.Reference[i])
		}
		for _, b := range bars {
			if b.measure == m {
				c.Bar, c.Verdict = b.String(), c.judge(b)
			}
		}
		out = append(out, c)
	}
	return out
}

// judge holds a measure against its bar. "Never slower" is a bar at the very place where two equal poolers
// are, and half of all measurements of equals miss it; so missing it by less than the noise, while the
// pairs do not agree, is called even and not a failure.
func (c comparison) judge(b bar) verdict {
	value := c.Ratio
	if b.absolute {
		value = median(c.Candidate)
	}
	switch {
	case b.atMost > 0 && value > b.atMost:
		return failed
	case b.atLeast > 0 && value < b.atLeast:
		if value >= b.atLeast-noise && slices.Max(c.PairRatios) >= b.atLeast {
			return even
		}
		return failed
	}
	return passed
}

func (b bar) String() string {
	unit := "x"
	if b.absolute {
		unit = " MB"
	}
	text := fmt.Sprintf("≤ %g%s", b.atMost, unit)
	if b.atLeast > 0 {
		text = fmt.Sprintf("≥ %g%s", b.atLeast, unit)
	}
	if b.goal > 0 {
		text += fmt.Sprintf(" (goal %g)", b.goal)
	}
	return text
}

func (r result) failed() bool {
	missed := func(c comparison) bool { return c.Verdict == failed }
	return r.Error != "" || slices.ContainsFunc(r.Measures, missed)
}

func pick(samples []sample, m measure) []float64 {
	var values []float64
	for _, s := range samples {
		if value, ok := s[m]; ok {
			values = append(values, value)
		}
	}
	return values
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return math.NaN()
	}
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// quantile of sorted values: the smallest that is not below the given part of them.
func quantile(sorted []float64, part float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	return sorted[max(0, int(math.Ceil(part*float64(len(sorted))))-1)]
}
