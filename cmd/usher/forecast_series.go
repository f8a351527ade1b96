package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/usher-pg/usher/internal/forecast/series"
)

// seriesOptions are what `usher forecast series` was asked for.
type seriesOptions struct {
	series.Options
	quantiles []float64
	evaluate  bool
	leaveOut  int
}

func forecastSeriesCommand() *cobra.Command {
	o := seriesOptions{}
	c := &cobra.Command{
		Use:   "series",
		Short: "Forecast series from standard input, one a row",
		Long: `Forecast many series at once. Standard input is comma separated: id, values… in each row, in order of
time and at equal distances. Rows need not be equally long; a header is recognised. Empty cells inside
a row, NA and NaN are values that are missing. Values are 0 or more.

For each row one is printed, in the same order: id, forecasts… With --quantiles a second column says
what the row is: the point forecast first, then each quantile.

    id,point,412.1,398.7,…
    id,0.025,371.0,352.2,…
    id,0.975,455.3,449.8,…

--evaluate forecasts the last values of each series, as many as the horizon, from those before them
and prints how well that went, by the measures of the M4 competition. docs/forecast.md explains them.`,
		Example: `  usher forecast series --season 24,168 --horizon 48 --quantiles 0.025,0.975 < wide.csv
  usher forecast series --season 24,168 --horizon 48 --evaluate < wide.csv`,
		Args: func(c *cobra.Command, args []string) error {
			if err := cobra.NoArgs(c, args); err != nil {
				return misused(c, err)
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return misused(c, err)
			}
			out := bufio.NewWriter(c.OutOrStdout())
			err := forecastSeries(c.Context(), o, c.InOrStdin(), out)
			return errors.Join(err, out.Flush())
		},
	}
	f := c.Flags()
	f.IntSliceVar(&o.Seasons, "season", []int{24, 168}, "`steps` after which a series resembles itself; 1 for none")
	f.IntVar(&o.Horizon, "horizon", 48, "how many steps to forecast")
	f.Float64SliceVar(&o.quantiles, "quantiles", nil, "between 0 and 1, to print beside the point forecast")
	f.BoolVar(&o.evaluate, "evaluate", false, "print how well the last values would have been forecast")
	f.IntVar(&o.leaveOut, "leave-out", 0, "forget so many values at the end of each series first")
	return c
}

func (o *seriesOptions) check() error {
	slices.Sort(o.Seasons)
	o.Seasons = slices.DeleteFunc(slices.Compact(o.Seasons), func(s int) bool { return s == 1 })
	for _, q := range o.quantiles {
		if !(q > 0 && q < 1) {
			return fmt.Errorf("quantile %g: expected more than 0 and less than 1", q)
		}
	}
	if o.leaveOut < 0 {
		return fmt.Errorf("leave out %d: expected 0 or more", o.leaveOut)
	}
	if o.evaluate && len(o.quantiles) > 0 {
		return errors.New("--evaluate judges the 95 % interval: expected no --quantiles beside it")
	}
	return o.Check()
}

// forecasted is a row and what became of it.
type forecasted struct {
	series.Row
	forecast *series.Forecast
	score    series.Score
	unjudged error
	err      error
}

// forecastSeries forecasts rows on all cores and writes them in order. It holds a few rows a core.
func forecastSeries(ctx context.Context, o seriesOptions, in io.Reader, out io.Writer) error {
	cores, started := runtime.GOMAXPROCS(0), time.Now()
	group, ctx := errgroup.WithContext(ctx)
	rows := make(chan chan forecasted, 2*cores)
	group.Go(func() error {
		defer close(rows)
		return readSeries(ctx, o, series.NewWideReader(in), rows, cores)
	})
	var tally seriesTally
	group.Go(func() error {
		for row := range rows {
			r := <-row
			if r.err != nil {
				return r.err
			}
			if o.evaluate {
				tally.take(r)
			} else if err := writeSeries(out, o, r); err != nil {
				return fmt.Errorf("write forecasts: %w", err)
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if o.evaluate {
		return tally.write(out, o, time.Since(started))
	}
	return nil
}

// readSeries has each row forecast and hands on where it will be found, in order.
func readSeries(
	ctx context.Context, o seriesOptions, from *series.WideReader, rows chan<- chan forecasted, cores int,
) error {
	var workers errgroup.Group
	workers.SetLimit(cores)
	defer func() { _ = workers.Wait() }() // they return no error: what is wrong with a row is in its place
	for {
		row, err := from.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		done := make(chan forecasted, 1)
		select {
		case rows <- done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			done <- forecasted{err: err}
			return nil
		}
		workers.Go(func() error {
			done <- forecastRow(o, row)
			return nil
		})
	}
}

func forecastRow(o seriesOptions, row series.Row) forecasted {
	r := forecasted{Row: row}
	r.Values = r.Values[:max(0, len(r.Values)-o.leaveOut)]
	var came []float64
	if o.evaluate {
		end := max(0, len(r.Values)-o.Horizon)
		r.Values, came = r.Values[:end], r.Values[end:]
	}
	var err error
	r.forecast, err = series.Fit(r.Values, o.Options)
	if err == nil && o.evaluate {
		season := 1
		if len(o.Seasons) > 0 {
			season = o.Seasons[0]
		}
		r.score, err = series.Judge(r.Values, came, season, r.forecast)
	}
	if err != nil {
		err = fmt.Errorf("row %d (%s): %w", row.Number, row.ID, err)
	}
	if o.evaluate {
		r.unjudged = err
	} else {
		r.err = err
	}
	return r
}

func writeSeries(out io.Writer, o seriesOptions, r forecasted) error {
	id := quoteCell(r.ID)
	if len(o.quantiles) == 0 {
		return writeRow(out, id, r.forecast.Points)
	}
	if err := writeRow(out, id+",point", r.forecast.Points); err != nil {
		return err
	}
	for _, q := range o.quantiles {
		if err := writeRow(out, id+","+strconv.FormatFloat(q, 'g', -1, 64), r.forecast.Quantile(q)); err != nil {
			return err
		}
	}
	return nil
}

func writeRow(out io.Writer, head string, values []float64) error {
	line := []byte(head)
	for _, v := range values {
		line = appendNumber(append(line, ','), v)
	}
	_, err := out.Write(append(line, '\n'))
	return err
}

// appendNumber writes six digits, and never an exponent.
func appendNumber(to []byte, v float64) []byte {
	decimals := 0
	if v > 0 {
		decimals = min(max(0, 5-int(math.Floor(math.Log10(v)))), 12)
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'f', decimals, 64), 64)
	return strconv.AppendFloat(to, rounded, 'f', -1, 64)
}

// quoteCell writes a cell so that it is read again as it was.
func quoteCell(cell string) string {
	if !strings.ContainsAny(cell, ",\"\r\n") {
		return cell
	}
	return `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
}

// seriesTally is what --evaluate prints.
type seriesTally struct {
	series.Accuracy
	unjudged int
	why      error
}

func (t *seriesTally) take(r forecasted) {
	if r.unjudged != nil {
		t.unjudged++
		t.why = r.unjudged
		return
	}
	t.Add(r.score)
}

func (t *seriesTally) write(out io.Writer, o seriesOptions, took time.Duration) error {
	if t.Series+t.unjudged == 0 {
		return errors.New("expected series to judge on standard input")
	} else if t.Series == 0 {
		return fmt.Errorf("no series could be judged: %w", t.why)
	}
	_, err := fmt.Fprintf(out, `%d series, %d values held back, %d left out, %.1f s

                   sMAPE    MASE     OWA
forecast         %7.3f %7.3f %7.4f
seasonal naive   %7.3f %7.3f %7.4f
Naive2           %7.3f %7.3f %7.4f

95 %% interval: MSIS %.3f, covers %.4f
`, t.Series, o.Horizon, o.leaveOut, took.Seconds(), t.SMAPE, t.MASE, t.OWA(),
		t.SeasonalSMAPE, t.SeasonalMASE, t.SeasonalOWA(), t.NaiveSMAPE, t.NaiveMASE, 1.0, t.MSIS, t.Covered)
	if err == nil && t.unjudged > 0 {
		_, err = fmt.Fprintf(out, "%d series could not be judged, the last: %v\n", t.unjudged, t.why)
	}
	return err
}
