//go:build integration && !race

package simulation

import "testing"

// TestAYear is a year with usher's own forecasts, against what is promised. docs/scaling.md has the table of twenty.
func TestAYear(t *testing.T) {
	s := Summarise([]Result{Run(1, Defaults(berlin(t)))})
	t.Logf("\n%s", s)
	if s.Prepared < 0.98 || s.Saved < 0.9 || s.Hours > 0.45 || s.Off[3] > 1.8 {
		t.Errorf("prepared %.3f, saved %.3f, hours %.3f, the fourth evening off by %.2f",
			s.Prepared, s.Saved, s.Hours, s.Off[3])
	}
}
