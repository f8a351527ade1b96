package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/imports"
)

// importedDays is how far back Prometheus is asked unless told otherwise: what usher keeps at full resolution.
const importedDays = 60

func importCSVCommand() *cobra.Command {
	var where, pool, zone string
	var width time.Duration
	c := &cobra.Command{
		Use:   "csv FILE",
		Short: "Import a CSV file",
		Long: `Import a CSV file with a header: a column time (or start, timestamp, …) and at least one of mean (or
demand, count, …), p95 and max; if there are any, arrivals, service, samples, cut_off, outage.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			location, err := location(zone)
			if err != nil {
				return err
			}
			if err := history.CheckPool(pool); err != nil {
				return misuse{fmt.Errorf("--pool: %w", err)}
			}
			file, err := os.Open(args[0])
			if err != nil {
				return misuse{err}
			}
			defer func() { _ = file.Close() }()
			buckets, report, err := imports.CSV{Zone: location, Width: width}.Read(file)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return withHistory(c, where, false, func(ctx context.Context, store history.Store) error {
				if err := writeBuckets(ctx, store, pool, buckets); err != nil {
					return err
				}
				c.Printf("%s\n%d rows of %v, %d without demand, %d of an hour that never was\n", summary(pool, buckets),
					report.Rows, report.Width, report.Missing, report.Skipped)
				return nil
			})
		},
	}
	historyFlag(c, &where)
	f := c.Flags()
	f.StringVar(&pool, "pool", "", "`POOL` it is the history of")
	f.StringVar(&zone, "timezone", "", "time `ZONE` of times without an offset, such as Europe/Berlin")
	f.DurationVar(&width, "width", 0, "how long a row speaks for (default as far as rows are apart)")
	return c
}

// location is nil for no name.
func location(zone string) (*time.Location, error) {
	if zone == "" {
		return nil, nil
	}
	l, err := time.LoadLocation(zone)
	if err != nil {
		return nil, misuse{fmt.Errorf("--timezone: %w", err)}
	}
	return l, nil
}

// prometheusFlags are those of the import from Prometheus.
type prometheusFlags struct {
	where, pool, from, to   string
	tokenFile, passwordFile string
	ca                      string
	source                  imports.Prometheus
}

func importPrometheusCommand() *cobra.Command {
	o := prometheusFlags{source: imports.Prometheus{Resolution: 30 * time.Second}}
	c := &cobra.Command{
		Use:   "prometheus",
		Short: "Import from Prometheus",
		Long: `Import from the HTTP API of Prometheus, or of what has the same. The query is an expression for the demand
at a moment, connections in use and requests that wait, of one series. With PgBouncer's exporter:

  --query 'sum(pgbouncer_pools_server_active_connections{database="app"}
             + pgbouncer_pools_client_waiting_connections{database="app"})'
  --arrivals 'sum(rate(pgbouncer_stats_queries_pooled_total{database="app"}[1m]))'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return importPrometheus(c, o) },
	}
	historyFlag(c, &o.where)
	f := c.Flags()
	f.StringVar(&o.pool, "pool", "", "`POOL` it is the history of")
	f.StringVar(&o.source.URL, "url", "", "`URL` of the server, without /api/v1")
	f.StringVar(&o.source.Demand, "query", "", "`PROMQL` of the demand")
	f.StringVar(&o.source.Arrivals, "arrivals", "", "`PROMQL` of requests a second")
	f.DurationVar(&o.source.Resolution, "resolution", o.source.Resolution, "how often demand is looked at in a bucket")
	f.StringVar(&o.from, "from", "", fmt.Sprintf("`TIME` to begin at (default %d days ago)", importedDays))
	f.StringVar(&o.to, "to", "", "`TIME` to end at (default now)")
	f.StringVar(&o.tokenFile, "token-file", "", "`FILE` with a bearer token")
	f.StringVar(&o.source.User, "user", "", "`NAME` for basic authentication")
	f.StringVar(&o.passwordFile, "password-file", "", "`FILE` with its password")
	f.StringVar(&o.ca, "ca-file", "", "`FILE` with the certificates to trust (default the system's)")
	return c
}

func importPrometheus(c *cobra.Command, o prometheusFlags) error {
	if o.source.URL == "" || o.source.Demand == "" {
		return misuse{errors.New("expected --url and --query")}
	}
	if err := history.CheckPool(o.pool); err != nil {
		return misuse{fmt.Errorf("--pool: %w", err)}
	}
	from, to, err := span(o.from, o.to, time.Now().AddDate(0, 0, -importedDays), time.Now())
	if err != nil {
		return err
	}
	for path, secret := range map[string]*string{o.tokenFile: &o.source.Bearer, o.passwordFile: &o.source.Password} {
		if path == "" {
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return misuse{err}
		}
		*secret = strings.TrimSpace(string(content))
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if o.ca != "" {
		certificates, err := os.ReadFile(o.ca)
		if err != nil {
			return misuse{err}
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(certificates) {
			return misuse{fmt.Errorf("%s: expected certificates in PEM", o.ca)}
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	o.source.Client = &http.Client{Transport: transport}
	return withHistory(c, o.where, false, func(ctx context.Context, store history.Store) error {
		buckets, err := o.source.Read(ctx, from, to)
		if err != nil {
			return err
		}
		if err := writeBuckets(ctx, store, o.pool, buckets); err != nil {
			return err
		}
		c.Println(summary(o.pool, buckets))
		return nil
	})
}

func importPgBouncerCommand() *cobra.Command {
	var where, dsn, zone string
	var pools map[string]string
	var lasting time.Duration
	c := &cobra.Command{
		Use:   "pgbouncer [FILE]",
		Short: "Import from PgBouncer: saved samples, or its console",
		Long: `Import a CSV file with samples of PgBouncer's SHOW POOLS and SHOW STATS, each row with a column time
before. Or, with --dsn, ask its console once a second and record what usher would have, until --for
is over or it is interrupted: let it run for some days before usher takes PgBouncer's place.

A database becomes the pool of the same name, unless --pool says otherwise.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if (len(args) == 1) == (dsn != "") {
				return misuse{errors.New("expected either a file or --dsn")}
			}
			location, err := location(zone)
			if err != nil {
				return err
			}
			return withHistory(c, where, false, func(ctx context.Context, store history.Store) error {
				keep := func(database string, buckets []history.Bucket) error {
					pool := database
					if name, ok := pools[database]; ok {
						pool = name
					}
					// What is finished is kept, also when the context has ended.
					err := writeBuckets(context.WithoutCancel(ctx), store, pool, buckets)
					c.Println(summary(pool, buckets))
					return err
				}
				if dsn == "" {
					return importSamples(args[0], location, keep)
				}
				if lasting > 0 {
					timed, cancel := context.WithTimeout(ctx, lasting)
					defer cancel()
					ctx = timed
				}
				return imports.WatchPgBouncer(ctx, dsn, keep, func(message string) { c.PrintErrln("usher:", message) })
			})
		},
	}
	historyFlag(c, &where)
	f := c.Flags()
	f.StringVar(&dsn, "dsn", "", "`URL` of a console, such as postgres://stats@localhost:6432/pgbouncer")
	f.DurationVar(&lasting, "for", 0, "how long to watch the console (default until interrupted)")
	f.StringToStringVar(&pools, "pool", nil, "pools that are not called like their `DATABASE=POOL`")
	f.StringVar(&zone, "timezone", "", "time `ZONE` of times without an offset in the file")
	return c
}

func importSamples(path string, zone *time.Location, keep func(string, []history.Bucket) error) error {
	file, err := os.Open(path)
	if err != nil {
		return misuse{err}
	}
	defer func() { _ = file.Close() }()
	all, err := imports.ReadPgBouncer(file, zone)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, database := range slices.Sorted(maps.Keys(all)) {
		if err := keep(database, all[database]); err != nil {
			return err
		}
	}
	return nil
}
