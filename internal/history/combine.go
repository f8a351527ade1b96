package history

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Combine adds fresh buckets to stored ones and returns them in order, without two that overlap. It is what every store
// does, so that all agree, and doing it twice is doing it once:
//
//   - Parts of one bucket that are of different times are put together.
//   - Of two buckets of the same time the one with more samples is kept, of equals the fresh one.
//   - Where a fresh bucket overlaps a stored one of another width, the stored one is kept: what was put together
//     cannot be taken apart.
//
// stored has no two that overlap, and both are as [Bucket.Check] wants them. Neither is changed.
func Combine(stored, fresh []Bucket) []Bucket {
	type entry struct {
		Bucket
		stored bool
	}
	all := make([]entry, 0, len(stored)+len(fresh))
	for _, b := range stored {
		all = append(all, entry{b, true})
	}
	for _, b := range fresh {
		all = append(all, entry{b, false})
	}
	slices.SortStableFunc(all, func(a, b entry) int { return a.Start.Compare(b.Start) })
	kept := all[:0]
	for _, e := range all {
		last := len(kept) - 1
		switch {
		case last < 0 || !e.Start.Before(kept[last].End()):
			kept = append(kept, e)
		case e.Start.Equal(kept[last].Start) && e.Width == kept[last].Width:
			kept[last].Bucket = settle(kept[last].Bucket, e.Bucket)
		case e.stored:
			kept[last] = e
		}
	}
	buckets := make([]Bucket, len(kept))
	for i := range kept {
		buckets[i] = kept[i].Bucket
	}
	return buckets
}

// settle makes one bucket of two of the same time.
func settle(stored, fresh Bucket) Bucket {
	parts := stored.isPart() && fresh.isPart()
	switch {
	case parts && (stored.Until < fresh.From || fresh.Until < stored.From):
		return join([]Bucket{stored, fresh}, stored.Start, stored.Width)
	case fresh.Samples >= stored.Samples:
		return fresh
	}
	return stored
}

func (b *Bucket) isPart() bool { return b.From != 0 || b.Until != 0 }

// Coarsen puts buckets that are narrower than width together, in order. Those as wide as that or wider stay.
func Coarsen(buckets []Bucket, width time.Duration) []Bucket {
	sorted := slices.SortedStableFunc(slices.Values(buckets), func(a, b Bucket) int { return a.Start.Compare(b.Start) })
	var coarse []Bucket
	for i := 0; i < len(sorted); {
		if sorted[i].Width >= width {
			coarse = append(coarse, sorted[i])
			i++
			continue
		}
		start, from := floor(sorted[i].Start, width), i
		i++
		for i < len(sorted) && sorted[i].Width < width && !sorted[i].End().After(start.Add(width)) {
			i++
		}
		coarse = append(coarse, join(sorted[from:i], start, width))
	}
	return coarse
}

// join makes one bucket of several, each weighted by its samples.
func join(parts []Bucket, start time.Time, width time.Duration) Bucket {
	whole := Bucket{Start: start, Width: width, From: width}
	var sum, out float64
	for _, p := range parts {
		whole.Samples = min(whole.Samples+p.Samples, MostSamples)
		sum += p.Mean * float64(p.Samples)
		whole.Max = max(whole.Max, p.Max)
		whole.Arrivals += p.Arrivals
		whole.CutOff = whole.CutOff || p.CutOff
		if p.Outage {
			out += float64(p.Samples)
		}
		offset, until := p.Start.Sub(start), p.Until
		if !p.isPart() {
			until = p.Width
		}
		whole.From, whole.Until = min(whole.From, offset+p.From), max(whole.Until, offset+until)
	}
	if n := float64(whole.Samples); n > 0 {
		whole.Mean = sum / n
		whole.Outage = out >= outagePart*n && out > 0
	}
	whole.P95 = jointP95(parts, whole.Samples)
	whole.ArrivalSpread = jointArrivalSpread(parts)
	whole.Service, whole.ServiceSpread = jointService(parts)
	whole.settlePart()
	return whole
}

// jointArrivalSpread is variance over mean of the arrivals of all seconds: what was within the parts, and what was
// between them.
func jointArrivalSpread(parts []Bucket) float64 {
	var n, sum float64
	for _, p := range parts {
		if p.ArrivalSpread > 0 {
			n += float64(p.Samples)
			sum += p.Arrivals
		}
	}
	mean := sum / n
	if !(n > 0 && mean > 0) {
		return 0
	}
	var variance float64
	for _, p := range parts {
		if p.ArrivalSpread > 0 && p.Samples > 0 {
			own := p.Arrivals / float64(p.Samples)
			variance += float64(p.Samples) / n * (p.ArrivalSpread*own + (own-mean)*(own-mean))
		}
	}
	return finite(variance / mean)
}

// jointService is mean and spread of the service times of all requests. How many ended is not kept, so that those that
// came stand for them.
func jointService(parts []Bucket) (time.Duration, float64) {
	var n, sum, squares float64
	for _, p := range parts {
		if p.Service > 0 {
			weight := max(p.Arrivals, 1)
			seconds := p.Service.Seconds()
			n += weight
			sum += weight * seconds
			squares += weight * seconds * seconds * (1 + p.ServiceSpread)
		}
	}
	if n == 0 {
		return 0, 0
	}
	mean := sum / n
	return nanoseconds(mean), finite(max(0, squares/n/(mean*mean)-1))
}

func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}

// jointP95 is the 95th percentile of all samples, as near as the parts tell. A part's demand is taken to be spread
// evenly below its 95th percentile, around its mean, and evenly between that and its maximum. The result is never
// outside the percentiles of the parts, and exact if all are alike.
func jointP95(parts []Bucket, samples int) float64 {
	bySize := func(a, b Bucket) int { return cmp.Compare(a.P95, b.P95) }
	low, high := slices.MinFunc(parts, bySize).P95, slices.MaxFunc(parts, bySize).P95
	if samples == 0 {
		return high
	}
	// Halving 50 times is as exact as a float64 needs.
	for range 50 {
		middle := low + (high-low)/2
		var below float64
		for i := range parts {
			below += float64(parts[i].Samples) / float64(samples) * parts[i].notAbove(middle)
		}
		if below >= 0.95 {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// notAbove is which part of the samples has at most a demand of x, by the shape jointP95 assumes.
func (b *Bucket) notAbove(x float64) float64 {
	lower := (b.Mean - 0.05*(b.P95+b.Max)/2) / 0.95 // mean of the lower 95 %
	least := min(max(2*lower-b.P95, 0), b.P95)
	switch {
	case x >= b.Max:
		return 1
	case x >= b.P95:
		return 0.95 + 0.05*(x-b.P95)/(b.Max-b.P95)
	case x <= least:
		return 0
	}
	return 0.95 * (x - least) / (b.P95 - least)
}
