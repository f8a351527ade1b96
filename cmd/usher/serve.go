package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/usher-pg/usher/internal/config"
	"github.com/usher-pg/usher/internal/server"
)

func serveCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve clients",
		Long: `Serve clients until a signal ends it.

Without --config, usher starts a private PostgreSQL, keeps it in ./.usher and serves it at
` + embeddedListen + `.

Signals: HUP reads the configuration again; TERM ends usher when all clients have left, INT when all
transactions have ended, a second one of these or QUIT at once; USR1 pauses, USR2 resumes.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if path == "" {
				return serveEmbedded(c.Context(), c.OutOrStdout(), c.ErrOrStderr())
			}
			return serveConfig(c.Context(), path, c.ErrOrStderr())
		},
	}
	configFlag(c, &path)
	return c
}

// serveConfig serves what a file says.
func serveConfig(ctx context.Context, path string, out io.Writer) error {
	c, err := config.Load(path)
	if err != nil {
		return misuse{err}
	}
	s, err := makeServer(server.Options{
		Config: c, ConfigPath: path, Version: version(), Log: server.NewLog(out, c.Log), Folder: stateFolder(path),
	})
	if err != nil {
		return misuse{err}
	}
	return run(ctx, s)
}

// stateFolder is where a usher with that configuration file keeps its history: where systemd says (StateDirectory=, see
// systemd.exec), or beside the file.
func stateFolder(path string) string {
	if folder, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); folder != "" {
		return folder
	}
	return filepath.Dir(path)
}

func makeServer(o server.Options) (*server.Server, error) {
	if err := server.RaiseDescriptors(o.Config, o.Log.Logger); err != nil {
		o.Log.Warn("limit of open files not raised", "error", err)
	}
	return server.New(o)
}

// run runs a server and hands signals on to it.
func run(ctx context.Context, s *server.Server) error {
	if ctx == nil {
		ctx = context.Background()
	}
	tend()
	signals := make(chan os.Signal, 8) // more at a time are dropped, as signals are
	signal.Notify(signals, server.Signals...)
	defer signal.Stop(signals)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go s.Obey(ctx, signals)
	return explain(s.Run(ctx))
}

// explain adds what to do about an error that people meet often.
func explain(err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w\nanother program listens there, perhaps another usher: stop it, "+
			"or choose another address", err)
	}
	return err
}

// check reports whether a configuration could be served.
func check(c *config.Config) error {
	if _, err := server.New(server.Options{Config: c, Log: server.NewLog(io.Discard, c.Log)}); err != nil {
		return misuse{err}
	}
	return nil
}

// embeddedDrain bounds how long a usher that somebody tries out waits for transactions after Ctrl-C.
const embeddedDrain = 3 * time.Second
