package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/usher-pg/usher/internal/loadtest"
	"github.com/usher-pg/usher/internal/loadtest/crowd"
)

func loadTestCommand() *cobra.Command {
	o, quick := loadtest.Defaults(), false
	c := &cobra.Command{
		Use:   "load-test",
		Short: "Show how fast connections are acquired under load",
		Long: `Measure usher under 10,000 clients: on a full house, on a Saturday evening, in an incident, and
when everything is held. It starts a PostgreSQL of its own (or uses --dsn), an usher and the
clients, prints a table with verdicts, and writes load-test-report.html and .json.

docs/load-test.md says what each phase shows, and what none does. The exit code is 0 when all
verdicts are passed. Leave the machine alone meanwhile.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if quick {
				quickened := o
				quickened.Quick()
				for name, take := range map[string]func(){
					"clients":    func() { o.Clients = quickened.Clients },
					"pool-size":  func() { o.Pool = quickened.Pool },
					"reserve":    func() { o.Reserve = quickened.Reserve },
					"time-scale": func() { o.TimeScale = quickened.TimeScale },
				} {
					if !c.Flags().Changed(name) {
						take()
					}
				}
			}
			return runLoadTest(c, o)
		},
	}
	f := c.Flags()
	f.IntVar(&o.Clients, "clients", o.Clients, "client connections")
	f.IntVar(&o.Pool, "pool-size", o.Pool, "server connections of the pool")
	f.IntVar(&o.Reserve, "reserve", o.Reserve, "further server connections for emergencies")
	f.DurationVar(&o.Objective, "objective", o.Objective, "what p99 acquisition must stay below")
	f.StringVar(&o.Work, "work", o.Work, "what a request does: lookup, wait:`TIME`, or a statement")
	f.BoolVar(&o.Simple, "simple", o.Simple, "send requests by the simple protocol")
	f.StringSliceVar(&o.Phases, "phases", nil, "phases to run: "+strings.Join(loadtest.PhaseNames(), ", "))
	f.Float64Var(&o.TimeScale, "time-scale", o.TimeScale, "make phases longer or shorter")
	f.BoolVar(&quick, "quick", false, "a few hundred clients and some seconds: to try it out")
	f.Uint64Var(&o.Seed, "seed", o.Seed, "of the arrivals")
	f.StringVar(&o.DSN, "dsn", o.DSN, "`URL` of a PostgreSQL to use; a table is made in its database and dropped again")
	f.StringVar(&o.Compare, "compare", o.Compare, "measure another pooler beside usher: pgbouncer")
	f.StringVar(&o.Out, "out", o.Out, "`folder` for the report")
	return c
}

func runLoadTest(c *cobra.Command, o loadtest.Options) error {
	if err := o.Check(); err != nil {
		return misused(c, err)
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	o.Program, o.Version, o.Stdout = program, version(), c.OutOrStdout()
	if info, err := os.Stdout.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		o.Progress = c.ErrOrStderr()
	}
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = loadtest.Run(ctx, o)
	if ctx.Err() != nil && err != nil {
		return errors.Join(errors.New("stopped by a signal"), err)
	}
	return err
}

// clientsCommand is what load-test starts for its clients.
func clientsCommand() *cobra.Command {
	return &cobra.Command{
		Use:    loadtest.ClientsCommand,
		Short:  "Be the clients of a load test",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return crowd.Serve(c.Context(), c.InOrStdin(), c.OutOrStdout())
		},
	}
}
