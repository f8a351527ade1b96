package series

import (
	"math"
	"slices"
)

// spread is how far values are from forecasts, as differences of their square roots: between the absolute and the
// relative, it serves small and large values, and it never gets below zero.
type spread struct {
	size   []float64 // by step: the root of the mean square
	ratios []ratio   // errors over their size, ascending
	sizes  []ratio   // the same without their sign, ascending
	weight float64   // of all ratios
}

// ratio is an error over its usual size, and how much it counts.
type ratio struct{ value, weight float64 }

const (
	// spreadDecay is how much an origin's errors count of those of the next one.
	spreadDecay = 0.9
	// spreadReach is over how many steps to either side a step's size is smoothed.
	spreadReach = 3
	// spreadPrior is how many origins the size over all steps counts for beside a step's own.
	spreadPrior = 3
	// spreadBoth is the weight of quantiles that take errors in both directions for alike.
	spreadBoth = 0.75
	// spreadMargin is by how much errors of the future exceed those at which weights were chosen.
	spreadMargin = 1.08
	// spreadNormal is how many errors the normal distribution counts for.
	spreadNormal = 20
)

// learnSpread takes the errors of forecasts from all origins but the last.
func learnSpread(h *history, origins []int, forecasts [][]float64, horizon int) spread {
	s := spread{size: make([]float64, horizon)}
	var squares, weights = make([]float64, horizon), make([]float64, horizon)
	total, count, effective := 0.0, 0.0, 0.0
	each := func(take func(k int, e, weight float64)) {
		weight := 1.0
		for j := len(origins) - 2; j >= 0; j-- {
			for k := 0; k < horizon && origins[j]+k < len(h.values); k++ {
				if t := origins[j] + k; h.known[t] {
					take(k, math.Sqrt(h.values[t])-math.Sqrt(forecasts[j][k]), weight)
				}
			}
			weight *= spreadDecay
		}
	}
	each(func(k int, e, weight float64) {
		squares[k] += weight * e * e
		weights[k] += weight
		total, count = total+weight*e*e, count+weight
		effective = math.Max(effective, weights[k])
	})
	if count == 0 {
		fallback := h.unrest()
		for k := range s.size {
			s.size[k] = fallback
		}
		return s
	}
	s.smooth(squares, weights, total/count, effective, h.short())
	each(func(k int, e, weight float64) {
		s.ratios = append(s.ratios, ratio{e / s.size[k], weight})
		s.sizes = append(s.sizes, ratio{math.Abs(e) / s.size[k], weight})
		s.weight += weight
	})
	byValue := func(a, b ratio) int {
		if a.value < b.value {
			return -1
		} else if a.value > b.value {
			return 1
		}
		return 0
	}
	slices.SortFunc(s.ratios, byValue)
	slices.SortFunc(s.sizes, byValue)
	return s
}

// smooth sets size. Steps of which nothing is known have that of a season before, or of the step before.
func (s *spread) smooth(squares, weights []float64, overall, effective float64, season int) {
	for k := range s.size {
		sum, weight := 0.0, 0.0
		for j := max(0, k-spreadReach); j <= min(len(squares)-1, k+spreadReach); j++ {
			near := 1 - math.Abs(float64(j-k))/(spreadReach+1)
			sum += near * squares[j]
			weight += near * weights[j]
		}
		switch {
		case weight > 0:
			s.size[k] = math.Sqrt((effective*sum/weight+spreadPrior*overall)/(effective+spreadPrior)) + 1e-9
		case k == 0:
			s.size[k] = math.Sqrt(overall) + 1e-9
		case k >= season:
			s.size[k] = math.Max(s.size[k-season], s.size[k-1])
		default:
			s.size[k] = s.size[k-1]
		}
	}
}

// unrest is what is said where there is nothing to learn from: how much the values differ among themselves, or, of a
// single one, half of it.
func (h *history) unrest() float64 {
	sum, squares, n := 0.0, 0.0, 0.0
	for t, v := range h.values {
		if h.known[t] {
			sum, squares, n = sum+math.Sqrt(v), squares+v, n+1
		}
	}
	if n < 3 {
		return 0.5 * sum / n
	}
	return math.Sqrt(math.Max(0, squares/n-sum/n*sum/n) * (1 + 1/n))
}

// quantile is that of an error over its size.
func (s *spread) quantile(p float64) float64 {
	normal := math.Sqrt2 * math.Erfinv(2*p-1)
	if len(s.ratios) == 0 {
		return normal
	}
	both := at(s.sizes, math.Abs(2*p-1)*s.weight)
	if p < 0.5 {
		both = -both
	}
	seen := spreadBoth*both + (1-spreadBoth)*at(s.ratios, p*s.weight)
	n := float64(len(s.ratios))
	return spreadMargin * (n*seen + spreadNormal*normal) / (n + spreadNormal)
}

// at is the value at which the sum of the weights reaches a sum.
func at(ratios []ratio, sum float64) float64 {
	for _, r := range ratios {
		if sum -= r.weight; sum <= 0 {
			return r.value
		}
	}
	return ratios[len(ratios)-1].value
}
