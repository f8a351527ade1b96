package series

import (
	"fmt"
	"math"
)

// Level is that of the interval that is judged: between the quantiles Low and High.
const (
	Low  = 0.025
	High = 0.975
)

// missCost is what the M4 competition charges for a value outside the interval, as a multiple of its distance: 2/α.
const missCost = 2 / (1 - (High - Low))

// seasonalTest is the quantile of the normal distribution at which a series is taken for seasonal, of M4's Naive2.
const seasonalTest = 1.645

// Score is how good one forecast of one series was, by the measures of the M4 competition.
type Score struct {
	SMAPE float64 // in percent, of twice the relative error as it defines it
	MASE  float64 // mean absolute error, in those of the seasonal naive method within the history
	MSIS  float64 // mean cost of the 95 % interval, in the same
	// Covered is the share of values within the interval.
	Covered float64
	// NaiveSMAPE and NaiveMASE are those of Naive2, and SeasonalSMAPE and SeasonalMASE of the seasonal naive method.
	NaiveSMAPE, NaiveMASE       float64
	SeasonalSMAPE, SeasonalMASE float64
}

// Judge compares a forecast with what came. It needs a history without gaps that is longer than the season and that
// is not the same in all seasons.
func Judge(history, came []float64, season int, f *Forecast) (Score, error) {
	for _, values := range [][]float64{history, came} {
		for _, v := range values {
			if math.IsNaN(v) {
				return Score{}, fmt.Errorf("judge forecast: a value is missing")
			}
		}
	}
	if len(history) <= season || len(came) == 0 || len(came) > len(f.Points) {
		return Score{}, fmt.Errorf("judge forecast: %d values of history, %d to compare; expected more than %d, and 1 to %d",
			len(history), len(came), season, len(f.Points))
	}
	unit := 0.0
	for t := season; t < len(history); t++ {
		unit += math.Abs(history[t] - history[t-season])
	}
	if unit /= float64(len(history) - season); unit == 0 {
		return Score{}, fmt.Errorf("judge forecast: each season is the same: there is no unit for errors")
	}
	var s Score
	s.SMAPE, s.MASE = errorsOf(f.Points, came, unit)
	s.NaiveSMAPE, s.NaiveMASE = errorsOf(Naive2(history, season, len(came)), came, unit)
	same := seasonalNaive(season)(history, nil, []int{len(history)}, len(came))[0]
	s.SeasonalSMAPE, s.SeasonalMASE = errorsOf(same, came, unit)
	low, high := f.Quantile(Low), f.Quantile(High)
	for k, v := range came {
		cost := high[k] - low[k] + missCost*math.Max(0, math.Max(low[k]-v, v-high[k]))
		s.MSIS += cost / unit / float64(len(came))
		if low[k] <= v && v <= high[k] {
			s.Covered += 1 / float64(len(came))
		}
	}
	return s, nil
}

func errorsOf(forecast, came []float64, unit float64) (smape, mase float64) {
	for k, v := range came {
		e := math.Abs(v - forecast[k])
		mase += e / unit
		if e > 0 {
			smape += 200 * e / (math.Abs(v) + math.Abs(forecast[k]))
		}
	}
	return smape / float64(len(came)), mase / float64(len(came))
}

// Naive2 is the benchmark of the M4 competition: the last value, seasonally adjusted by classical multiplicative
// decomposition if the history passes a test for seasonality.
func Naive2(history []float64, season, horizon int) []float64 {
	n, out := len(history), make([]float64, horizon)
	index := make([]float64, season)
	for k := range index {
		index[k] = 1
	}
	if n >= 3*season && seasonal(history, season) {
		index = seasonIndex(history, season)
	}
	for k := range out {
		out[k] = history[n-1] / index[(n-1)%season] * index[(n+k)%season]
	}
	return out
}

// seasonal is whether the autocorrelation at the season is more than what those before it explain (Bartlett).
func seasonal(z []float64, season int) bool {
	m, variance := mean(z), 0.0
	for _, v := range z {
		variance += (v - m) * (v - m)
	}
	limit := 1.0
	for lag := 1; lag <= season; lag++ {
		r := 0.0
		for t := lag; t < len(z); t++ {
			r += (z[t] - m) * (z[t-lag] - m)
		}
		r /= variance
		if lag == season {
			return math.Abs(r) > seasonalTest*math.Sqrt(limit/float64(len(z)))
		}
		limit += 2 * r * r
	}
	return false
}

// seasonIndex is the mean ratio of a value to the centred moving mean about it, by phase, with a mean of 1.
func seasonIndex(z []float64, season int) []float64 {
	index, count := make([]float64, season), make([]float64, season)
	half := season / 2
	for t := half; t+half < len(z); t++ {
		sum := 0.0
		for j := t - half; j <= t+half; j++ {
			sum += z[j]
		}
		if season%2 == 0 {
			sum -= (z[t-half] + z[t+half]) / 2
		}
		if sum > 0 {
			index[t%season] += z[t] * float64(season) / sum
			count[t%season]++
		}
	}
	for k := range index {
		index[k] /= math.Max(count[k], 1)
	}
	if m := mean(index); m > 0 {
		for k := range index {
			// A phase at which there is never anything would be divided by.
			index[k] = math.Max(index[k]/m, 1e-9)
		}
	}
	return index
}

// Accuracy is the mean of scores.
type Accuracy struct {
	Score
	Series int
}

// Add takes a score.
func (a *Accuracy) Add(s Score) {
	a.Series++
	part := 1 / float64(a.Series)
	for _, m := range []struct {
		to   *float64
		from float64
	}{
		{&a.SMAPE, s.SMAPE}, {&a.MASE, s.MASE}, {&a.MSIS, s.MSIS}, {&a.Covered, s.Covered},
		{&a.NaiveSMAPE, s.NaiveSMAPE}, {&a.NaiveMASE, s.NaiveMASE},
		{&a.SeasonalSMAPE, s.SeasonalSMAPE}, {&a.SeasonalMASE, s.SeasonalMASE},
	} {
		*m.to += (m.from - *m.to) * part
	}
}

// OWA is the overall weighted average of the M4 competition: the mean of both errors over those of Naive2.
func (a *Accuracy) OWA() float64 { return a.relative(a.SMAPE, a.MASE) }

// SeasonalOWA is that of the seasonal naive method.
func (a *Accuracy) SeasonalOWA() float64 { return a.relative(a.SeasonalSMAPE, a.SeasonalMASE) }

func (a *Accuracy) relative(smape, mase float64) float64 {
	return (smape/a.NaiveSMAPE + mase/a.NaiveMASE) / 2
}
