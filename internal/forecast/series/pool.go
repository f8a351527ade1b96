package series

import "math"

// A model forecasts from each of the origins, which are ascending, and from what is before them only. Where it has
// too little to go on, it gives nil. z is not to be written to.
type model func(z []float64, known []bool, origins []int, horizon int) [][]float64

// member is a model of the pool, and the scale on which it works.
type member struct {
	name string
	log  bool
	run  model
}

// replay is what a member forecast from each origin, in values; nil where it could not.
type replay struct {
	model string
	from  [][]float64
}

// Waves of a season beyond which a regression on waves does not go: of the first, of the second, of further ones.
const (
	shortWaves   = 12
	longWaves    = 30
	fewLongWaves = 20
	furtherWaves = 6
)

// members are the pool. They and their settings were chosen on the M4 hourly series without their last 48 values
// (docs/forecast.md), from thrice as many: more gained nothing, and to leave any of these out changes the OWA by less
// than 0.005 on average. They are there for series on which the others fail.
func (h *history) members() []member {
	short, long := h.short(), h.long()
	if short == 1 {
		return []member{
			{"last value", false, seasonalNaive(1)},
			{"recent mean", false, profile{1, 0.8, 1, 0.5}.run},
			{"slow mean", false, profile{1, 0.97, 1, 0.8}.run},
		}
	}
	lags := seasonLags(3, short, max(short, min(long, 7*short)))
	if long == short {
		lags = seasonLags(3, short, short*max(1, min(7, len(h.values)/short/3)))
	}
	waves := linear{lags: []int{1, 2, 3, short, long}, waves: h.waves(longWaves),
		lagPenalty: 1e-4, wavePenalty: 1e-2}
	if long == short {
		waves.lags = waves.lags[:4]
	}
	fewWaves := linear{lags: []int{1, 2}, waves: h.waves(fewLongWaves), lagPenalty: 1e-4, wavePenalty: 1e-3}
	differences := linear{lags: lags, from: short, lagPenalty: 1e-2}
	recent := differences
	recent.halfLife = 1.5 * float64(max(long, 7*short))
	days := linear{lags: []int{1, 2, short, short + 1, 2 * short, 2*short + 1, 3 * short}, from: short, lagPenalty: 1e-2}
	double := smoothing{short, long, grid([]float64{0.005, 0.03, 0.1}, []float64{0.02, 0.1, 0.25},
		[]float64{0.05, 0.15, 0.3}, []float64{0.3, 0.7, 0.9, 0.97})}
	single := smoothing{short, short, grid([]float64{0.005, 0.03, 0.1, 0.3}, []float64{0.05, 0.15, 0.3},
		[]float64{0}, []float64{0, 0.5, 0.9})}
	out := []member{
		{"recent differences", true, recent.run},
		{"differences of days", true, days.run},
		{"differences", false, differences.run},
		{"few waves", false, fewWaves.run},
		{"waves", true, waves.run},
		{"double smoothing", true, double.run},
		{"single smoothing", true, single.run},
		{"long profile", true, profile{long, 0.4, short, 0.95}.run},
		{"short profile", true, profile{short, 0.93, short, 0.9}.run},
	}
	for _, s := range h.seasons[min(1, len(h.seasons)-1):] {
		out = append(out, member{"last season", false, seasonalNaive(s)})
	}
	return out
}

// waves are those of the seasons, each frequency once.
func (h *history) waves(long int) []wave {
	var out []wave
	for i, s := range h.seasons {
		most := furtherWaves
		switch i {
		case 0:
			most = shortWaves
		case 1:
			most = long
		}
		for k := 1; k <= most && 2*k <= s; k++ {
			if i == 0 || k*h.short()%s != 0 {
				out = append(out, wave{k, s})
			}
		}
	}
	return out
}

// replay lets all members forecast from all origins.
func (h *history) replay(origins []int, horizon int) []replay {
	members := h.members()
	out := make([]replay, 0, len(members))
	for _, m := range members {
		z := h.values
		if m.log {
			z = h.logs
		}
		r := replay{m.name, m.run(z, h.known, origins, horizon)}
		for i, f := range r.from {
			if f != nil {
				h.restore(f, origins[i], m.log)
			}
		}
		out = append(out, r)
	}
	return out
}

// beyond is how far a forecast may be outside what has been seen, as a share of the width of that. On M4, less room
// changes nothing; after a jump of the level, regressions would take more and run away.
const beyond = 0.25

// restore turns a forecast into values that are possible.
func (h *history) restore(f []float64, origin int, log bool) {
	low, high := math.Inf(1), 0.0
	for t := range origin {
		low, high = min(low, h.values[t]), max(high, h.values[t])
	}
	width := beyond * (high - low)
	least, most := max(0, low-width), high+width
	for k, v := range f {
		if log {
			v = math.Exp(v) - h.offset
		}
		if math.IsNaN(v) {
			v = h.values[origin-1]
		}
		f[k] = min(max(v, least), most)
	}
}
