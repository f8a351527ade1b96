package sqlite

import (
	"database/sql"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/usher-pg/usher/internal/history"
	"github.com/usher-pg/usher/internal/history/historytest"
)

const aYear = 365 * 288

// BenchmarkReadAYear compares what is done with a row for each bucket.
func BenchmarkReadAYear(b *testing.B) {
	s := openFile(b, filepath.Join(b.TempDir(), "history.db"))
	defer func() { _ = s.Close() }()
	for chunk := range slices.Chunk(historytest.Buckets(0, aYear), 10_000) {
		if err := s.Append(b.Context(), "app", chunk); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("a day is a row", func(b *testing.B) {
		for b.Loop() {
			got, err := s.Range(b.Context(), "app", historytest.Noon, historytest.Noon.AddDate(2, 0, 0))
			if err != nil || len(got) != aYear {
				b.Fatal(len(got), err)
			}
		}
	})
	fill(b, s.db)
	b.Run("a bucket is a row", func(b *testing.B) {
		for b.Loop() {
			if got := readRows(b, s.db); len(got) != aYear {
				b.Fatal(len(got))
			}
		}
	})
}

func fill(b *testing.B, db *sql.DB) {
	if _, err := db.Exec("CREATE TABLE bucket (pool TEXT, start INTEGER, width INTEGER, samples INTEGER, mean REAL, " +
		"p95 REAL, max REAL, arrivals REAL, arrival_spread REAL, service INTEGER, service_spread REAL, flags INTEGER, " +
		"PRIMARY KEY (pool, start)) WITHOUT ROWID, STRICT"); err != nil {
		b.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		b.Fatal(err)
	}
	insert, err := tx.Prepare("INSERT INTO bucket VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
	if err != nil {
		b.Fatal(err)
	}
	for _, x := range historytest.Buckets(0, aYear) {
		if _, err := insert.Exec("app", x.Start.Unix(), int(x.Width/time.Second), x.Samples, x.Mean, x.P95, x.Max,
			x.Arrivals, x.ArrivalSpread, int64(x.Service), x.ServiceSpread, 3); err != nil {
			b.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}

func readRows(b *testing.B, db *sql.DB) []history.Bucket {
	rows, err := db.Query("SELECT start, width, samples, mean, p95, max, arrivals, arrival_spread, service, " +
		"service_spread, flags FROM bucket WHERE pool = 'app' ORDER BY start")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	buckets := make([]history.Bucket, 0, aYear)
	for rows.Next() {
		var x history.Bucket
		var start, width, flags int64
		if err := rows.Scan(&start, &width, &x.Samples, &x.Mean, &x.P95, &x.Max, &x.Arrivals, &x.ArrivalSpread,
			(*int64)(&x.Service), &x.ServiceSpread, &flags); err != nil {
			b.Fatal(err)
		}
		x.Start, x.Width = time.Unix(start, 0).UTC(), time.Duration(width)*time.Second
		buckets = append(buckets, x)
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return buckets
}

func BenchmarkAppend(b *testing.B) {
	s := openFile(b, filepath.Join(b.TempDir(), "history.db"))
	defer func() { _ = s.Close() }()
	i := 0
	for b.Loop() {
		if err := s.Append(b.Context(), "app", historytest.Buckets(i, 1)); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "history.db")
	s := openFile(b, path)
	for chunk := range slices.Chunk(historytest.Buckets(0, aYear), 10_000) {
		if err := s.Append(b.Context(), "app", chunk); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for name, readOnly := range map[string]bool{"to write": false, "to read": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s, err := Open(b.Context(), Config{Path: path, ReadOnly: readOnly})
				if err != nil {
					b.Fatal(err)
				}
				_ = s.Close()
			}
		})
	}
}
