package tuner

// Share says how many server connections each pool of a server may have at once, so that together they have the limit:
// pools that want little get it, and the others the same each, at least one. demands are busy and waiting, by pool, on
// average. While they do not fill the limit together, each pool may have all of it: who wants more the next moment is
// not kept from what nobody else uses.
func Share(limit int, demands []float64) []int {
	total := 0.0
	for _, demand := range demands {
		total += demand
	}
	shares := make([]int, len(demands))
	for i := range shares {
		shares[i] = 1
		if total < fullShare*float64(limit) {
			shares[i] = limit
		}
	}
	if total < fullShare*float64(limit) {
		return shares
	}
	for left := limit - len(shares); left > 0; left-- {
		shares[poorest(shares, demands)]++
	}
	return shares
}

// poorest is the pool with the smallest share among those that want more, or among all if none does.
func poorest(shares []int, demands []float64) int {
	best := -1
	for i, share := range shares {
		if wants := demands[i] > float64(share); wants && (best < 0 || share < shares[best]) {
			best = i
		}
	}
	if best >= 0 {
		return best
	}
	best = 0
	for i, share := range shares {
		if share < shares[best] {
			best = i
		}
	}
	return best
}
