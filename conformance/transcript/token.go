//go:build integration

package transcript

import (
	"fmt"
	"strconv"
	"strings"
)

// token is one argument of a line: a bare word, a quoted string, or key=value.
type token struct {
	key    string
	text   string
	quoted bool
}

// tokens splits the arguments of a line. Strings are Go strings; "x"*3 repeats, "a"+"b" joins.
func tokens(line string) ([]token, error) {
	var all []token
	rest := strings.TrimLeft(line, " ")
	for rest != "" {
		var next token
		if i := strings.IndexAny(rest, `="' `); i > 0 && rest[i] == '=' {
			next.key, rest = rest[:i], rest[i+1:]
		}
		if strings.HasPrefix(rest, `"`) {
			text, after, err := quotedString(rest)
			if err != nil {
				return nil, fmt.Errorf("read string at %q: %w", rest, err)
			}
			next.text, next.quoted, rest = text, true, after
		} else {
			word, after, _ := strings.Cut(rest, " ")
			next.text, rest = word, " "+after
		}
		if rest != "" && rest[0] != ' ' {
			return nil, fmt.Errorf("expected a space before %q", rest)
		}
		all = append(all, next)
		rest = strings.TrimLeft(rest, " ")
	}
	return all, nil
}

func quotedString(rest string) (text, after string, err error) {
	var joined strings.Builder
	for {
		prefix, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return "", "", err
		}
		piece, err := strconv.Unquote(prefix)
		if err != nil {
			return "", "", err
		}
		rest = rest[len(prefix):]
		times := 1
		if digits, ok := strings.CutPrefix(rest, "*"); ok {
			end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
			if end < 0 {
				end = len(digits)
			}
			if times, err = strconv.Atoi(digits[:end]); err != nil {
				return "", "", err
			}
			rest = digits[end:]
		}
		joined.WriteString(strings.Repeat(piece, times))
		more, ok := strings.CutPrefix(rest, "+")
		if !ok {
			return joined.String(), rest, nil
		}
		rest = more
	}
}

// quote renders a value for a recorded line: short enough to read, exact enough to compare.
func quote(value []byte) string {
	const longest = 240
	if len(value) > 64 && strings.Count(string(value), string(value[:1])) == len(value) {
		return fmt.Sprintf("%q*%d", value[:1], len(value))
	}
	if len(value) > longest {
		return fmt.Sprintf("%q+%d bytes, sum %016x", value[:32], len(value)-32, fnv64(value))
	}
	return strconv.QuoteToASCII(string(value))
}

func fnv64(value []byte) uint64 {
	sum := uint64(14695981039346656037)
	for _, b := range value {
		sum = (sum ^ uint64(b)) * 1099511628211
	}
	return sum
}
