package lanes

import "bytes"

// AskedBySet is the value of a statement that is a SET of usher.lane and nothing else, in the forms people write:
//
//	SET [SESSION] usher.lane { = | TO } { value | 'value' | "value" } [;]
//
// ok is false for any other statement; what is more unusual is seen when it has been executed.
func AskedBySet(sql []byte) (value []byte, ok bool) {
	sql = trimLeft(sql)
	if sql, ok = keyword(sql, "set"); !ok {
		return nil, false
	}
	if rest, ok := keyword(sql, "session"); ok {
		sql = rest
	}
	if len(sql) < len(Setting) || !bytes.EqualFold(sql[:len(Setting)], []byte(Setting)) {
		return nil, false
	}
	sql = trimLeft(sql[len(Setting):])
	if rest, found := keyword(sql, "to"); found {
		sql = rest
	} else if sql, ok = bytes.CutPrefix(sql, []byte("=")); !ok {
		return nil, false
	}
	sql = bytes.TrimRight(trimLeft(sql), "; \t\r\n\f\v")
	if n := len(sql); n >= 2 && (sql[0] == '\'' || sql[0] == '"') && sql[n-1] == sql[0] {
		sql = sql[1 : n-1]
	}
	if len(sql) == 0 || bytes.ContainsAny(sql, "'\" \t\r\n;,") {
		return nil, false
	}
	return sql, true
}

// keyword takes a word that white space follows off the head of a statement, in any case.
func keyword(sql []byte, word string) (rest []byte, ok bool) {
	if len(sql) <= len(word) || !isSpace(sql[len(word)]) || !bytes.EqualFold(sql[:len(word)], []byte(word)) {
		return sql, false
	}
	return trimLeft(sql[len(word):]), true
}
