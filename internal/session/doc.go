// Package session knows what a statement may leave behind in a PostgreSQL session, and carries from one
// server connection to the next what a client has set.
//
// In transaction pooling a client meets another server connection with every transaction. Most statements
// leave nothing in the session. A few leave something that can be carried along (settings, loaded libraries),
// and a few leave something that cannot (LISTEN, temporary tables, session advisory locks, holdable cursors,
// SQL-level prepared statements): such a client is pinned to its server connection until that state is gone.
// The package is pure: it does no I/O, reads no clock and starts no goroutine. It has four parts.
//
// # Scan
//
// [Scan] looks at the text of a Query or Parse message and returns a [Finding], a small bit set. It never
// misses a statement that it promises to see; it may suspect one that is innocent, which costs a probe. A
// plain SELECT, INSERT, UPDATE, BEGIN or COMMIT is decided by one pass over its bytes without lexing it.
//
// # Settings
//
// A [Settings] is an immutable, interned set of settings: equal sets are the same pointer, nil is the empty
// set, so "does this server connection already have what this client needs?" is one comparison. [AppendDiff]
// writes the one simple Query that takes a server connection from one set to another. It runs as one implicit
// transaction, so when it fails the server connection is where it was.
//
// Parameters which PostgreSQL reports (ParameterStatus) are part of the set by value. A server connection
// begins with the set [Reported] makes of its ParameterStatus messages; a client begins with what its welcome
// shows, which is such a set and its own startup parameters ([Welcome], [Tracker.Start]). Therefore a client
// gets what its welcome promised on every server connection, whatever defaults that one has.
//
// # Tracker
//
// A [Tracker] belongs to one client. It is told what goes to the server and what comes back, and says at each
// end of a transaction whether nothing has changed, the settings have changed, or the server must be asked:
//
//	forward Query:      tracker.Observe(session.Scan(text), text, ahead)
//	forward Execute:    tracker.Observe(statement.Finding, statement.Text(), ahead) // not at Parse, not at Bind
//	CommandComplete:    if tracker.CommandTag(tag) { clear the maps of prepared statements }
//	ErrorResponse:      tracker.Error()
//	ParameterStatus:    tracker.ParameterStatus(name, value)
//	ReadyForQuery:      action := tracker.Ready(status, moreExpected)
//
// Action.Kind is [Nothing], [Changed] (action.Client and action.Server are the new sets; they differ after a
// RESET, because the client falls back to its startup parameters and the server connection to its own), or
// [AskServer]: the relay keeps the link, sends [Tracker.AppendProbe] as a simple Query, gives the row to
// [ParseProbe] and the result to [Tracker.Apply], which returns a [Changed] action. A probe that fails is
// reported by [Tracker.ProbeFailed]. Then [Tracker.Pins] says whether the client may give its server
// connection back.
//
// Before the first statement of a transaction, whether the client has just been linked or is pinned: when
// server.settings != tracker.Settings(), send AppendDiff(nil, server.settings, tracker.Settings()), pass
// ParameterStatus messages to the tracker (and on to the client), and on success set server.settings =
// tracker.Synced(server.settings); on an error call tracker.SyncFailed(). The tracker relies on it: it takes
// a transaction to begin with its settings.
//
// The rules are few. A SET whose text says everything (literal values, one statement or several without
// transaction control) is applied when its transaction committed, and dropped when it was plainly rolled
// back. A reported parameter has the value last reported, whatever happened. Everything else that may have
// changed the session is asked from the server, which knows. While a client is pinned, statements that may
// end the pin ask again.
//
// # What is not seen
//
// A function, a procedure or a trigger may do anything inside: set_config(…, false), LISTEN, advisory locks.
// Its text is on the server, so nothing here can see it, and asking after every SELECT would cost each client
// a round trip for the sake of a few; neither does any other pooler. CALL is marked ([Call]) and treated like
// a function. DO brings its text along, so its body is scanned. Sequence state (currval, lastval), setseed,
// dblink connections and replication origins are not carried and do not pin. An application that needs them
// uses a pool in session mode.
package session
