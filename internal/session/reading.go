package session

import (
	"encoding/binary"
	"slices"
)

// reread are the settings that decide what the text of a statement means when it is parsed: which objects a name
// stands for, which characters its bytes are, and which value a literal has. '2026-01-02 00:00' as a timestamptz is a
// constant from then on, in the time zone of that moment.
var reread = []string{
	"array_nulls", "backslash_quote", "client_encoding", "datestyle", "intervalstyle", "lc_monetary", "search_path",
	"standard_conforming_strings", "timezone", "timezone_abbreviations", "transform_null_equals", "xmloption",
}

func rereads(name string) bool {
	_, found := slices.BinarySearch(reread, name)
	return found
}

// Reading identifies what the text of a statement means when it is parsed with the set: equal strings are equal
// meanings. Prepared statements of clients who read their text in different ways must not be shared.
func (s *Settings) Reading() string {
	if s == nil {
		return ""
	}
	return s.reading
}

func readingOf(entries []entry) string {
	var reading []byte
	for _, e := range entries {
		if rereads(e.name) {
			reading = append(append(reading, e.name...), 0)
			reading = binary.AppendUvarint(reading, uint64(len(e.text)))
			reading = append(reading, e.text...)
		}
	}
	return string(reading)
}

// Reading is what Settings.Reading will be of the session as it is now, in the middle of a transaction too. It is not
// certain as long as the answer to a text is outstanding that may change it.
func (t *Tracker) Reading() (reading string, certain bool) {
	if t.pending == nil || !slices.ContainsFunc(t.pending.reports, func(r report) bool { return rereads(r.name) }) {
		return t.settings.Reading(), !t.control.Has(rereading)
	}
	d := draft{cloneEntries(t.settings)}
	for _, r := range t.pending.reports {
		d.set(r.entry())
	}
	return readingOf(d.entries), !t.control.Has(rereading | control) // the end of the transaction may undo it
}

// rereading is a finding of Observe's own: the text may change how those behind it are read. It stays until nothing is
// outstanding, when PostgreSQL has reported what there is to report.
const rereading Finding = 1 << 31

// mayReread reports whether a text with settings may change one of reread. search_path does not count: a server that
// meets another one parses the text again.
func mayReread(found Finding, sql []byte) bool {
	switch {
	case found.Has(Unsure):
		return true
	case !found.Has(changing | Local):
		return false
	}
	for _, part := range []string{
		"all", "array_nulls", "backslash", "default", "encoding", "monetary", "names", "reset", "null_equals",
		"set_config", "standard_conforming", "style", "xml", "zone",
	} {
		if containsFold(sql, part) {
			return true
		}
	}
	return false
}
