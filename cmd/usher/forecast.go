package main

import "github.com/spf13/cobra"

// forecastCommand is what usher expects, and how well it would have expected what is past.
func forecastCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "forecast",
		Short: "Show what is expected, and how well that works",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(forecastBacktestCommand(), forecastSeriesCommand())
	return c
}
