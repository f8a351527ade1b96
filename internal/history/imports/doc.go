// Package imports reads what others have recorded of a pool, so that a forecast does not begin with nothing: CSV files,
// Prometheus, and PgBouncer.
//
// What it returns is what usher would have recorded as far as the source tells. A number the source does not have is
// the next best one it has (a maximum where there is no 95th percentile, and so on), or 0 where 0 means "not known".
// Samples are the seconds the source speaks for, so that a complete source counts as much as usher's own. A time for
// which the source has nothing has no bucket.
//
// Every source is taken to be hostile: it is bounded, and what is not a number of at least 0 is an error that names the
// line.
package imports
