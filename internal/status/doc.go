// Package status says what usher is doing: one snapshot of plain structs that the console, the metrics and the web
// pages render, and the one interface through which an operator acts.
//
// A Snapshot is a value. Whoever made it is finished with it, whoever got it may keep it; nothing in it is shared with
// the data path. It is gathered in Sections because listing 10,000 clients costs more than counting them: ask for what
// will be shown. Counts (pools, stats, lists) are gathered at one moment, so they agree with each other; the lists of
// clients and servers are gathered loop by loop and may be some milliseconds apart.
//
// Nothing in a snapshot is a secret: no password, no cancel key, no statement text. Whoever fills Config masks what its
// option rows call secret.
//
// Counters only grow while usher runs. Durations are time.Duration (nanoseconds in JSON, their keys end in _ns), except
// in Totals and Averages, which count microseconds as PgBouncer does, because 10,000 waiting clients fill 63 bits of
// nanoseconds within days.
package status
