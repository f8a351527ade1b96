package imports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/usher-pg/usher/internal/history"
)

// PgBouncer says of a database how many server connections are in use (sv_active of SHOW POOLS, which in transaction
// mode is during a transaction), how many clients wait for one (cl_waiting), and since its start how many
// transactions there were and how long they took (total_xact_count and total_xact_time of SHOW STATS, which has
// total_wait_time in it). Their sums over the users of a database are a sample of that database.
//
// What it does not say: how uneven service times are; the size of a pool, but clients wait only while it is full.

const (
	// ownDatabase is the console's.
	ownDatabase = "pgbouncer"
	// mostDatabases bounds how many there are.
	mostDatabases = 10_000
	// consolePatience is how long the console may take to answer or to let somebody in.
	consolePatience = 5 * time.Second
	// sampleGap is between two saved samples whose counters are compared: people save one a minute, or every five.
	sampleGap = history.Step + time.Minute
)

// The columns that are read. Of the two that count requests the first is exact, and only in PgBouncer 1.23 and later.
const (
	databaseColumn    = "database"
	activeColumn      = "sv_active"
	waitingColumn     = "cl_waiting"
	assignmentsColumn = "total_server_assignment_count"
	xactsColumn       = "total_xact_count"
	xactTimeColumn    = "total_xact_time" // microseconds, from when it was asked for
	waitTimeColumn    = "total_wait_time" // microseconds, of clients for a server connection
)

// samples are those of some databases at a moment.
type samples map[string]*sample

type sample struct {
	history.Sample
	waited time.Duration // is part of ServiceSum
}

// tally records samples.
type tally struct {
	recorder history.Recorder
	last     map[string]history.Sample
	keep     func(database string, buckets []history.Bucket) error
}

// add adds a row of SHOW POOLS or SHOW STATS, or of both, joined. get returns the text of a column, "" if there is
// none.
func (s samples) add(get func(column string) string) error {
	database := get(databaseColumn)
	if database == ownDatabase {
		return nil
	}
	if err := history.CheckPool(database); err != nil {
		return err
	}
	of := s[database]
	if of == nil {
		if len(s) == mostDatabases {
			return fmt.Errorf("more than %d databases", mostDatabases)
		}
		of = &sample{}
		s[database] = of
	}
	count := map[string]uint64{}
	for _, column := range []string{
		activeColumn, waitingColumn, assignmentsColumn, xactsColumn, xactTimeColumn, waitTimeColumn,
	} {
		text := get(column)
		if isMissing(text) {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			return fmt.Errorf("%s is %.40q: expected a number of at least 0", column, text)
		}
		count[column] = n
	}
	of.Busy += int(min(count[activeColumn], math.MaxInt32))
	of.Waiting += int(min(count[waitingColumn], math.MaxInt32))
	// Totals are of the database and the same in each row that has them.
	of.Services = max(of.Services, count[xactsColumn])
	of.Requests = max(of.Requests, count[assignmentsColumn])
	of.ServiceSum = max(of.ServiceSum, microseconds(count[xactTimeColumn]))
	of.waited = max(of.waited, microseconds(count[waitTimeColumn]))
	return nil
}

func microseconds(n uint64) time.Duration {
	return time.Duration(min(n, math.MaxInt64/1000)) * time.Microsecond
}

// record gives samples to the recorder, and what is finished by them to keep.
func (t *tally) record(found samples, now time.Time) error {
	for database, of := range found {
		s := of.Sample
		if s.Requests == 0 {
			s.Requests = s.Services
		}
		if s.Waiting > 0 {
			s.Limit = s.Busy // it is full, or nobody would wait
		}
		// A wait is counted when it ends, and the transaction it is part of later: the difference may go back for a while.
		s.ServiceSum = max(s.ServiceSum-of.waited, 0)
		if last, ok := t.last[database]; ok && s.Services >= last.Services {
			s.ServiceSum = max(s.ServiceSum, last.ServiceSum)
		}
		t.last[database] = s
		finished, err := t.recorder.Observe(database, s, now)
		if err == nil && len(finished) > 0 {
			err = t.keep(database, finished)
		}
		if err != nil {
			return fmt.Errorf("database %s: %w", database, err)
		}
	}
	return nil
}

// flush keeps what is not finished.
func (t *tally) flush() error {
	var failed error
	for _, database := range t.recorder.Pools() {
		if b, ok := t.recorder.Forget(database); ok {
			failed = errors.Join(failed, t.keep(database, []history.Bucket{b}))
		}
	}
	return failed
}

// ReadPgBouncer reads saved samples: a CSV file with a column time, and those of SHOW POOLS and SHOW STATS that are
// there. Rows of one time are next to each other, and may be of either command. It returns the buckets of each
// database.
func ReadPgBouncer(r io.Reader, zone *time.Location) (map[string][]history.Bucket, error) {
	table, err := newTable(r, mostBytes)
	if err != nil {
		return nil, err
	}
	index := map[string]int{}
	for i, name := range table.header {
		index[strings.ToLower(strings.TrimSpace(name))] = i
	}
	at := slices.IndexFunc(table.header, func(name string) bool { return fieldOf(name) == timeField })
	_, named := index[databaseColumn]
	_, counted := index[activeColumn]
	if at < 0 || !named || !counted {
		return nil, fmt.Errorf("expected columns time, %s and %s, and if they are there %s, %s, %s, %s; there are %.200q",
			databaseColumn, activeColumn, waitingColumn, xactsColumn, xactTimeColumn, assignmentsColumn, table.header)
	}
	all := map[string][]history.Bucket{}
	keep := func(database string, buckets []history.Bucket) error {
		all[database] = append(all[database], buckets...)
		return nil
	}
	tally := tally{recorder: history.Recorder{Gap: sampleGap}, last: map[string]history.Sample{}, keep: keep}
	clock := clock{zone: zone}
	var moment time.Time
	var text string // of moment, as rows have it
	var begun bool
	current := samples{}
	for {
		row, err := table.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if row[at] != text || !begun {
			begun = true
			if err = tally.record(current, moment); err == nil {
				text, current = strings.Clone(row[at]), samples{}
				moment, _, err = clock.read(strings.TrimSpace(text))
			}
		}
		if err == nil {
			err = current.add(func(column string) string {
				if i, ok := index[column]; ok {
					return strings.TrimSpace(strings.Clone(row[i]))
				}
				return ""
			})
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", table.line(), err)
		}
	}
	if err := errors.Join(tally.record(current, moment), tally.flush()); err != nil {
		return nil, err
	}
	for database, buckets := range all {
		all[database] = history.Combine(nil, buckets)
	}
	return all, nil
}

// WatchPgBouncer asks a console of PgBouncer (or of usher, which has the same) once a second until the context ends,
// and hands every bucket that is finished to keep, and at the end what is not. While the console does not answer,
// tell is called once, and nothing is recorded.
func WatchPgBouncer(
	ctx context.Context, dsn string, keep func(database string, buckets []history.Bucket) error, tell func(string),
) error {
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		return fmt.Errorf("watch pgbouncer: %w", err) // pgx leaves passwords out
	}
	w := &watch{config: config}
	defer w.close()
	if err := w.connect(ctx); err != nil {
		return fmt.Errorf("watch pgbouncer: %w", err)
	}
	tally := tally{last: map[string]history.Sample{}, keep: keep}
	ticker := time.NewTicker(history.Rate)
	defer ticker.Stop()
	away := false
	for ctx.Err() == nil {
		now := time.Now()
		found, err := w.look(ctx)
		switch {
		case err == nil:
			if err := tally.record(found, now); err != nil {
				return errors.Join(fmt.Errorf("watch pgbouncer: %w", err), tally.flush())
			}
		case ctx.Err() == nil && !away:
			tell(fmt.Sprintf("PgBouncer does not answer: %v", err))
		}
		away = err != nil
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	return tally.flush()
}

// watch is a connection to a console.
type watch struct {
	config     *pgconn.Config
	connection *pgconn.PgConn
}

func (w *watch) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, consolePatience)
	defer cancel()
	connection, err := pgconn.ConnectConfig(ctx, w.config)
	w.connection = connection
	return err
}

func (w *watch) close() {
	if w.connection != nil {
		ctx, cancel := context.WithTimeout(context.Background(), consolePatience)
		defer cancel()
		_ = w.connection.Close(ctx)
		w.connection = nil
	}
}

// look asks for a sample. After an error it connects anew the next time.
func (w *watch) look(ctx context.Context) (samples, error) {
	if w.connection == nil {
		if err := w.connect(ctx); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, consolePatience)
	defer cancel()
	found := samples{}
	for _, command := range []string{"SHOW POOLS", "SHOW STATS"} {
		if err := w.show(ctx, command, found); err != nil {
			w.close()
			return nil, err
		}
	}
	return found, nil
}

// show runs a command by the simple protocol: a console knows no other.
func (w *watch) show(ctx context.Context, command string, found samples) error {
	results, err := w.connection.Exec(ctx, command).ReadAll()
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	for _, result := range results {
		index := map[string]int{}
		for i, f := range result.FieldDescriptions {
			index[f.Name] = i
		}
		for _, row := range result.Rows {
			if err := found.add(func(column string) string {
				if i, ok := index[column]; ok && i < len(row) {
					return string(row[i])
				}
				return ""
			}); err != nil {
				return fmt.Errorf("%s: %w", command, err)
			}
		}
	}
	return nil
}
