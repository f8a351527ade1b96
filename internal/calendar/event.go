package calendar

import "time"

// Event is something that brings load: a wedding, a sale, a game.
type Event struct {
	// ID is the same each time the calendar is read. One occurrence of a recurring event has the occurrence's time in
	// it.
	ID string `json:"id"`
	// Source is the name of the calendar it is from.
	Source string `json:"source,omitempty"`
	Name   string `json:"name,omitempty"`
	// Kind is which events it resembles, as "wedding": what is learned from one is expected of the others.
	Kind string `json:"kind,omitempty"`
	// Start is when it begins and End, never before Start, when it ends.
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// Guests is how many come. 0: nobody has said.
	Guests float64 `json:"guests,omitempty"`
}
