package session

import (
	"regexp"
	"strings"
	"testing"
)

// The reference scanner does what Scan does, slowly and in another way: regular expressions over a text whose
// bytes have become characters. It finds less than Scan on purpose: what it finds is certain, so Scan must
// find it too.

var (
	refBlank   = regexp.MustCompile(`^(?:[ \t\n\r\f\v]+|--[^\r\n]*)`)
	refEscape  = regexp.MustCompile(`^[eE]` + refPart + `(?:` + refBetween + refPart + `)*`)
	refString  = regexp.MustCompile(`^(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*'`)
	refName    = regexp.MustCompile(`^"(?:[^"]|"")*"`)
	refWord    = regexp.MustCompile(`^[A-Za-z_\x{80}-\x{ff}][A-Za-z0-9_$\x{80}-\x{ff}]*`)
	refTag     = regexp.MustCompile(`^\$(?:[A-Za-z_\x{80}-\x{ff}][A-Za-z0-9_\x{80}-\x{ff}]*)?\$`)
	refDigits  = regexp.MustCompile(`^\$?[0-9]+`)
	refPart    = `'(?:[^'\\]|\\[\s\S]|'')*'`
	refBetween = `(?:[ \t\f\v]|--[^\r\n]*)*[\n\r](?:[ \t\n\r\f\v]|--[^\r\n]*[\n\r])*`
)

// refBlock is the length of the comment at the beginning of s.
func refBlock(s string) int {
	if !strings.HasPrefix(s, "/*") {
		return 0
	}
	depth, i := 0, 0
	for i < len(s) {
		switch {
		case strings.HasPrefix(s[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(s[i:], "*/"):
			depth--
			i += 2
			if depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return len(s)
}

// refTokens are the tokens; strings are "'", names in quotes are as they are, words are in lower case. ok is
// false for a text with something that has no end, which PostgreSQL refuses.
func refTokens(sql []byte) (tokens []string, ok bool) {
	runes := make([]rune, len(sql))
	for i, c := range sql {
		runes[i] = rune(c)
	}
	for s := string(runes); s != ""; {
		if m := refBlank.FindString(s); m != "" {
			s = s[len(m):]
			continue
		}
		if n := refBlock(s); n > 0 {
			s = s[n:]
			continue
		}
		if m := refEscape.FindString(s); m != "" {
			tokens, s = append(tokens, "'"), s[len(m):]
			continue
		}
		if m := refString.FindString(s); m != "" {
			tokens, s = append(tokens, "'"), s[len(m):]
			continue
		}
		if m := refName.FindString(s); m != "" {
			tokens, s = append(tokens, m), s[len(m):]
			continue
		}
		if m := refTag.FindString(s); m != "" {
			end := strings.Index(s[len(m):], m)
			if end < 0 {
				return nil, false
			}
			tokens, s = append(tokens, "'"), s[len(m)+end+len(m):]
			continue
		}
		if m := refWord.FindString(s); m != "" {
			tokens, s = append(tokens, strings.ToLower(m)), s[len(m):]
			continue
		}
		if m := refDigits.FindString(s); m != "" {
			tokens, s = append(tokens, "0"), s[len(m):]
			continue
		}
		if s[0] == '\'' || s[0] == '"' {
			return nil, false
		}
		r := []rune(s)
		tokens, s = append(tokens, string(r[:1])), string(r[1:])
	}
	return tokens, true
}

func refFinding(sql []byte) Finding {
	tokens, ok := refTokens(sql)
	if !ok {
		return 0
	}
	var found Finding
	statements := 0
	for len(tokens) > 0 {
		for len(tokens) > 0 && (tokens[0] == "(" || tokens[0] == ";") {
			tokens = tokens[1:]
		}
		end := 0
		for end < len(tokens) && tokens[end] != ";" {
			end++
		}
		if end > 0 {
			statements++
			found |= refStatement(tokens[:end])
		}
		tokens = tokens[end:]
	}
	if statements > 1 {
		found |= Multi
	}
	return found
}

var refFirst = map[string]Finding{
	"begin": Begin, "start": Begin, "commit": Commit, "end": Commit, "savepoint": Savepoint,
	"release": Savepoint,
	"listen":  Listen, "unlisten": Unlisten, "load": Load, "close": CloseCursor, "execute": SQLExecute,
	"deallocate": Deallocate, "discard": Discard, "create": DDL, "alter": DDL, "drop": DDL | Drop, "call": Call,
	"do": Do, "reset": Setting,
}

func refStatement(tokens []string) Finding {
	at := func(i int) string {
		if i < len(tokens) {
			return tokens[i]
		}
		return ""
	}
	found := refFirst[tokens[0]]
	text := " " + strings.Join(tokens, " ") + " "
	switch second := at(1); tokens[0] {
	case "set":
		if second != "local" && second != "transaction" && second != "constraints" {
			found |= Setting
		}
	case "reset":
		if second == "transaction" {
			found = 0
		}
	case "prepare":
		if second != "transaction" {
			found |= SQLPrepare
		}
	case "rollback", "abort":
		if !strings.Contains(text, " to ") {
			found |= Rollback
		}
		if second == "to" || (second == "work" || second == "transaction") && at(2) == "to" {
			found |= RollbackTo
		}
	case "discard", "deallocate":
		if second == "all" {
			found |= map[string]Finding{"discard": DiscardAll, "deallocate": DeallocateAll}[tokens[0]]
		}
	}
	for i, t := range tokens {
		t = strings.Trim(t, `"`)
		switch {
		case t == "set_config" && at(i+1) == "(" && !strings.Contains(text, "true") && !strings.Contains(text, "'"):
			found |= Setting
		case strings.HasPrefix(t, "pg_temp"):
			found |= Temp
		case strings.HasPrefix(t, "pg_advisory_lock"), strings.HasPrefix(t, "pg_try_advisory_lock"):
			found |= Advisory
		case strings.HasPrefix(t, "pg_advisory_unlock"):
			found |= AdvisoryUnlock
		}
	}
	creating := []string{" create temp ", " create temporary ", " create local temp ", " replace temp "}
	for _, words := range creating {
		if strings.Contains(text, words) && !strings.Contains(text, " drop ") {
			found |= Temp
		}
	}
	if tokens[0] == "declare" && strings.Contains(text, " with hold ") {
		found |= CursorHold
	}
	return found
}

func checkReference(t *testing.T, sql []byte) {
	t.Helper()
	got, certain := Scan(sql), refFinding(sql)
	if missing := certain &^ got; missing != 0 && !got.Has(Unsure) {
		t.Errorf("%q: Scan finds %v and misses %v", sql, got, missing)
	}
	slow := scanCarefully(trim(sql))
	if missing := slow &^ got &^ Unsure; missing != 0 { // without lexing there is nothing to be unsure of
		t.Errorf("%q: the fast path finds %v and misses %v", sql, got, missing)
	}
}

func TestScanMissesNothingTheReferenceFinds(t *testing.T) {
	t.Parallel()
	for _, test := range scanTable {
		checkReference(t, []byte(test.sql))
	}
}

func FuzzScan(f *testing.F) {
	for _, test := range scanTable {
		f.Add([]byte(test.sql))
	}
	f.Fuzz(checkReference)
}

func FuzzParseChange(f *testing.F) {
	for _, test := range parseTable {
		f.Add([]byte(test.sql))
	}
	f.Fuzz(func(t *testing.T, sql []byte) {
		Deallocated(sql)
		change, ok := ParseChange(sql)
		if !ok {
			return
		}
		if found := Scan(sql); !found.Has(Setting | Load | DiscardAll) {
			t.Fatalf("%q: %+v, but Scan finds %v", sql, change, found)
		}
		again, ok := ParseChange([]byte(change.SQL()))
		if !ok || again != change {
			t.Fatalf("%q: %+v, and its own text %q means %+v, %v", sql, change, change.SQL(), again, ok)
		}
	})
}
