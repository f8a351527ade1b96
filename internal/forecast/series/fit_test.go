package series

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// watches are the seasons of demand: days of six watches of four watches, and weeks. They are cheaper than watches.
var watches = []int{6, 42}

// demand is n watches of a load with a daily and a weekly course and noise that follows itself. The mean of a week is
// about 123.
func demand(seed uint64, n int, noise float64) []float64 {
	random := rand.New(rand.NewPCG(seed, 0))
	out, off := make([]float64, n), 0.0
	for t := range out {
		off = 0.7*off + noise*random.NormFloat64()
		day := 1 + 0.6*math.Sin(2*math.Pi*float64(t)/6)
		if t/6%7 >= 5 {
			day *= 1.8
		}
		out[t] = 100 * day * math.Exp(off)
	}
	return out
}

func constant(v float64, n int) []float64 { return slices.Repeat([]float64{v}, n) }

// without is values with those from first to last, not included, missing.
func without(values []float64, first, last int) []float64 {
	out := slices.Clone(values)
	for t := first; t < last; t++ {
		out[t] = math.NaN()
	}
	return out
}

// TestEverySeriesHasAForecast holds whatever the history is: as many steps as asked for, finite, 0 or more, and
// quantiles in order. near is what is expected on average; 0 is not checked.
func TestEverySeriesHasAForecast(t *testing.T) {
	t.Parallel()
	level := slices.Concat(demand(1, 252, 0.05), scaled(demand(2, 63, 0.05), 1.5))
	rare := make([]float64, 300)
	for i := 0; i < len(rare); i += 37 {
		rare[i] = 5
	}
	quarters := make([]float64, 400)
	for i := range quarters {
		quarters[i] = 50 + 20*math.Sin(2*math.Pi*float64(i)/16)
	}
	usual := demand(1, 294, 0.05) // seven weeks
	for name, tt := range map[string]struct {
		values  []float64
		seasons []int
		horizon int
		near    float64
	}{
		"one value":                     {[]float64{7}, watches, 12, 7},
		"two values":                    {[]float64{7, 9}, watches, 12, 8.5},
		"less than a season":            {usual[:5], watches, 12, 0},
		"a day and a half":              {usual[:9], watches, 12, 0},
		"three days":                    {usual[:18], watches, 6, 100},
		"a week and two days":           {usual[:54], watches, 12, 100},
		"two weeks":                     {usual[:84], watches, 42, 123},
		"two weeks ahead":               {usual, watches, 84, 123},
		"constant":                      {constant(42, 300), watches, 12, 42},
		"nothing but zeros":             {constant(0, 300), watches, 12, 0},
		"no season":                     {constant(42, 30), nil, 12, 42},
		"one season":                    {quarters, []int{16}, 16, 50},
		"a third season":                {usual, []int{6, 42, 84}, 42, 123},
		"seasons that are no multiples": {usual, []int{6, 25}, 12, 0},
		"seasons of odd lengths":        {usual, []int{7, 30}, 12, 0},
		"the shortest season":           {usual, []int{2, 3}, 12, 0},
		"a season beyond the history":   {usual, []int{6, 42, 2190}, 42, 123},
		"a level that has shifted":      {level, watches, 42, 1.5 * 123},
		"rare":                          {rare, watches, 12, 0},
		"huge":                          {scaled(usual, 1e12), watches, 42, 123e12},
		"tiny":                          {scaled(usual, 1e-12), watches, 42, 123e-12},
		"gaps":                          {without(usual, 125, 130), watches, 42, 123},
		"a week is missing":             {without(usual, 150, 192), watches, 42, 123},
		"the end is missing":            {without(usual, 290, 294), watches, 42, 123},
		"the beginning is missing":      {without(usual, 0, 100), watches, 42, 123},
		"all but two are missing":       {without(usual, 1, 293), watches, 12, 0},
		"all but the first are missing": {without(usual, 1, 294), watches, 12, 0},
		"nights are never known":        {withoutNights(usual), watches, 12, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := Fit(tt.values, Options{Seasons: tt.seasons, Horizon: tt.horizon})
			if err != nil {
				t.Fatal(err)
			}
			sound(t, f, tt.horizon)
			if m := mean(f.Points); tt.near > 0 && math.Abs(m/tt.near-1) > 0.15 {
				t.Errorf("the mean forecast is %g, expected about %g", m, tt.near)
			}
			if name == "nothing but zeros" && slices.Max(f.Quantile(0.99)) > 1e-6 {
				t.Error("something is expected where there never was anything")
			}
		})
	}
}

func scaled(values []float64, by float64) []float64 {
	out := slices.Clone(values)
	for i := range out {
		out[i] *= by
	}
	return out
}

func withoutNights(values []float64) []float64 {
	out := slices.Clone(values)
	for t := 0; t < len(out); t += 6 {
		out[t] = math.NaN()
	}
	return out
}

func sound(t *testing.T, f *Forecast, horizon int) {
	t.Helper()
	rows := [][]float64{f.Quantile(0.001), f.Quantile(0.025), f.Quantile(0.5), f.Quantile(0.975), f.Quantile(0.999)}
	for i, row := range append(rows, f.Points) {
		if len(row) != horizon {
			t.Fatalf("%d steps, expected %d", len(row), horizon)
		}
		for k, v := range row {
			if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
				t.Fatalf("step %d is %g", k, v)
			}
			if i > 0 && i < len(rows) && v < rows[i-1][k] {
				t.Fatalf("step %d: a higher quantile is %g, a lower one %g", k, v, rows[i-1][k])
			}
		}
	}
	sum := 0.0
	for _, w := range f.Models {
		sum += w.Share
	}
	if math.Abs(sum-1) > 1e-9 {
		t.Fatalf("shares sum to %g: %v", sum, f.Models)
	}
}

func TestFitRefuses(t *testing.T) {
	t.Parallel()
	good := Options{Seasons: watches, Horizon: 12}
	for name, tt := range map[string]struct {
		values []float64
		o      Options
		says   string
	}{
		"a negative value":      {[]float64{1, -2}, good, "value 1 is -2"},
		"a value beyond limits": {[]float64{1, math.Inf(1)}, good, "value 1 is +Inf"},
		"no horizon":            {[]float64{1}, Options{}, "horizon 0"},
		"a horizon without end": {[]float64{1}, Options{Horizon: MaxHorizon + 1}, "horizon 10001"},
		"a season of a step":    {[]float64{1}, Options{Horizon: 1, Seasons: []int{1}}, "season 1"},
		"seasons out of order":  {[]float64{1}, Options{Horizon: 1, Seasons: []int{168, 24}}, "ascending"},
		"too many seasons":      {[]float64{1}, Options{Horizon: 1, Seasons: []int{2, 3, 4, 5, 6}}, "5 seasons"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Fit(tt.values, tt.o); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, expected %q", err, tt.says)
			}
		})
	}
	for _, values := range [][]float64{nil, constant(math.NaN(), 10)} {
		if _, err := Fit(values, good); !errors.Is(err, ErrNoValues) {
			t.Errorf("%v of %v", err, values)
		}
	}
}

// TestAForecastScalesWithItsSeries: it does not matter in what a load is counted.
func TestAForecastScalesWithItsSeries(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	values := without(demand(seed, 250, 0.1), 100, 110)
	o := Options{Seasons: watches, Horizon: 12}
	f := must(t, values, o)
	for _, by := range []float64{1e-6, 3, 1e9} {
		g := must(t, scaled(values, by), o)
		for k := range f.Points {
			alike(t, "point", g.Points[k], f.Points[k]*by)
			alike(t, "upper quantile", g.Quantile(0.95)[k], f.Quantile(0.95)[k]*by)
		}
	}
}

func alike(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-5*math.Abs(want) {
		t.Fatalf("%s %g, expected %g", what, got, want)
	}
}

func must(t testing.TB, values []float64, o Options) *Forecast {
	t.Helper()
	f, err := Fit(values, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestWhatIsLongAgoDoesNotMatter: nor does it matter when recording began, beyond the span that is looked at, and the
// same history has the same forecast to the last bit.
func TestWhatIsLongAgoDoesNotMatter(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	values := demand(seed, longSpan*42, 0.1)
	o := Options{Seasons: watches, Horizon: 18}
	f := must(t, values, o)
	for _, before := range [][]float64{nil, {1e6}, scaled(demand(seed, 500, 1), 100), constant(math.NaN(), 77)} {
		g := must(t, slices.Concat(before, values), o)
		if !slices.Equal(f.Points, g.Points) || !slices.Equal(f.Quantile(0.9), g.Quantile(0.9)) {
			t.Errorf("%d values before the history change the forecast", len(before))
		}
	}
}

// TestGapsHardlyMatter: an outage of a day is neither a quiet day nor the end of the season.
func TestGapsHardlyMatter(t *testing.T) {
	t.Parallel()
	values := demand(5, 300, 0.05)
	o := Options{Seasons: watches, Horizon: 42}
	whole, gap := must(t, values, o), must(t, without(values, 275, 281), o)
	for k := range whole.Points {
		if math.Abs(gap.Points[k]/whole.Points[k]-1) > 0.15 {
			t.Errorf("step %d: %g with a gap, %g without", k, gap.Points[k], whole.Points[k])
		}
	}
}

// TestIntervalsCover counts values within the 80 % interval over series of which the truth is known.
func TestIntervalsCover(t *testing.T) {
	t.Parallel()
	const from, horizon, many = 250, 12, 12
	within, naive, ours := 0.0, 0.0, 0.0
	for seed := range uint64(many) {
		values := demand(seed+100, from+horizon, 0.1)
		f := must(t, values[:from], Options{Seasons: watches, Horizon: horizon})
		low, high := f.Quantile(0.1), f.Quantile(0.9)
		for k, v := range values[from:] {
			if low[k] <= v && v <= high[k] {
				within += 1. / many / horizon
			}
			ours += math.Abs(v - f.Points[k])
			naive += math.Abs(v - values[from-42+k])
		}
	}
	if within < 0.7 || within > 0.9 {
		t.Errorf("the 80 %% interval covers %.3f", within)
	}
	if ours > 0.8*naive {
		t.Errorf("errors are %.2f of those of the value a week before", ours/naive)
	}
}

// TestSolveFindsTheCoefficients of rows that were made from them, weighted in any way.
func TestSolveFindsTheCoefficients(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	want := []float64{3, -1, 0.5, 2}
	sums, x := newNormal(4), make([]float64, 4)
	for range 200 {
		y := 0.0
		for i := range x {
			x[i] = random.NormFloat64()
			y += x[i] * want[i]
		}
		sums.add(x, y, 0.1+random.Float64())
	}
	sums.scale(1e-3)
	for i, b := range sums.solve(make([]float64, 4)) {
		if math.Abs(b-want[i]) > 1e-6 {
			t.Errorf("coefficient %d is %g, expected %g", i, b, want[i])
		}
	}
	if newNormal(4).solve(make([]float64, 4)) != nil {
		t.Error("nothing was added, but it was solved")
	}
}

// FuzzFit: whatever the history, the forecast is sound.
func FuzzFit(f *testing.F) {
	f.Add([]byte{1, 2, 3, 0, 255}, uint8(2), uint8(3), uint8(5))
	f.Add(slices.Repeat([]byte{9, 1, 7, 200}, 60), uint8(4), uint8(28), uint8(50))
	f.Fuzz(func(t *testing.T, raw []byte, short, more, horizon uint8) {
		values := make([]float64, min(len(raw), 500))
		for i, b := range raw[:len(values)] {
			switch {
			case b == 255:
				values[i] = math.NaN()
			case b >= 250:
				values[i] = math.Pow(10, float64(b-250)*3)
			default:
				values[i] = float64(b)
			}
		}
		o := Options{Seasons: []int{int(short) + 2, int(short) + 3 + int(more)}, Horizon: int(horizon) + 1}
		got, err := Fit(values, o)
		if err != nil {
			if !errors.Is(err, ErrNoValues) {
				t.Fatal(err)
			}
			return
		}
		sound(t, got, o.Horizon)
	})
}

// BenchmarkYear is what a pool with a year of hours costs, for two days and for two weeks ahead.
func BenchmarkYear(b *testing.B) {
	var values []float64
	for _, v := range demand(1, 8760/4, 0.1) {
		values = append(values, v, v*1.1, v*1.2, v*1.1)
	}
	for name, horizon := range map[string]int{"48": 48, "336": 336} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				must(b, values, Options{Seasons: []int{24, 168}, Horizon: horizon})
			}
		})
	}
}
