package series

import (
	"math"
	"testing"
)

// TestNaive2 is worked out by hand: courses of 2, 4, 6 about levels, and what is not seasonal.
func TestNaive2(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		history []float64
		season  int
		want    []float64
	}{
		"a course":             {repeat([]float64{2, 4, 6}, 6), 3, []float64{2, 4, 6, 2}},
		"an even course":       {repeat([]float64{1, 2, 4, 1}, 6), 4, []float64{1, 2, 4, 1, 1}},
		"too short for a test": {[]float64{2, 4, 6, 2, 4, 6, 2}, 3, []float64{2, 2}},
		"no season":            {[]float64{5, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9}, 4, []float64{9, 9}},
		"one step":             {[]float64{5, 1, 4}, 1, []float64{4, 4}},
		"constant":             {constant(3, 20), 4, []float64{3, 3, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Naive2(tt.history, tt.season, len(tt.want))
			for k := range got {
				if math.Abs(got[k]-tt.want[k]) > 1e-9 {
					t.Fatalf("%v, expected %v", got, tt.want)
				}
			}
		})
	}
}

func repeat(cycle []float64, times int) []float64 {
	var out []float64
	for range times {
		out = append(out, cycle...)
	}
	return out
}

// TestScoresAreThoseOfM4 on a forecast without spread, so that the interval is the point.
func TestScoresAreThoseOfM4(t *testing.T) {
	t.Parallel()
	history := []float64{1, 3, 2, 4, 3, 5} // each season of 2 is 1 more: the unit is 1
	f := &Forecast{Points: []float64{4, 4}, scale: 1, errors: spread{size: []float64{0, 0}}}
	got, err := Judge(history, []float64{4, 6}, 2, f)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string][2]float64{
		"sMAPE": {got.SMAPE, (0 + 200*2./10) / 2}, "MASE": {got.MASE, (0 + 2.) / 2},
		"MSIS": {got.MSIS, (0 + 40*2.) / 2}, "covered": {got.Covered, 0.5},
		"seasonal sMAPE": {got.SeasonalSMAPE, (200*1./7 + 200*1./11) / 2}, "seasonal MASE": {got.SeasonalMASE, 1},
	} {
		if math.Abs(v[0]-v[1]) > 1e-9 {
			t.Errorf("%s %g, expected %g", name, v[0], v[1])
		}
	}
	var mean Accuracy
	mean.Add(Score{SMAPE: 10, MASE: 1, NaiveSMAPE: 20, NaiveMASE: 2})
	mean.Add(Score{SMAPE: 20, MASE: 2, NaiveSMAPE: 40, NaiveMASE: 2})
	if mean.Series != 2 || mean.SMAPE != 15 || mean.OWA() != (15./30+1.5/2)/2 {
		t.Errorf("%+v, OWA %g", mean, mean.OWA())
	}
}

func TestJudgeRefuses(t *testing.T) {
	t.Parallel()
	f := &Forecast{Points: []float64{1, 1}, scale: 1, errors: spread{size: []float64{0, 0}}}
	for name, tt := range map[string]struct{ history, came []float64 }{
		"a gap":                 {[]float64{1, 2, math.NaN(), 4}, []float64{1}},
		"a gap in what came":    {[]float64{1, 2, 3, 5}, []float64{math.NaN()}},
		"a history of a season": {[]float64{1, 2}, []float64{1}},
		"nothing that came":     {[]float64{1, 2, 3, 5}, nil},
		"more than forecast":    {[]float64{1, 2, 3, 5}, []float64{1, 2, 3}},
		"no unit":               {[]float64{1, 2, 1, 2}, []float64{1}},
	} {
		if got, err := Judge(tt.history, tt.came, 2, f); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
