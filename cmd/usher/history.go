package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/postgres"
	"github.com/usher-pg/usher/internal/history/sqlite"
)

const (
	// writtenAtOnce is how many buckets are written in a transaction, so that usher need not wait long for its turn.
	writtenAtOnce = 10_000
	// shownAtMost is how many buckets are shown unless more are asked for: a screen.
	shownAtMost = 48
)

// historyCommand is what usher remembers of its pools.
func historyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "history",
		Short: "Show what pools were asked for, and import it from elsewhere",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	bring := &cobra.Command{
		Use:   "import",
		Short: "Import the history of a pool from elsewhere",
		Long: `Import what others have recorded of a pool, so that forecasts do not begin with nothing.
docs/history.md says what each source gives. Doing it twice is doing it once.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	bring.AddCommand(importCSVCommand(), importPrometheusCommand(), importPgBouncerCommand())
	c.AddCommand(bring, showHistoryCommand())
	for _, nested := range slices.Concat([]*cobra.Command{bring}, bring.Commands(), c.Commands()) {
		check := nested.Args
		nested.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return misused(c, err)
			}
			return nil
		}
	}
	return c
}

// historyFlag adds --history, which says where it is.
func historyFlag(c *cobra.Command, where *string) {
	c.Flags().StringVar(where, "history", "", "`FILE` of the history, or postgres://… of its database")
}

// openHistory opens a history. A file that is damaged stays where it is: usher serve moves it aside.
func openHistory(ctx context.Context, where string, readOnly bool, tell func(string)) (history.Store, error) {
	switch {
	case where == "":
		return nil, misuse{errors.New("expected --history with a file or the URL of a database")}
	case strings.HasPrefix(where, "postgres://"), strings.HasPrefix(where, "postgresql://"):
		return postgres.Open(ctx, postgres.Config{DSN: where, Tell: tell})
	}
	return sqlite.Open(ctx, sqlite.Config{Path: where, ReadOnly: readOnly, Tell: tell})
}

// withHistory opens a history, does something with it, and closes it. SIGINT and SIGTERM end the context.
func withHistory(
	c *cobra.Command, where string, readOnly bool, do func(context.Context, history.Store) error,
) error {
	ctx, cancel := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	store, err := openHistory(ctx, where, readOnly, func(message string) { c.PrintErrln("usher:", message) })
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, store), store.Close())
}

// writeBuckets appends buckets, however many.
func writeBuckets(ctx context.Context, store history.Store, pool string, buckets []history.Bucket) error {
	for chunk := range slices.Chunk(buckets, writtenAtOnce) {
		if err := store.Append(ctx, pool, chunk); err != nil {
			return err
		}
	}
	return nil
}

// summary says what buckets are of.
func summary(pool string, buckets []history.Bucket) string {
	if len(buckets) == 0 {
		return fmt.Sprintf("pool %s: nothing", pool)
	}
	last := buckets[len(buckets)-1]
	return fmt.Sprintf("pool %s: %d buckets of %v from %s to %s", pool, len(buckets), last.Width,
		buckets[0].Start.Format(time.RFC3339), last.End().Format(time.RFC3339))
}

func showHistoryCommand() *cobra.Command {
	var where, from, to string
	var asJSON bool
	last := shownAtMost
	c := &cobra.Command{
		Use:   "show [POOL]",
		Short: "Show what a pool was asked for, or which pools there are",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			begin, end, err := span(from, to, time.Unix(0, 0), time.Now().AddDate(0, 0, 1))
			if err != nil {
				return err
			}
			return withHistory(c, where, true, func(ctx context.Context, store history.Store) error {
				if len(args) == 0 {
					return showPools(ctx, c.OutOrStdout(), store, asJSON)
				}
				buckets, err := store.Range(ctx, args[0], begin, end)
				if err != nil {
					return err
				}
				if n := len(buckets) - last; n > 0 && last > 0 {
					buckets = buckets[n:]
				}
				return showBuckets(c.OutOrStdout(), args[0], buckets, asJSON)
			})
		},
	}
	historyFlag(c, &where)
	f := c.Flags()
	f.StringVar(&from, "from", "", "`TIME` of the first bucket (default the first)")
	f.StringVar(&to, "to", "", "`TIME` after the last bucket (default tomorrow)")
	f.IntVar(&last, "last", last, "show the last so many buckets; 0: all")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// span reads two times, each with a default.
func span(from, to string, first, last time.Time) (time.Time, time.Time, error) {
	for text, at := range map[string]*time.Time{from: &first, to: &last} {
		if text == "" {
			continue
		}
		read, err := time.Parse(time.RFC3339, text)
		if err != nil {
			read, err = time.Parse(time.DateOnly, text)
		}
		if err != nil {
			return first, last, misuse{fmt.Errorf("%q: expected a time such as 2026-06-20T18:00:00Z or 2026-06-20", text)}
		}
		*at = read
	}
	if !first.Before(last) {
		return first, last, misuse{errors.New("expected --from before --to")}
	}
	return first, last, nil
}

func showPools(ctx context.Context, out io.Writer, store history.Store, asJSON bool) error {
	pools, err := store.Pools(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(out).Encode(map[string]any{"pools": pools})
	}
	for _, pool := range pools {
		if _, err := fmt.Fprintln(out, pool); err != nil {
			return err
		}
	}
	return nil
}

func showBuckets(out io.Writer, pool string, buckets []history.Bucket, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(map[string]any{"pool": pool, "buckets": buckets})
	}
	if len(buckets) == 0 {
		_, err := fmt.Fprintf(out, "nothing is known of pool %s in this time\n", pool)
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "time\twidth\tsamples\tmean\tp95\tmax\tarrivals\tspread\tservice\t\t")
	for _, b := range buckets {
		var remarks []string
		if b.CutOff {
			remarks = append(remarks, "cut off")
		}
		if b.Outage {
			remarks = append(remarks, "outage")
		}
		_, _ = fmt.Fprintf(table, "%s\t%v\t%d\t%.2f\t%.2f\t%.2f\t%.0f\t%.2f\t%v\t%s\t\n", b.Start.Format("2006-01-02 15:04Z"),
			b.Width, b.Samples, b.Mean, b.P95, b.Max, b.Arrivals, b.ArrivalSpread, b.Service.Round(time.Microsecond),
			strings.Join(remarks, ", "))
	}
	return table.Flush()
}
