package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/usher-pg/usher/internal/config"
)

// rootCommand is usher with its commands.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "usher",
		Short: "A PostgreSQL connection pooler",
		Long: `usher stands between PostgreSQL and its clients and seats thousands of them on a few
server connections.

Without a configuration, usher serve starts a private PostgreSQL in ./.usher and serves that.`,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
	}
	root.SetVersionTemplate("usher {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return misused(c, err) })
	root.AddCommand(
		serveCommand(),
		checkCommand(),
		loadTestCommand(),
		forecastCommand(),
		calendarCommand(),
		historyCommand(),
		simulateCommand(),
		clientsCommand(),
		versionCommand(),
	)
	for _, c := range append(root.Commands(), root) {
		check := c.Args
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return misused(c, err)
			}
			return nil
		}
	}
	return root
}

func misused(c *cobra.Command, err error) error {
	return misuse{fmt.Errorf("%w\nsee %s --help", err, c.CommandPath())}
}

func checkCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "check-config FILE",
		Short: "Check a configuration file",
		Long: `Check a configuration file, and that the files it names can be used. Nothing is printed when
all is right. The file may be named with --config, as for other commands.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, files []string) error {
			if path != "" {
				files = append(files, path)
			}
			if len(files) != 1 {
				return misused(c, fmt.Errorf("expected one configuration file, got %d", len(files)))
			}
			loaded, err := config.Load(files[0])
			if err != nil {
				return misuse{err}
			}
			return check(loaded)
		},
	}
	configFlag(c, &path)
	return c
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run:   func(c *cobra.Command, _ []string) { c.Println("usher " + version()) },
	}
}
