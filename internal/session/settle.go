package session

import "slices"

func cloneEntries(s *Settings) []entry { return slices.Clone(s.all()) }

// finish decides what has become of the transaction that has ended.
func (t *Tracker) finish() Action {
	p := t.pending
	p.outcome = p.decide(t.control&^rereading, t.texts)
	if p.asks || p.outcome == unknown {
		p.asks = true
		return Action{Kind: AskServer}
	}
	t.takePending()
	if p.cleared && p.outcome == committed {
		t.pins &= 1 << PinLibrary
	}
	t.pins |= p.libraryPin()
	return t.become(p.settled(t))
}

// decide finds out whether the changes were committed. Everything but the plain cases is unknown.
func (p *pending) decide(control Finding, texts uint8) outcome {
	switch {
	case !p.found.Has(changing):
		return committed // there is nothing to roll back
	case p.endings > 1:
		return unknown
	case p.endings == 1 && p.rollback:
		return rolledBack
	case p.failed && p.endings == 0 && control == 0 && texts == 1 && !p.found.Has(Multi):
		return rolledBack // a single statement has failed
	case p.failed || p.done != p.expected:
		return unknown
	}
	return committed
}

// clears reports whether the transaction has reset all settings, those with unknown names too.
func (p *pending) clears() bool {
	return p.cleared || p.outcome == committed && slices.ContainsFunc(p.changes, func(c Change) bool {
		return c.Kind == ChangeResetAll
	})
}

// libraryPin is the pin for libraries of which it is not known whether they have been loaded. No transaction
// unloads a library, so it is the command tags that count.
func (p *pending) libraryPin() PinReasons {
	some := p.loaded > 0 && p.loaded != p.loads
	hidden := p.found.Has(Load) && p.found.Has(Do) && !p.failed
	if some || hidden {
		return 1 << PinLibrary
	}
	return 0
}

// settled applies the changes, if they were committed, and the reports. The two drafts are what the client
// needs, and what the server connection has.
func (p *pending) settled(t *Tracker) (client, server draft) {
	client, server = draft{cloneEntries(t.settings)}, draft{cloneEntries(t.settings)}
	for _, c := range p.changes {
		if p.outcome == committed && c.Kind != ChangeLoad || c.Kind == ChangeLoad && p.loaded == p.loads {
			server.apply(c)
			client.applyForClient(c, t.startup)
		}
	}
	for _, r := range p.reports {
		server.set(r.entry())
		if p.outcome != committed || !p.resets(r.name) {
			client.set(r.entry())
		}
	}
	return client, server
}

// applyForClient makes one change to what a client needs: a reset leads back to its startup parameters.
func (d *draft) applyForClient(c Change, startup *Settings) {
	d.apply(c)
	switch c.Kind {
	case ChangeReset:
		if e, ok := startup.get(c.Name); ok {
			d.set(e)
		}
	case ChangeResetAll, ChangeDiscardAll:
		for _, e := range startup.all() {
			if !isIdentity(e.name) || c.Kind == ChangeDiscardAll {
				d.set(e)
			}
		}
	}
}

// resets reports whether the last change of a parameter was to reset it, as far as the server has come.
func (p *pending) resets(name string) bool {
	for _, c := range slices.Backward(p.changes) {
		if c.batch > p.ready {
			continue
		}
		switch c.Kind {
		case ChangeResetAll, ChangeDiscardAll:
			return true
		case ChangeReset, ChangeSet, ChangeValue:
			if c.Name == name {
				return c.Kind == ChangeReset
			}
		}
	}
	return false
}

// fromProbe makes the two sets from what the server says. What it has reported is not asked again, libraries
// cannot be asked for. What the client once had at its startup and the session has no more was reset.
func (p *pending) fromProbe(t *Tracker, probe *Probe) (client, server draft) {
	for _, e := range t.settings.all() {
		if e.reported || e.form == formLoad {
			server.set(e)
		}
	}
	for _, r := range p.reports {
		server.set(r.entry())
	}
	made := map[string]bool{}
	for _, s := range slices.Concat(probe.Settings, probe.Custom) {
		name, ok := canonicalName(s.Name)
		if !ok || !replayable(name) || isCustom(name) && s.Value == "" {
			continue
		}
		made[name] = true
		if e, ok := server.get(name); !ok || !e.reported {
			server.set(entry{name: name, text: s.Value, form: formValue})
		}
	}
	for _, c := range p.changes {
		if c.Kind == ChangeLoad && p.loaded == p.loads {
			server.set(c.entry())
		}
	}
	p.identityFromProbe(t, probe, &server)
	client = draft{slices.Clone(server.entries)}
	for _, e := range t.startup.all() {
		if _, ok := server.get(e.name); (!ok || e.reported) && !made[e.name] && !isIdentity(e.name) {
			client.set(e)
		}
	}
	return client, server
}

// identityFromProbe takes the session's user and role. That there is no role is remembered only where there
// was one.
func (p *pending) identityFromProbe(t *Tracker, probe *Probe, server *draft) {
	if probe.SessionUser != probe.LoginUser {
		server.set(entry{name: sessionAuthorization, text: probe.SessionUser, form: formValue})
	}
	_, had := t.settings.get(role)
	_, began := t.startup.get(role)
	if probe.Role != "none" || had || began {
		server.set(entry{name: role, text: probe.Role, form: formValue})
	}
}

// become takes on the two sets. Settings beyond the limits cannot be carried, so they pin the client.
func (t *Tracker) become(client, server draft) Action {
	c, err1 := intern(client.entries)
	s, err2 := intern(server.entries)
	if err1 != nil || err2 != nil {
		t.pins |= 1 << PinSettings
		return Action{}
	}
	if c == t.settings && s == t.settings {
		return Action{}
	}
	t.settings = c
	return Action{Kind: Changed, Client: c, Server: s}
}

// spelled are the parameters whose value is known by what the server connection, which was in the state from,
// has reported while it was made to have the settings. What it did not report is as it was.
func (p *pending) spelled(settings, from *Settings) []entry {
	var known []entry
	for _, r := range p.reports {
		known = append(known, r.entry())
	}
	for _, e := range settings.all() {
		before, ok := from.get(e.name)
		if !ok || !before.reported || e.form != formValue {
			continue
		}
		if !slices.ContainsFunc(p.reports, func(r report) bool { return r.name == e.name }) {
			known = append(known, before)
		}
	}
	return known
}
