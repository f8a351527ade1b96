package tuner

import "math"

// Sizes are not tried one by one: throughput changes little from one size to the next, and noise hides it. The ladder
// is 1, 2, 3, 4, 6, 8, 12, 16, 24 and so on, and its rungs are also the buckets of the curve.

// rungsMost reaches MostConnections.
const rungsMost = 28

// rung is the size of a rung.
func rung(i int) int {
	switch {
	case i == 0:
		return 1
	case i%2 == 1:
		return 1 << ((i + 1) / 2)
	}
	return 3 << (i/2 - 1)
}

// nearest is the rung whose size is the fewest times as large or as small as n.
func nearest(n float64) int {
	for i := range rungsMost - 1 {
		if n < math.Sqrt(float64(rung(i)*rung(i+1))) {
			return i
		}
	}
	return rungsMost - 1
}

// tooNear: a rung that is less than so many times as large as one of the safe limits, or as small, is left out.
const tooNear = 1.2

// sizes are those between the safe limits, and these themselves.
func (r Rules) sizes() []int {
	list := []int{r.Min}
	for i := range rungsMost {
		if n := rung(i); float64(n) >= tooNear*float64(r.Min) && tooNear*float64(n) <= float64(r.Max) {
			list = append(list, n)
		}
	}
	if r.Max > r.Min {
		list = append(list, r.Max)
	}
	return list
}

// above are the sizes between size and ceiling, smallest first; a ceiling of 0 is none.
func above(sizes []int, size, ceiling int) []int {
	var list []int
	for _, n := range sizes {
		if n > size && (ceiling == 0 || n < ceiling) {
			list = append(list, n)
		}
	}
	return list
}

// below are the sizes between floor and size, largest first.
func below(sizes []int, size, floor int) []int {
	var list []int
	for i := len(sizes) - 1; i >= 0; i-- {
		if n := sizes[i]; n < size && n > floor {
			list = append(list, n)
		}
	}
	return list
}
