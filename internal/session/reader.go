package session

import "strings"

// maxNesting bounds how deep calls of set_config in arguments of set_config, and texts in texts (DO), are
// followed.
const maxNesting = 4

// reader reads a text statement by statement and collects what it finds.
type reader struct {
	lexer
	found      Finding
	statements int
	nesting    int       // how many texts this one is in: a body of DO, a string in such a body
	names      *nameList // if not nil: collects the custom settings whose names the text tells

	// about the statement that is being read
	first        keyword
	before, last keyword // the last two words or none; before is the earlier
	depth        int     // of parentheses
	temp         tempProgress
	dropped      dropProgress
	calls        [maxNesting]call
	open         int // calls of set_config that are being read
}

// tempProgress is how far CREATE TEMP … has been read.
type tempProgress uint8

const (
	tempNone  tempProgress = iota
	tempWord               // TEMP was the last token
	tempTable              // CREATE TEMP TABLE, which leaves nothing if it says ON COMMIT DROP
)

// dropProgress is how far ON COMMIT DROP has been read.
type dropProgress uint8

const (
	dropNone dropProgress = iota
	dropOn
	dropCommit
	dropAll
)

// all reads the text to its end.
func (r *reader) all() {
	for {
		t := r.next()
		for t.is('(') {
			t = r.next()
		}
		if t.kind == end {
			break
		}
		if t.is(';') {
			continue
		}
		r.statements++
		r.statement(t)
	}
	if r.statements > 1 && r.nesting == 0 {
		r.found |= Multi
	}
	if r.unsure {
		r.found |= Unsure
	}
}

// is reports whether the token is this punctuation.
func (t token) is(char byte) bool { return t.kind == punctuation && t.char == char }

// ends reports whether the token is behind a statement.
func (t token) ends() bool { return t.kind == end || t.is(';') }

// statement reads one statement, whose first token has been taken, to behind its semicolon.
func (r *reader) statement(t token) {
	r.before, r.last, r.depth = none, none, 0
	r.temp, r.dropped, r.open = tempNone, dropNone, 0
	if r.nesting > 0 && beginsBlock(r.wordOrNone(t)) {
		return
	}
	for t = r.begin(t); !t.ends(); t = r.next() {
		r.token(t)
		if r.nesting > 0 && beginsBlock(r.last) {
			break // in PL/pgSQL, a statement begins after these words too
		}
	}
	for r.open > 0 {
		r.finishCall() // the text ends within the arguments
	}
	if r.temp == tempWord || r.temp == tempTable && r.dropped != dropAll {
		r.found |= Temp
	}
}

func beginsBlock(k keyword) bool {
	return k == kwBegin || k == kwThen || k == kwElse || k == kwLoop || k == kwDeclare
}

// token takes a token within a statement.
func (r *reader) token(t token) {
	k := none
	switch t.kind {
	case word, quotedWord:
		k = r.wordOf(t)
	case literal, escaped, dollarBody:
		r.text(t)
	}
	r.temporary(k)
	r.onCommitDrop(k)
	switch k {
	case kwAdvisory:
		r.found |= Advisory
	case kwAdvisoryUnlock:
		r.found |= AdvisoryUnlock
	case kwPgTemp:
		r.found |= Temp
	case kwHold:
		if r.last == kwWith && (r.first == kwDeclare || r.nesting > 0) {
			r.found |= CursorHold
		}
	}
	r.punctuation(t)
	if r.open > 0 {
		r.calls[r.open-1].take(r, t, k)
	}
	r.before, r.last = r.last, k
}

// wordOf is the keyword of a word or quoted identifier.
func (r *reader) wordOf(t token) keyword {
	if t.kind == quotedWord {
		return keywordOf(r.sql[t.from+1:max(t.from+1, t.to-1)], true)
	}
	return keywordOf(r.sql[t.from:t.to], false)
}

// temporary finds CREATE TEMP … and SELECT … INTO TEMP ….
func (r *reader) temporary(k keyword) {
	if r.temp == tempWord {
		r.temp = tempNone
		if k == kwTable && r.first != kwSelect {
			r.temp = tempTable
		} else {
			r.found |= Temp
		}
	}
	if k != kwTemp {
		return
	}
	switch r.last {
	case kwCreate, kwReplace, kwLocal, kwGlobal:
		r.temp = tempWord
	case kwInto:
		if r.before != kwInsert && r.before != kwMerge {
			r.found |= Temp
		}
	}
}

// onCommitDrop follows ON COMMIT DROP outside of parentheses.
func (r *reader) onCommitDrop(k keyword) {
	if r.temp != tempTable || r.depth != 0 || r.dropped == dropAll {
		return
	}
	switch {
	case k == kwOn:
		r.dropped = dropOn
	case k == kwCommit && r.dropped == dropOn:
		r.dropped = dropCommit
	case k == kwDrop && r.dropped == dropCommit:
		r.dropped = dropAll
	default:
		r.dropped = dropNone
	}
}

// punctuation counts parentheses and opens and closes calls of set_config.
func (r *reader) punctuation(t token) {
	switch {
	case t.is('('):
		r.depth++
		if r.last == kwSetConfig {
			r.openCall()
		}
	case t.is(')'):
		r.depth--
		if r.open > 0 && r.depth < r.calls[r.open-1].depth {
			r.finishCall()
		}
	}
}

// text takes a string within a statement. It is data, except where it is code: in DO and in what DO contains.
func (r *reader) text(t token) {
	content := r.sql[t.from:t.to]
	if (r.first == kwSet || r.open > 0) && containsFold(content, "pg_temp") {
		r.found |= Temp
	}
	if r.first != kwDo && r.nesting == 0 {
		return
	}
	if r.nesting == maxNesting {
		r.found |= Unsure
		return
	}
	if t.kind == dollarBody {
		content = r.body(t)
	} else {
		content = []byte(strings.ReplaceAll(strings.Trim(string(content), "'"), "''", "'"))
	}
	if t.kind == escaped {
		r.unsure = true // the escapes may spell anything
	}
	inner := reader{lexer: lexer{sql: content}, nesting: r.nesting + 1, names: r.names}
	inner.all()
	r.found |= inner.found
	if inner.found.Has(Deallocate | Discard) {
		r.found |= Unsure // no command tag will tell
	}
}

// containsFold reports whether text contains a lower-case word in any case.
func containsFold(text []byte, wanted string) bool {
	for i := 0; i+len(wanted) <= len(text); i++ {
		if text[i]|0x20 == wanted[0] && strings.EqualFold(string(text[i:i+len(wanted)]), wanted) {
			return true
		}
	}
	return false
}
