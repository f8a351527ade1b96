// Package feed fetches calendars again and again, and keeps the last good copy of each: a feed that fails or has
// suddenly lost most of its future does not make usher forget Saturday. How old the copy is and why there is no newer
// one is shown in [State].
//
// It is the input and output of package calendar: files, URLs and queries on PostgreSQL come in here, and the copy is
// kept on disk. A [Feed] reads only in Run; everybody else takes snapshots, which cost nothing.
//
// URLs of calendars carry their secret in the path, and DSNs a password. Neither is in any error or state.
package feed
