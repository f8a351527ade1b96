package session

// AppendDiff appends one simple-Query text that takes a session from the state from to the state to, nothing
// if there is nothing to do. The text runs as one implicit transaction: it succeeds or changes nothing.
//
// The identity is reset first and set last, because the rights to set something are those of the user who
// logged in, not of a role the client took on later. Timeouts are set behind everything else, so that a very
// short one does not hit the rest, and reset in front.
func AppendDiff(dst []byte, from, to *Settings) []byte {
	if from == to {
		return dst
	}
	d := differ{dst: dst, start: len(dst), from: from, to: to}
	d.resetIdentity()
	d.resets(isTimeout)
	d.resets(func(name string) bool { return !isTimeout(name) })
	d.texts(func(name string) bool { return !isTimeout(name) })
	d.values(func(name string) bool { return !isTimeout(name) && !isIdentity(name) })
	d.setIdentity()
	d.texts(isTimeout)
	d.values(isTimeout)
	return d.dst
}

// isTimeout reports whether a setting may cancel the statements that follow it.
func isTimeout(name string) bool { return name == "statement_timeout" || name == "transaction_timeout" }

type differ struct {
	dst      []byte
	start    int
	from, to *Settings
}

// statement begins a statement.
func (d *differ) statement() {
	if len(d.dst) > d.start {
		d.dst = append(d.dst, ';')
	}
}

func (d *differ) reset(name string) {
	d.statement()
	d.dst = appendName(append(d.dst, "RESET "...), name)
}

// resetIdentity returns to the user who logged in, if anything at all differs. Resetting the session's user
// resets the role too.
func (d *differ) resetIdentity() {
	_, hasUser := d.from.get(sessionAuthorization)
	_, hasRole := d.from.get(role)
	if hasUser {
		d.reset(sessionAuthorization)
	}
	if hasRole {
		d.reset(role)
	}
}

// setIdentity takes on the identity of to.
func (d *differ) setIdentity() {
	for _, name := range []string{sessionAuthorization, role} {
		if e, ok := d.to.get(name); ok {
			d.statement()
			d.dst = e.appendPlain(d.dst)
		}
	}
}

// resets removes what only from has.
func (d *differ) resets(wanted func(string) bool) {
	for _, e := range d.from.all() {
		if e.form == formLoad || isIdentity(e.name) || !wanted(e.name) {
			continue
		}
		if _, ok := d.to.get(e.name); !ok {
			d.reset(e.name)
		}
	}
}

// texts makes the entries that are statements; libraries come first in the order of names.
func (d *differ) texts(wanted func(string) bool) {
	for _, e := range d.to.all() {
		if e.form != formValue && wanted(e.name) && !e.isIn(d.from) {
			d.statement()
			d.dst = append(d.dst, e.text...)
		}
	}
}

// values makes the entries that are values: by SET where a string means the same to it, the others in one
// SELECT, because set_config takes a list as PostgreSQL shows it. A SET costs the server half of a SELECT.
func (d *differ) values(wanted func(string) bool) {
	for _, e := range d.to.all() {
		if e.form == formValue && isScalar(e.name) && wanted(e.name) && !e.isIn(d.from) {
			d.statement()
			d.dst = e.appendPlain(d.dst)
		}
	}
	first := true
	for _, e := range d.to.all() {
		if e.form != formValue || isScalar(e.name) || !wanted(e.name) || e.isIn(d.from) {
			continue
		}
		if first {
			d.statement()
			d.dst = append(d.dst, "SELECT "...)
		} else {
			d.dst = append(d.dst, ',')
		}
		first = false
		d.dst = e.appendCall(d.dst)
	}
}

// appendPlain appends the statement that makes the entry.
func (e *entry) appendPlain(dst []byte) []byte {
	switch {
	case e.form != formValue:
		return append(dst, e.text...)
	case isScalar(e.name):
		dst = append(appendName(append(dst, "SET "...), e.name), " = "...)
		return appendLiteral(dst, e.text)
	}
	return e.appendCall(append(dst, "SELECT "...))
}

// appendCall appends a call of set_config.
func (e *entry) appendCall(dst []byte) []byte {
	dst = appendLiteral(append(dst, "pg_catalog.set_config("...), e.name)
	dst = appendLiteral(append(dst, ','), e.text)
	return append(dst, ",false)"...)
}
