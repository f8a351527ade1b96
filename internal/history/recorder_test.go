package history

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, time.June, 20, 12, 0, 0, 0, time.UTC)

// observe gives a recorder a sample a second and returns what was finished.
func observe(t *testing.T, r *Recorder, from time.Time, seconds int, sample func(i int) Sample) []Bucket {
	t.Helper()
	var finished []Bucket
	for i := range seconds {
		got, err := r.Observe("app", sample(i), from.Add(time.Duration(i)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		finished = append(finished, got...)
	}
	return finished
}

func TestABucketSaysWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	var r Recorder
	got := observe(t, &r, noon, 301, func(i int) Sample {
		s := Sample{
			Busy: i % 10, Waiting: 1, Requests: uint64(100 * i), Services: uint64(2 * i), Limit: 20,
			ServiceSum: time.Duration(i) * 40 * time.Millisecond, // 10 ms and 30 ms each second
		}
		s.ServiceSquares = float64(i) * (0.01*0.01 + 0.03*0.03)
		return s
	})
	if len(got) != 1 {
		t.Fatalf("%d buckets", len(got))
	}
	want := Bucket{
		Start: noon, Width: Step, Samples: 300, Mean: 5.5, P95: 10, Max: 10, Arrivals: 29900,
		Service: 20 * time.Millisecond, ServiceSpread: 0.25,
	}
	if math.Abs(got[0].ServiceSpread-want.ServiceSpread) < 1e-9 {
		got[0].ServiceSpread = want.ServiceSpread
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestArrivalsOfPoissonHaveASpreadOfOne(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	for _, tt := range []struct {
		name string
		came func() int
		want float64
	}{
		{"poisson of 20", func() int { return poisson(random, 20) }, 1},
		{"in batches of ten", func() int { return 10 * poisson(random, 2) }, 10},
	} {
		var r Recorder
		var total uint64
		var spread float64
		buckets := observe(t, &r, noon, 20*300+1, func(int) Sample {
			total += uint64(tt.came())
			return Sample{Requests: total}
		})
		for _, b := range buckets {
			spread += b.ArrivalSpread / float64(len(buckets))
		}
		if math.Abs(spread/tt.want-1) > 0.1 {
			t.Errorf("%s: spread %.3f, want about %v; seed %d", tt.name, spread, tt.want, seed)
		}
	}
}

func poisson(random *rand.Rand, mean float64) int {
	n := 0
	for at := random.ExpFloat64(); at < mean; at += random.ExpFloat64() {
		n++
	}
	return n
}

func TestSamplesThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	good := Sample{Busy: 3, Requests: 7}
	for name, tt := range map[string]struct {
		sample Sample
		now    time.Time
	}{
		"negative busy":       {Sample{Busy: -1}, noon},
		"negative waiting":    {Sample{Waiting: -1}, noon},
		"negative limit":      {Sample{Limit: -1}, noon},
		"absurdly many":       {Sample{Waiting: math.MaxInt}, noon},
		"negative service":    {Sample{ServiceSum: -1}, noon},
		"squares not numbers": {Sample{ServiceSquares: math.NaN()}, noon},
		"squares infinite":    {Sample{ServiceSquares: math.Inf(1)}, noon},
		"negative squares":    {Sample{ServiceSquares: -1}, noon},
		"the year 1":          {good, time.Time{}},
		"before 1970":         {good, time.Unix(-1, 0)},
		"the year 2200":       {good, time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		var r Recorder
		if _, err := r.Observe("app", good, noon); err != nil {
			t.Fatal(err)
		}
		before, _ := r.Open("app")
		if _, err := r.Observe("app", tt.sample, tt.now); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: error %v", name, err)
		}
		if after, _ := r.Open("app"); after != before {
			t.Errorf("%s: the bucket has changed from %+v to %+v", name, before, after)
		}
	}
}

// TestWhateverTheClockDoes feeds samples at random times and holds what is always true.
func TestWhateverTheClockDoes(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	var r Recorder
	var stored []Bucket
	now, requests := noon, uint64(0)
	for range 20_000 {
		switch random.IntN(100) {
		case 0:
			now = now.Add(time.Duration(random.Int64N(int64(time.Hour))) - 30*time.Minute)
		case 1:
			requests = 0
		}
		now = now.Add(time.Duration(random.Int64N(int64(2 * time.Second))))
		requests += uint64(random.IntN(10))
		finished, err := r.Observe("app", Sample{Busy: random.IntN(20), Requests: requests}, now)
		if err != nil {
			t.Fatalf("%v; seed %d", err, seed)
		}
		for _, b := range finished {
			if err := b.Check(); err != nil || b.Samples < 1 || b.Mean > b.Max || b.P95 > b.Max {
				t.Fatalf("bucket %+v: %v; seed %d", b, err, seed)
			}
		}
		stored = Combine(stored, finished)
	}
	checkOrder(t, stored)
	if len(stored) < 20 {
		t.Errorf("%d buckets; seed %d", len(stored), seed)
	}
	for _, b := range stored {
		if b.Samples > 620 || b.Arrivals > 620*10*6 {
			t.Errorf("counted twice: %+v; seed %d", b, seed)
		}
	}
}

func checkOrder(t *testing.T, buckets []Bucket) {
	t.Helper()
	for i := 1; i < len(buckets); i++ {
		if buckets[i].Start.Before(buckets[i-1].End()) {
			t.Errorf("%v begins before %v ends", buckets[i].Start, buckets[i-1].Start)
		}
	}
}
