package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// schemaLock is the advisory lock under which tables are made: "ushr" and the version of this rule.
const schemaLock = 0x75736872_0001

// migrations are the versions of the schema: the n-th leads from version n to n+1.
var migrations = []string{`
	CREATE TABLE usher_bucket (
		pool           text             NOT NULL,
		start          timestamptz      NOT NULL,
		width          integer          NOT NULL, -- seconds
		samples        integer          NOT NULL,
		mean           double precision NOT NULL,
		p95            double precision NOT NULL,
		max            double precision NOT NULL,
		arrivals       double precision NOT NULL,
		arrival_spread double precision NOT NULL,
		service_ns     bigint           NOT NULL,
		service_spread double precision NOT NULL,
		cut_off        boolean          NOT NULL,
		outage         boolean          NOT NULL,
		from_ns        bigint           NOT NULL,
		until_ns       bigint           NOT NULL,
		PRIMARY KEY (pool, start)
	);
	CREATE INDEX usher_bucket_start ON usher_bucket (start);
	CREATE TABLE usher_forecast (
		pool    text        NOT NULL,
		at      timestamptz NOT NULL,
		content bytea       NOT NULL,
		PRIMARY KEY (pool, at)
	);
	CREATE INDEX usher_forecast_at ON usher_forecast (at);
	CREATE TABLE usher_decision (
		number  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		pool    text        NOT NULL,
		at      timestamptz NOT NULL,
		content bytea       NOT NULL
	);
	CREATE INDEX usher_decision_at ON usher_decision (at);
	CREATE INDEX usher_decision_pool ON usher_decision (pool, at);`, `
	CREATE TABLE usher_event (
		source text             NOT NULL, -- name of the calendar
		begins timestamptz      NOT NULL,
		ends   timestamptz      NOT NULL,
		name   text             NOT NULL,
		twin   integer          NOT NULL,
		id     text             NOT NULL,
		kind   text             NOT NULL,
		guests double precision NOT NULL,
		PRIMARY KEY (source, begins, ends, name, twin)
	);`,
}

// prepare brings the schema to the current version.
func (s *Store) prepare(ctx context.Context) error {
	var version int
	if err := s.pool.QueryRow(ctx, "SELECT coalesce((SELECT 1 WHERE to_regclass('usher_history') IS NOT NULL), 0)").
		Scan(&version); err != nil {
		return err
	}
	if version == 1 {
		if err := s.pool.QueryRow(ctx, "SELECT version FROM usher_history").Scan(&version); err != nil {
			return err
		}
	}
	switch {
	case version > len(migrations):
		return fmt.Errorf("a newer usher has made the tables: version %d, expected at most %d", version, len(migrations))
	case version == len(migrations):
		return nil
	}
	return s.change(ctx, func(tx pgx.Tx) error { return s.migrate(ctx, tx) })
}

func (s *Store) migrate(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(schemaLock)); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS usher_history (version integer NOT NULL)"); err != nil {
		return err
	}
	var version int
	err := tx.QueryRow(ctx, "SELECT version FROM usher_history").Scan(&version)
	if errors.Is(err, pgx.ErrNoRows) {
		_, err = tx.Exec(ctx, "INSERT INTO usher_history VALUES (0)")
	}
	if err != nil {
		return err
	}
	for ; version < len(migrations); version++ {
		if _, err := tx.Exec(ctx, migrations[version]); err != nil {
			return fmt.Errorf("bring the schema to version %d: %w", version+1, err)
		}
		if version == 0 {
			if err := s.partition(ctx, tx); err != nil {
				return err
			}
		}
	}
	_, err = tx.Exec(ctx, "UPDATE usher_history SET version = $1", version)
	return err
}

// partition makes a hypertable of the buckets where TimescaleDB is there. A chunk of 30 days is 9,000 rows a pool.
func (s *Store) partition(ctx context.Context, tx pgx.Tx) error {
	var there bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_proc WHERE proname = 'create_hypertable' "+
		"AND pg_function_is_visible(oid))").Scan(&there); err != nil || !there {
		return err
	}
	inner, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	_, err = inner.Exec(ctx, "SELECT create_hypertable('usher_bucket', 'start', "+
		"chunk_time_interval => interval '30 days', create_default_indexes => false)")
	if err == nil {
		return inner.Commit(ctx)
	}
	s.tell(fmt.Sprintf("TimescaleDB does not take the history's buckets, which stay a plain table: %v", err))
	return inner.Rollback(ctx)
}
