package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEveryRowHasItsOwnNameAndWork(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range plan() {
		if seen[r.name] {
			t.Errorf("two rows are called %s", r.name)
		}
		seen[r.name] = true
		if r.title == "" || r.work.kind == "" || r.work.clients == 0 {
			t.Errorf("%s is not complete: %+v", r.name, r)
		}
		if (r.work.kind == transactions || r.work.kind == bigRows) && r.work.protocol == "" {
			t.Errorf("%s has no protocol for pgbench", r.name)
		}
		for _, b := range r.bars {
			if (b.atMost > 0) == (b.atLeast > 0) {
				t.Errorf("%s: the bar of %s needs one of atMost and atLeast", r.name, b.measure)
			}
		}
	}
	if len(seen) != 15 {
		t.Errorf("%d rows", len(seen))
	}
}

func TestRowsAreChosenByTheBeginningsOfTheirNames(t *testing.T) {
	t.Parallel()
	for only, want := range map[string]string{
		"simple/32":    "simple/32",
		"tls,login":    "tls/32 login/plain login/scram login/tls",
		"simple/":      "simple/32 simple/1000 simple/9000",
		"sim":          "",
		"idle,idle/90": "idle/9000",
	} {
		var names []string
		for _, r := range choose(plan(), only) {
			names = append(names, r.name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("-only %s: %s, want %s", only, got, want)
		}
	}
	if len(choose(plan(), "")) != len(plan()) {
		t.Error("without -only some rows are left out")
	}
}

func TestThreadsOfPgbenchHaveFewClients(t *testing.T) {
	t.Parallel()
	for clients, want := range map[int]int{1: 1, 2: 2, 32: 2, 500: 2, 501: 3, 1000: 4, 9000: 36} {
		if got := threads(clients); got != want {
			t.Errorf("threads(%d) = %d, want %d", clients, got, want)
		}
	}
}

func TestProgressLinesOfPgbenchAreRead(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][2]float64{
		"progress: 1.0 s, 6502.3 tps, lat 4.8 ms stddev 1.2, 0 failed":             {1, 6502.3},
		"progress: 12.5 s, 0.0 tps, lat 0.000 ms stddev 0.000, lag 0.1 ms, 0 more": {12.5, 0},
	} {
		at, rate, ok := parseProgress(line)
		if !ok || at != want[0] || rate != want[1] {
			t.Errorf("%q: %v, %v, %v", line, at, rate, ok)
		}
	}
	for _, line := range []string{"", "pgbench: error: client 1 aborted", "progress: x s, 1 tps,"} {
		if _, _, ok := parseProgress(line); ok {
			t.Errorf("%q was taken for progress", line)
		}
	}
}

func TestAWindowBeginsWithTheFirstLineOfProgress(t *testing.T) {
	t.Parallel()
	got, err := summarise([]reading{
		{at: 1, rate: 77, cpu: time.Second, memory: 50}, // what came before is not counted
		{at: 2, rate: 1000, cpu: 1020 * time.Millisecond, memory: 10},
		{at: 4, rate: 2000, cpu: 1100 * time.Millisecond, memory: 12},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := sample{cpuPerUnit: 20, throughput: 5000.0 / 3, memory: 12}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, few := range [][]reading{nil, {{at: 1, rate: 5}}, {{at: 1, rate: 5}, {at: 2, rate: 0}}} {
		if s, err := summarise(few); err == nil {
			t.Errorf("%v was summarised as %v", few, s)
		}
	}
}

func TestFailedTransactionsSpoilARun(t *testing.T) {
	t.Parallel()
	const good = "tps = 5\nnumber of failed transactions: 0 (0.000%)\n"
	if err := checkOutput(good); err != nil {
		t.Error(err)
	}
	if err := checkOutput(strings.Replace(good, ": 0 ", ": 3 ", 1)); err == nil {
		t.Error("3 failed transactions were accepted")
	}
}

func TestLatenciesLeaveTheFirstSecondOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	logs := map[string]string{
		"log.1":   "0 1 99000 0 1000 500000 3\n0 2 2000 0 1001 500001 3\n",
		"log.1.1": "1 1 98000 0 1001 400000\n1 2 1000 0 1003 0\n",
		"other":   "not a log",
	}
	for name, text := range logs {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readLatencies(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float64{1, 2}, got); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{"1 2 3\n", "0 1 x 0 1000 5\n"} {
		if _, err := parseLog(nil, text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestProcFilesAreRead(t *testing.T) {
	t.Parallel()
	stat := "4242 (a (odd) name) S 1 4242 4242 0 -1 4194560 1 0 0 0 150 73 0 0 20 0 1 0 1 2 3\n"
	if got, err := parseStat(stat); err != nil || got != 2230*time.Millisecond {
		t.Errorf("CPU time = %v, %v", got, err)
	}
	if got, err := parseStatus("Name:\tx\nVmHWM:\t  999 kB\nVmRSS:\t  2000 kB\n"); err != nil || got != 2.048 {
		t.Errorf("memory = %v, %v", got, err)
	}
	for _, text := range []string{"", "1 (x) S 1", "1 (x) S 1 1 1 0 -1 1 1 0 0 0 a b 0 0"} {
		if got, err := parseStat(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
	if _, err := parseStatus("VmRSS:\t lots kB\n"); err == nil {
		t.Error("a memory of lots was read")
	}
}

func TestMedianAndQuantile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 2, 3}, 2.5}, {[]float64{7}, 7}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(i + 1)
	}
	for part, want := range map[float64]float64{0.5: 50, 0.99: 99, 1: 100, 0: 1, 0.995: 100} {
		if got := quantile(hundred, part); got != want {
			t.Errorf("quantile %v = %v, want %v", part, got, want)
		}
	}
	if !math.IsNaN(median(nil)) || !math.IsNaN(quantile(nil, 0.5)) {
		t.Error("nothing has a median")
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	cpu := bar{measure: cpuPerUnit, atMost: 0.95}
	small := bar{measure: memory, atMost: 40, absolute: true}
	for _, c := range []struct {
		name                 string
		bar                  bar
		candidate, reference []float64
		want                 verdict
	}{
		{"below", cpu, []float64{9, 9, 9}, []float64{10, 10, 10}, passed},
		{"above", cpu, []float64{9.6, 9.6}, []float64{10, 10}, failed},
		{"medians, not means", cpu, []float64{9, 9, 90}, []float64{10, 10, 10}, passed},
		{"absolute, below", small, []float64{39}, []float64{1}, passed},
		{"absolute, above", small, []float64{41}, []float64{100}, failed},
		{"faster", neverSlower, []float64{101}, []float64{100}, passed},
		{"slower", neverSlower, []float64{90, 110, 90}, []float64{100, 100, 100}, failed},
		{"even", neverSlower, []float64{99, 101, 99}, []float64{100, 100, 100}, even},
		{"a little slower each time", neverSlower, []float64{99, 99}, []float64{100, 100}, failed},
	} {
		got := compare(samples(c.bar.measure, c.candidate), samples(c.bar.measure, c.reference), []bar{c.bar})
		if len(got) != 1 || got[0].Verdict != c.want {
			t.Errorf("%s: %+v, want %s", c.name, got, c.want)
		}
	}
}

func samples(m measure, values []float64) []sample {
	var out []sample
	for _, value := range values {
		out = append(out, sample{m: value})
	}
	return out
}

func TestTheTableShowsFiguresBarsAndErrors(t *testing.T) {
	t.Parallel()
	row := result{
		Name: "simple/32", Title: "simple, 32 clients", Candidate: "usher", Reference: "pgbouncer", Rate: 5500,
		Measures: compare(
			[]sample{{cpuPerUnit: 17.2, latencyP99: 1}, {cpuPerUnit: 17.4, latencyP99: 2}},
			[]sample{{cpuPerUnit: 20, latencyP99: 2}, {cpuPerUnit: 21, latencyP99: 2}},
			[]bar{{measure: cpuPerUnit, atMost: 0.95, goal: 0.85}},
		),
	}
	const want = `simple/32: simple, 32 clients (usher beside pgbouncer)
  CPU each, µs                   17.3         20.5    0.84  0.83 – 0.86   ≤ 0.95x (goal 0.85)  PASS
  p99 at 5,500/s, ms             1.50         2.00    0.75  0.50 – 1.00                        
`
	if diff := cmp.Diff(want, row.text()); diff != "" {
		t.Error(diff)
	}
	broken := result{Name: "x/1", Title: "x", Candidate: "a", Reference: "b", Error: "no\nluck"}
	if got := broken.text(); !strings.Contains(got, "not measured: no\n    luck\n") {
		t.Errorf("a broken row: %s", got)
	}
	all := report{Rows: []result{row, broken}}
	const foot = "passed: 1, even: 0, failed: 0; rows that could not be measured: 1"
	if got := all.foot(); !strings.Contains(got, foot) {
		t.Errorf("foot: %s, want %s in it", got, foot)
	}
	if row.failed() || !broken.failed() {
		t.Error("the exit code does not fit the table")
	}
}

func TestFiguresHaveThreeDigitsOrMore(t *testing.T) {
	t.Parallel()
	var got []string
	for _, value := range []float64{0.123, 9.99, 17.25, 123.4, 1234.5, 1234567} {
		got = append(got, figure(value))
	}
	if want := []string{"0.12", "9.99", "17.2", "123", "1,235", "1,234,567"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
