//go:build integration

package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/historytest"
	"github.com/usher-pg/usher/internal/pgtest"
	"github.com/usher-pg/usher/internal/privatepg"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// database makes one and returns its connection string.
func database(t testing.TB, server *privatepg.Server, name string) string {
	t.Helper()
	if err := server.Exec(t.Context(), "postgres", "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return server.URL(name)
}

func openDatabase(t testing.TB, dsn string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{DSN: dsn, Tell: func(message string) { t.Errorf("told: %s", message) }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	server := pgtest.Start(t)
	n := 0
	historytest.Contract(t, func(t *testing.T) historytest.Opener {
		n++
		dsn := database(t, server, fmt.Sprintf("history_%d", n))
		return func(t *testing.T) history.Store { return openDatabase(t, dsn) }
	})
}

func TestTwoUshersMakeTheTablesAtOnce(t *testing.T) {
	t.Parallel()
	dsn := database(t, pgtest.Start(t), "history_race")
	failed := make(chan error, 5)
	for range cap(failed) {
		go func() {
			s, err := Open(t.Context(), Config{DSN: dsn})
			if err == nil {
				err = s.Close()
			}
			failed <- err
		}()
	}
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

// TestTimescaleDB has functions in the place of the extension, which is not at hand: it shows that it is asked, and
// what becomes of a refusal.
func TestTimescaleDB(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body string
		told bool
	}{
		"there":   {"INSERT INTO asked VALUES (t, c, chunk_time_interval)", false},
		"refuses": {"RAISE EXCEPTION 'not in the community edition'", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := database(t, pgtest.Start(t), "history_timescale_"+name)
			connection, err := pgx.Connect(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = connection.Close(t.Context()) }()
			if _, err := connection.Exec(t.Context(), "CREATE TABLE asked (t text, c text, i interval); "+
				"CREATE FUNCTION create_hypertable(t regclass, c name, chunk_time_interval interval, "+
				"create_default_indexes boolean) RETURNS void LANGUAGE plpgsql AS $$ BEGIN "+tt.body+"; END $$"); err != nil {
				t.Fatal(err)
			}
			var told []string
			s, err := Open(t.Context(), Config{DSN: dsn, Tell: func(message string) { told = append(told, message) }})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			if err := s.Append(t.Context(), "app", historytest.Buckets(0, 3)); err != nil {
				t.Error(err)
			}
			var asked int
			if err := connection.QueryRow(t.Context(), "SELECT count(*) FROM asked WHERE t = 'usher_bucket' AND c = 'start'").
				Scan(&asked); err != nil || (asked == 1) == tt.told {
				t.Errorf("asked %d times: %v", asked, err)
			}
			if (len(told) > 0) != tt.told {
				t.Errorf("told %q", told)
			}
		})
	}
}

func TestWhatOthersWroteIsChecked(t *testing.T) {
	t.Parallel()
	dsn := database(t, pgtest.Start(t), "history_others")
	s := openDatabase(t, dsn)
	defer func() { _ = s.Close() }()
	if err := s.Append(t.Context(), "app", historytest.Buckets(0, 3)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.pool.Exec(t.Context(), "UPDATE usher_bucket SET mean = 'NaN' WHERE start = $1",
		historytest.Bucket(1).Start); err != nil {
		t.Fatal(err)
	}
	got, err := s.Range(t.Context(), "app", historytest.Noon, historytest.Noon.AddDate(1, 0, 0))
	if err == nil || !strings.Contains(err.Error(), "mean is NaN") {
		t.Errorf("%d buckets, error %v", len(got), err)
	}
	if _, err := s.pool.Exec(t.Context(), "UPDATE usher_history SET version = 99"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{DSN: dsn}); err == nil || !strings.Contains(err.Error(), "newer usher") {
		t.Errorf("error %v", err)
	}
}

func TestEventsThatOthersWroteAreChecked(t *testing.T) {
	t.Parallel()
	var told []string
	dsn := database(t, pgtest.Start(t), "history_other_events")
	s, err := Open(t.Context(), Config{DSN: dsn, Tell: func(message string) { told = append(told, message) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	all := []history.Event{
		historytest.Event("weddings", 0), historytest.Event("weddings", 9), historytest.Event("weddings", 18),
	}
	if err := s.SaveEvents(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if _, err := s.pool.Exec(t.Context(), "UPDATE usher_event SET guests = 'NaN' WHERE begins = $1",
		all[1].Start); err != nil {
		t.Fatal(err)
	}
	got, err := s.Events(t.Context(), historytest.Noon, historytest.Noon.AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Delete(slices.Clone(all), 1, 2), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(told) != 1 || !strings.Contains(told[0], "its guests are NaN") {
		t.Errorf("told %q", told)
	}
	if err := s.SaveEvents(t.Context(), all); err != nil { // it is written over
		t.Error(err)
	}
}

// TestTablesOfAnOlderUsher have buckets and no events.
func TestTablesOfAnOlderUsher(t *testing.T) {
	t.Parallel()
	dsn := database(t, pgtest.Start(t), "history_older")
	s := openDatabase(t, dsn)
	if err := s.Append(t.Context(), "app", historytest.Buckets(0, 3)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.pool.Exec(t.Context(), "DROP TABLE usher_event; UPDATE usher_history SET version = 1"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // they are brought to this version, and are of it
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openDatabase(t, dsn)
		if err := s.SaveEvents(t.Context(), []history.Event{historytest.Event("weddings", 0)}); err != nil {
			t.Fatal(err)
		}
		buckets, err := s.Range(t.Context(), "app", historytest.Noon, historytest.Noon.AddDate(1, 0, 0))
		if err != nil || len(buckets) != 3 {
			t.Errorf("%d buckets: %v", len(buckets), err)
		}
		events, err := s.Events(t.Context(), historytest.Noon, historytest.Noon.AddDate(1, 0, 0))
		if err != nil || len(events) != 1 {
			t.Errorf("%d events: %v", len(events), err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkReadAYear(b *testing.B) {
	s := openDatabase(b, database(b, pgtest.Start(b), "history_bench"))
	defer func() { _ = s.Close() }()
	const aYear = 365 * 288
	full := historytest.Buckets(0, aYear)
	old := history.DefaultRetention().Full * 288
	for pool, buckets := range map[string][]history.Bucket{
		"at full resolution": full,
		"as it is retained":  slices.Concat(history.Coarsen(full[:aYear-old], history.CoarseWidth), full[aYear-old:]),
	} {
		if err := s.Append(b.Context(), pool, buckets); err != nil {
			b.Fatal(err)
		}
		b.Run(pool, func(b *testing.B) {
			for b.Loop() {
				got, err := s.Range(b.Context(), pool, historytest.Noon, historytest.Noon.AddDate(2, 0, 0))
				if err != nil || len(got) != len(buckets) {
					b.Fatal(len(got), err)
				}
			}
		})
	}
}
