package lanes

import (
	"bytes"

	"github.com/usher-pg/usher/pool"
)

// Bounds of where a comment is looked for. Sqlcommenter's carries a traceparent (55 bytes) and what a framework adds
// about route and controller; longer ones lose their lane, not the statement.
const (
	headMax = 256
	tailMax = 2048
)

// headKey begins what a leading comment says; tailKey is sqlcommenter's key.
const (
	headKey = "usher:lane="
	tailKey = "lane"
)

// Asked is the lane that a comment at the beginning or at the end of a statement asks for; the one at the beginning
// wins. A comment that names no lane there is asks for nothing.
func Asked(sql []byte) (pool.Lane, bool) {
	if lane, ok := askedFirst(sql); ok {
		return lane, true
	}
	return askedLast(sql)
}

func askedFirst(sql []byte) (pool.Lane, bool) {
	sql = trimLeft(sql)
	if len(sql) < 2 || sql[0] != '/' || sql[1] != '*' {
		return 0, false
	}
	text, ok := bytes.CutPrefix(trimLeft(sql[2:min(len(sql), headMax)]), []byte(headKey))
	if !ok {
		return 0, false
	}
	return laneOf(word(text))
}

func askedLast(sql []byte) (pool.Lane, bool) {
	sql = bytes.TrimRight(sql, "; \t\r\n\f\v")
	text, ok := bytes.CutSuffix(sql, []byte("*/"))
	if !ok {
		return 0, false
	}
	text = text[max(0, len(text)-tailMax):]
	begin := bytes.LastIndex(text, []byte("/*"))
	if begin < 0 {
		return 0, false
	}
	return valueOf(text[begin+2:])
}

// valueOf finds the lane among key='value' pairs with commas between them. Keys and values are URL-encoded
// (https://google.github.io/sqlcommenter/spec/), so no comma or quote is part of one.
func valueOf(pairs []byte) (pool.Lane, bool) {
	for len(pairs) > 0 {
		var pair []byte
		pair, pairs, _ = bytes.Cut(pairs, []byte(","))
		key, value, ok := bytes.Cut(bytes.TrimSpace(pair), []byte("="))
		if !ok || string(bytes.TrimSpace(key)) != tailKey {
			continue
		}
		value = bytes.TrimSpace(value)
		if n := len(value); n < 2 || value[0] != '\'' || value[n-1] != '\'' {
			return 0, false
		}
		return laneOf(value[1 : len(value)-1])
	}
	return 0, false
}

// laneOf is pool.ParseLane without allocating, for a text that may be anything.
func laneOf(name []byte) (pool.Lane, bool) {
	for lane := range pool.Lane(pool.Lanes) {
		if string(name) == lane.String() {
			return lane, true
		}
	}
	return 0, false
}

// word is what text begins with of letters.
func word(text []byte) []byte {
	for i, c := range text {
		if c < 'a' || c > 'z' {
			return text[:i]
		}
	}
	return text
}

func trimLeft(text []byte) []byte {
	for len(text) > 0 && isSpace(text[0]) {
		text = text[1:]
	}
	return text
}

// isSpace is what PostgreSQL's scanner takes for white space.
func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }
