package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/usher-pg/usher/internal/brain"
	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/forecast"
	"github.com/usher-pg/usher/internal/foresight"
	"github.com/usher-pg/usher/internal/history"
)

// forecastFlags are what the command is told.
type forecastFlags struct {
	config  string
	whatIf  []string
	horizon time.Duration
	json    bool
}

// forecastCommand is what usher expects, and how well it would have expected what is past.
func forecastCommand() *cobra.Command {
	var f forecastFlags
	c := &cobra.Command{
		Use:   "forecast [POOL]",
		Short: "Show what is expected, and how well that works",
		Long: `Show what pools will be asked for, what is planned for it and why, how right forecasts were lately,
and how far history and calendars can be believed. It reads the history and the calendars that the
configuration names; usher may run or not. docs/forecast.md says what the figures mean.

Without POOL, all pools are shown that the history knows.`,
		Example: `  usher forecast shop --config usher.yaml
  usher forecast shop --config usher.yaml --what-if 'guests=300 at 2026-06-20T18:00 for 5h kind=wedding'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if f.config == "" {
				if len(args) == 0 {
					return c.Help()
				}
				return misused(c, errors.New("expected --config with the configuration that names the history"))
			}
			if f.horizon < 0 || f.horizon > forecast.FarDefault {
				return misused(c, fmt.Errorf("--horizon is %v; expected up to %v", f.horizon, forecast.FarDefault))
			}
			ctx, cancel := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer cancel()
			return runForecast(ctx, c, f, args)
		},
	}
	configFlag(c, &f.config)
	flags := c.Flags()
	flags.StringArrayVar(&f.whatIf, "what-if", nil, "an `EVENT` to imagine, and what it would change; may be repeated")
	flags.DurationVar(&f.horizon, "horizon", 0, "how far ahead to show, as 24h (default all, 14 days)")
	flags.BoolVar(&f.json, "json", false, "print JSON, with every point")
	c.AddCommand(forecastBacktestCommand(), forecastSeriesCommand())
	return c
}

// What the runtime may let lie about while a forecast is made: the command ends soon after, and what it reads is
// bounded.
const (
	lazyPercent = 400
	lazyLimit   = 512 << 20
)

// configFlag adds --config.
func configFlag(c *cobra.Command, path *string) {
	c.Flags().StringVarP(path, "config", "c", "", "configuration `file`")
	_ = c.MarkFlagFilename("config", "yaml", "yml") // fails for a flag that does not exist only
}

func runForecast(ctx context.Context, c *cobra.Command, f forecastFlags, args []string) (err error) {
	cfg, err := config.Load(f.config)
	if err != nil {
		return misuse{err}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(lazyPercent))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(lazyLimit))
	now, folder := time.Now(), stateFolder(f.config)
	offline, err := brain.OpenOffline(ctx, cfg, folder, func(message string) { c.PrintErrln("usher:", message) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, offline.Close()) }()
	pools, err := poolsToForecast(ctx, offline, cfg, args)
	if err != nil {
		return err
	}
	var reading *brain.Reading
	var first *brain.Known
	g, both := errgroup.WithContext(ctx)
	remembered := make(chan []history.Event, 1) // before demand is read, which takes longer
	g.Go(func() (err error) {
		if reading, err = brain.ReadCalendars(both, cfg, folder, 0, now); err == nil {
			reading.Remember(<-remembered, now)
		}
		return err
	})
	g.Go(func() error {
		defer close(remembered)
		past, err := offline.Remembered(both, now)
		if err != nil {
			return err
		}
		remembered <- past
		first, err = offline.Look(both, pools[0], now)
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	pages := make([]*foresight.Page, len(pools))
	for i, pool := range pools {
		known := first
		if i > 0 {
			if known, err = offline.Look(ctx, pool, now); err != nil {
				return err
			}
		}
		q := brain.Question{Pool: pool, Now: now, WhatIf: f.whatIf, Horizon: f.horizon}
		if pages[i], err = offline.Answer(q, known, reading); err != nil {
			return misused(c, err)
		}
	}
	return writeForecasts(c, pages, now, f.json)
}

// poolsToForecast are the one that is named, or all that the history knows.
func poolsToForecast(ctx context.Context, o *brain.Offline, cfg *config.Config, args []string) ([]string, error) {
	known, err := o.Pools(ctx)
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		if len(known) == 0 {
			return nil, fmt.Errorf("%w of any pool: name one to see what it is expected to be asked for without it",
				brain.ErrNoHistory)
		}
		return known, nil
	}
	if _, configured := cfg.Pools[args[0]]; configured && args[0] != config.Fallback || slices.Contains(known, args[0]) {
		return args, nil
	}
	for _, name := range cfg.PoolNames() {
		if name != config.Fallback && !slices.Contains(known, name) {
			known = append(known, name)
		}
	}
	return nil, misuse{fmt.Errorf("pool %q is neither in the history nor in the configuration; there are: %s", args[0],
		strings.Join(known, ", "))}
}

func writeForecasts(c *cobra.Command, pages []*foresight.Page, now time.Time, asJSON bool) error {
	out := c.OutOrStdout()
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(map[string]any{"pools": pages})
	}
	for i, page := range pages {
		text := page.Text(now)
		if i > 0 {
			text = "\n" + text
		}
		if _, err := fmt.Fprint(out, text); err != nil {
			return err
		}
	}
	return nil
}
