package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// forecastOf calls usher forecast series with what it is to read.
func forecastOf(in string, args ...string) (output string, code int) {
	root := rootCommand()
	var out bytes.Buffer
	root.SetIn(strings.NewReader(in))
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append([]string{"forecast", "series"}, args...))
	if err := root.Execute(); err != nil {
		return out.String() + err.Error(), exitCode(err)
	}
	return out.String(), 0
}

// steady is a row of n values that repeat after four.
func steady(id string, n int) string {
	row := id
	for t := range n {
		row += fmt.Sprintf(",%d", 10+5*(t%4))
	}
	return row + "\n"
}

func TestForecastSeries(t *testing.T) {
	t.Parallel()
	both := "id,1,2,3\n" + steady(`"a, b"`, 80) + steady("c", 60)
	for name, tt := range map[string]struct {
		in   string
		args []string
		want string
	}{
		"rows in their order": {both, nil, "\"a, b\",10,15,20\nc,10,15,20\n"},
		"what is forgotten":   {steady("c", 62), []string{"--leave-out", "2"}, "c,10,15,20\n"},
		"nothing":             {"", nil, ""},
		"quantiles": {steady("c", 60), []string{"--quantiles", "0.1,0.9"},
			"c,point,10,15,20\nc,0.1,10,15,20\nc,0.9,10,15,20\n"},
		"no season":            {"a,3,3,3,3,3\n", []string{"--season", "1"}, "a,3,3,3\n"},
		"seasons in any order": {steady("c", 60), []string{"--season", "8,4,4"}, "c,10,15,20\n"},
		"more digits than shown": {"a,1234567.89\nb,0.000123456789\nc,0\n", []string{"--horizon", "1"},
			"a,1234568\nb,0.000123457\nc,0\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, code := forecastOf(tt.in, append([]string{"--season", "4", "--horizon", "3"}, tt.args...)...)
			if code != 0 || got != tt.want {
				t.Errorf("exit code %d:\n%s\nexpected:\n%s", code, got, tt.want)
			}
		})
	}
}

func TestForecastSeriesRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in   string
		args []string
		code int
		says string
	}{
		"a negative value":   {"a,1\nb,1,-2\n", nil, exitFailed, "row 2, column 3: -2 is negative"},
		"a row of nothing":   {"a,1\nb,,\n", nil, exitFailed, "row 2 (b): no values"},
		"a horizon of none":  {"", []string{"--horizon", "0"}, exitMisused, "horizon 0"},
		"a season of none":   {"", []string{"--season", "0"}, exitMisused, "season 0"},
		"a quantile of all":  {"", []string{"--quantiles", "1"}, exitMisused, "quantile 1"},
		"no number":          {"", []string{"--quantiles", "NaN"}, exitMisused, "quantile NaN"},
		"less than nothing":  {"", []string{"--leave-out", "-1"}, exitMisused, "leave out -1"},
		"two things at once": {"", []string{"--evaluate", "--quantiles", "0.1"}, exitMisused, "95 % interval"},
		"a file's name":      {"", []string{"wide.csv"}, exitMisused, "see usher forecast series --help"},
		"nothing to judge":   {"a,1,2\n", []string{"--evaluate"}, exitFailed, "judged: row 1 (a): no values"},
		"no unit": {steady("a", 90), []string{"--evaluate", "--season", "4"}, exitFailed,
			"row 1 (a): judge forecast: each season is the same"},
		"nobody to judge": {"id,1\n", []string{"--evaluate"}, exitFailed, "expected series to judge"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, code := forecastOf(tt.in, tt.args...)
			if code != tt.code || !strings.Contains(got, tt.says) {
				t.Errorf("exit code %d: %s\nexpected %d and %q", code, got, tt.code, tt.says)
			}
		})
	}
}

// TestForecastSeriesEvaluates on a course with one value that nobody can foresee: 20 instead of 10.
func TestForecastSeriesEvaluates(t *testing.T) {
	t.Parallel()
	row := strings.TrimSuffix(steady("a", 60), "\n") + ",10,15,20,25\n"
	surprise := "b" + strings.TrimPrefix(strings.Replace(row, "25,10", "26,10", 1), "a")
	surprise = strings.TrimSuffix(surprise, ",10,15,20,25\n") + ",20,15,20,25\n"
	got, code := forecastOf(surprise, "--evaluate", "--season", "4", "--horizon", "4")
	if code != 0 || !strings.Contains(got, "1 series, 4 values held back, 0 left out") ||
		!strings.Contains(got, "covers 0.7500") {
		t.Errorf("exit code %d: %s", code, got)
	}
}
