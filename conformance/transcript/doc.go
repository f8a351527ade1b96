//go:build integration

// Package transcript replays conversations in the PostgreSQL wire protocol that are written down as text, and
// says where a server's answers differ from the recorded ones.
//
// The idea is CockroachDB's pgtest; the format is our own. A file tells one topic:
//
//	# A statement that fails leaves the transaction failed.
//	> Query "BEGIN"
//	< CommandComplete "BEGIN"
//	< ReadyForQuery transaction
//
//	> Query "SELECT 1/0"
//	< ErrorResponse ERROR 22012 "division by zero"
//	< ReadyForQuery failed
//
// Consecutive ">" lines are one block: they are sent together and then the answers are read, by default until
// as many ReadyForQuery have come as Query, Sync, FunctionCall and Startup were sent. A line "until …" says
// otherwise:
//
//	until CopyInResponse       stop after this message
//	until DataRow x3           stop after the third
//	until none                 read nothing now; the answers belong to a later block
//	until closed               the server ends the connection (seen or not, the end is recorded as "< closed")
//
// A block without ">" lines starts with its until. Several connections take part under names: "b> Query …",
// "b< …", "b: until …". The connection without a name is just one more. Other lines:
//
//	connect b user=u -c=x      log in (a connection that is used without being connected is logged in first)
//	open b                     TCP connection only; the file sends Startup itself
//	drop b                     close the socket without a word
//	cancel b                   send a CancelRequest with b's key and wait until the server has taken it
//	direct "SQL"               run SQL on PostgreSQL itself, not on the server under test
//	await "SQL"                run SQL on PostgreSQL itself until it returns a row
//	skip usher: reason         the file is not for this target
//	hide ParameterStatus       leave these messages out
//
// A deliberate difference is written after the golden lines of its block, with its reason:
//
//	diverges usher: usher speaks protocol 3.2 whatever its server speaks
//	< …
//
// $TAG is a word of six letters, different in each replay, so that the same file can run many times at once.
// What no two servers agree on is not recorded: process ids, cancel keys, table OIDs, source positions of
// errors.
package transcript
