// Package historytest has the tests that every history.Store passes: the contract, run against a real one.
package historytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/history"
)

// Opener opens a store that is empty the first time it is called, and has what was written to it after that.
type Opener func(t *testing.T) history.Store

// Noon is when the tests begin.
var Noon = time.Date(2026, time.June, 20, 12, 0, 0, 0, time.UTC)

// Contract runs the tests. prepare is called once for each.
func Contract(t *testing.T, prepare func(t *testing.T) Opener) {
	for name, test := range map[string]func(*testing.T, Opener){
		"what was appended is there": appended,
		"doing it twice is once":     twice,
		"parts are put together":     parts,
		"pools are apart":            pools,
		"all or none":                allOrNone,
		"ranges are half open":       ranges,
		"a year":                     year,
		"too much is refused":        tooMuch,
		"invalid is refused":         invalid,
		"forecasts":                  forecasts,
		"decisions":                  decisions,
		"retention":                  retention,
		"retention is no clock's":    clocks,
		"a context that has ended":   cancelled,
		"several at once":            several,
		"events":                     keptEvents,
		"events are renewed":         renewedEvents,
		"invalid events are refused": invalidEvents,
		"old events go":              oldEvents,
		"most events":                mostEvents,
	} {
		t.Run(name, func(t *testing.T) { test(t, prepare(t)) })
	}
}

// Bucket is one some steps after Noon, with something in every field.
func Bucket(step int) history.Bucket {
	x := math.Abs(float64(step%288)) + 1./3
	return history.Bucket{
		Start: Noon.Add(time.Duration(step) * history.Step), Width: history.Step, Samples: 300,
		Mean: x, P95: 2 * x, Max: 3 * x, Arrivals: 1000 * x, ArrivalSpread: 1 + x/7,
		Service: time.Duration(step+1000000) * time.Microsecond, ServiceSpread: x / 11,
		CutOff: step%3 == 0, Outage: step%5 == 0,
	}
}

// Buckets are so many from a step on.
func Buckets(from, count int) []history.Bucket {
	buckets := make([]history.Bucket, count)
	for i := range buckets {
		buckets[i] = Bucket(from + i)
	}
	return buckets
}

// The contents of a store, from long before Noon until long after it.
func everything(t *testing.T, s history.Store, pool string) []history.Bucket {
	t.Helper()
	buckets, err := s.Range(t.Context(), pool, Noon.AddDate(-9, 0, 0), Noon.AddDate(100, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return buckets
}

func appendTo(t *testing.T, s history.Store, pool string, buckets ...history.Bucket) {
	t.Helper()
	if err := s.Append(t.Context(), pool, buckets); err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, want, got []history.Bucket) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d buckets, want %d", len(got), len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" && len(want) > 0 {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

func closeStore(t *testing.T, s history.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func appended(t *testing.T, open Opener) {
	s := open(t)
	same(t, nil, everything(t, s, "app"))
	want := Buckets(-300, 600) // over the edges of days
	shuffled := slices.Clone(want)
	slices.Reverse(shuffled)
	appendTo(t, s, "app", shuffled...)
	appendTo(t, s, "app")
	same(t, want, everything(t, s, "app"))
	closeStore(t, s)
	s = open(t)
	defer closeStore(t, s)
	same(t, want, everything(t, s, "app"))
	for _, b := range everything(t, s, "app") {
		if b.Start.Location() != time.UTC {
			t.Fatalf("a bucket of %v", b.Start)
		}
	}
}

func twice(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	appendTo(t, s, "app", Buckets(0, 10)...)
	appendTo(t, s, "app", Buckets(5, 10)...)
	appendTo(t, s, "app", Buckets(5, 10)...)
	better := Bucket(3)
	better.Mean = 1
	worse := Bucket(4)
	worse.Mean, worse.Samples = 1, 299
	appendTo(t, s, "app", better, worse)
	want := Buckets(0, 15)
	want[3] = better
	same(t, want, everything(t, s, "app"))
}

func parts(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	first, second := Bucket(0), Bucket(0)
	first.Samples, first.Until = 100, 99*time.Second
	second.Samples, second.From, second.Until = 50, 240*time.Second, 290*time.Second
	appendTo(t, s, "app", first)
	same(t, []history.Bucket{first}, everything(t, s, "app"))
	appendTo(t, s, "app", second, Bucket(1))
	want := history.Combine([]history.Bucket{first}, []history.Bucket{second, Bucket(1)})
	same(t, want, everything(t, s, "app"))
	appendTo(t, s, "app", second, first)
	same(t, want, everything(t, s, "app"))
}

func pools(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	names := []string{"app", "app ", "App", "größe", "x'; DROP TABLE day; --", `%_"\`, "日本"}
	for i, name := range names {
		appendTo(t, s, name, Bucket(i))
	}
	slices.Sort(names)
	got, err := s.Pools(t.Context())
	if err != nil || !slices.Equal(got, names) {
		t.Errorf("pools %q, want %q: %v", got, names, err)
	}
	same(t, []history.Bucket{Bucket(0)}, everything(t, s, "app"))
	same(t, nil, everything(t, s, "nobody"))
}

func allOrNone(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	bad := Bucket(2000)
	bad.Mean = math.NaN()
	if err := s.Append(t.Context(), "app", append(Buckets(0, 5), bad)); !errors.Is(err, history.ErrInvalid) {
		t.Errorf("error %v", err)
	}
	same(t, nil, everything(t, s, "app"))
}

func ranges(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	appendTo(t, s, "app", Buckets(0, 20)...)
	for _, tt := range []struct{ from, to, first, count int }{{0, 20, 0, 20}, {5, 7, 5, 2}, {7, 7, 0, 0}, {9, 3, 0, 0}} {
		got, err := s.Range(t.Context(), "app", Bucket(tt.from).Start, Bucket(tt.to).Start)
		if err != nil {
			t.Fatal(err)
		}
		same(t, Buckets(tt.first, tt.count), got)
	}
	got, err := s.Range(t.Context(), "app", Bucket(5).Start.Add(1), Bucket(7).Start.Add(1))
	if err != nil {
		t.Fatal(err)
	}
	same(t, Buckets(6, 2), got)
}

// year also says how long it takes to read.
func year(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	days := 365
	if testing.Short() || slow {
		days = 10
	}
	want := Buckets(0, days*288)
	for chunk := range slices.Chunk(want, 10_000) {
		appendTo(t, s, "app", chunk...)
	}
	begun := time.Now()
	got := everything(t, s, "app")
	t.Logf("%d buckets read in %v", len(got), time.Since(begun))
	same(t, want, got)
}

func tooMuch(t *testing.T, open Opener) {
	if testing.Short() || slow {
		t.Skip("64 MB are many")
	}
	s := open(t)
	defer closeStore(t, s)
	for i := range history.MostRecordBytes/history.MostContent + 1 {
		at := Noon.Add(time.Duration(i) * time.Hour)
		if err := s.SaveForecast(t.Context(), "app", at, make([]byte, history.MostContent)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Forecasts(t.Context(), "app", Noon, Noon.AddDate(1, 0, 0))
	if !errors.Is(err, history.ErrTooMuch) {
		t.Errorf("error %v", err)
	}
}

func invalid(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	ctx := t.Context()
	for name, err := range map[string]error{
		"no pool":            s.Append(ctx, "", Buckets(0, 1)),
		"a pool with a zero": s.Append(ctx, "a\x00b", Buckets(0, 1)),
		"a pool of no text":  s.Append(ctx, "\xff", Buckets(0, 1)),
		"a long name":        s.Append(ctx, string(bytes.Repeat([]byte("x"), 1000)), Buckets(0, 1)),
		"no width":           s.Append(ctx, "app", []history.Bucket{{Start: Noon}}),
		"a huge forecast":    s.SaveForecast(ctx, "app", Noon, make([]byte, history.MostContent+1)),
		"a forecast of 1":    s.SaveForecast(ctx, "app", time.Time{}, nil),
		"a huge decision":    s.SaveDecision(ctx, "app", Noon, make([]byte, history.MostContent+1)),
		"a decision of 9999": s.SaveDecision(ctx, "app", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), nil),
		"no retention":       s.Retain(ctx, Noon, history.Retention{}),
	} {
		if !errors.Is(err, history.ErrInvalid) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if got, err := s.Pools(ctx); err != nil || len(got) > 0 {
		t.Errorf("pools %q, error %v", got, err)
	}
	// Times no store has are no reason to fail.
	far := time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, at := range []time.Time{{}, time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC), far} {
		_, err1 := s.Range(ctx, "app", at, at)
		_, err2 := s.Decisions(ctx, "app", at, at, 5)
		_, err3 := s.Forecasts(ctx, "app", at, at)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Errorf("%v: %v", at, err)
		}
	}
	appendTo(t, s, "app", Bucket(0))
	got, err := s.Range(ctx, "app", time.Time{}, far)
	if err != nil || len(got) != 1 {
		t.Errorf("of all times: %v, %v", got, err)
	}
}

func contents(records []history.Record) []string {
	var list []string
	for _, r := range records {
		list = append(list, fmt.Sprintf("%s %s", r.At.Format("15:04:05.999999"), r.Content))
	}
	return list
}

func forecasts(t *testing.T, open Opener) {
	s := open(t)
	for i, text := range []string{"one", "two", "three", ""} {
		if err := s.SaveForecast(t.Context(), "app", Noon.Add(time.Duration(i)*time.Hour), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for pool, text := range map[string]string{"app": "two again", "other": "two"} {
		if err := s.SaveForecast(t.Context(), pool, Noon.Add(time.Hour), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	s = open(t)
	defer closeStore(t, s)
	for _, tt := range []struct {
		from, to time.Duration
		want     []string
	}{
		{0, 24 * time.Hour, []string{"12:00:00 one", "13:00:00 two again", "14:00:00 three", "15:00:00 "}},
		{time.Hour, 2 * time.Hour, []string{"13:00:00 two again"}},
		{5 * time.Hour, 6 * time.Hour, nil},
	} {
		got, err := s.Forecasts(t.Context(), "app", Noon.Add(tt.from), Noon.Add(tt.to))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, contents(got)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func decisions(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	for i, text := range []string{"a", "b", "b", "c", "d"} { // twice b, as if tried again; b and c at one time
		at := Noon.Add(time.Duration(min(i, 1)+i/4) * time.Microsecond)
		if err := s.SaveDecision(t.Context(), "app", at, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for limit, want := range map[int][]string{
		10:            {"12:00:00 a", "12:00:00.000001 b", "12:00:00.000001 c", "12:00:00.000002 d"},
		2:             {"12:00:00.000001 c", "12:00:00.000002 d"},
		math.MaxInt32: {"12:00:00 a", "12:00:00.000001 b", "12:00:00.000001 c", "12:00:00.000002 d"},
		0:             nil,
		-1:            nil,
	} {
		got, err := s.Decisions(t.Context(), "app", Noon, Noon.Add(time.Hour), limit)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, contents(got)); diff != "" {
			t.Errorf("limit %d (-want +got):\n%s", limit, diff)
		}
	}
}

// short is a retention that fits a test.
var short = history.Retention{Full: 3, Coarse: 5, Forecasts: 2, Decisions: 4}

func retention(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	const perDay = 288
	start := -10*perDay - perDay/2 // a midnight, ten days before that of Noon
	all := Buckets(start, 11*perDay)
	appendTo(t, s, "app", all...)
	for i := range 11 {
		at := Bucket(start + i*perDay).Start
		if err := errors.Join(
			s.SaveForecast(t.Context(), "app", at, nil), s.SaveDecision(t.Context(), "app", at, nil),
		); err != nil {
			t.Fatal(err)
		}
	}
	want := slices.Concat(
		history.Coarsen(all[(10-8)*perDay:(10-3)*perDay], history.CoarseWidth), all[(10-3)*perDay:])
	for range 2 {
		if err := s.Retain(t.Context(), Noon, short); err != nil {
			t.Fatal(err)
		}
		same(t, want, everything(t, s, "app"))
	}
	appendTo(t, s, "app", Bucket(start+5*perDay+7)) // it is part of an hour now
	same(t, want, everything(t, s, "app"))
	for name, tt := range map[string]struct {
		read func() ([]history.Record, error)
		want int
	}{
		"forecasts": {func() ([]history.Record, error) {
			return s.Forecasts(t.Context(), "app", Noon.AddDate(-1, 0, 0), Noon)
		}, 3},
		"decisions": {func() ([]history.Record, error) {
			return s.Decisions(t.Context(), "app", Noon.AddDate(-1, 0, 0), Noon, 99)
		}, 5},
	} {
		if got, err := tt.read(); err != nil || len(got) != tt.want {
			t.Errorf("%s: %d, want %d: %v", name, len(got), tt.want, err)
		}
	}
}

func clocks(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	var all []history.Bucket
	for day := range 6 {
		all = append(all, Bucket(day*288))
	}
	future := Bucket(100 * 365 * 288)
	appendTo(t, s, "app", all...)
	appendTo(t, s, "other", future)
	for _, now := range []time.Time{Noon, Noon.AddDate(-50, 0, 0), {}} {
		if err := s.Retain(t.Context(), now, short); err != nil {
			t.Fatal(err)
		}
		same(t, all, everything(t, s, "app"))
	}
	// A century ahead, of which there is one bucket: days are counted, not years.
	if err := s.Retain(t.Context(), future.Start, short); err != nil {
		t.Fatal(err)
	}
	same(t, slices.Concat(history.Coarsen(all[:4], history.CoarseWidth), all[4:]), everything(t, s, "app"))
}

func cancelled(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Append(ctx, "app", Buckets(0, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	same(t, nil, everything(t, s, "app"))
}

// several write parts of the same day at once; none may undo another's.
func several(t *testing.T, open Opener) {
	s := open(t)
	defer closeStore(t, s)
	const writers, each = 4, 6
	failed := make(chan error, writers)
	for w := range writers {
		go func() {
			var err error
			for i := range each {
				err = errors.Join(err, s.Append(t.Context(), "app", []history.Bucket{Bucket(w + i*writers)}))
			}
			failed <- err
		}()
	}
	for range writers {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	same(t, Buckets(0, writers*each), everything(t, s, "app"))
}
