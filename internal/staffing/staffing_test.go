package staffing

import (
	"math"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/chance"
)

// TestErlang compares with tables of Erlang's C, to four digits.
func TestErlang(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		offered     float64
		connections int
		waiting     float64
	}{
		{0.5, 1, 0.5}, {1, 2, 1.0 / 3}, {2, 3, 4.0 / 9}, {8, 10, 0.4092}, {24, 30, 0.1729}, {80, 100, 0.01965},
	} {
		got := Late(Load{Offered: test.offered, Service: time.Second}, test.connections, 0)
		if math.Abs(got-test.waiting) > 5e-5 {
			t.Errorf("%v offered to %d: %.5f wait, expected %.5f", test.offered, test.connections, got, test.waiting)
		}
	}
}

func TestConnections(t *testing.T) {
	t.Parallel()
	short, long := 2*time.Millisecond, 200*time.Millisecond
	for _, test := range []struct {
		name string
		load Load
		want int
	}{
		{"nothing", Load{}, 0},
		{"next to nothing", Load{Offered: 0.001, Service: short}, 1},
		{"short services: utilisation decides", Load{Offered: 40, Service: short}, 50},
		{"long services: waiting decides", Load{Offered: 40, Service: long}, 56},
		{"they come in batches", Load{Offered: 40, Service: long, ArrivalSpread: 5}, 72},
		{"they take turns", Load{Offered: 40, Service: long, ArrivalSpread: 0.2}, 51},
		{"service time unknown", Load{Offered: 40}, 58},
		{"many", Load{Offered: 4000, Service: long}, 5000},
		{"too many", Load{Offered: 9000, Service: long}, MaxConnections},
		{"endless", Load{Offered: math.Inf(1), Service: long}, MaxConnections},
		{"not a number", Load{Offered: math.NaN(), Service: long}, 0},
		{"negative", Load{Offered: -3, Service: -long}, 0},
		{"mad spreads", Load{Offered: 4, Service: long, ArrivalSpread: math.Inf(1), ServiceSpread: math.NaN()}, 129},
	} {
		if got := Connections(test.load, DefaultGoal, MaxConnections); got != test.want {
			t.Errorf("%s: %d, expected %d", test.name, got, test.want)
		}
	}
	if got := Connections(Load{Offered: 40, Service: long}, DefaultGoal, 45); got != 45 {
		t.Errorf("with a limit of 45: %d", got)
	}
	if got := Connections(Load{Offered: 40, Service: long}, DefaultGoal, 0); got != 0 {
		t.Errorf("with a limit of 0: %d", got)
	}
	if got := Connections(Load{Offered: 1, Service: long}, Goal{Share: 1}, 50); got != 1 {
		t.Errorf("without a goal: %d", got)
	}
}

// TestTheSmallestNumberThatMeetsTheGoal: at random, from a hundredth of a connection to thousands, one connection less
// misses the goal, more load never needs fewer, more connections never make more wait, and shares are shares.
func TestTheSmallestNumberThatMeetsTheGoal(t *testing.T) {
	t.Parallel()
	random := chance.Random(t)
	for range 400 {
		load := Load{
			Offered: math.Exp(random.Float64()*13 - 5), Service: time.Duration(math.Exp(random.Float64()*15 + 10)),
			ArrivalSpread: 8 * random.Float64(), ServiceSpread: 8 * random.Float64(),
		}
		c := Connections(load, DefaultGoal, MaxConnections)
		meets := func(c int) bool {
			late := Late(load, c, DefaultGoal.Wait)
			if !(late >= 0 && late <= 1) {
				t.Fatalf("%+v, %d connections: %v are late", load, c, late)
			}
			return load.Offered/float64(c) <= DefaultGoal.Utilisation+1e-9 && late <= DefaultGoal.Share/doubt
		}
		if !meets(c) || c > 1 && meets(c-1) {
			t.Errorf("%+v: %d is not the smallest number", load, c)
		}
		if a, b := Late(load, c, DefaultGoal.Wait), Late(load, c+1, DefaultGoal.Wait); b > a+1e-12 {
			t.Errorf("%+v: with %d connections %v are late, with one more %v", load, c, a, b)
		}
		load.Offered *= 1.01
		if more := Connections(load, DefaultGoal, MaxConnections); more < c {
			t.Errorf("%+v needs %d, a little more load %d", load, c, more)
		}
	}
}

// TestAgainstTheQueue is a small part of TestGrid, which has the tag integration.
func TestAgainstTheQueue(t *testing.T) {
	t.Parallel()
	random := chance.Random(t)
	for _, q := range []queue{
		{poisson(), exponential(), 3, 5, 20 * time.Millisecond},
		{poisson(), constant(), 8, 10, 20 * time.Millisecond},
		{geometricBatches(3), lognormal(2), 7, 10, 20 * time.Millisecond},
	} {
		limit := DefaultGoal.Wait
		simulated, predicted := q.late(limit, 100_000, random), Late(q.load(), q.connections, limit)
		if predicted > 1.5*simulated || simulated > 1.5*predicted {
			t.Errorf("%v: %.4f are late, predicted %.4f", q, simulated, predicted)
		}
	}
}

func BenchmarkConnections(b *testing.B) {
	load := Load{Offered: 40, Service: 200 * time.Millisecond, ArrivalSpread: 3, ServiceSpread: 2}
	for b.Loop() {
		Connections(load, DefaultGoal, MaxConnections)
	}
}
