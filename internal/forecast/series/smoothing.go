package series

import "slices"

// smoothing is exponential smoothing of a level and the courses of two seasons, with errors that follow each other
// (Taylor, "Short-term electricity demand forecasting using double seasonal exponential smoothing", 2003). Many
// settings run side by side, and at each origin the one that was best one step ahead so far forecasts.
type smoothing struct {
	short, long int
	settings    []setting
}

// setting is how fast each part follows, and how much of an error is left a step later.
type setting struct{ level, short, long, follow float64 }

// smoothed is a setting and where it stands.
type smoothed struct {
	setting
	level  float64
	short  []float64
	long   []float64
	off    float64 // how far the last value was from level and courses
	missed float64 // recent squared errors
}

// forget is how much an error counts a step later, when settings are compared.
const forget = 0.999

func (m smoothing) run(z []float64, known []bool, origins []int, horizon int) [][]float64 {
	out := make([][]float64, len(origins))
	warmUp := min(2*m.long, origins[0]) / m.long * m.long
	if warmUp == 0 || m.long < m.short {
		return out
	}
	all, t := m.begin(z[:warmUp]), 0
	for i, origin := range origins {
		for ; t < origin; t++ {
			s, l := t%m.short, t%m.long
			for k := range all {
				all[k].take(z[t], known[t], s, l)
			}
		}
		best := slices.MinFunc(all, func(a, b smoothed) int {
			if a.missed < b.missed {
				return -1
			}
			return 1
		})
		f, off := make([]float64, horizon), best.off
		for k := range f {
			off *= best.follow
			f[k] = best.level + best.short[(origin+k)%m.short] + best.long[(origin+k)%m.long] + off
		}
		out[i] = f
	}
	return out
}

// begin takes level and courses from the means of the first seasons.
func (m smoothing) begin(z []float64) []smoothed {
	level := mean(z)
	short, long := make([]float64, m.short), make([]float64, m.long)
	count := make([]float64, m.short)
	for t, v := range z {
		short[t%m.short] += v - level
		count[t%m.short]++
	}
	for k := range short {
		short[k] /= count[k]
	}
	for t, v := range z {
		long[t%m.long] += (v - level - short[t%m.short]) * float64(m.long) / float64(len(z))
	}
	all := make([]smoothed, len(m.settings))
	for i, s := range m.settings {
		all[i] = smoothed{setting: s, level: level, short: slices.Clone(short), long: slices.Clone(long)}
	}
	return all
}

// take takes the value at phase s of the short season and l of the long one.
func (m *smoothed) take(v float64, known bool, s, l int) {
	if !known {
		m.off *= m.follow
		return
	}
	off := v - m.level - m.short[s] - m.long[l]
	miss := off - m.follow*m.off
	m.off = off
	m.level += m.setting.level * miss
	m.short[s] += m.setting.short * miss
	m.long[l] += m.setting.long * miss
	m.missed = m.missed*forget + miss*miss
}

// grid is every combination of the settings.
func grid(level, short, long, follow []float64) []setting {
	var out []setting
	for _, a := range level {
		for _, s := range short {
			for _, l := range long {
				for _, f := range follow {
					out = append(out, setting{a, s, l, f})
				}
			}
		}
	}
	return out
}
