package login

import (
	"strings"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/wire"
)

// maxSettingName bounds a setting's name; PostgreSQL's own are shorter than NAMEDATALEN (64), which a prefix
// and a custom name share.
const maxSettingName = 128

// readOptions reads the options parameter: the command-line switches -c name=value and --name=value, of which
// a server would take the settings of the session. Other switches are refused by name.
func readOptions(options string) ([]wire.Param, error) {
	words := splitOptions(options)
	var settings []wire.Param
	for i := 0; i < len(words); i++ {
		word := words[i]
		var assignment string
		switch {
		case word == "-c":
			if i++; i == len(words) {
				return nil, pgerr.InvalidParameter.With("options").WithDetail("-c requires a value.")
			}
			assignment = words[i]
		case strings.HasPrefix(word, "-c"), strings.HasPrefix(word, "--"):
			assignment = word[2:]
		default:
			return nil, pgerr.UnsupportedParameter.With("options").
				WithDetail("Only -c name=value and --name=value are supported.")
		}
		name, value, ok := strings.Cut(assignment, "=")
		name = strings.ReplaceAll(name, "-", "_") // as ParseLongOption does
		if !ok || !isSettingName(name) {
			return nil, pgerr.InvalidParameter.With("options").WithDetail("Expected -c name=value or --name=value.")
		}
		if len(settings) == maxParams {
			return nil, pgerr.ProtocolViolation.With("too many startup parameters")
		}
		settings = append(settings, wire.Param{Name: name, Value: value})
	}
	return settings, nil
}

// splitOptions splits at white space; a backslash makes the next character an ordinary one (PostgreSQL's
// pg_split_opts).
func splitOptions(options string) []string {
	var words []string
	var word []byte
	inWord := false
	for i := 0; i < len(options); i++ {
		switch b := options[i]; {
		case isSpace(b):
			if inWord {
				words = append(words, string(word))
			}
			word, inWord = word[:0], false
		case b == '\\' && i+1 < len(options):
			i++
			word, inWord = append(word, options[i]), true
		case b == '\\':
			inWord = true // at the end it stands for nothing
		default:
			word, inWord = append(word, b), true
		}
	}
	if inWord {
		words = append(words, string(word))
	}
	return words
}

// isSpace is C's isspace in the C locale.
func isSpace(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' }

// isSettingName reports whether a name can be a setting's: ASCII letters, digits, underscores and dollar
// signs, with a dot between a prefix and the name. Nothing else reaches a SET.
func isSettingName(name string) bool {
	if len(name) > maxSettingName {
		return false
	}
	for part := range strings.SplitSeq(name, ".") {
		if part == "" || part[0] >= '0' && part[0] <= '9' || part[0] == '$' {
			return false
		}
		for _, b := range []byte(part) {
			letter := b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
			if !letter && (b < '0' || b > '9') && b != '_' && b != '$' {
				return false
			}
		}
	}
	return true
}
