package session

import (
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"weak"
)

// Limits of what is carried for one client. PostgreSQL 18 has about 190 settings a session may change; real
// applications change fewer than ten.
const (
	MaxSettings      = 128      // settings and libraries in one set
	MaxSettingsBytes = 32 << 10 // names and values in one set
	MaxValueBytes    = 8 << 10  // one value, or one SET statement; search_path of some frameworks is long
	MaxNameBytes     = 256      // one name; PostgreSQL allows any length for custom settings
)

// ErrTooManySettings means that a set would exceed MaxSettings or MaxSettingsBytes.
var ErrTooManySettings = errors.New("too many settings in one session")

// form is how an entry is replayed.
type form uint8

const (
	formText  form = iota // text is a SET statement
	formValue             // text is the value, for set_config
	formLoad              // text is a LOAD statement, name is the statement too
)

// entry is one setting in a set.
type entry struct {
	name     string // canonical: lower case
	text     string
	form     form
	reported bool // PostgreSQL reports this parameter; its value is always known
}

func (e entry) compare(name string) int { return strings.Compare(e.name, name) }

// Settings is an immutable set of settings a session has made. Equal sets are the same pointer, and nil is
// the empty set. All methods may be called on nil and from any goroutine.
type Settings struct {
	entries  []entry // sorted by name
	key      string  // serialized entries, the identity in the intern table
	reading  string  // of the entries that Reading is about
	tempPath bool    // search_path mentions pg_temp: CREATE TABLE may make something temporary
}

// interned maps the key of each set in use to the set. The garbage collector frees a set nobody points to, so
// the table is bounded by the number of clients and server connections (each points to a few sets).
var interned struct {
	mu   sync.Mutex // guards sets; nothing is called under it
	sets map[string]weak.Pointer[Settings]
}

// intern returns the one Settings with these entries, which must be sorted and not change any more.
func intern(entries []entry) (*Settings, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	key := make([]byte, 0, 256)
	for i := range entries {
		key = entries[i].appendKey(key)
	}
	if len(entries) > MaxSettings || len(key) > MaxSettingsBytes {
		return nil, ErrTooManySettings
	}
	interned.mu.Lock()
	defer interned.mu.Unlock()
	if found := interned.sets[string(key)].Value(); found != nil {
		return found, nil
	}
	s := &Settings{entries: entries, key: string(key), reading: readingOf(entries)}
	if i, ok := s.find("search_path"); ok {
		s.tempPath = strings.Contains(strings.ToLower(s.entries[i].text), "pg_temp")
	}
	if interned.sets == nil {
		interned.sets = make(map[string]weak.Pointer[Settings])
	}
	interned.sets[s.key] = weak.Make(s)
	runtime.AddCleanup(s, forget, s.key)
	return s, nil
}

// forget removes a collected set, unless an equal one has taken its place.
func forget(key string) {
	interned.mu.Lock()
	defer interned.mu.Unlock()
	if pointer, ok := interned.sets[key]; ok && pointer.Value() == nil {
		delete(interned.sets, key)
	}
}

func (e *entry) appendKey(key []byte) []byte {
	flags := byte(e.form) << 1
	if e.reported {
		flags |= 1
	}
	key = append(key, flags)
	key = binary.AppendUvarint(key, uint64(len(e.name)))
	key = append(key, e.name...)
	key = binary.AppendUvarint(key, uint64(len(e.text)))
	return append(key, e.text...)
}

// Len is the number of settings and loaded libraries in the set.
func (s *Settings) Len() int {
	if s == nil {
		return 0
	}
	return len(s.entries)
}

// all are the entries, sorted by name.
func (s *Settings) all() []entry {
	if s == nil {
		return nil
	}
	return s.entries
}

func (s *Settings) find(name string) (int, bool) {
	return slices.BinarySearchFunc(s.all(), name, entry.compare)
}

// get is the entry for a canonical name.
func (s *Settings) get(name string) (entry, bool) {
	i, ok := s.find(name)
	if !ok {
		return entry{}, false
	}
	return s.entries[i], true
}

// isIn reports whether the set makes the same of the setting.
func (e *entry) isIn(s *Settings) bool {
	other, ok := s.get(e.name)
	return ok && other.form == e.form && other.text == e.text
}

// Value is the value of a parameter that is known by value, such as those which PostgreSQL reports. The name
// is canonical (lower case).
func (s *Settings) Value(name string) (string, bool) {
	e, ok := s.get(name)
	return e.text, ok && e.form == formValue
}

// String lists the statements that would make the set, for the console and for tests.
func (s *Settings) String() string {
	var b []byte
	for _, e := range s.all() {
		if len(b) > 0 {
			b = append(b, "; "...)
		}
		b = e.appendPlain(b)
	}
	return string(b)
}

// With returns the set after the changes, in their order. What a RESET falls back to is a matter of the
// server, so it just removes the setting; reported parameters stay until PostgreSQL reports their new value.
func (s *Settings) With(changes ...Change) (*Settings, error) {
	d := draft{entries: slices.Clone(s.all())}
	for _, c := range changes {
		d.apply(c)
	}
	return intern(d.entries)
}

// Reported returns the set after PostgreSQL has reported a parameter (ParameterStatus). Parameters which a
// session cannot set, such as server_version, are left out. The result is s itself when nothing changes.
func (s *Settings) Reported(name, value string) (*Settings, error) {
	canonical, ok := canonicalName(name)
	if !ok || !replayable(canonical) || isIdentity(canonical) {
		return s, nil
	}
	if e, ok := s.get(canonical); ok && e.reported && e.form == formValue && e.text == value {
		return s, nil
	}
	if len(value) > MaxValueBytes {
		return nil, ErrTooManySettings
	}
	d := draft{entries: slices.Clone(s.all())}
	d.set(entry{name: canonical, text: value, form: formValue, reported: true})
	return intern(d.entries)
}

// draft is a set that is being changed.
type draft struct {
	entries []entry
}

func (d *draft) find(name string) (int, bool) {
	return slices.BinarySearchFunc(d.entries, name, entry.compare)
}

func (d *draft) get(name string) (entry, bool) {
	i, ok := d.find(name)
	if !ok {
		return entry{}, false
	}
	return d.entries[i], true
}

func (d *draft) set(e entry) {
	i, ok := d.find(e.name)
	if !ok {
		d.entries = slices.Insert(d.entries, i, e)
		return
	}
	e.reported = e.reported || d.entries[i].reported
	d.entries[i] = e
}

func (d *draft) remove(name string) {
	if i, ok := d.find(name); ok {
		d.entries = slices.Delete(d.entries, i, i+1)
	}
}

// apply makes one change as PostgreSQL does. A reported parameter keeps its last reported value.
func (d *draft) apply(c Change) {
	switch c.Kind {
	case ChangeSet, ChangeValue, ChangeReset:
		if e, ok := d.get(c.Name); ok && e.reported {
			return
		}
		if c.Name == sessionAuthorization {
			d.remove(role) // PostgreSQL forgets the role with the session's user
		}
		if c.Kind == ChangeReset {
			d.remove(c.Name)
			return
		}
		d.set(c.entry())
	case ChangeResetAll:
		d.keep(func(e entry) bool { return e.reported || e.form == formLoad || isIdentity(e.name) })
	case ChangeDiscardAll:
		d.keep(func(e entry) bool { return e.reported || e.form == formLoad })
	case ChangeLoad:
		d.set(c.entry())
	default:
		panic("bug: no such kind of change")
	}
}

func (d *draft) keep(wanted func(entry) bool) {
	d.entries = slices.DeleteFunc(d.entries, func(e entry) bool { return !wanted(e) })
}
