package session

// keyword is a word that means something to this package.
type keyword uint8

const (
	none keyword = iota
	kwAbort
	kwAll
	kwAlter
	kwAuthorization
	kwBegin
	kwCall
	kwCharacteristics
	kwClose
	kwCommit
	kwConstraints
	kwCreate
	kwCurrent
	kwDeallocate
	kwDeclare
	kwDefault
	kwDiscard
	kwDo
	kwDrop
	kwElse
	kwEnd
	kwExecute
	kwExplain
	kwFrom
	kwGlobal
	kwHarmless // begins a statement that leaves nothing, unless a word in it says otherwise
	kwHold
	kwImport
	kwInsert
	kwInto
	kwListen
	kwLoad
	kwLocal
	kwLoop
	kwMerge
	kwNames
	kwOn
	kwPrepare
	kwRelease
	kwReplace
	kwReset
	kwRole
	kwRollback
	kwSavepoint
	kwSchema
	kwSelect
	kwSession
	kwSet
	kwSetConfig
	kwStart
	kwTable
	kwTemp
	kwThen
	kwTime
	kwTo
	kwTransaction
	kwTrue
	kwUnlisten
	kwWith
	kwXML
	kwZone
	kwPgTemp         // pg_temp, pg_temp_3
	kwAdvisory       // functions that take a session-level advisory lock
	kwAdvisoryUnlock // functions that release one
)

// longestKeyword bounds what is looked up; longer words are no keywords but may begin like one.
const longestKeyword = 32

// keywords are all words but those which are recognized by their beginning. harmless are the first words of
// the other statements PostgreSQL 12 to 18 know.
var keywords = map[string]keyword{
	"abort": kwAbort, "all": kwAll, "alter": kwAlter, "authorization": kwAuthorization, "begin": kwBegin,
	"call": kwCall, "characteristics": kwCharacteristics, "close": kwClose, "commit": kwCommit,
	"constraints": kwConstraints, "create": kwCreate, "current": kwCurrent, "deallocate": kwDeallocate,
	"declare": kwDeclare, "default": kwDefault, "discard": kwDiscard, "do": kwDo, "drop": kwDrop, "else": kwElse,
	"end": kwEnd, "execute": kwExecute, "explain": kwExplain, "from": kwFrom, "global": kwGlobal, "hold": kwHold,
	"import": kwImport, "insert": kwInsert, "into": kwInto, "listen": kwListen, "load": kwLoad, "local": kwLocal,
	"loop": kwLoop, "merge": kwMerge, "names": kwNames, "on": kwOn, "prepare": kwPrepare, "release": kwRelease,
	"replace": kwReplace, "reset": kwReset, "role": kwRole, "rollback": kwRollback, "savepoint": kwSavepoint,
	"schema": kwSchema, "select": kwSelect, "session": kwSession, "set": kwSet, "set_config": kwSetConfig,
	"start": kwStart, "table": kwTable, "temp": kwTemp, "temporary": kwTemp, "then": kwThen, "time": kwTime,
	"to": kwTo, "transaction": kwTransaction, "true": kwTrue, "unlisten": kwUnlisten, "with": kwWith,
	"xml": kwXML, "zone": kwZone,

	"analyse": kwHarmless, "analyze": kwHarmless, "checkpoint": kwHarmless, "cluster": kwHarmless,
	"comment": kwHarmless, "copy": kwHarmless, "delete": kwHarmless, "fetch": kwHarmless, "grant": kwHarmless,
	"lock": kwHarmless, "move": kwHarmless, "notify": kwHarmless, "reassign": kwHarmless, "refresh": kwHarmless,
	"reindex": kwHarmless, "revoke": kwHarmless, "security": kwHarmless, "show": kwHarmless,
	"truncate": kwHarmless, "update": kwHarmless, "vacuum": kwHarmless, "values": kwHarmless,
}

// keywordLengths are the lengths of the keywords for each first letter, as bits. It spares most words the
// map.
var keywordLengths = func() (table [32]uint32) {
	for k := range keywords {
		table[k[0]&31] |= 1 << len(k)
	}
	return table
}()

// keywordOf looks a word up without regard to case. Quoted words name functions and schemas, but are no
// keywords.
func keywordOf(text []byte, quoted bool) keyword {
	if len(text) < 2 || text[0]|0x20 != 'p' &&
		(len(text) >= longestKeyword || keywordLengths[text[0]&31]&(1<<len(text)) == 0) {
		return none
	}
	var lower [longestKeyword]byte
	n := copy(lower[:], text)
	for i, c := range lower[:n] {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c | 0x20
		}
	}
	folded := lower[:n]
	if n > 3 && folded[0] == 'p' && folded[1] == 'g' && folded[2] == '_' {
		return catalogName(folded[3:])
	}
	if n == longestKeyword {
		return none
	}
	found := keywords[string(folded)]
	if quoted && found != kwSetConfig {
		return none
	}
	return found
}

// catalogName recognizes names of pg_catalog by what follows pg_. They are recognized by their beginning, so
// that forms a later PostgreSQL adds are not missed.
func catalogName(name []byte) keyword {
	switch {
	case hasPrefix(name, "temp"):
		return kwPgTemp
	case hasPrefix(name, "advisory_unlock"):
		return kwAdvisoryUnlock
	case hasPrefix(name, "advisory_xact_"), hasPrefix(name, "try_advisory_xact_"):
		return none
	case hasPrefix(name, "advisory_"), hasPrefix(name, "try_advisory_"):
		return kwAdvisory
	}
	return none
}

func hasPrefix(text []byte, prefix string) bool {
	return len(text) >= len(prefix) && string(text[:len(prefix)]) == prefix
}
