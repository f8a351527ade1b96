package metrics

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/usher-pg/usher/internal/status"
)

// Limits of a scrape.
const (
	// snapshotTimeout is below Prometheus' default scrape_timeout of 10 s, so that usher_up can still be told.
	snapshotTimeout = 5 * time.Second
	// maxScrapes is how many scrapes are answered at a time; ours. More get 503.
	maxScrapes = 4
	// maxPools and maxDatabases bound the series: with a "*" pool, clients choose the names. Ours.
	maxPools     = 1000
	maxDatabases = 1000
)

// Handler serves usher's metrics, with those of the Go runtime and of the process.
func Handler(source status.Source, log *slog.Logger) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		NewCollector(source, log),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:            errorLog{log},
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
		EnableOpenMetrics:   true,
	})
}

type errorLog struct{ *slog.Logger }

func (l errorLog) Println(v ...any) {
	l.Error("metrics not written", slog.String("error", fmt.Sprint(v...)))
}

// Collector renders snapshots. It is safe for concurrent use.
type Collector struct {
	source status.Source
	log    *slog.Logger
	descs  []*prometheus.Desc // of the catalogue's rows
}

// NewCollector is a Collector of the source.
func NewCollector(source status.Source, log *slog.Logger) *Collector {
	c := &Collector{source: source, log: log}
	for _, r := range catalogue {
		c.descs = append(c.descs, prometheus.NewDesc(r.name, r.help, r.labels, nil))
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range c.descs {
		out <- desc
	}
}

// Collect implements prometheus.Collector. Without a snapshot there is usher_up 0 and nothing else.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), snapshotTimeout)
	defer cancel()
	s, err := c.source.Snapshot(ctx, status.SummarySections)
	if err != nil {
		c.log.Error("no status for the metrics", slog.Any("error", err))
		s = nil
	}
	v := newView(s)
	for i, r := range catalogue {
		if s == nil && !r.always {
			continue
		}
		r.collect(v, emitter{out: out, desc: c.descs[i], kind: r.kind})
	}
}

// view is a snapshot with names that are fit to be labels, each pair once.
type view struct {
	*status.Snapshot
	up      bool
	pools   []labelled[status.Pool]
	stats   []labelled[status.DatabaseStats]
	bases   []labelled[status.Database]
	scaling []labelled[status.Scaling]
	omitted int // pools and databases beyond the limits
}

type labelled[T any] struct {
	item           *T
	database, user string
}

func newView(s *status.Snapshot) *view {
	if s == nil {
		return &view{Snapshot: &status.Snapshot{}}
	}
	v := &view{Snapshot: s, up: true}
	v.pools = label(v, s.Pools, maxPools, func(p *status.Pool) (string, string) { return p.Database, p.User })
	v.stats = label(v, s.Stats, maxDatabases, func(d *status.DatabaseStats) (string, string) { return d.Database, "" })
	v.bases = label(v, s.Databases, maxDatabases, func(d *status.Database) (string, string) { return d.Name, "" })
	v.scaling = label(v, s.Scaling, maxPools, func(p *status.Scaling) (string, string) { return p.Database, p.User })
	return v
}

// label keeps the first items of every name up to the limit. Two items of one name would make the whole scrape fail.
func label[T any](v *view, items []T, limit int, name func(*T) (database, user string)) []labelled[T] {
	seen := make(map[[2]string]bool, len(items))
	kept := make([]labelled[T], 0, min(len(items), limit))
	for i := range items {
		database, user := name(&items[i])
		key := [2]string{labelValue(database), labelValue(user)}
		if seen[key] || len(kept) == limit {
			v.omitted++
			continue
		}
		seen[key] = true
		kept = append(kept, labelled[T]{&items[i], key[0], key[1]})
	}
	return kept
}

// labelValue makes a name valid UTF-8, which a label must be and a name in a start-up packet need not.
func labelValue(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	quoted := strconv.QuoteToASCII(name)
	return quoted[1 : len(quoted)-1]
}

// emitter sends the metrics of one row.
type emitter struct {
	out  chan<- prometheus.Metric
	desc *prometheus.Desc
	kind kind
}

func (e emitter) value(v float64, labels ...string) {
	valueType := prometheus.GaugeValue
	if e.kind == counter {
		valueType = prometheus.CounterValue
	}
	e.out <- prometheus.MustNewConstMetric(e.desc, valueType, v, labels...)
}

func (e emitter) distribution(d *status.Distribution, labels ...string) {
	buckets := make(map[float64]uint64, len(status.Bounds))
	for i, bound := range status.Bounds {
		buckets[bound.Seconds()] = d.AtMost[i]
	}
	e.out <- prometheus.MustNewConstHistogram(e.desc, d.Count, d.Sum.Seconds(), buckets, labels...)
}

// counts sends one value for each reason; a reason that occurs twice is added up.
func (e emitter) counts(counts []status.Count, labels ...string) {
	sums := make(map[string]uint64, len(counts))
	for _, c := range counts {
		sums[labelValue(c.Reason)] += c.Count
	}
	for reason, n := range sums {
		e.value(float64(n), append(labels[:len(labels):len(labels)], reason)...)
	}
}
