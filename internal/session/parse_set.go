package session

import "strings"

// set takes what follows SET.
func (p *parser) set() (Change, bool) {
	if p.isWord(p.peek(), "session") && !p.isWord(p.ahead(1), "authorization") && !p.assigns(1) {
		p.at++
	}
	if !p.assigns(1) {
		if change, ok := p.setSpecial(); ok {
			return change, true
		}
	}
	name, ok := p.name()
	if !ok || !p.acceptChar('=') && !p.accept("to") {
		return Change{}, false
	}
	if p.accept("default") {
		return Change{Kind: ChangeReset, Name: name}, true
	}
	return p.values(name)
}

// assigns reports whether the n-th token says that the one before is the name of a setting, not a keyword.
func (p *parser) assigns(n int) bool {
	t := p.ahead(n)
	return t.is('=') || t.is('.') || p.isWord(t, "to")
}

// setSpecial takes the forms of SET that name their setting with keywords. It takes nothing if it is none of
// them.
func (p *parser) setSpecial() (Change, bool) {
	switch {
	case p.accept("time", "zone"):
		return p.timeZone()
	case p.accept("names"):
		return p.namesEncoding()
	case p.accept("role"):
		return p.identity(role)
	case p.accept("session", "authorization"):
		if p.accept("default") {
			return Change{Kind: ChangeReset, Name: sessionAuthorization}, true
		}
		return p.identity(sessionAuthorization)
	case p.accept("schema"):
		if p.peek().kind != literal {
			return Change{}, false
		}
		return p.values("search_path")
	case p.accept("xml", "option", "document"):
		return Change{Kind: ChangeValue, Name: "xmloption", Text: "document"}, true
	case p.accept("xml", "option", "content"):
		return Change{Kind: ChangeValue, Name: "xmloption", Text: "content"}, true
	case p.accept("characteristics", "as", "transaction"):
		return p.characteristic()
	}
	return Change{}, false
}

// timeZone takes the value of SET TIME ZONE. Numbers have their own meaning in this form, so their statement
// is kept; intervals are left to a probe.
func (p *parser) timeZone() (Change, bool) {
	if p.accept("local") || p.accept("default") {
		return Change{Kind: ChangeReset, Name: "timezone"}, true
	}
	if value, ok := p.scalar(); ok {
		return Change{Kind: ChangeValue, Name: "timezone", Text: value}, !strings.EqualFold(value, "interval")
	}
	number, ok := p.number()
	return Change{Kind: ChangeSet, Name: "timezone", Text: "SET TIME ZONE " + number}, ok
}

func (p *parser) namesEncoding() (Change, bool) {
	if p.left() == 0 || p.accept("default") {
		return Change{Kind: ChangeReset, Name: "client_encoding"}, true
	}
	value, ok := p.stringLiteral()
	return Change{Kind: ChangeValue, Name: "client_encoding", Text: value}, ok
}

// identity takes the name of a role.
func (p *parser) identity(name string) (Change, bool) {
	value, ok := p.scalar()
	return Change{Kind: ChangeValue, Name: name, Text: value}, ok && len(value) <= maxIdentifier
}

// characteristic takes one transaction mode of SET SESSION CHARACTERISTICS; several are left to a probe.
func (p *parser) characteristic() (Change, bool) {
	change := Change{Kind: ChangeValue}
	switch {
	case p.accept("read", "only"):
		change.Name, change.Text = "default_transaction_read_only", "on"
	case p.accept("read", "write"):
		change.Name, change.Text = "default_transaction_read_only", "off"
	case p.accept("deferrable"):
		change.Name, change.Text = "default_transaction_deferrable", "on"
	case p.accept("not", "deferrable"):
		change.Name, change.Text = "default_transaction_deferrable", "off"
	case p.accept("isolation", "level"):
		change.Name = "default_transaction_isolation"
		change.Text = p.isolationLevel()
	}
	return change, change.Text != ""
}

func (p *parser) isolationLevel() string {
	switch {
	case p.accept("serializable"):
		return "serializable"
	case p.accept("repeatable", "read"):
		return "repeatable read"
	case p.accept("read", "committed"):
		return "read committed"
	case p.accept("read", "uncommitted"):
		return "read uncommitted"
	}
	return ""
}

// scalar takes one word or string as a value.
func (p *parser) scalar() (string, bool) {
	if value, ok := p.stringLiteral(); ok {
		return value, true
	}
	return p.identifier()
}

// values takes the list of values of a setting.
func (p *parser) values(name string) (Change, bool) {
	if p.left() == 1 && isScalar(name) {
		if value, ok := p.scalar(); ok {
			return Change{Kind: ChangeValue, Name: name, Text: value}, !isIdentity(name) || len(value) <= maxIdentifier
		}
	}
	if isIdentity(name) {
		return Change{}, false
	}
	text := appendName([]byte("SET "), name)
	text = append(text, " = "...)
	for {
		value, ok := p.value()
		if !ok {
			return Change{}, false
		}
		text = append(text, value...)
		if !p.acceptChar(',') {
			return Change{Kind: ChangeSet, Name: name, Text: string(text)}, true
		}
		text = append(text, ", "...)
	}
}

// value takes one value as it is written.
func (p *parser) value() (string, bool) {
	switch t := p.peek(); t.kind {
	case word, quotedWord:
		_, ok := p.identifier()
		return p.source(t), ok
	case literal:
		source := p.source(t)
		_, ok := p.stringLiteral()
		return source, ok
	}
	return p.number()
}

// number takes [+|-] digits [. digits].
func (p *parser) number() (string, bool) {
	text := ""
	if p.acceptChar('-') {
		text = "-"
	} else {
		p.acceptChar('+')
	}
	digits, ok := p.digits()
	if !ok {
		return "", false
	}
	text += digits
	if p.acceptChar('.') {
		fraction, ok := p.digits()
		return text + "." + fraction, ok
	}
	return text, true
}

func (p *parser) digits() (string, bool) {
	t := p.peek()
	if t.kind != number || p.sql[t.from] == '$' {
		return "", false
	}
	p.at++
	return p.source(t), true
}
