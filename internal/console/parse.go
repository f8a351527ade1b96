package console

import (
	"strings"
)

// Limits of a query, and where they come from.
const (
	// maxQueryLen bounds the text of a query. PgBouncer's is its packet buffer (pkt_buf, 4096 by default).
	maxQueryLen = 16 << 10
	// maxStatements bounds the commands in one query; ours.
	maxStatements = 64
	// maxWordLen bounds a verb, a name or an option's key. PgBouncer's arguments end at 63 bytes, but a database name in
	// a start-up packet may be longer.
	maxWordLen = 255
	// maxValueLen bounds the value of SET. PgBouncer's ends at 255 bytes.
	maxValueLen = 1024
)

// statement is one command: VERB [argument], or SET argument = value.
type statement struct {
	verb        string // upper case
	argument    string // as written, quotes removed
	hasArgument bool
	value       string  // of SET
	more        []token // of EMERGENCY: all behind the verb
	by          string  // who says it; for act
	text        string  // as it stood in the query
}

// parse splits a query into its commands.
//
//	query     = [statement] {";" [statement]}
//	statement = word [word] | "SET" word ("=" | "TO") (word | string) | "EMERGENCY" (see emergency.go)
//
// A word is quoted as an SQL identifier or made of letters, digits and any of _ $ . * + -; case is kept, because the
// names of databases have one.
func parse(query string) ([]statement, error) {
	if len(query) > maxQueryLen {
		return nil, badArguments()
	}
	var statements []statement
	scan := scanner{rest: query}
	for {
		start := scan.rest
		tokens, err := scan.statement()
		if err != nil {
			return nil, err
		}
		if len(tokens) > 0 {
			s, err := makeStatement(tokens, start[:len(start)-len(scan.rest)])
			if err != nil {
				return nil, err
			}
			if len(statements) == maxStatements {
				return nil, badArguments()
			}
			statements = append(statements, s)
		}
		if scan.rest == "" {
			return statements, nil
		}
	}
}

func makeStatement(tokens []token, text string) (statement, error) {
	text = strings.TrimRight(strings.TrimSpace(text), ";")
	s := statement{text: text}
	if tokens[0].kind != word {
		return s, invalidCommand(text)
	}
	s.verb = strings.ToUpper(tokens[0].text)
	switch {
	case s.verb == "SET":
		if len(tokens) != 4 || tokens[1].kind != word || !tokens[2].isAssignment() || tokens[3].kind == equals {
			return s, invalidCommand(text)
		}
		s.argument, s.hasArgument, s.value = tokens[1].text, true, tokens[3].text
	case s.verb == emergencyVerb || s.verb == scaleVerb:
		s.more = tokens[1:]
	case len(tokens) == 1:
	case len(tokens) == 2 && tokens[1].kind == word:
		s.argument, s.hasArgument = tokens[1].text, true
	default:
		return s, invalidCommand(text)
	}
	if len(s.verb) > maxWordLen || len(s.argument) > maxWordLen || len(s.value) > maxValueLen {
		return s, badArguments()
	}
	if s.hasArgument && s.argument == "" {
		return s, badArguments()
	}
	return s, nil
}

type kind byte

const (
	word kind = iota
	text
	equals
)

type token struct {
	kind   kind
	text   string
	quoted bool
}

func (t token) isAssignment() bool {
	return t.kind == equals || t.kind == word && !t.quoted && strings.EqualFold(t.text, "to")
}

// maxTokens is the longest statement, EMERGENCY with all its clauses, and one more to notice that there is too much.
const maxTokens = 10

type scanner struct{ rest string }

// statement reads the tokens up to the next semicolon or the end.
func (s *scanner) statement() ([]token, error) {
	whole := s.rest
	var tokens []token
	for {
		if !s.skipSpace() {
			return nil, invalidCommand(whole)
		}
		if s.rest == "" {
			return tokens, nil
		}
		if s.rest[0] == ';' {
			s.rest = s.rest[1:]
			return tokens, nil
		}
		t, ok := s.token()
		if !ok || len(tokens) == maxTokens {
			return nil, invalidCommand(whole)
		}
		tokens = append(tokens, t)
	}
}

func (s *scanner) token() (token, bool) {
	switch c := s.rest[0]; {
	case c == '=':
		s.rest = s.rest[1:]
		return token{kind: equals}, true
	case c == '"' || c == '\'':
		body, ok := s.quoted(c)
		if c == '\'' {
			return token{kind: text, text: body, quoted: true}, ok
		}
		return token{kind: word, text: body, quoted: true}, ok
	}
	n := 0
	for n < len(s.rest) && isWordByte(s.rest[n]) && !strings.HasPrefix(s.rest[n:], "--") {
		n++
	}
	t := token{kind: word, text: s.rest[:n]}
	s.rest = s.rest[n:]
	return t, n > 0
}

// quoted reads a text in quotes, a doubled quote standing for one.
func (s *scanner) quoted(quote byte) (string, bool) {
	var body strings.Builder
	for i := 1; i < len(s.rest); i++ {
		if s.rest[i] != quote {
			body.WriteByte(s.rest[i])
			continue
		}
		if i+1 < len(s.rest) && s.rest[i+1] == quote {
			body.WriteByte(quote)
			i++
			continue
		}
		s.rest = s.rest[i+1:]
		return body.String(), true
	}
	return "", false
}

// skipSpace skips white space and comments. It reports false for a comment without an end.
func (s *scanner) skipSpace() bool {
	for s.rest != "" {
		switch {
		case strings.IndexByte(" \t\n\r\f\v", s.rest[0]) >= 0:
			s.rest = s.rest[1:]
		case strings.HasPrefix(s.rest, "--"):
			_, s.rest, _ = strings.Cut(s.rest, "\n")
		case strings.HasPrefix(s.rest, "/*"):
			if !s.skipBlockComment() {
				return false
			}
		default:
			return true
		}
	}
	return true
}

// skipBlockComment skips a comment that may hold others, as in PostgreSQL.
func (s *scanner) skipBlockComment() bool {
	depth := 0
	for i := 0; i+1 < len(s.rest); i++ {
		switch s.rest[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
			if depth == 0 {
				s.rest = s.rest[i+1:]
				return true
			}
		}
	}
	return false
}

// isWordByte accepts every byte above ASCII, as PostgreSQL's identifiers do.
func isWordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80 ||
		strings.IndexByte("_$.*+-", c) >= 0
}
