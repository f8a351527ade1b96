package session

import (
	"slices"
	"strings"

	"github.com/usher-pg/usher/internal/wire"
)

// Welcome makes what a client begins with: the set for Tracker.Start, and the ParameterStatus values that its
// welcome shows. reported is what a server connection of its pool has reported, startup the client's own
// parameters.
func Welcome(reported, startup []wire.Param) (settings *Settings, welcome []wire.Param, err error) {
	own, err := FromStartup(startup)
	if err != nil {
		return nil, nil, err
	}
	base := Reported(reported)
	d := draft{entries: slices.Clone(base.all())}
	for _, e := range own.all() {
		if before, ok := base.get(e.name); ok && sameValue(e.name, e.text, before.text) {
			continue
		} else if ok && e.form == formValue {
			e.text = spelled(e.name, e.text, before.text)
		}
		d.set(e)
	}
	if settings, err = intern(d.entries); err != nil {
		return nil, nil, err
	}
	welcome = slices.Clone(reported)
	for i, p := range welcome {
		if name, ok := canonicalName(p.Name); ok {
			if value, ok := settings.Value(name); ok {
				welcome[i].Value = value
			}
		}
	}
	return settings, welcome, nil
}

// sameValue reports whether what a client asks for is what the server has, in PostgreSQL's own spelling. It
// knows the usual differences only, so that most clients need no synchronization: UTF-8 is UTF8, and ISO
// alone leaves the order of day and month in "ISO, MDY" as it is.
func sameValue(name, wanted, reported string) bool {
	switch name {
	case "client_encoding":
		return strings.EqualFold(strings.ReplaceAll(wanted, "-", ""), reported)
	case "datestyle":
		style, _, _ := strings.Cut(reported, ",")
		return strings.EqualFold(wanted, reported) ||
			strings.EqualFold(wanted, style) && strings.EqualFold(wanted, "iso")
	case "timezone", "intervalstyle", "standard_conforming_strings", "default_transaction_read_only":
		return strings.EqualFold(wanted, reported)
	}
	return wanted == reported
}

// Reported makes the set of what a server connection has reported while it was opened. Parameters that cannot
// be set, and what is beyond the limits, are left out.
func Reported(parameters []wire.Param) *Settings {
	var s *Settings
	for _, p := range parameters {
		if next, err := s.Reported(p.Name, p.Value); err == nil {
			s = next
		}
	}
	return s
}
