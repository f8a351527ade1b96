// Package calendar knows what is coming: events with a start, an end and guests, from whatever text a platform keeps
// them in. It is pure: readers take bytes and limits and give events and problems. What fetches the bytes, and keeps
// the last good copy of them, is package feed beneath it.
package calendar
