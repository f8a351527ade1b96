package session

import (
	"math/bits"
	"strings"
)

// PinReason is one kind of session state that cannot be carried to another server connection.
type PinReason uint8

// The reasons, in the order in which they are shown.
const (
	PinListen   PinReason = iota // the session listens on a channel
	PinTemp                      // something lives in the session's temporary schema
	PinAdvisory                  // a session-level advisory lock is held
	PinCursor                    // a cursor WITH HOLD is open
	PinPrepare                   // SQL PREPARE has made a statement
	PinSettings                  // settings that are unknown by name, or more than the limits allow to carry
	PinLibrary                   // LOAD of a library of which it is not known whether it succeeded
	PinUnknown                   // the server could not be asked
	pinReasons                   // how many there are
)

var pinNames = [pinReasons]string{
	"listen", "temp table", "advisory lock", "cursor with hold", "prepare", "settings", "library", "unknown",
}

// String is the reason as the console shows it.
func (r PinReason) String() string {
	if r >= pinReasons {
		panic("bug: no such pin reason")
	}
	return pinNames[r]
}

// AllPinReasons lists every reason, for tables and metrics.
func AllPinReasons() []PinReason {
	all := make([]PinReason, pinReasons)
	for i := range all {
		all[i] = PinReason(i)
	}
	return all
}

// PinReasons is a set of reasons; a client with an empty set is not pinned.
type PinReasons uint8

// Pins makes a set of reasons.
func Pins(reasons ...PinReason) PinReasons {
	var set PinReasons
	for _, r := range reasons {
		set |= 1 << r
	}
	return set
}

// Has reports whether the set contains the reason.
func (p PinReasons) Has(r PinReason) bool { return p&(1<<r) != 0 }

// Len is the number of reasons in the set.
func (p PinReasons) Len() int { return bits.OnesCount8(uint8(p)) }

// String lists the reasons, and is empty for a client that is not pinned.
func (p PinReasons) String() string {
	var names []string
	for r := range pinReasons {
		if p.Has(r) {
			names = append(names, r.String())
		}
	}
	return strings.Join(names, ", ")
}

const allPins = PinReasons(1<<pinReasons - 1)

// startsOf and endsOf are the table of what may begin and what may end each kind of session state.
var (
	startsOf = [...]struct {
		finding Finding
		pins    PinReasons
	}{
		{Listen, 1 << PinListen},
		{Temp, 1 << PinTemp},
		{Advisory, 1 << PinAdvisory},
		{CursorHold, 1 << PinCursor},
		{SQLPrepare, 1 << PinPrepare},
		{SettingHidden, 1 << PinSettings},
		{Unsure, allPins},
	}
	endsOf = [...]struct {
		finding Finding
		pins    PinReasons
	}{
		{Unlisten, 1 << PinListen},
		{Drop, 1 << PinTemp},
		{Discard, 1 << PinTemp},
		{AdvisoryUnlock, 1 << PinAdvisory},
		{CloseCursor, 1 << PinCursor},
		{Deallocate, 1 << PinPrepare},
		{DiscardAll, allPins &^ (1 << PinLibrary)},
	}
)

// begins is what a text with this finding may begin.
func (f Finding) begins() PinReasons {
	var set PinReasons
	for _, row := range startsOf {
		if f&row.finding != 0 {
			set |= row.pins
		}
	}
	return set
}

// ends is what a text with this finding may end.
func (f Finding) ends() PinReasons {
	var set PinReasons
	for _, row := range endsOf {
		if f&row.finding != 0 {
			set |= row.pins
		}
	}
	return set
}
