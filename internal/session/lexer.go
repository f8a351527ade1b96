package session

// The lexer follows PostgreSQL's (src/backend/parser/scan.l) where it matters for finding words: comments,
// every kind of quoting, identifiers. It does not interpret numbers and operators. Where a text means one
// thing with standard_conforming_strings on and another with it off, or one thing in UTF-8 and another in an
// encoding whose characters may end in a backslash, it reads the common way and reports that it is unsure.

// kind is what a token is.
type kind uint8

const (
	end         kind = iota
	word             // an unquoted identifier or keyword
	quotedWord       // "…"
	literal          // '…' without a backslash
	escaped          // E'…', U&'…', B'…', X'…', N'…', and '…' with a backslash
	dollarBody       // $tag$…$tag$
	number           // digits and what follows them
	punctuation      // one byte of anything else
)

// token is a piece of the text, sql[from:to].
type token struct {
	kind     kind
	from, to int
	char     byte // punctuation: the byte
}

// lexer takes a text apart. The zero position is its beginning.
type lexer struct {
	sql    []byte
	at     int
	unsure bool
}

// The classes of bytes, as bits.
const (
	space      = 1 << iota // white space of PostgreSQL's scanner
	identStart             // may begin an identifier
	identPart              // may continue an identifier
	suspicious             // makes Scan look closer; see scan.go
	digit
)

var classes = func() (table [256]uint8) {
	for _, c := range " \t\n\r\f\v" {
		table[c] |= space
	}
	for c := range 256 {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z' && c < 0x80, c == '_', c >= 0x80:
			table[c] |= identStart | identPart
		case '0' <= c && c <= '9':
			table[c] |= identPart | digit
		case c == '$':
			table[c] |= identPart
		}
	}
	for _, c := range ";&gGpPvV" {
		table[c] |= suspicious
	}
	return table
}()

// peek is the byte at an offset from the position, 0 behind the end.
func (l *lexer) peek(offset int) byte {
	if l.at+offset < len(l.sql) {
		return l.sql[l.at+offset]
	}
	return 0
}

// skip moves over white space and comments.
func (l *lexer) skip() {
	for l.at < len(l.sql) {
		c := l.sql[l.at]
		switch {
		case classes[c]&space != 0:
			l.at++
		case c == '-' && l.peek(1) == '-':
			l.lineComment()
		case c == '/' && l.peek(1) == '*':
			l.blockComment()
		default:
			return
		}
	}
}

func (l *lexer) lineComment() {
	for l.at < len(l.sql) && l.sql[l.at] != '\n' && l.sql[l.at] != '\r' {
		l.at++
	}
}

// blockComment skips a comment, which may contain others. One that does not end is an error for PostgreSQL.
func (l *lexer) blockComment() {
	depth := 0
	for l.at < len(l.sql) {
		switch {
		case l.sql[l.at] == '/' && l.peek(1) == '*':
			depth++
			l.at += 2
		case l.sql[l.at] == '*' && l.peek(1) == '/':
			depth--
			l.at += 2
			if depth == 0 {
				return
			}
		default:
			l.at++
		}
	}
	l.at = len(l.sql)
}

// next takes the next token.
func (l *lexer) next() token {
	l.skip()
	t := token{kind: end, from: l.at}
	if l.at < len(l.sql) {
		c := l.sql[l.at]
		switch {
		case classes[c]&identStart != 0:
			t.kind = l.identifier()
		case c == '\'':
			t.kind = l.quoted(false)
		case c == '"':
			t.kind = l.quotedIdentifier()
		case c == '$':
			t.kind = l.dollar()
		case classes[c]&digit != 0:
			t.kind = l.digits()
		default:
			l.at++
			t.kind, t.char = punctuation, c
		}
	}
	t.to = l.at
	return t
}

// identifier takes a word, or the string or quoted identifier of which it is the prefix.
func (l *lexer) identifier() kind {
	from := l.at
	for l.at < len(l.sql) && classes[l.sql[l.at]]&identPart != 0 {
		l.at++
	}
	if l.at-from != 1 {
		return word
	}
	switch next := l.peek(0); l.sql[from] | 0x20 {
	case 'e':
		if next == '\'' {
			l.quoted(true)
			return escaped
		}
	case 'b', 'x', 'n':
		if next == '\'' {
			l.quoted(false)
			return escaped
		}
	case 'u':
		if next == '&' && l.peek(1) == '\'' {
			l.at++
			l.quoted(false)
			return escaped
		}
		if next == '&' && l.peek(1) == '"' {
			l.at++
			l.unsure = true // the identifier may spell any name by its code points
			return l.quotedIdentifier()
		}
	}
	return word
}

// quoted takes a string literal that begins at the position, with its continuations on the following lines.
// Backslashes escape in an escape string; in others they do only with standard_conforming_strings off.
func (l *lexer) quoted(escapes bool) kind {
	result := literal
	l.at++
	for l.at < len(l.sql) {
		switch c := l.sql[l.at]; c {
		case '\\':
			result = escaped
			if l.backslash(escapes) {
				l.at++
			}
			l.at++
		case '\'':
			l.at++
			if l.peek(0) == '\'' {
				l.at++
			} else if !l.continues() {
				return result
			}
		default:
			l.at++
		}
	}
	l.at = len(l.sql)
	return result
}

// backslash reports whether the backslash at the position takes the next byte with it.
func (l *lexer) backslash(escapes bool) bool {
	if l.sql[l.at-1] >= 0x80 {
		l.unsure = true // in some encodings it is the second half of a character
	}
	if escapes {
		return true
	}
	switch l.peek(1) {
	case '\'':
		l.unsure = true // the end of the string, or not, depending on standard_conforming_strings
	case '\\':
		return true // two of them are one or two, but not half a quote
	}
	return false
}

// continues moves into the next part of a string literal, if there is one: 'a' <newline> 'b' is one string.
// Line comments may stand between the parts.
func (l *lexer) continues() bool {
	newline := false
	for at := l.at; at < len(l.sql); {
		switch c := l.sql[at]; {
		case c == '\n' || c == '\r':
			newline = true
			at++
		case classes[c]&space != 0:
			at++
		case c == '-' && at+1 < len(l.sql) && l.sql[at+1] == '-':
			for at < len(l.sql) && l.sql[at] != '\n' && l.sql[at] != '\r' {
				at++
			}
		case c == '\'' && newline:
			l.at = at + 1
			return true
		default:
			return false
		}
	}
	return false
}

func (l *lexer) quotedIdentifier() kind {
	l.at++
	for l.at < len(l.sql) {
		if l.sql[l.at] == '"' {
			l.at++
			if l.peek(0) != '"' {
				return quotedWord
			}
		}
		l.at++
	}
	l.at = len(l.sql)
	return quotedWord
}

// dollar takes a $tag$…$tag$ body, a $1, or a lone $.
func (l *lexer) dollar() kind {
	tag := l.dollarTag()
	if tag == 0 {
		l.at++
		for l.at < len(l.sql) && classes[l.sql[l.at]]&digit != 0 {
			l.at++
		}
		return number
	}
	delimiter := l.sql[l.at : l.at+tag]
	l.at += tag
	for ; l.at+tag <= len(l.sql); l.at++ {
		if l.sql[l.at] == '$' && string(l.sql[l.at:l.at+tag]) == string(delimiter) {
			l.at += tag
			return dollarBody
		}
	}
	l.at = len(l.sql)
	return dollarBody
}

// dollarTag is the length of the $tag$ at the position, 0 if there is none.
func (l *lexer) dollarTag() int {
	for i := l.at + 1; i < len(l.sql); i++ {
		c := l.sql[i]
		switch {
		case c == '$':
			return i + 1 - l.at
		case classes[c]&identStart != 0:
		case i > l.at+1 && classes[c]&digit != 0:
		default:
			return 0
		}
	}
	return 0
}

// digits takes the digits of a number; points, exponents and signs are tokens of their own.
func (l *lexer) digits() kind {
	for l.at < len(l.sql) && classes[l.sql[l.at]]&digit != 0 {
		l.at++
	}
	return number
}

// body is what a dollar-quoted token contains.
func (l *lexer) body(t token) []byte {
	inner := l.sql[t.from:t.to]
	tag := 1
	for tag < len(inner) && inner[tag] != '$' {
		tag++
	}
	tag++
	if len(inner) < 2*tag {
		return inner[min(tag, len(inner)):]
	}
	return inner[tag : len(inner)-tag]
}
