package series

import "math"

// linear is a regression of each value on a constant, on values before it, and on waves. It forecasts step by step
// and takes its own forecasts for values.
type linear struct {
	lags []int
	// from is 0, or the distance over which values and lags are differences.
	from  int
	waves []wave
	// The penalties are shares of a feature's mean square.
	lagPenalty, wavePenalty float64
	// halfLife is the age in steps at which a row counts half; 0 is that all count alike.
	halfLife float64
}

// wave goes round so many times in a season.
type wave struct{ times, season int }

// enoughRows is how many rows there are to be for each coefficient.
const enoughRows = 1.5

func (m linear) run(z []float64, known []bool, origins []int, horizon int) [][]float64 {
	out := make([][]float64, len(origins))
	r := m.regression(len(z) + horizon)
	growth, weight := 1.0, 1.0
	if m.halfLife > 0 {
		growth = math.Exp2(1 / m.halfLife)
	}
	work := make([]float64, len(z)+horizon)
	t, rows := r.start, 0
	for i, origin := range origins {
		for ; t < origin; t++ {
			if weight *= growth; weight > 1e6 {
				r.sums.scale(1 / weight)
				weight = 1
			}
			if known[t] {
				r.fill(z, t)
				r.sums.add(r.x, z[t]-r.base(z, t), weight)
				rows++
			}
		}
		if float64(rows) < enoughRows*float64(len(r.x)) {
			continue
		}
		if b := r.sums.solve(r.penalty); b != nil {
			copy(work, z[:origin])
			out[i] = r.extend(work[:origin+horizon], origin, b)
		}
	}
	return out
}

// regression is a linear at work.
type regression struct {
	linear
	start   int // the first row for which all lags exist
	sums    *normal
	penalty []float64
	x       []float64
	turns   []float64 // for each time cosine and sine of each wave
}

func (m linear) regression(steps int) *regression {
	size := 1 + len(m.lags) + 2*len(m.waves)
	r := &regression{linear: m, sums: newNormal(size), penalty: make([]float64, size), x: make([]float64, size)}
	for i, lag := range m.lags {
		r.start = max(r.start, lag+m.from)
		r.penalty[1+i] = m.lagPenalty
	}
	for i := 1 + len(m.lags); i < size; i++ {
		r.penalty[i] = m.wavePenalty
	}
	r.turns = make([]float64, 0, steps*2*len(m.waves))
	for t := range steps {
		for _, w := range m.waves {
			// An exact remainder, so that it matters little how long ago the history began.
			sin, cos := math.Sincos(2 * math.Pi * float64(t*w.times%w.season) / float64(w.season))
			r.turns = append(r.turns, cos, sin)
		}
	}
	return r
}

func (r *regression) base(z []float64, t int) float64 {
	if r.from == 0 {
		return 0
	}
	return z[t-r.from]
}

// fill sets the features of time t from what is before it.
func (r *regression) fill(z []float64, t int) {
	r.x[0] = 1
	lags := r.x[1 : 1+len(r.lags)]
	if r.from == 0 {
		for i, lag := range r.lags {
			lags[i] = z[t-lag]
		}
	} else {
		for i, lag := range r.lags {
			lags[i] = z[t-lag] - z[t-lag-r.from]
		}
	}
	n := 2 * len(r.waves)
	copy(r.x[1+len(r.lags):], r.turns[t*n:(t+1)*n])
}

// extend forecasts work from origin on and returns that part.
func (r *regression) extend(work []float64, origin int, b []float64) []float64 {
	for t := origin; t < len(work); t++ {
		r.fill(work, t)
		v := r.base(work, t)
		for k, x := range r.x {
			v += x * b[k]
		}
		work[t] = v
	}
	out := make([]float64, len(work)-origin)
	copy(out, work[origin:])
	return out
}

// seasonLags are 1 to near, and each multiple of short up to long with its neighbours.
func seasonLags(near, short, long int) []int {
	var lags []int
	for i := 1; i <= near; i++ {
		lags = append(lags, i)
	}
	for k := short; k <= long; k += short {
		for lag := k - 1; lag <= k+1; lag++ {
			if lag > near {
				lags = append(lags, lag)
			}
		}
	}
	return lags
}
