package session

import "strings"

// Finding says what a text may do to its session. The zero Finding is a text that leaves nothing behind and
// does not control transactions.
type Finding uint32

// The findings. A text with several statements has the findings of all of them, and Multi.
const (
	// Setting: SET, RESET, SET ROLE, SET SESSION AUTHORIZATION, SET SESSION CHARACTERISTICS, set_config(…,
	// false).
	Setting Finding = 1 << iota
	// SettingHidden: a setting whose name the text does not tell, as in set_config($1, $2, false). PostgreSQL
	// does not list custom settings either, so such a client is pinned.
	SettingHidden
	// Local: SET LOCAL and SET TRANSACTION, which end with their transaction (but have the command tag SET).
	Local
	// Listen: LISTEN.
	Listen
	// Unlisten: UNLISTEN.
	Unlisten
	// Temp: may create something temporary. Not CREATE TEMP TABLE … ON COMMIT DROP, which leaves nothing.
	Temp
	// Advisory: may take a session-level advisory lock.
	Advisory
	// AdvisoryUnlock: may release a session-level advisory lock.
	AdvisoryUnlock
	// CursorHold: DECLARE … WITH HOLD.
	CursorHold
	// CloseCursor: CLOSE.
	CloseCursor
	// SQLPrepare: PREPARE name AS (not PREPARE TRANSACTION, not the protocol's Parse).
	SQLPrepare
	// SQLExecute: EXECUTE name.
	SQLExecute
	// Deallocate: DEALLOCATE name or ALL; see Deallocated.
	Deallocate
	// DeallocateAll: DEALLOCATE ALL, which also drops what Parse has made.
	DeallocateAll
	// Discard: DISCARD of anything.
	Discard
	// DiscardAll: DISCARD ALL, which also drops what Parse has made.
	DiscardAll
	// Load: LOAD 'library'.
	Load
	// Begin: BEGIN, START TRANSACTION.
	Begin
	// Commit: COMMIT, END, COMMIT PREPARED, and PREPARE TRANSACTION.
	Commit
	// Rollback: ROLLBACK, ABORT, ROLLBACK PREPARED; not ROLLBACK TO.
	Rollback
	// Savepoint: SAVEPOINT, RELEASE.
	Savepoint
	// RollbackTo: ROLLBACK TO.
	RollbackTo
	// DDL: CREATE, ALTER, DROP, IMPORT and the like: result types of prepared statements may change.
	DDL
	// Drop: DROP, which may end a pin for temporary objects.
	Drop
	// Do: DO; its body has been scanned too.
	Do
	// Call: CALL, as opaque as any function.
	Call
	// Multi: more than one statement.
	Multi
	// Unsure: the text could not be read reliably, or was not read to its end. The relay sets it itself for a
	// text it did not have in one piece.
	Unsure
)

// control is what begins, ends or undoes transactions.
const control = Begin | Commit | Rollback | Savepoint | RollbackTo

// ClearsPrepared reports whether the text drops all prepared statements of its session when it completes.
// Statements forwarded after it and before its completion must not count on those that existed.
func (f Finding) ClearsPrepared() bool { return f&(DeallocateAll|DiscardAll) != 0 }

// Has reports whether any of the wanted findings is there.
func (f Finding) Has(wanted Finding) bool { return f&wanted != 0 }

var findingNames = [...]string{
	"setting", "setting hidden", "local", "listen", "unlisten", "temp", "advisory", "advisory unlock",
	"cursor hold", "close cursor", "sql prepare", "sql execute", "deallocate", "deallocate all", "discard",
	"discard all", "load", "begin", "commit", "rollback", "savepoint", "rollback to", "ddl", "drop", "do",
	"call",
	"multi", "unsure",
}

// String lists the findings, "nothing" if there is none.
func (f Finding) String() string {
	if f == 0 {
		return "nothing"
	}
	var names []string
	for bit, name := range findingNames {
		if f&(1<<bit) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
