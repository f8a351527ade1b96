package status

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestAveragesAreRatesOfCountsAndMeansOfTimes(t *testing.T) {
	t.Parallel()
	earlier := Totals{
		Assignments: 100, Transactions: 200, Queries: 300, Received: 1000, Sent: 2000, TransactionTime: 5000,
		QueryTime: 6000, WaitTime: 7000, ClientParses: 10, ServerParses: 20, Binds: 30, ClientLogins: 40,
	}
	current := earlier.Add(Totals{
		Assignments: 60, Transactions: 120, Queries: 600, Received: 6000, Sent: 12000, TransactionTime: 1200,
		QueryTime: 2400, WaitTime: 600, ClientParses: 59, ServerParses: 61, Binds: 0, ClientLogins: 120,
	})
	want := Averages{
		Assignments: 1, Transactions: 2, Queries: 10, Received: 100, Sent: 200, TransactionTime: 10,
		QueryTime: 4, WaitTime: 10, ClientParses: 0, ServerParses: 1, Binds: 0, ClientLogins: 2,
	}
	if diff := cmp.Diff(want, AveragesOf(earlier, current, time.Minute)); diff != "" {
		t.Errorf("averages (-want +got):\n%s", diff)
	}
}

func TestAveragesOfNoTimeOrNoTrafficAreZero(t *testing.T) {
	t.Parallel()
	busy := Totals{Queries: 5, QueryTime: 50}
	if got := AveragesOf(Totals{}, busy, 0); got != (Averages{}) {
		t.Errorf("over no time: %+v", got)
	}
	if got := AveragesOf(Totals{}, busy, -time.Second); got != (Averages{}) {
		t.Errorf("over negative time: %+v", got)
	}
	if got := AveragesOf(busy, busy, time.Minute); got != (Averages{}) {
		t.Errorf("without traffic: %+v", got)
	}
}

func TestACounterThatBeganAnewCountsFromZero(t *testing.T) {
	t.Parallel()
	got := AveragesOf(Totals{Queries: 1000}, Totals{Queries: 120}, time.Minute)
	if got.Queries != 2 {
		t.Errorf("queries = %d/s, want 2", got.Queries)
	}
}

func TestRatesOfLargeCountersDoNotOverflow(t *testing.T) {
	t.Parallel()
	if got := AveragesOf(Totals{}, Totals{Sent: 1 << 60}, time.Minute).Sent; got != 1<<60/60 {
		t.Errorf("sent = %d/s, want %d", got, 1<<60/60)
	}
	if got := AveragesOf(Totals{}, Totals{Sent: math.MaxUint64}, time.Nanosecond).Sent; got != math.MaxUint64 {
		t.Errorf("a rate beyond 64 bits = %d, want the largest number", got)
	}
}

// TestAddAndSinceReachEveryCounter finds a counter that was added to Totals and forgotten in combine.
func TestAddAndSinceReachEveryCounter(t *testing.T) {
	t.Parallel()
	fields := reflect.TypeFor[Totals]().NumField()
	for i := range fields {
		var one Totals
		reflect.ValueOf(&one).Elem().Field(i).SetUint(1)
		name := reflect.TypeFor[Totals]().Field(i).Name
		if one.Add(Totals{}) != one || (Totals{}).Add(one) != one {
			t.Errorf("Add loses %s", name)
		}
		if one.since(Totals{}) != one {
			t.Errorf("since loses %s", name)
		}
		if AveragesOf(Totals{}, one, time.Nanosecond) == (Averages{}) && name != "TransactionTime" &&
			name != "QueryTime" && name != "WaitTime" {
			t.Errorf("AveragesOf loses %s", name)
		}
	}
}

func TestSinceUndoesAdd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.Uint64Max(1 << 62)
		draw := func(label string) Totals {
			return Totals{Queries: small.Draw(t, label), Sent: small.Draw(t, label), WaitTime: small.Draw(t, label)}
		}
		a, b := draw("a"), draw("b")
		if got := a.Add(b).since(a); got != b {
			t.Fatalf("(a+b) since a = %+v, want b = %+v", got, b)
		}
	})
}

// The window covers between one and two periods, so that the average does not drop to nothing after a mark.
func TestAWindowCoversOneToTwoPeriods(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)
	w := NewWindow(begin, Totals{Queries: 1000})
	steps := []struct {
		seconds int
		queries uint64 // so far
		mark    bool
		want    uint64 // per second
	}{
		{0, 1000, false, 0},
		{10, 1100, false, 10}, // since the start: 100 in 10 s
		{60, 1600, true, 10},  // 600 in 60 s
		{61, 1600, false, 9},  // older mark still the start: 600 in 61 s
		{119, 1600, false, 5}, // 600 in 119 s
		{120, 1600, true, 0},  // the older mark is now at 60 s
		{180, 14_200, true, 210},
		{190, 14_200, false, 180},
	}
	for _, s := range steps {
		now, totals := begin.Add(time.Duration(s.seconds)*time.Second), Totals{Queries: s.queries}
		if s.mark {
			w.Mark(now, totals)
		}
		if got := w.Averages(now, totals).Queries; got != s.want {
			t.Errorf("after %d s: %d/s, want %d", s.seconds, got, s.want)
		}
	}
}
