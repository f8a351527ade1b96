package history

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// MostEvents bounds how many events a store keeps: those that began last. It is ten times the year of a platform with
	// a hundred weddings a week, and takes some 5 MB.
	MostEvents = 50_000
	// LongestEvent bounds an event. Calendars take none that lasts longer.
	LongestEvent = 31 * 24 * time.Hour
	// longestText bounds its texts, in bytes. Those of calendars are a little shorter.
	longestText = 256
	// mostTwins bounds Event.Twin: no calendar lists more events.
	mostTwins = 100_000
	// sameWithin is how far apart two events can begin that have one ID and are one event, which was changed.
	sameWithin = 24 * time.Hour
)

// Event is something that took place and brought load, as its calendar had it: a wedding, a sale, a game.
type Event struct {
	Source string // the name of the calendar
	ID     string // what the calendar calls it; some have another one for it each time
	Name   string
	Kind   string
	Start  time.Time
	End    time.Time // never before Start
	Guests float64   // 0: nobody has said
	// Twin tells those apart that are alike in Source, Start, End and Name, see [NumberTwins].
	Twin int
}

// Check says what is wrong with an event; the error wraps ErrInvalid.
func (e *Event) Check() error {
	for i, text := range [...]string{e.Source, e.ID, e.Name, e.Kind} {
		if i < 2 && text == "" || len(text) > longestText || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			what := [...]string{"source", "ID", "name", "kind"}[i]
			return e.refuse("its %s is %.80q: expected up to %d bytes of UTF-8", what, text, longestText)
		}
	}
	switch {
	case !sane(e.Start) || !sane(e.End):
		return e.refuse("it ends at %s: expected times from %d to %d", e.End.UTC().Format(time.RFC3339),
			earliest.UTC().Year(), latest.Year()-1)
	case e.End.Before(e.Start) || e.End.Sub(e.Start) > LongestEvent:
		return e.refuse("it lasts %v: expected 0 to %v", e.End.Sub(e.Start), LongestEvent)
	case !(e.Guests >= 0 && e.Guests <= mostCount):
		return e.refuse("its guests are %v: expected 0 to %d", e.Guests, mostCount)
	case e.Twin < 0 || e.Twin >= mostTwins:
		return e.refuse("it is twin %d: expected 0 to %d", e.Twin, mostTwins-1)
	}
	return nil
}

func (e *Event) refuse(format string, args ...any) error {
	return fmt.Errorf("%w event of %s: %s", ErrInvalid, e.Start.UTC().Format(time.RFC3339), fmt.Sprintf(format, args...))
}

// CheckEvents says why a store cannot take events.
func CheckEvents(events []Event) error {
	for i := range events {
		if err := events[i].Check(); err != nil {
			return err
		}
	}
	return nil
}

// identity is what two events that are one have in common, whatever their IDs are. Stores keep microseconds.
type identity struct {
	source, name string
	start, end   int64
	twin         int
}

func (e *Event) identity() identity {
	return identity{e.Source, e.Name, e.Start.UnixMicro(), e.End.UnixMicro(), e.Twin}
}

// Same reports whether two events of a calendar are one:
//
//   - all but ID, kind and guests is the same, because some calendars have other IDs each time; or
//   - they have the same ID, begin less than a day apart, and have the same name or the same times: somebody has
//     corrected one of these. An ID that comes again on another day, or with nothing in common, is in use for another
//     event now, as the number of a row is.
func (e *Event) Same(o *Event) bool {
	if e.Source != o.Source {
		return false
	}
	return e.identity() == o.identity() || e.ID == o.ID && e.corrects(o)
}

// corrects reports whether an event can be one with the same ID, corrected.
func (e *Event) corrects(o *Event) bool {
	start, end := e.Start.UnixMicro() == o.Start.UnixMicro(), e.End.UnixMicro() == o.End.UnixMicro()
	return e.Start.Sub(o.Start).Abs() < sameWithin && (e.Name == o.Name || start && end)
}

// NumberTwins sorts events by source, start, end, name, guests and ID, and numbers those that are alike in the first
// four. All of a calendar have to be there that are: a calendar without names has several at the same time.
func NumberTwins(events []Event) {
	slices.SortFunc(events, func(a, b Event) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), a.Start.Compare(b.Start), a.End.Compare(b.End),
			strings.Compare(a.Name, b.Name), cmp.Compare(a.Guests, b.Guests), strings.Compare(a.ID, b.ID))
	})
	for i := range events {
		events[i].Twin = 0
		if i > 0 {
			last := events[i-1]
			if last.Twin = 0; last.identity() == events[i].identity() {
				events[i].Twin = events[i-1].Twin + 1
			}
		}
	}
}

// Apart are those of stored that are the same as none of fresh, in their order.
func Apart(stored, fresh []Event) []Event {
	if len(stored) == 0 || len(fresh) == 0 {
		return stored
	}
	same := newSameness(stored, fresh)
	apart := make([]Event, 0, len(stored))
	for i := range stored {
		if !same.with(&stored[i]) {
			apart = append(apart, stored[i])
		}
	}
	return apart
}

// Renew says what becomes of stored events when fresh ones are saved one after the other, each in the place of those
// that are the same: which go, and which come or are written over. It is what every store does, so that all agree, and
// doing it twice is doing it once. stored are at least those of the same sources that begin [Near] the fresh ones.
func Renew(stored, fresh []Event) (gone, come []Event) {
	written := make(map[identity]bool, len(fresh))
	later := newSameness(nil, nil)
	for i := len(fresh) - 1; i >= 0; i-- {
		if !later.with(&fresh[i]) {
			come = append(come, fresh[i])
			written[fresh[i].identity()] = true
		}
		later.add(&fresh[i])
	}
	slices.Reverse(come)
	for i := range stored {
		if later.with(&stored[i]) && !written[stored[i].identity()] {
			gone = append(gone, stored[i])
		}
	}
	return gone, come
}

// Near is the time in which those begin that may be the same as some of these.
func Near(events []Event) (from, to time.Time) {
	for i := range events {
		start := events[i].Start
		if i == 0 || start.Before(from) {
			from = start
		}
		if i == 0 || start.After(to) {
			to = start
		}
	}
	return from.Add(-sameWithin), to.Add(sameWithin)
}

// sameness finds out whether an event is the same as one of many, without looking at all of them.
type sameness struct {
	events     []*Event
	before     []int // index of the one with the same ID that was added before it; -1: there is none
	last       map[string]int
	identities map[identity]bool
}

// newSameness is with those of fresh that begin near some of stored.
func newSameness(stored, fresh []Event) sameness {
	s := sameness{
		events: make([]*Event, 0, len(fresh)), before: make([]int, 0, len(fresh)),
		last: make(map[string]int, len(fresh)), identities: make(map[identity]bool, len(fresh)),
	}
	from, to := Near(stored)
	for i := range fresh {
		if start := fresh[i].Start; !start.Before(from) && !start.After(to) {
			s.add(&fresh[i])
		}
	}
	return s
}

func (s *sameness) add(e *Event) {
	before, ok := s.last[e.ID]
	if !ok {
		before = -1
	}
	s.last[e.ID] = len(s.events)
	s.events, s.before = append(s.events, e), append(s.before, before)
	s.identities[e.identity()] = true
}

func (s *sameness) with(e *Event) bool {
	if s.identities[e.identity()] {
		return true
	}
	i, ok := s.last[e.ID]
	for ; ok && i >= 0; i = s.before[i] {
		if s.events[i].Source == e.Source && s.events[i].corrects(e) {
			return true
		}
	}
	return false
}

// News are those of events that stored have not, or not as they are but for their IDs.
func News(stored, events []Event) []Event {
	if len(events) == 0 {
		return nil
	}
	from, to := Near(events)
	known := map[identity]*Event{}
	for i := range stored {
		if start := stored[i].Start; !start.Before(from) && !start.After(to) {
			known[stored[i].identity()] = &stored[i]
		}
	}
	var news []Event
	for i := range events {
		e := &events[i]
		if o := known[e.identity()]; o == nil || o.Kind != e.Kind || o.Guests != e.Guests {
			news = append(news, *e)
		}
	}
	return news
}

// Latest are those of the events that are kept: at most MostEvents, the latest.
func Latest(events []Event) []Event {
	if over := len(events) - MostEvents; over > 0 {
		slices.SortStableFunc(events, func(a, b Event) int { return a.Start.Compare(b.Start) })
		events = events[over:]
	}
	return events
}

// OfSource are the events of a calendar. Where they are beside each other, as the history gives them, they are not
// copied.
func OfSource(events []Event, source string) []Event {
	count, first, last := 0, 0, 0
	for i := range events {
		if events[i].Source == source {
			if count++; count == 1 {
				first = i
			}
			last = i + 1
		}
	}
	if count == last-first {
		return events[first:last:last]
	}
	own := make([]Event, 0, count)
	for i := range events {
		if events[i].Source == source {
			own = append(own, events[i])
		}
	}
	return own
}

// During reports whether a bucket is of the time of an event, in part at least.
func During(buckets []Bucket, e *Event) bool {
	i, _ := slices.BinarySearchFunc(buckets, e.Start, func(b Bucket, t time.Time) int {
		if b.End().After(t) {
			return 1
		}
		return -1
	})
	return i < len(buckets) && !buckets[i].Start.After(e.End)
}
