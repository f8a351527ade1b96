package session

// simpleFindings are statements whose first word says everything.
var simpleFindings = map[keyword]Finding{
	kwAlter: DDL, kwBegin: Begin, kwCall: Call, kwClose: CloseCursor, kwCommit: Commit, kwCreate: DDL, kwDo: Do,
	kwDrop: DDL | Drop, kwEnd: Commit, kwExecute: SQLExecute, kwImport: DDL, kwListen: Listen, kwLoad: Load,
	kwRelease: Savepoint, kwSavepoint: Savepoint, kwStart: Begin, kwUnlisten: Unlisten,
	kwDeclare: 0, kwExplain: 0, kwHarmless: 0, kwInsert: 0, kwMerge: 0, kwSelect: 0, kwTable: 0, kwWith: 0,
}

// begin takes the beginning of a statement, and returns the first token that is not part of it.
func (r *reader) begin(t token) token {
	r.first = none
	if t.kind == word {
		r.first = keywordOf(r.sql[t.from:t.to], false)
	}
	if r.nesting > 0 && r.beginNested() {
		r.last = r.first
		return r.next()
	}
	switch r.first {
	case kwSet:
		return r.beginSet()
	case kwReset:
		return r.beginReset()
	case kwDeallocate:
		return r.beginDeallocate()
	case kwDiscard:
		t = r.next()
		r.found |= Discard
		if r.wordOrNone(t) == kwAll {
			r.found |= DiscardAll
		}
		return t
	case kwPrepare:
		return r.beginPrepare()
	case kwRollback, kwAbort:
		return r.beginRollback()
	}
	found, known := simpleFindings[r.first]
	r.found |= found
	if !known && r.nesting == 0 && t.kind == word {
		r.found |= Unsure // a statement this package does not know, or a syntax error
	}
	r.last = r.first
	return r.next()
}

// after takes the token after one that has been taken, without leaving the statement.
func (r *reader) after(t token) token {
	if t.ends() {
		return t
	}
	return r.next()
}

// beginNested reports whether the word means something else in PL/pgSQL, or is not worth a finding there.
func (r *reader) beginNested() bool {
	switch r.first {
	case kwEnd, kwCommit, kwRollback, kwAbort, kwStart, kwExecute, kwSavepoint, kwRelease, kwClose, kwCall:
		return true
	}
	return false
}

func (r *reader) wordOrNone(t token) keyword {
	if t.kind != word {
		return none
	}
	return keywordOf(r.sql[t.from:t.to], false)
}

// beginSet reads SET [SESSION | LOCAL] name. The second word may be a name itself, as in SET local.x = 1.
func (r *reader) beginSet() token {
	second := r.next()
	third := r.after(second)
	scope := r.wordOrNone(second)
	if r.continuesName(third) {
		scope = none
	}
	switch scope {
	case kwLocal, kwTransaction:
		r.found |= Local
		return third
	case kwConstraints:
		return third
	case kwSession:
		second, third = third, r.after(third)
	}
	r.found |= Setting
	return r.settingName(second, third)
}

// continuesName reports whether the word before the token is the name of a setting, or its first part.
func (r *reader) continuesName(t token) bool {
	return t.is('.') || t.is('=') || r.wordOrNone(t) == kwTo
}

// settingName reads name[.name]… and remembers it if it is custom. t is its first token, after the one
// behind.
func (r *reader) settingName(t, after token) token {
	var name []byte
	for {
		part := r.sql[t.from:t.to]
		switch {
		case t.kind == word:
		case t.kind == quotedWord && len(part) > 2:
			part = part[1 : len(part)-1]
		default: // a syntax error, or a piece of a text which DO puts together
			if r.nesting > 0 {
				r.found |= SettingHidden
			}
			return after
		}
		if r.names != nil {
			name = append(name, part...)
		}
		if !after.is('.') || len(name) > MaxNameBytes {
			break
		}
		if r.names != nil {
			name = append(name, '.')
		}
		t = r.next()
		after = r.after(t)
	}
	r.names.collectName(name)
	return after
}

func (r *reader) beginReset() token {
	t := r.next()
	after := r.after(t)
	if r.wordOrNone(t) == kwTransaction && !r.continuesName(after) {
		r.found |= Local
	} else {
		r.found |= Setting
	}
	return after
}

// beginDeallocate reads DEALLOCATE [PREPARE] name | ALL.
func (r *reader) beginDeallocate() token {
	r.found |= Deallocate
	t := r.next()
	if r.wordOrNone(t) == kwPrepare {
		t = r.next()
	}
	if r.wordOrNone(t) == kwAll {
		r.found |= DeallocateAll
	}
	return r.after(t)
}

// beginPrepare tells PREPARE TRANSACTION 'name' from PREPARE name AS ….
func (r *reader) beginPrepare() token {
	t := r.next()
	after := r.after(t)
	text := after.kind == literal || after.kind == escaped || after.kind == dollarBody
	if text && r.wordOrNone(t) == kwTransaction {
		r.found |= Commit
	} else {
		r.found |= SQLPrepare
	}
	return after
}

// beginRollback tells ROLLBACK from ROLLBACK [WORK | TRANSACTION] TO ….
func (r *reader) beginRollback() token {
	t := r.next()
	for t.kind == word {
		if r.wordOrNone(t) == kwTo {
			r.found |= RollbackTo
			return t
		}
		t = r.next()
	}
	r.found |= Rollback
	return t
}
