package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// report is all there is to print.
type report struct {
	Settings []string `json:"settings"`
	Rows     []result `json:"rows"`
}

const lineFormat = "  %-22s %12s %12s %7s  %-13s %-20s %s\n"

func (r report) head() string {
	return strings.Join(r.Settings, "\n") + "\n\n" +
		fmt.Sprintf(lineFormat, "", "candidate", "reference", "ratio", "pairs", "bar", "")
}

// foot counts the verdicts.
func (r report) foot() string {
	counts := map[verdict]int{}
	broken := 0
	for _, row := range r.Rows {
		if row.Error != "" {
			broken++
		}
		for _, c := range row.Measures {
			counts[c.Verdict]++
		}
	}
	text := fmt.Sprintf("\nbars passed: %d, even: %d, failed: %d", counts[passed], counts[even], counts[failed])
	if broken > 0 {
		text += fmt.Sprintf("; rows that could not be measured: %d", broken)
	}
	return text + "\n"
}

// text is a row of the table: its title and a line per measure.
func (r result) text() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %s (%s beside %s)\n", r.Name, r.Title, r.Candidate, r.Reference)
	if r.Error != "" {
		fmt.Fprintf(&out, "  not measured: %s\n", strings.ReplaceAll(r.Error, "\n", "\n    "))
	}
	for _, c := range r.Measures {
		fmt.Fprintf(&out, lineFormat, c.label(r), figure(median(c.Candidate)), figure(median(c.Reference)),
			fmt.Sprintf("%.2f", c.Ratio),
			fmt.Sprintf("%.2f – %.2f", slices.Min(c.PairRatios), slices.Max(c.PairRatios)),
			c.Bar, string(c.Verdict))
	}
	return out.String()
}

// label names a measure with its unit.
func (c comparison) label(r result) string {
	switch c.Measure {
	case cpuPerUnit:
		return "CPU each, µs"
	case throughput:
		return "throughput, /s"
	case latencyP50, latencyP99:
		if r.Rate > 0 {
			return fmt.Sprintf("%s at %s/s, ms", c.Measure, thousands(int(r.Rate)))
		}
		return fmt.Sprintf("%s, ms", c.Measure)
	case memoryBase:
		return "memory before, MB"
	}
	return fmt.Sprintf("%s, MB", c.Measure)
}

// figure prints three or more significant digits.
func figure(value float64) string {
	switch {
	case value >= 1000:
		return thousands(int(value + 0.5))
	case value >= 100:
		return fmt.Sprintf("%.0f", value)
	case value >= 10:
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.2f", value)
}

// String is a sample on one line, for the progress.
func (s sample) String() string {
	var parts []string
	for _, m := range measures {
		if value, ok := s[m]; ok {
			parts = append(parts, fmt.Sprintf("%s %s", m, figure(value)))
		}
	}
	return strings.Join(parts, ", ")
}

func (r report) save(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the figures: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("save the figures: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("save the figures: %w", err)
	}
	return nil
}
