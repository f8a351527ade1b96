package session

const hexDigits = "0123456789abcdef"

// appendLiteral appends a value as a string literal which means the same with standard_conforming_strings on
// and off, and in every client encoding. Printable ASCII without backslashes is a plain literal. Everything
// else is an escape string in which bytes outside ASCII are \xHH: in some client encodings the second byte of
// a character is a backslash, so a raw byte outside ASCII is never next to a quote. Such bytes are in the
// server's encoding.
func appendLiteral(dst []byte, value string) []byte {
	if !plain(value) {
		dst = append(dst, 'E')
	}
	dst = append(dst, '\'')
	for i := range len(value) {
		switch c := value[i]; {
		case c == '\'' || c == '\\':
			dst = append(dst, c, c)
		case c < ' ' || c > '~':
			dst = append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '\'')
}

// plain reports whether a text consists of printable ASCII without backslashes.
func plain[T string | []byte](value T) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' || c == '\\' {
			return false
		}
	}
	return true
}

// appendName appends a validated canonical name of a parameter, each part quoted where PostgreSQL might take
// it for a keyword or an operator.
func appendName(dst []byte, name string) []byte {
	dst = append(dst, '"')
	for i := range len(name) {
		if name[i] == '.' {
			dst = append(dst, `"."`...)
			continue
		}
		dst = append(dst, name[i])
	}
	return append(dst, '"')
}
