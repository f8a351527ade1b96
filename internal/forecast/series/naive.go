package series

// seasonalNaive repeats the last season.
func seasonalNaive(season int) model {
	return func(z []float64, _ []bool, origins []int, horizon int) [][]float64 {
		out := make([][]float64, len(origins))
		for i, origin := range origins {
			if origin < season {
				continue
			}
			f := make([]float64, horizon)
			for k := range f {
				f[k] = z[origin-season+k%season]
			}
			out[i] = f
		}
		return out
	}
}

// profile is the usual course of a season, in which each season counts for keep of the one after it, at the level of
// the last one; how far off the last value is fades by damp a step.
type profile struct {
	season int
	keep   float64
	level  int // steps over which the level is taken
	damp   float64
}

func (p profile) run(z []float64, _ []bool, origins []int, horizon int) [][]float64 {
	out := make([][]float64, len(origins))
	for i, origin := range origins {
		if origin >= max(p.season, p.level) {
			out[i] = p.from(z[:origin], horizon)
		}
	}
	return out
}

func (p profile) from(z []float64, horizon int) []float64 {
	course := make([]float64, p.season)
	sum, weight := 0.0, 1.0
	for start := len(z) - p.season; start >= 0 && weight > 1e-4; start -= p.season {
		cycle := z[start : start+p.season]
		m := mean(cycle)
		for k, v := range cycle {
			course[k] += weight * (v - m)
		}
		sum += weight
		weight *= p.keep
	}
	for k := range course {
		course[k] /= sum
	}
	level, at := 0.0, p.season
	for t := len(z) - 1; t >= len(z)-p.level; t-- {
		if at--; at < 0 {
			at = p.season - 1
		}
		level += z[t] - course[at]
	}
	level /= float64(p.level)
	off := z[len(z)-1] - course[p.season-1] - level
	f := make([]float64, horizon)
	for k := range f {
		off *= p.damp
		f[k] = level + course[k%p.season] + off
	}
	return f
}

func mean(z []float64) float64 {
	sum := 0.0
	for _, v := range z {
		sum += v
	}
	return sum / float64(len(z))
}
