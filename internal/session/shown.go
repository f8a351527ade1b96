package session

import "slices"

// Shown is what the client is to be told when the server reports a parameter. After a RESET that is not what
// the server connection has fallen back to, but what the client began with, which it will have with its next
// statement. news is false when the client knows it already. Parameters that are not carried from one server
// connection to the next are always news. Call it before ParameterStatus.
func (t *Tracker) Shown(name, value string) (shown string, news bool) {
	canonical, ok := canonicalName(name)
	if !ok || !replayable(canonical) {
		return value, true
	}
	known, ok := t.settings.Value(canonical)
	if p := t.pending; p != nil {
		// What fails or is rolled back resets nothing.
		if undone := p.failed || p.endings > 0 && p.rollback; !undone && p.resets(canonical) {
			if own, has := t.startup.Value(canonical); has {
				value = own
			}
		}
		if i := slices.IndexFunc(p.reports, func(r report) bool { return r.name == canonical }); i >= 0 {
			known = p.reports[i].value
		}
	}
	return value, !ok || known != value
}

// Shows reports whether the client has been told a value of the parameter that it is to have on every server
// connection.
func (t *Tracker) Shows(name string) bool {
	canonical, ok := canonicalName(name)
	if ok {
		_, ok = t.settings.Value(canonical)
	}
	return ok
}
