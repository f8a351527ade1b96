package relay

import (
	"encoding/hex"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/usher-pg/usher/internal/wire"
)

func unquoted(name string) string { return strings.ReplaceAll(name, `"`, "") }

// command executes what changes the session.
func (s *toySession) command(first, rest string, described bool) error {
	tag := first
	switch first {
	case "SHOW":
		s.rows(described, s.settings[rest])
		return nil
	case "SET":
		name, value, _ := strings.Cut(rest, " = ")
		s.set(unquoted(name), strings.Trim(value, "'"))
	case "RESET":
		for name := range s.made {
			if unquoted(rest) == name || rest == "ALL" {
				s.reset(name)
			}
		}
	case "LISTEN":
		s.channels[rest] = true
	case "UNLISTEN":
		clear(s.channels)
	case "NOTIFY":
		if s.channels[rest] {
			s.out = wire.AppendBody(s.out, wire.NotificationResponse, []byte("\x00\x00\x00\x01"+rest+"\x00\x00"))
		}
	case "DEALLOCATE":
		if rest == "ALL" {
			clear(s.statements)
			tag = "DEALLOCATE ALL"
			break
		}
		name := unquoted(rest)
		if _, ok := s.statements[name]; !ok {
			return fail("26000", "prepared statement does not exist")
		}
		delete(s.statements, name)
	case "DISCARD":
		if s.status != wire.StatusIdle {
			return fail("25001", "DISCARD ALL cannot run inside a transaction block")
		}
		tag = "DISCARD ALL"
		clear(s.statements)
		clear(s.channels)
		for _, name := range slices.Sorted(maps.Keys(s.made)) {
			s.reset(name)
		}
	default:
		return fail("42601", "syntax error at "+first)
	}
	s.out = wire.AppendTag(s.out, tag)
	return nil
}

var setConfigCall = regexp.MustCompile(`set_config\('([^']*)','([^']*)',false\)`)

func (s *toySession) setConfig(text string) {
	for _, call := range setConfigCall.FindAllStringSubmatch(text, -1) {
		s.set(call[1], call[2])
	}
}

// rollback brings the session back to where it was when the transaction began.
func (s *toySession) rollback() {
	if s.before == nil {
		return
	}
	s.settings, s.made, s.channels = s.before.settings, s.before.made, s.before.channels
	s.before = nil
}

// set changes a setting.
func (s *toySession) set(name, value string) {
	for _, p := range reported() {
		if strings.EqualFold(p.Name, name) {
			name = p.Name
		}
	}
	s.settings[name] = value
	s.made[name] = true
}

// reset brings a setting back to what the session began with.
func (s *toySession) reset(name string) {
	value := ""
	for _, p := range reported() {
		if p.Name == name {
			value = p.Value
		}
	}
	s.set(name, value)
	delete(s.made, name)
}

// probe answers the question about the session's state.
func (s *toySession) probe(described bool) error {
	digits := func(text string) string { return hex.EncodeToString([]byte(text)) }
	var settings []string
	for _, name := range slices.Sorted(maps.Keys(s.made)) {
		settings = append(settings, name+"="+digits(s.settings[name]))
	}
	columns := []string{
		strings.Join(settings, ","), "", digits("app"), digits("app"), digits("none"),
		strconv.Itoa(len(s.channels)), "0", "0", "0", "0/" + strconv.Itoa(len(s.statements)),
	}
	if described {
		s.describeRow()
	}
	var row [][]byte
	for _, c := range columns {
		row = append(row, []byte(c))
	}
	s.out = wire.AppendTag(wire.AppendRow(s.out, row), "SELECT 1")
	return nil
}
