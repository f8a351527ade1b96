// Command bench measures usher beside PgBouncer and prints one table.
//
//	make bench                               everything
//	make bench ARGS='-only simple/32'        one row; -list prints their names
//	make bench ARGS='-only login,tls -pairs 3 -seconds 3'
//
// It starts a private PostgreSQL, and for every run a fresh pooler with the same settings, one at a time:
// first the reference, then usher, then the reference again, and so on. A row of the table holds the
// medians over the runs, the ratio of the medians, and the smallest and largest ratio of neighbours.
// Machines are noisy: the ratio is what to look at, and the range of the pairs says how far to trust it.
//
// CPU is the pooler's own user and system time from /proc over the transactions done in the same window,
// so it holds while other processes share the cores. Throughput comes from a closed loop (every client
// sends its next transaction when it has the answer). Latency comes from an open loop at the same rate for
// both sides, from the moment a transaction was due, so that a stall is not hidden. Memory is the resident
// set, the largest seen during the run.
//
// It runs on Linux. docs/benchmarks.md says how to read the table.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	candidate, reference string // kinds of poolers
	usher, pgbouncer     string // their programs
	base                 string // another build of usher's
	only                 string
	pairs                int
	seconds              int
	scale                int
	pool                 int
	load                 float64
	settle               time.Duration
	rsaKey               bool
	jsonFile             string
	list                 bool
}

func parseFlags() options {
	var o options
	flag.StringVar(&o.candidate, "a", "usher", "the pooler to judge: usher, base or pgbouncer")
	flag.StringVar(&o.reference, "b", "pgbouncer", "the pooler to judge it by: usher, base or pgbouncer")
	flag.StringVar(&o.usher, "usher", "bin/usher", "usher's program")
	flag.StringVar(&o.base, "base", "", "program of another build of usher, to compare with as base")
	flag.StringVar(&o.pgbouncer, "pgbouncer", "", "PgBouncer's program (default: from PATH or /usr/sbin)")
	flag.StringVar(&o.only, "only", "", "measure only the rows whose names begin so (comma-separated)")
	flag.IntVar(&o.pairs, "pairs", 9, "runs of each side per row")
	flag.IntVar(&o.seconds, "seconds", 3, "measured seconds per run")
	flag.IntVar(&o.scale, "scale", 10, "pgbench scale factor (100,000 accounts each)")
	flag.IntVar(&o.pool, "pool", 20, "server connections of the pooler")
	flag.Float64Var(&o.load, "load", 0.5, "rate of the open loop, as a part of the reference's throughput; 0: none")
	flag.DurationVar(&o.settle, "settle", 5*time.Second, "how long clients idle before idle memory is read")
	flag.BoolVar(&o.rsaKey, "rsa", false, "a 2048-bit RSA key for TLS instead of one on P-256")
	flag.StringVar(&o.jsonFile, "json", "", "also write all figures to this file")
	flag.BoolVar(&o.list, "list", false, "list the rows and stop")
	flag.Parse()
	return o
}

func main() {
	o := parseFlags()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	failed, err := run(ctx, o)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	case failed:
		os.Exit(1)
	}
}

// run measures the chosen rows. failed tells whether one missed a bar.
func run(ctx context.Context, o options) (failed bool, err error) {
	rows := choose(plan(), o.only)
	if o.list {
		for _, r := range rows {
			fmt.Printf("%-15s %s\n", r.name, r.title)
		}
		return false, nil
	}
	if len(rows) == 0 {
		return false, fmt.Errorf("no row's name begins with %q; -list prints them", o.only)
	}
	if o.pairs < 1 || o.seconds < 1 {
		return false, errors.New("at least one pair of at least one second is needed")
	}
	w, err := build(ctx, o)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, w.close()) }()

	out := report{Settings: w.settings()}
	fmt.Print(out.head())
	for _, r := range rows {
		result := w.measureRow(ctx, r)
		if ctx.Err() != nil {
			return failed, context.Cause(ctx)
		}
		out.Rows = append(out.Rows, result)
		failed = failed || result.failed()
		fmt.Print(result.text())
	}
	fmt.Print(out.foot())
	if o.jsonFile != "" {
		return failed, out.save(o.jsonFile)
	}
	return failed, nil
}

// choose picks rows by the beginnings of their names.
func choose(rows []row, only string) []row {
	if only == "" {
		return rows
	}
	var chosen []row
	for _, r := range rows {
		for prefix := range strings.SplitSeq(only, ",") {
			if r.name == prefix || strings.HasPrefix(r.name, strings.TrimSuffix(prefix, "/")+"/") {
				chosen = append(chosen, r)
				break
			}
		}
	}
	return chosen
}

// progress tells on stderr what is being done, so that stdout is the table.
func progress(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", arguments...)
}

func absolute(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}
