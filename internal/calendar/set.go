package calendar

import (
	"iter"
	"slices"
	"strings"
	"time"
)

// Set is events by their start. It does not change, so many may read it at once. A nil Set is empty.
//
// Which events overlap a time is found in steps that grow with the logarithm of their number and with how many there
// are: the set is a tree over its own order, whose nodes know the last end beneath them.
type Set struct {
	events []Event
	last   []time.Time // of the event in the middle of each part of events: the last end in that part
}

// NewSet makes a set of the events of any number of calendars.
func NewSet(calendars ...[]Event) *Set {
	s := &Set{events: slices.Concat(calendars...)}
	slices.SortStableFunc(s.events, byStart)
	s.last = make([]time.Time, len(s.events))
	s.build(0, len(s.events))
	return s
}

func (s *Set) build(from, to int) time.Time {
	if from >= to {
		return time.Time{}
	}
	middle := (from + to) / 2
	last := s.events[middle].End
	for _, t := range []time.Time{s.build(from, middle), s.build(middle+1, to)} {
		if t.After(last) {
			last = t
		}
	}
	s.last[middle] = last
	return last
}

// Len is how many events there are.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.events)
}

// All are the events by their start.
func (s *Set) All() iter.Seq[Event] {
	if s == nil {
		return func(func(Event) bool) {}
	}
	return slices.Values(s.events)
}

// Overlapping are the events that are under way at some time from from until before to, by their start. An event
// without a length is under way at its start.
func (s *Set) Overlapping(from, to time.Time) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		if s != nil {
			s.walk(0, len(s.events), from, to, yield)
		}
	}
}

func (s *Set) walk(low, high int, from, to time.Time, yield func(Event) bool) bool {
	if low >= high {
		return true
	}
	middle := (low + high) / 2
	if s.last[middle].Before(from) {
		return true
	}
	if !s.walk(low, middle, from, to, yield) {
		return false
	}
	e := &s.events[middle]
	if !e.Start.Before(to) {
		return true
	}
	if overlaps(*e, from, to) && !yield(*e) {
		return false
	}
	return s.walk(middle+1, high, from, to, yield)
}

// StartingIn is how many events start from from until before to.
func (s *Set) StartingIn(from, to time.Time) int {
	if s == nil {
		return 0
	}
	return max(s.search(to)-s.search(from), 0)
}

// search is the index of the first event that starts at t or later.
func (s *Set) search(t time.Time) int {
	i, _ := slices.BinarySearchFunc(s.events, t, func(e Event, t time.Time) int {
		if e.Start.Before(t) {
			return -1
		}
		return 1
	})
	return i
}

func overlaps(e Event, from, to time.Time) bool {
	return e.Start.Before(to) && (e.End.After(from) || !e.Start.Before(from))
}

// byStart orders events, and equal ones by ID so that the order does not depend on the text.
func byStart(a, b Event) int {
	if c := a.Start.Compare(b.Start); c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}
