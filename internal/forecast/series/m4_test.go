//go:build integration && !race

package series

import (
	"errors"
	"io"
	"os"
	"testing"
)

// m4 are the 414 hourly series of the M4 competition.
const m4 = "../../../../shared/data/m4/Hourly-train.csv"

// TestM4Hourly holds the forecaster to what docs/forecast.md says of it, on cuts of which the settings were chosen on
// all but the last.
func TestM4Hourly(t *testing.T) {
	t.Parallel()
	const horizon = 48
	file, err := os.Open(m4)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("the M4 series are not here: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var series []Row
	for from := NewWideReader(file); ; {
		row, err := from.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		series = append(series, row)
	}
	if len(series) != 414 {
		t.Fatalf("%d series, expected 414", len(series))
	}
	for _, leftOut := range []int{48, 0} {
		var got Accuracy
		for _, row := range series {
			end := len(row.Values) - leftOut
			history, came := row.Values[:end-horizon], row.Values[end-horizon:end]
			score, err := Judge(history, came, 24, must(t, history, Options{Seasons: []int{24, 168}, Horizon: horizon}))
			if err != nil {
				t.Fatalf("%s: %v", row.ID, err)
			}
			got.Add(score)
		}
		t.Logf("%d left out: sMAPE %.3f, MASE %.3f, OWA %.4f, MSIS %.3f, covered %.4f",
			leftOut, got.SMAPE, got.MASE, got.OWA(), got.MSIS, got.Covered)
		if got.OWA() > 0.44 || got.MASE > 0.95 || got.Covered < 0.92 || got.Covered > 0.97 {
			t.Error("expected OWA at most 0.44, MASE at most 0.95, coverage 0.92 to 0.97")
		}
	}
}
