// Package prepared shares the protocol's prepared statements between clients and server connections.
//
// A client that prepares a statement prepares it in a session; in transaction pooling its next transaction
// runs in another one. So usher names statements itself: every different statement is one [Statement], known
// to all server connections by the same name ("usher_" and a number), and a client's own names are a map to
// statements. Clients that prepare the same text share one statement, and a server connection has to parse it
// once.
//
// The package is pure: it does no I/O, reads no clock and starts no goroutine. Nothing allocates when what is
// asked for is there.
//
//   - [Registry] holds all statements. It is shared by all event loops. Two texts are the same statement when
//     the text, the types of the parameters and the settings with which the server reads the text are the same:
//     other types, another search_path or time zone can mean other results.
//   - [Names] are the statements of one client, by its own names. It belongs to the client's loop.
//   - [Cache] knows which statements are prepared on one server connection, the most recently used first. It
//     belongs to that connection's loop.
//
// A Statement is counted by whoever holds it: Registry.Intern gives one reference, Names and Cache take their
// own, and Release gives one back. A statement nobody holds leaves the registry. A Statement that has been
// released may still be read: its name is never used again for another.
//
// # Batches
//
// A cache is changed when messages are forwarded, because the messages behind them count on it. When the
// server answers with an error it skips to the next Sync, and what it skipped did not happen: for a Parse
// that was skipped or refused the relay calls [Cache.Remove], for a Close that was skipped [Cache.Restore].
//
// # When result types change
//
// A statement keeps the result types it was prepared with; when a table has changed, PostgreSQL answers
// "cached plan must not change result type", for as long as the session keeps the statement.
// [Registry.Retire] makes the next Parse of that text a new statement with a new name, which is what a driver
// that prepares again expects.
package prepared
