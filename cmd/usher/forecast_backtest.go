package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/forecast/backtest"
)

// backtestFlags are what the command is told.
type backtestFlags struct {
	history, calendar, timezone string
	quantile                    float64
	warm                        int
	rules, json                 bool
}

// forecastBacktestCommand replays history.
func forecastBacktestCommand() *cobra.Command {
	var f backtestFlags
	c := &cobra.Command{
		Use:   "backtest",
		Short: "Show how well the past would have been forecast",
		Long: `Replay a history day by day: each day is forecast as it would have been a day ahead, from what
was known then, and compared with what came. docs/forecast.md says what the figures mean.

The history is a CSV file with a header, a column of times and one of demand (or of whatever rises and
falls with it). Times without an offset are of --timezone. The first 30 days are only learned from.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runBacktest(c, f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.history, "history", "", "`FILE` (CSV) with the history")
	flags.StringVar(&f.calendar, "calendar", "", "`FILE` (.ics, .csv, .yaml) with its events")
	flags.StringVar(&f.timezone, "timezone", "UTC", "`zone` of its hours, as Europe/Berlin")
	flags.Float64Var(&f.quantile, "quantile", 0, "quantile to prepare for; 0: choose it on the first half")
	flags.IntVar(&f.warm, "warm-up", backtest.WarmDefault, "days that are only learned from")
	flags.BoolVar(&f.rules, "rules", false, "begin with the rules of thumb for a platform for weddings")
	flags.BoolVar(&f.json, "json", false, "print JSON, with every day")
	_ = c.MarkFlagRequired("history") // it exists
	return c
}

func runBacktest(c *cobra.Command, f backtestFlags) error {
	zone, err := time.LoadLocation(f.timezone)
	if err != nil {
		return misused(c, fmt.Errorf("--timezone: %w", err))
	}
	if f.quantile != 0 && !(f.quantile >= 0.5 && f.quantile <= 0.95) {
		return misused(c, fmt.Errorf("--quantile is %v, expected 0.5 to 0.95", f.quantile))
	}
	buckets, err := readHistory(f.history, zone)
	if err != nil {
		return fmt.Errorf("read history: %w", err)
	}
	var events []calendar.Event
	if f.calendar != "" {
		reading, err := readCalendar(c.Context(), f.calendar, zone, buckets)
		if err != nil {
			return fmt.Errorf("read calendar: %w", err)
		}
		events = reading.Events
		for _, p := range reading.Problems {
			c.PrintErrf("usher: %s: %v\n", f.calendar, p)
		}
		if reading.More > 0 {
			c.PrintErrf("usher: %s: and %d more problems\n", f.calendar, reading.More)
		}
	}
	o := backtest.Options{Zone: zone, Plan: f.quantile, Warm: f.warm}
	if f.rules {
		o.Rules.Priors = forecast.DefaultPriors()
	}
	report, err := backtest.Run(buckets, events, o)
	if err != nil {
		return fmt.Errorf("backtest: %w", err)
	}
	if f.json {
		e := json.NewEncoder(c.OutOrStdout())
		e.SetIndent("", "  ")
		return e.Encode(report)
	}
	_, err = fmt.Fprint(c.OutOrStdout(), report.Text())
	return err
}
