//go:build integration

package transcript

import (
	"fmt"
	"slices"
	"strings"
)

// Golden returns the answers written in the file.
func (s *Script) Golden() Recording {
	expected := make(Recording, len(s.steps))
	for i, current := range s.steps {
		expected[i] = current.golden
	}
	return expected
}

// Diverge replaces, in what PostgreSQL answers, the blocks whose answers are meant to differ for a target.
func (s *Script) Diverge(recorded Recording, target string) Recording {
	expected := slices.Clone(recorded)
	for i, current := range s.steps {
		if lines, ok := current.divergence[target]; ok {
			expected[i] = lines
		}
	}
	return expected
}

// Diff describes how answers differ from the expected ones, block by block; "" if they do not. Of a play that ended
// early there are fewer.
func (s *Script) Diff(expected, actual Recording) string {
	var text strings.Builder
	for i, current := range s.steps {
		var got []string
		if i < len(actual) {
			got = actual[i]
		}
		if slices.Equal(expected[i], got) {
			continue
		}
		fmt.Fprintf(&text, "%s:%d: (-expected +actual)\n", s.Name, current.line+1)
		for _, send := range current.sends {
			fmt.Fprintf(&text, "  %s> %s\n", current.connection, send)
		}
		for _, line := range difference(expected[i], got) {
			fmt.Fprintf(&text, "%s\n", line)
		}
	}
	return text.String()
}

// difference aligns two short lists of lines by their longest common subsequence.
func difference(expected, actual []string) []string {
	common := make([][]int, len(expected)+1)
	for i := range common {
		common[i] = make([]int, len(actual)+1)
	}
	for i := len(expected) - 1; i >= 0; i-- {
		for j := len(actual) - 1; j >= 0; j-- {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if expected[i] == actual[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	var lines []string
	i, j := 0, 0
	for i < len(expected) || j < len(actual) {
		switch {
		case i < len(expected) && j < len(actual) && expected[i] == actual[j]:
			lines, i, j = append(lines, "    "+expected[i]), i+1, j+1
		case j == len(actual) || i < len(expected) && common[i+1][j] >= common[i][j+1]:
			lines, i = append(lines, "  - "+expected[i]), i+1
		default:
			lines, j = append(lines, "  + "+actual[j]), j+1
		}
	}
	return lines
}
