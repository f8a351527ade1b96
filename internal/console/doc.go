// Package console is PgBouncer's admin console on the virtual databases "pgbouncer" and "usher": the same commands,
// the same columns in the same order with the same types, the same command tags and error texts as PgBouncer 1.25, so
// that exporters, dashboards and scripts written for it work. What usher knows beyond that comes in columns after
// PgBouncer's, in SHOW LANES and SHOW PINS.
//
// Only the simple query protocol is spoken, as in PgBouncer. Beyond it the console accepts comments, an empty query,
// several commands in one query, and unquoted names with dots and hyphens; a message of the extended protocol is
// answered with an error and skipped up to its Sync, and the connection stays.
//
// Every command is a row of the table in commands.go: name, permission, columns or action, usage. The permission is
// looked at in one place, Session.run. A table of SHOW is a list of columns, and a column is a name, a type and a
// function of the thing shown (table.go).
//
// Serve blocks on the caller's goroutine. While a command waits (PAUSE, WAIT_CLOSE, SUSPEND) a second goroutine watches
// the connection (watch.go), so that a client that leaves ends the wait.
package console
