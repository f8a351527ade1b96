package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestSimulateRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ arguments, want string }{
		{"simulate --scenario black-friday", "there is wedding-year"},
		{"simulate --seeds 0", "expected 1 to 1000"},
		{"simulate --opens -1", "at most 1000"},
		{"simulate --opens NaN", "at most 1000"},
		{"simulate now", "unknown command"},
	} {
		root := rootCommand()
		root.SetArgs(strings.Fields(test.arguments))
		root.SetOut(&bytes.Buffer{})
		if err := root.Execute(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.arguments, err, test.want)
		}
	}
}
