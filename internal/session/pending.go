package session

import "slices"

// pending is what a transaction has done to its session so far.
type pending struct {
	found    Finding  // of all texts since the first that concerned the tracker
	changes  []Change // in the order in which they were sent
	reports  []report
	names    nameList
	expected int // command tags SET, RESET and DISCARD ALL that confirm the changes
	done     int // of those, how many have come
	loads    int // the same for LOAD
	loaded   int
	endings  int // command tags that end a transaction
	rollback bool
	failed   bool // an error has come
	asks     bool // only the server knows
	cleared  bool // DISCARD ALL has completed
	ready    int  // ReadyForQuery that have come
	outcome  outcome
}

// report is a parameter the server has reported.
type report struct {
	name, value string
}

func (r report) entry() entry {
	return entry{name: r.name, text: r.value, form: formValue, reported: true}
}

// outcome is what has become of the changes of a transaction.
type outcome uint8

const (
	committed outcome = iota
	rolledBack
	unknown
)

// ask says that the changes are uncertain.
func (p *pending) ask() { p.asks = true }

// observe is the slow part of Tracker.Observe.
func (t *Tracker) observe(found Finding, sql []byte, ahead int) {
	if t.tempPath() && (found.Has(DDL) || sql == nil || containsFold(sql, "into")) {
		found |= Temp
	}
	// DISCARD ALL alone ends everything; there is no need to ask.
	alone := found&^(Discard|DiscardAll) == 0 && found.Has(DiscardAll) && t.texts == 1 && t.pending == nil
	asks := !alone && (found.begins()&^t.pins != 0 || found.ends()&t.pins != 0) || t.pins.Has(PinUnknown)
	changes := found.Has(changing)
	if t.pending == nil {
		if !asks && !changes && !found.Has(DeallocateAll) {
			return
		}
		t.pending = new(pending)
	}
	p := t.pending
	p.found |= found
	p.asks = p.asks || asks
	if len(p.changes) > 0 && found.Has(Begin|RollbackTo) || found.Has(Multi) && found.Has(control) {
		p.asks = p.asks || changes || len(p.changes) > 0
	}
	if changes || found.Has(Local) {
		before := len(p.changes)
		t.observeChanges(found, sql)
		for i := range p.changes[before:] {
			p.changes[before+i].batch = p.ready + ahead
		}
	}
}

// observeChanges takes the changes in a text, statement by statement.
func (t *Tracker) observeChanges(found Finding, sql []byte) {
	p := t.pending
	if t.control.Has(Commit | Rollback | RollbackTo) {
		p.ask() // part of this batch belongs to another transaction
	}
	if !found.Has(Multi) {
		t.observeChange(found, sql)
		return
	}
	l := lexer{sql: sql}
	for from := 0; ; {
		token := l.next()
		if !token.ends() {
			continue
		}
		if statement := sql[from:token.from]; len(trim(statement)) > 0 {
			t.observeChange(Scan(statement), statement)
		}
		if token.kind == end {
			return
		}
		from = token.to
	}
}

// observeChange takes one statement.
func (t *Tracker) observeChange(found Finding, sql []byte) {
	p := t.pending
	if found.Has(Local) {
		p.expected++
	}
	if !found.Has(changing) {
		return
	}
	change, byFunction, ok := parseChange(sql)
	if !ok || len(p.changes) == MaxSettings {
		p.names.collect(sql)
		p.ask()
		return
	}
	p.changes = append(p.changes, change)
	switch change.Kind {
	case ChangeSet, ChangeReset, ChangeDiscardAll:
		p.expected++
	case ChangeResetAll:
		p.expected++
		p.asks = p.asks || t.pins.Has(PinSettings)
	case ChangeLoad:
		p.loads++
	case ChangeValue:
		if !byFunction {
			p.expected++
		}
	}
}

// commandTag counts a command tag.
func (p *pending) commandTag(tag string) (clearPrepared bool) {
	switch tag {
	case "SET", "RESET":
		p.done++
	case "LOAD":
		p.loaded++
	case "COMMIT", "PREPARE TRANSACTION":
		p.endings++
		p.rollback = false
	case "ROLLBACK":
		p.endings++
		p.rollback = true
	case "DISCARD ALL":
		p.done++
		p.cleared = true
		return true
	case "DEALLOCATE ALL":
		return true
	}
	return false
}

// report remembers the last value of a parameter.
func (p *pending) report(name, value string) {
	if name == sessionAuthorization {
		if len(p.changes) == 0 {
			p.ask() // somebody has changed the user by other means than SET SESSION AUTHORIZATION
		}
		return
	}
	i := slices.IndexFunc(p.reports, func(r report) bool { return r.name == name })
	switch {
	case i >= 0:
		p.reports[i].value = value
	case len(p.reports) < MaxSettings && len(value) <= MaxValueBytes:
		p.reports = append(p.reports, report{name, value})
	default:
		p.ask()
	}
}
