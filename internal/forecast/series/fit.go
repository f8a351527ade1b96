package series

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// The limits of what is forecast. They bound the time and memory that a series can cost.
const (
	MaxHorizon = 10_000
	MaxSeason  = 20_000
	MaxSeasons = 4
	// MaxValue is far beyond any load, and squares of it are still exact enough to sum.
	MaxValue = 1e15

	// maxHistory is how much of a series' end is looked at: longSpan of the second season, and never more than this.
	maxHistory = 20_000
	longSpan   = 8
	// maxOrigins is how often the models are replayed, a season apart.
	maxOrigins = 24
)

// ErrNoValues says that a series has no value that is known.
var ErrNoValues = errors.New("no values")

// Options are what is wanted of a series.
type Options struct {
	// Seasons are the periods after which a series resembles itself, in steps, ascending: 24, 168 for hours. Those for
	// which the history is too short are left out. There may be none.
	Seasons []int
	// Horizon is how many steps to forecast.
	Horizon int
}

// Check refuses what cannot be meant.
func (o Options) Check() error {
	if o.Horizon < 1 || o.Horizon > MaxHorizon {
		return fmt.Errorf("horizon %d: expected 1 to %d", o.Horizon, MaxHorizon)
	}
	if len(o.Seasons) > MaxSeasons {
		return fmt.Errorf("%d seasons: expected at most %d", len(o.Seasons), MaxSeasons)
	}
	for i, s := range o.Seasons {
		if s < 2 || s > MaxSeason {
			return fmt.Errorf("season %d: expected 2 to %d steps", s, MaxSeason)
		}
		if i > 0 && s <= o.Seasons[i-1] {
			return fmt.Errorf("season %d after %d: expected them in ascending order", s, o.Seasons[i-1])
		}
	}
	return nil
}

// Forecast is what is expected after the end of a series.
type Forecast struct {
	// Points are the best guesses, one a step.
	Points []float64
	// Models are what they are made from, the heaviest first; weights sum to 1.
	Models []Weight

	errors spread
	scale  float64 // of Points to what errors is about
}

// Weight is a model's share of a forecast.
type Weight struct {
	Model string
	Share float64
}

// Fit forecasts what comes after values, which are in order and without gaps; NaN is a value that is missing. It
// returns ErrNoValues if all are, and an error that names the index of a value that is negative or beyond MaxValue.
func Fit(values []float64, o Options) (*Forecast, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	for i, v := range values {
		if v < 0 || v > MaxValue {
			return nil, fmt.Errorf("value %d is %g: expected 0 to %g, or NaN where it is missing", i, v, MaxValue)
		}
	}
	h, ok := newHistory(values, o.Seasons)
	if !ok {
		return nil, ErrNoValues
	}
	origins := h.origins()
	replays := h.replay(origins, o.Horizon)
	weights := weigh(h, origins, replays)
	mixed := mix(replays, weights, len(origins), o.Horizon)
	f := &Forecast{errors: learnSpread(h, origins, mixed, o.Horizon), scale: h.scale}
	f.Points = mixed[len(origins)-1]
	for i := range f.Points {
		f.Points[i] *= h.scale
	}
	for i, r := range replays {
		if weights[i] > 0 {
			f.Models = append(f.Models, Weight{r.model, weights[i]})
		}
	}
	slices.SortStableFunc(f.Models, func(a, b Weight) int {
		switch {
		case a.Share > b.Share:
			return -1
		case a.Share < b.Share:
			return 1
		}
		return 0
	})
	return f, nil
}

// Quantile gives for each step the value that is not exceeded with probability p, which is between 0 and 1. A greater
// p never gives a lower value. Beyond about 0.005 and 0.995 it says no more than the worst errors there were.
func (f *Forecast) Quantile(p float64) []float64 {
	if !(p > 0 && p < 1) {
		panic(fmt.Sprintf("bug: quantile %g is not between 0 and 1", p))
	}
	q := f.errors.quantile(p)
	out := make([]float64, len(f.Points))
	for i, point := range f.Points {
		root := math.Sqrt(point/f.scale) + q*f.errors.size[i]
		out[i] = f.scale * math.Max(root, 0) * math.Max(root, 0)
	}
	return out
}
