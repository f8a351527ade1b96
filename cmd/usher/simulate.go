package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"
	_ "time/tzdata" // the simulated platform's days are Berlin's, wherever this runs

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/usher-pg/usher/internal/simulation"
)

// mostSeeds bounds how many years are simulated.
const mostSeeds = 1000

// simulateCommand tries policies on years that nobody has lived through.
func simulateCommand() *cobra.Command {
	scenario, seed, seeds, opens, asJSON := simulation.Scenario, uint64(1), 1, 0.0, false
	c := &cobra.Command{
		Use:   "simulate",
		Short: "Show what the forecast is worth, on a synthetic year",
		Long: `Generate a year of a wedding platform (growth, cancellations, days of 23 and 25 hours, outages with
storms of retries, a viral day, rules of thumb that are wrong) and let policies decide the pool's
size in it: static peak, reactive only, usher's, and an oracle. A table compares how many requests
waited, how early spikes were prepared for, and how many connection-hours it took.

docs/scaling.md says what is assumed. A year takes some 20 seconds.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case scenario != simulation.Scenario:
				return misused(c, fmt.Errorf("scenario %q is unknown; there is %s", scenario, simulation.Scenario))
			case seeds < 1 || seeds > mostSeeds:
				return misused(c, fmt.Errorf("%d seeds; expected 1 to %d", seeds, mostSeeds))
			case opens < 0 || opens > 1000 || opens != opens:
				return misused(c, errors.New("--opens is a number of connections a second, at most 1000"))
			}
			return simulate(c, seed, seeds, opens, asJSON)
		},
	}
	f := c.Flags()
	f.StringVar(&scenario, "scenario", scenario, "what is simulated: "+simulation.Scenario)
	f.Uint64Var(&seed, "seed", seed, "of the first year; the same seed gives the same year")
	f.IntVar(&seeds, "seeds", seeds, "how many years, each with the next seed")
	f.Float64Var(&opens, "opens", opens, "connections a second that are opened at most (default usher's)")
	f.BoolVar(&asJSON, "json", false, "print everything as JSON")
	return c
}

func simulate(c *cobra.Command, seed uint64, seeds int, opens float64, asJSON bool) error {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return fmt.Errorf("find the platform's time zone: %w", err)
	}
	options := simulation.Defaults(zone)
	if opens > 0 {
		options.Opens = opens
	}
	years := make([]simulation.Result, seeds)
	group, ctx := errgroup.WithContext(c.Context())
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range years {
		group.Go(func() error {
			if ctx.Err() == nil {
				years[i] = simulation.Run(seed+uint64(i), options)
			}
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	summary := simulation.Summarise(years)
	if !asJSON {
		_, err = fmt.Fprint(c.OutOrStdout(), summary)
		return err
	}
	e := json.NewEncoder(c.OutOrStdout())
	e.SetIndent("", "  ")
	return e.Encode(summary)
}
