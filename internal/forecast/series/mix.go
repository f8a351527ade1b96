package series

import "math"

const (
	// weighOrigins is from how many of the last origins the weights come, and weighDecay how much each counts of the
	// one after it.
	weighOrigins = 12
	weighDecay   = 0.85
	// weighPower makes weights of errors: a model with half the error gets 32 times the weight.
	weighPower = 5
)

// weigh gives each replay its share: a power of the inverse of its errors at the last origins.
func weigh(h *history, origins []int, replays []replay) []float64 {
	last := len(origins) - 1
	shares, sum := make([]float64, len(replays)), 0.0
	for i, r := range replays {
		if r.from[last] == nil {
			continue
		}
		missed, weights, weight := 0.0, 0.0, 1.0
		for j := last - 1; j >= max(0, last-weighOrigins); j-- {
			f := r.from[j]
			if f == nil {
				f = seasonalNaive(h.short())(h.values, h.known, origins[j:j+1], len(r.from[last]))[0]
			}
			if e, ok := h.miss(f, origins[j]); ok {
				missed += weight * e
				weights += weight
			}
			weight *= weighDecay
		}
		shares[i] = 1
		if weights > 0 {
			shares[i] = math.Pow(missed/weights+1e-6, -weighPower)
		}
		sum += shares[i]
	}
	for i := range shares {
		shares[i] /= sum
	}
	return shares
}

// miss is by how much a forecast was wrong: the geometric mean of its absolute and its relative error, so that
// neither the peaks alone nor the valleys alone decide. It is false if nothing is known of what came.
func (h *history) miss(f []float64, origin int) (float64, bool) {
	absolute, relative, count := 0.0, 0.0, 0.0
	for k := 0; k < len(f) && origin+k < len(h.values); k++ {
		if !h.known[origin+k] {
			continue
		}
		v := h.values[origin+k]
		e := math.Abs(v - f[k])
		absolute += e
		if e > 0 {
			relative += e / (v + f[k])
		}
		count++
	}
	if count == 0 {
		return 0, false
	}
	return math.Sqrt(absolute*relative) / count, true
}

// mix is the weighted mean of the replays from each origin.
func mix(replays []replay, weights []float64, origins, horizon int) [][]float64 {
	out := make([][]float64, origins)
	for j := range out {
		sum, total := make([]float64, horizon), 0.0
		for i, r := range replays {
			if weights[i] == 0 || r.from[j] == nil {
				continue
			}
			total += weights[i]
			for k, v := range r.from[j] {
				sum[k] += weights[i] * v
			}
		}
		for k := range sum {
			sum[k] /= total
		}
		out[j] = sum
	}
	return out
}
