package history

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// at is a bucket some minutes after noon.
func at(minutes, samples int, mean float64) Bucket {
	return Bucket{
		Start: noon.Add(time.Duration(minutes) * time.Minute), Width: Step, Samples: samples,
		Mean: mean, P95: mean, Max: mean,
	}
}

func part(b Bucket, from, until time.Duration) Bucket {
	b.From, b.Until = from, until
	return b
}

func wide(b Bucket, width time.Duration) Bucket {
	b.Width = width
	return b
}

func TestCombine(t *testing.T) {
	t.Parallel()
	first := part(at(0, 100, 2), 0, 99*time.Second)
	second := part(at(0, 150, 4), 150*time.Second, 299*time.Second)
	both := at(0, 250, (2*100+4*150)/250.)
	both.P95, both.Max = 4, 4
	hour := wide(at(0, 99, 1), time.Hour)
	for name, tt := range map[string]struct{ stored, fresh, want []Bucket }{
		"nothing":                      {nil, nil, []Bucket{}},
		"in order":                     {[]Bucket{at(5, 9, 1)}, []Bucket{at(0, 9, 1)}, []Bucket{at(0, 9, 1), at(5, 9, 1)}},
		"parts are put together":       {[]Bucket{first}, []Bucket{second}, []Bucket{both}},
		"in either order":              {[]Bucket{second}, []Bucket{first}, []Bucket{both}},
		"and not twice":                {[]Bucket{both}, []Bucket{second}, []Bucket{both}},
		"the same part is one":         {[]Bucket{first}, []Bucket{first}, []Bucket{first}},
		"the fuller is kept":           {[]Bucket{at(0, 200, 1)}, []Bucket{at(0, 100, 9)}, []Bucket{at(0, 200, 1)}},
		"the fuller comes later":       {[]Bucket{at(0, 100, 9)}, []Bucket{at(0, 200, 1)}, []Bucket{at(0, 200, 1)}},
		"of equals the fresh one":      {[]Bucket{at(0, 300, 9)}, []Bucket{at(0, 300, 1)}, []Bucket{at(0, 300, 1)}},
		"a stored hour stays":          {[]Bucket{hour}, []Bucket{at(55, 300, 1)}, []Bucket{hour}},
		"stored minutes stay":          {[]Bucket{at(55, 9, 1)}, []Bucket{hour}, []Bucket{at(55, 9, 1)}},
		"the hour before is no matter": {[]Bucket{at(60, 9, 1)}, []Bucket{hour}, []Bucket{hour, at(60, 9, 1)}},
	} {
		got := Combine(tt.stored, tt.fresh)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(got, Combine(got, tt.fresh)); diff != "" {
			t.Errorf("%s: twice is not once (-once +twice):\n%s", name, diff)
		}
	}
}

func TestCoarsenKeepsWhatCounts(t *testing.T) {
	t.Parallel()
	var hour []Bucket
	for i := range 12 {
		b := at(5*i, 300, float64(i))
		b.Arrivals, b.ArrivalSpread, b.Service, b.ServiceSpread = 3000, 1, 20*time.Millisecond, 0.5
		hour = append(hour, b)
	}
	hour[3].CutOff = true
	hour[4].Outage = true
	later := at(60, 30, 7)
	got := Coarsen(append(slices.Clone(hour), later, wide(at(120, 30, 1), 2*time.Hour)), time.Hour)
	want := []Bucket{
		{
			Start: noon, Width: time.Hour, Samples: 3600, Mean: 5.5, Max: 11, Arrivals: 36000, ArrivalSpread: 1,
			Service: 20 * time.Millisecond, ServiceSpread: 0.5, CutOff: true,
		},
		wide(later, time.Hour),
		wide(at(120, 30, 1), 2*time.Hour),
	}
	want[1].From, want[1].Until = 0, 5*time.Minute
	if p := got[0].P95; p < 10 || p > 11 {
		t.Errorf("95th percentile %v of twelve even steps from 0 to 11", p)
	}
	want[0].P95 = got[0].P95
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(got, Coarsen(got, time.Hour)); diff != "" {
		t.Errorf("twice is not once:\n%s", diff)
	}
}

// TestTheJointPercentileIsNearTheTrueOne compares with all samples at hand.
func TestTheJointPercentileIsNearTheTrueOne(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	for range 40 {
		var parts []Bucket
		var all []int32
		level := 5 + 40*random.Float64()
		for i := range 12 {
			own := make([]int32, 300)
			level *= 0.9 + 0.2*random.Float64()
			sum := 0.0
			for j := range own {
				own[j] = int32(poisson(random, level))
				sum += float64(own[j])
			}
			all = append(all, own...)
			parts = append(parts, Bucket{
				Start: noon.Add(time.Duration(i) * Step), Width: Step, Samples: 300,
				Mean: sum / 300, P95: percentile95(own), Max: float64(slices.Max(own)),
			})
		}
		got, want := Coarsen(parts, time.Hour)[0].P95, percentile95(all)
		if math.Abs(got-want) > max(2, 0.1*want) {
			t.Errorf("95th percentile %.1f, of all samples %.1f; seed %d", got, want, seed)
		}
	}
}

func TestCheckRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*Bucket){
		"no width":                 func(b *Bucket) { b.Width = 0 },
		"an odd width":             func(b *Bucket) { b.Width = 7 * time.Minute },
		"over the edge of an hour": func(b *Bucket) { b.Width = 45 * time.Minute },
		"a week":                   func(b *Bucket) { b.Width = 7 * 24 * time.Hour },
		"between the steps":        func(b *Bucket) { b.Start = b.Start.Add(time.Second) },
		"half a second late":       func(b *Bucket) { b.Start = b.Start.Add(time.Second / 2) },
		"the year 1":               func(b *Bucket) { b.Start = time.Time{} },
		"the year 9999":            func(b *Bucket) { b.Start = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) },
		"negative samples":         func(b *Bucket) { b.Samples = -1 },
		"a negative mean":          func(b *Bucket) { b.Mean = -1 },
		"a mean of nothing":        func(b *Bucket) { b.Mean = math.NaN() },
		"infinite demand":          func(b *Bucket) { b.Max = math.Inf(1) },
		"arrivals of nothing":      func(b *Bucket) { b.Arrivals = math.NaN() },
		"a negative service":       func(b *Bucket) { b.Service = -1 },
		"a part back to front":     func(b *Bucket) { b.From, b.Until = 2, 1 },
		"a part beyond":            func(b *Bucket) { b.Until = b.Width + 1 },
	} {
		b := at(0, 300, 1)
		if err := b.Check(); err != nil {
			t.Fatal(err)
		}
		spoil(&b)
		if err := b.Check(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestNothingIsCutByAClockAlone(t *testing.T) {
	t.Parallel()
	old, day := noon.AddDate(0, 0, -60), noon.Truncate(24*time.Hour)
	for name, tt := range map[string]struct{ now, oldest, want time.Time }{
		"as usual":                        {noon, noon.AddDate(0, 0, -60), day.AddDate(0, 0, -60)},
		"few days have buckets":           {noon, time.Time{}, time.Time{}},
		"the clock is a century ahead":    {noon.AddDate(100, 0, 0), old, day.AddDate(0, 0, -60)},
		"the clock is behind":             {noon.AddDate(-1, 0, 0), old, day.AddDate(-1, 0, -60)},
		"the clock shows nothing":         {time.Time{}, old, time.Time{}},
		"a day that is in the future now": {noon, noon.AddDate(50, 0, 0), day.AddDate(0, 0, -60)},
	} {
		if got := Cut(tt.now, 60, tt.oldest); !got.Equal(tt.want) {
			t.Errorf("%s: cut at %v, want %v", name, got, tt.want)
		}
	}
}
