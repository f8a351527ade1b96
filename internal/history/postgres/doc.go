// Package postgres keeps the history in a PostgreSQL database, for those who have one at hand anyway, want to look at
// it with SQL, or run several ushers. It is the same history as that of package sqlite, and passes the same tests.
//
// A bucket is a row here, in plain columns: what reads a year at once asks for it over a network, where a hundred
// thousand rows are as quick as their bytes (a year of five-minute buckets in 257 ms,
// and 71 ms once all but two months are hours; bench in postgres_test.go), and dashboards read tables.
// Writers of a pool take turns by an advisory lock, so that two ushers can write the same one.
//
// The tables (usher_bucket, usher_forecast, usher_decision, usher_event, usher_history) are made in the first schema of
// the search_path by the first who connects. Where TimescaleDB is there, usher_bucket becomes a hypertable; where that
// is not allowed, it stays a table, which is told.
package postgres
