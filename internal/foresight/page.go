// Package foresight is what usher forecast shows of a pool: what comes, what is planned for it, why, and how much of
// that is to be believed. Rows are those of scaler.Outlook, so that console, API and command line never differ.
package foresight

import (
	"time"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/scaler"
	"github.com/usher-pg/usher/internal/status"
)

// Page is what is known of a pool.
type Page struct {
	status.Forecast
	Mode string `json:"mode"`
	// Stands is what the forecast stands on, for people.
	Stands string `json:"stands_on"`
	// History is how whole the pool's history is.
	History History `json:"history"`
	// Calendars are those that concern the pool, and Next are the events that are under way or come.
	Calendars []status.Calendar `json:"calendars"`
	Next      []calendar.Event  `json:"events"`
	// Decided is what was decided about the pool's size last, as far as the history knows; nil: nothing.
	Decided *Decided `json:"last_decision,omitempty"`
	// WhatIf are events that somebody imagines, as they were written, and Changes the rows that are different for it.
	WhatIf  []string `json:"what_if,omitempty"`
	Changes []Change `json:"changes,omitempty"`
}

// History is how whole a history is.
type History struct {
	Days  float64   `json:"days"`           // from its first bucket until now
	Known float64   `json:"known"`          // which share of it is known
	Ends  time.Time `json:"ends,omitzero"`  // when the last bucket ends
	First time.Time `json:"first,omitzero"` // when the first one begins
}

// Decided is a decision that changed the target, as a running usher wrote it down.
type Decided struct {
	At     time.Time `json:"at"`
	Mode   string    `json:"mode"`
	From   int       `json:"from"`
	Target int       `json:"target"`
	Cause  string    `json:"cause"`
	Reason string    `json:"reason"`
}

// Change is a row without and with what is imagined.
type Change struct {
	Before scaler.Row `json:"before"`
	After  scaler.Row `json:"after"`
}

// leastChange is the demand that is worth a row.
const leastChange = 0.05

// Changes are the rows of two outlooks of the same pool and time that differ.
func Changes(before, after *scaler.Outlook) []Change {
	var changes []Change
	a, b := before.Digest(), after.Digest()
	for i := range min(len(a), len(b)) {
		differs := a[i].Target != b[i].Target || a[i].Needed != b[i].Needed ||
			b[i].P50-a[i].P50 >= leastChange || a[i].P50-b[i].P50 >= leastChange ||
			b[i].P90-a[i].P90 >= leastChange || a[i].P90-b[i].P90 >= leastChange
		if differs {
			changes = append(changes, Change{a[i], b[i]})
		}
	}
	return changes
}
