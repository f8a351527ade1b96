package session

// ActionKind is what the relay has to do when a transaction has ended.
type ActionKind uint8

// The kinds of actions.
const (
	Nothing   ActionKind = iota // the session is as it was
	Changed                     // the settings of the client, the server connection or both have changed
	AskServer                   // send AppendProbe, then call Apply or ProbeFailed
)

// Action is the answer to Ready and Apply. Client and Server are set with Changed.
type Action struct {
	Kind   ActionKind
	Client *Settings // what the client needs from now on, the same as Tracker.Settings
	Server *Settings // what the server connection has now
}

// Tracker follows what one client does to its sessions. The zero value is a client without settings. An idle
// client costs the size of this struct; there is heap state only while a transaction is doing something to
// its session.
type Tracker struct {
	settings *Settings // what the client needs
	startup  *Settings // what it falls back to when it resets a setting
	pending  *pending  // nil: nothing has happened
	control  Finding   // transaction control (and what may hide it) observed since the last ReadyForQuery
	texts    uint8     // texts observed since the last ReadyForQuery, at most 255
	pins     PinReasons
}

// concerning is what can make a text interesting for a tracker; with none of it and nothing pending, it is
// not.
const concerning = changing | Listen | Unlisten | Temp | Advisory | AdvisoryUnlock | CursorHold |
	CloseCursor | SQLPrepare | Deallocate | DeallocateAll | Discard | Drop | Unsure

// changing is what changes settings and libraries.
const changing = Setting | SettingHidden | Load | DiscardAll

// uncertain is what makes it unclear to which transaction a statement belongs.
const uncertain = control | Do | Call

// Start sets what the client begins with, as Welcome returns it. It is also what the client falls back to
// when it resets a setting.
func (t *Tracker) Start(settings *Settings) { *t = Tracker{settings: settings, startup: settings} }

// Settings is what a server connection must have before the client's next statement goes to it.
func (t *Tracker) Settings() *Settings { return t.settings }

// Pins are the reasons for which the client must keep its server connection, as of the end of its last
// transaction.
func (t *Tracker) Pins() PinReasons { return t.pins }

// Observe is called when a statement that will be executed goes to the server: for Query with its text, for
// Execute with the text that was parsed. ahead is how many ReadyForQuery are outstanding before the one that its own
// batch will end with. The text is not kept. It may be nil if nothing was found in it.
func (t *Tracker) Observe(found Finding, sql []byte, ahead int) {
	if t.texts < 255 {
		t.texts++
	}
	t.control |= found & uncertain
	if mayReread(found, sql) {
		t.control |= rereading
	}
	if found&concerning == 0 && t.pending == nil && t.pins&(1<<PinUnknown) == 0 && !t.tempPath() {
		return
	}
	t.observe(found, sql, ahead)
}

// CommandTag is called with the tag of CommandComplete. It reports whether all prepared statements of the
// session are gone.
func (t *Tracker) CommandTag(tag []byte) (clearPrepared bool) {
	if t.pending == nil {
		return false
	}
	return t.pending.commandTag(string(tag))
}

// Error is called when the server has sent an ErrorResponse.
func (t *Tracker) Error() {
	if t.pending != nil {
		t.pending.failed = true
	}
}

// ParameterStatus is called when the server reports a parameter, in a transaction or while settings are
// synchronized.
func (t *Tracker) ParameterStatus(name, value string) {
	canonical, ok := canonicalName(name)
	if !ok || !replayable(canonical) {
		return
	}
	if t.pending == nil {
		t.pending = new(pending)
	}
	t.pending.report(canonical, value)
}

// Ready is called when ReadyForQuery has arrived, with its status, and whether more of them are to come (the
// client has sent another Query or Sync already).
func (t *Tracker) Ready(status byte, more bool) Action {
	const idle = 'I'
	if t.pending == nil {
		if !more {
			t.control, t.texts = 0, 0
		}
		return Action{}
	}
	t.pending.ready++
	if more {
		if status == idle {
			t.pending.ask() // it is not known which statements belong to which transaction
		}
		return Action{}
	}
	var action Action
	if status == idle {
		action = t.finish()
	}
	t.control, t.texts = 0, 0
	return action
}

// Plain reports whether no text observed since nothing was outstanding can have begun or ended a transaction block.
func (t *Tracker) Plain() bool {
	return t.control&^rereading == 0 && (t.pending == nil || !t.pending.found.Has(Unsure))
}

// AppendProbe appends the SQL text of the probe, which answers with one row for ParseProbe.
func (t *Tracker) AppendProbe(dst []byte) []byte {
	var names nameList
	if t.pending != nil {
		names = t.pending.names
		for _, c := range t.pending.changes {
			names.add(c.Name)
		}
	}
	for _, e := range t.settings.all() {
		names.add(e.name)
	}
	return appendProbe(dst, names.names)
}

// Apply takes the answer to a probe.
func (t *Tracker) Apply(probe *Probe) Action {
	p := t.takePending()
	sticky := t.pins & Pins(PinSettings, PinLibrary)
	if p.clears() {
		sticky &^= 1 << PinSettings
	}
	if p.outcome != rolledBack && p.found.Has(SettingHidden) || p.names.overflow {
		sticky |= 1 << PinSettings
	}
	t.pins = probe.pins() | sticky | p.libraryPin()
	return t.become(p.fromProbe(t, probe))
}

// ProbeFailed is called when the probe could not be sent or was not answered: the client is pinned, and the
// server is asked again at the end of its next transaction.
func (t *Tracker) ProbeFailed() {
	t.takePending()
	t.pins |= 1 << PinUnknown
}

// Synced is called when the server connection, which was in the state from, has executed AppendDiff(from,
// Settings()). It returns what both have now. Values which PostgreSQL spells in its own way (DateStyle ISO is
// "ISO, MDY") become as it reported them, so that clients which ask for the same in different words share one
// set.
func (t *Tracker) Synced(from *Settings) *Settings {
	d := draft{entries: cloneEntries(t.settings)}
	startup := draft{entries: cloneEntries(t.startup)}
	for _, now := range t.takePending().spelled(t.settings, from) {
		if e, ok := t.settings.get(now.name); ok && e.isIn(t.startup) {
			startup.set(now)
		}
		d.set(now)
	}
	settings, err1 := intern(d.entries)
	begin, err2 := intern(startup.entries)
	if err1 == nil && err2 == nil {
		t.settings, t.startup = settings, begin
	}
	return t.settings
}

// SyncFailed is called when the server connection has refused AppendDiff. It is in the state it was in.
func (t *Tracker) SyncFailed() { t.takePending() }

// takePending ends what is pending and returns it; it is empty if there was nothing.
func (t *Tracker) takePending() *pending {
	p := t.pending
	t.pending = nil
	if p == nil {
		p = new(pending)
	}
	return p
}

// tempPath reports whether anything the client creates may be temporary.
func (t *Tracker) tempPath() bool { return t.settings != nil && t.settings.tempPath }
