// Package calendar knows what is coming: events with a start, an end and guests, from whatever text a platform keeps
// them in. It is pure: readers take bytes and limits and give events and problems. What fetches the bytes, and keeps
// the last good copy of them, is package feed beneath it.
//
// A calendar is hostile input. Whatever it says, reading it ends soon and within [Limits]; an event that cannot be is
// left out with a [Problem] that says where it stands and what was expected, and the others count. Only a text that
// is no calendar at all, or is cut off, is an error: nothing should be believed of it.
//
// Times are by RFC 5545: a rule goes by the clock of its zone, a time that comes twice in autumn is the first of the
// two, and one that never comes in spring is reckoned by the offset before.
package calendar
