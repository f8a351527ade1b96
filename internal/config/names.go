package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/usher-pg/usher/internal/config/source"
)

// poolPath is where a pool's options are, as errors and the console write it.
func poolPath(name string) string { return keyPath(poolsPath, name) }

// keyPath appends a key that can be anything; one that would be misread is quoted.
func keyPath(section, key string) string {
	plain := key != "" && len(key) <= maxPlainKey && strings.IndexFunc(key, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
	if !plain && key != Fallback {
		key = strconv.Quote(source.Redact(key))
	}
	return join(section, key)
}

const maxPlainKey = 100

// splitPoolPath takes apart what poolPath and a pool's option made.
func splitPoolPath(path string) (name, option string, ok bool) {
	rest, ok := strings.CutPrefix(path, poolsPath+".")
	if !ok {
		return "", "", false
	}
	if !strings.HasPrefix(rest, `"`) {
		return strings.Cut(rest, ".")
	}
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return "", "", false
	}
	name, err = strconv.Unquote(quoted)
	option, ok = strings.CutPrefix(rest[len(quoted):], ".")
	return name, option, ok && err == nil
}

// siblings are the keys a section may have.
func siblings[T any](rows []row[T], section string) []string {
	var keys []string
	for _, r := range rows {
		rest := r.Path
		if section != "" {
			var ok bool
			if rest, ok = strings.CutPrefix(r.Path, section+"."); !ok {
				continue
			}
		}
		key, _, _ := strings.Cut(rest, ".")
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	if _, ok := any(rows).([]row[Config]); ok && section == "" {
		keys = append(keys, budgetsPath, poolsPath)
	}
	return keys
}

// unknown reports a key that no option has, with the one that was probably meant.
func (d *decoder) unknown(key *source.Node, path string, known []string) {
	expected := "one of " + strings.Join(known, ", ")
	if hint := suggest(key.Text, known); hint != "" {
		expected = hint
	}
	if strings.HasPrefix(path, poolsPath+".") {
		expected = strings.TrimPrefix(expected, defaultsPath+".")
	}
	message := "there is no such option"
	if !strings.Contains(path, key.Text) || len(key.Text) > maxPlainKey {
		path = ""
	}
	d.report.At(key, source.Printable(source.Redact(path)), message, expected)
}

// suggest guesses what was meant: PgBouncer's name of an option, an option of another section, a slip.
func suggest(key string, known []string) string {
	if len(key) > maxPlainKey {
		return ""
	}
	for _, o := range Options() {
		theirs := strings.Split(strings.TrimPrefix(o.PgBouncer, "default_"), ", ")
		if slices.Contains(theirs, strings.TrimPrefix(key, "default_")) && key != o.Path {
			return strings.TrimPrefix(o.Path, anyPool+".") + ", which is PgBouncer's " + key
		}
	}
	for _, k := range known {
		if distance(key, k) <= 2 && len(key) > 2 {
			return k
		}
	}
	for _, r := range globalRows {
		if before, _, ok := strings.Cut(r.Path+".", "."+key+"."); ok {
			return join(before, key)
		}
	}
	return ""
}

// distance is the number of letters to insert, remove or replace to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
