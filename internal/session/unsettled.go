package session

// Unsettled reports whether statements have been observed whose effect on the session is not known yet: a
// server connection whose client leaves now has to be reset.
func (t *Tracker) Unsettled() bool { return t.pending != nil }
