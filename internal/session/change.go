package session

// ChangeKind is what a change does.
type ChangeKind uint8

// The kinds of changes.
const (
	ChangeSet        ChangeKind = iota + 1 // SET: Name, and Text is the statement
	ChangeValue                            // set_config('name', 'value', false): Name, and Text is the value
	ChangeReset                            // RESET name: Name
	ChangeResetAll                         // RESET ALL
	ChangeDiscardAll                       // DISCARD ALL
	ChangeLoad                             // LOAD: Text is the statement
)

// Change is what one statement does to the settings of its session.
type Change struct {
	Kind ChangeKind
	Name string // canonical: lower case
	Text string

	batch int // how many ReadyForQuery come before that of its batch, from when something was pending
}

// SQL is a clean statement that makes the change: no comments, no semicolon, the name quoted.
func (c Change) SQL() string {
	switch c.Kind {
	case ChangeSet, ChangeLoad:
		return c.Text
	case ChangeValue:
		e := c.entry()
		return string(e.appendPlain(nil))
	case ChangeReset:
		return string(appendName([]byte("RESET "), c.Name))
	case ChangeResetAll:
		return "RESET ALL"
	case ChangeDiscardAll:
		return "DISCARD ALL"
	}
	panic("bug: no such kind of change")
}

// entry is what a set remembers of the change.
func (c Change) entry() entry {
	switch c.Kind {
	case ChangeSet:
		return entry{name: c.Name, text: c.Text, form: formText}
	case ChangeValue:
		return entry{name: c.Name, text: c.Text, form: formValue}
	case ChangeLoad:
		// The name begins with a space, so libraries sort before all settings and collide with none.
		return entry{name: " " + c.Text, text: c.Text, form: formLoad}
	}
	panic("bug: this change leaves no entry")
}

// scalars are settings of PostgreSQL whose value is one string that SET takes as set_config does. Others
// might be lists whose elements SET quotes, like those of search_path. Custom settings cannot be such lists.
var scalars = map[string]struct{}{
	role: {}, sessionAuthorization: {}, "timezone": {}, "client_encoding": {}, "xmloption": {}, "datestyle": {},
	"intervalstyle": {}, "application_name": {}, "default_transaction_isolation": {},
	"default_transaction_read_only": {}, "default_transaction_deferrable": {},
	"standard_conforming_strings": {}, "bytea_output": {}, "extra_float_digits": {}, "statement_timeout": {},
	"lock_timeout": {}, "idle_in_transaction_session_timeout": {}, "scram_iterations": {},
}

func isScalar(name string) bool {
	_, ok := scalars[name]
	return ok || isCustom(name)
}
