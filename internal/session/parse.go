package session

import "strings"

// maxTokens bounds the statements whose effect is known by their text; a search_path of 30 schemas fits.
const maxTokens = 64

// ParseChange reads a text that is one statement whose effect on the settings its text tells completely: SET,
// RESET, DISCARD ALL, LOAD, and SELECT set_config(…, false), all with literal values. It refuses what it does
// not understand completely, and values outside of printable ASCII, whose bytes would depend on the client's
// encoding.
func ParseChange(sql []byte) (Change, bool) {
	change, _, ok := parseChange(sql)
	return change, ok
}

// parseChange also tells whether the statement is a SELECT, not a SET.
func parseChange(sql []byte) (change Change, byFunction, ok bool) {
	var p parser
	if !p.tokenize(sql) {
		return Change{}, false, false
	}
	byFunction = p.isWord(p.peek(), "select")
	change, ok = p.change()
	if !ok || p.left() != 0 || len(change.Text) > MaxValueBytes || !replayable(change.Name) {
		return Change{}, false, false
	}
	return change, byFunction, true
}

// Deallocated reads a text that is one DEALLOCATE: the name it drops, or that it drops all.
func Deallocated(sql []byte) (name string, all, ok bool) {
	var p parser
	if !p.tokenize(sql) || !p.accept("deallocate") {
		return "", false, false
	}
	if p.left() == 2 {
		p.accept("prepare")
	}
	if p.accept("all") {
		return "", true, p.left() == 0
	}
	name, ok = p.identifier()
	if !ok || p.left() != 0 {
		return "", false, false
	}
	return name, false, true
}

// parser reads one short statement.
type parser struct {
	sql    []byte
	tokens [maxTokens]token
	count  int
	at     int
}

// tokenize takes the tokens of a text that is one statement.
func (p *parser) tokenize(sql []byte) bool {
	p.sql = trim(sql)
	l := lexer{sql: p.sql}
	for t := l.next(); t.kind != end; t = l.next() {
		if p.count == maxTokens || t.is(';') || !plain(p.sql[t.from:t.to]) {
			return false
		}
		p.tokens[p.count] = t
		p.count++
	}
	return !l.unsure && p.count > 0
}

func (p *parser) left() int { return p.count - p.at }

// peek is the next token without taking it.
func (p *parser) peek() token { return p.ahead(0) }

func (p *parser) ahead(n int) token {
	if p.at+n >= p.count {
		return token{kind: end}
	}
	return p.tokens[p.at+n]
}

func (p *parser) source(t token) string { return string(p.sql[t.from:t.to]) }

func (p *parser) isWord(t token, wanted string) bool {
	return t.kind == word && strings.EqualFold(p.source(t), wanted)
}

// accept takes the words if they come next.
func (p *parser) accept(words ...string) bool {
	for i, w := range words {
		if !p.isWord(p.ahead(i), w) {
			return false
		}
	}
	p.at += len(words)
	return true
}

// acceptChar takes the punctuation if it comes next.
func (p *parser) acceptChar(char byte) bool {
	if !p.peek().is(char) {
		return false
	}
	p.at++
	return true
}

// identifier takes an identifier, folded as PostgreSQL does.
func (p *parser) identifier() (string, bool) {
	t := p.peek()
	switch t.kind {
	case word:
		p.at++
		name := strings.ToLower(p.source(t))
		return name, len(name) <= maxIdentifier
	case quotedWord:
		p.at++
		name, ok := unquote(p.source(t), '"')
		return name, ok && len(name) <= maxIdentifier
	}
	return "", false
}

// maxIdentifier is NAMEDATALEN - 1; PostgreSQL truncates longer identifiers.
const maxIdentifier = 63

// stringLiteral takes a string literal and returns its value.
func (p *parser) stringLiteral() (string, bool) {
	t := p.peek()
	if t.kind != literal {
		return "", false
	}
	p.at++
	return unquote(p.source(t), '\'')
}

// unquote is the value of a quoted text without backslashes. It refuses one that has no end, and one in
// several parts.
func unquote(source string, quote byte) (string, bool) {
	if len(source) < 2 || source[len(source)-1] != quote {
		return "", false
	}
	inner := source[1 : len(source)-1]
	if strings.IndexByte(inner, quote) < 0 {
		return inner, true
	}
	value := make([]byte, 0, len(inner))
	for i := 0; i < len(inner); i++ {
		value = append(value, inner[i])
		if inner[i] != quote {
			continue
		}
		i++
		if i == len(inner) || inner[i] != quote {
			return "", false
		}
	}
	return string(value), true
}

// change takes the statement.
func (p *parser) change() (Change, bool) {
	switch {
	case p.accept("set"):
		return p.set()
	case p.accept("reset"):
		return p.reset()
	case p.accept("discard", "all"):
		return Change{Kind: ChangeDiscardAll}, true
	case p.accept("load"):
		t := p.peek()
		if _, ok := p.stringLiteral(); !ok {
			return Change{}, false
		}
		return Change{Kind: ChangeLoad, Text: "LOAD " + p.source(t)}, true
	case p.accept("select"):
		return p.setConfig()
	}
	return Change{}, false
}

func (p *parser) reset() (Change, bool) {
	switch {
	case p.accept("all"):
		return Change{Kind: ChangeResetAll}, true
	case p.accept("time", "zone"):
		return Change{Kind: ChangeReset, Name: "timezone"}, true
	case p.accept("session", "authorization"):
		return Change{Kind: ChangeReset, Name: sessionAuthorization}, true
	}
	name, ok := p.name()
	return Change{Kind: ChangeReset, Name: name}, ok
}

// name takes the name of a setting and makes it canonical.
func (p *parser) name() (string, bool) {
	name, ok := p.identifier()
	for ok && p.acceptChar('.') {
		var part string
		part, ok = p.identifier()
		name += "." + part
	}
	if !ok {
		return "", false
	}
	return canonicalName(name)
}

// setConfig takes [pg_catalog.]set_config('name', 'value', false) [[AS] alias].
func (p *parser) setConfig() (Change, bool) {
	if p.accept("pg_catalog") && !p.acceptChar('.') {
		return Change{}, false
	}
	if !p.accept("set_config") || !p.acceptChar('(') {
		return Change{}, false
	}
	name, ok1 := p.stringLiteral()
	comma1 := p.acceptChar(',')
	value, ok2 := p.stringLiteral()
	comma2 := p.acceptChar(',')
	if !ok1 || !comma1 || !ok2 || !comma2 || !p.accept("false") || !p.acceptChar(')') {
		return Change{}, false
	}
	if p.accept("as") || p.left() > 0 {
		if _, ok := p.identifier(); !ok {
			return Change{}, false
		}
	}
	canonical, ok := canonicalName(name)
	return Change{Kind: ChangeValue, Name: canonical, Text: value}, ok
}
