package past

import (
	"iter"
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
	"github.com/usher-pg/usher/internal/history"
)

// Reach is how far back events are of interest: what is learned from them is learned from the history, which a forecast
// looks at for so long.
const Reach = 400 * 24 * time.Hour

const (
	// witnessWait is for how long after its end an event that the history knows no demand of is looked at again: it may
	// still wait in the keeper's queue.
	witnessWait = 24 * time.Hour
	// mostDropped bounds how many events of a calendar that it has dropped wait for that.
	mostDropped = 10_000
)

// Events are those that took place, of all calendars. The zero value knows of none.
type Events struct {
	known   []history.Event
	version int // of known
}

// Listing is what a calendar listed when it was looked at last, and what became of it. The zero value was not looked at
// yet.
type Listing struct {
	events    *calendar.Set // nil: it was not looked at yet
	confirmed time.Time     // when the copy they are of was last known to be the newest
	looked    time.Time
	// dropped are those it no longer lists because they had begun, and that are not remembered yet.
	dropped []history.Event
	// judged is until when events that ended were looked for; asked is what it becomes if that succeeds.
	judged, asked time.Time

	gone gone
}

// gone is what is remembered of a calendar and not listed by it, as long as nothing of that changes.
type gone struct {
	listed  *calendar.Set
	version int
	events  []calendar.Event
}

// Look compares a calendar with how it was at the last look. fetched is when its copy was last known to be the newest.
// It reports whether it lists other events, and whether some have ended since.
func (l *Listing) Look(events *calendar.Set, fetched, now time.Time) (changed, over bool) {
	if changed = events != l.events; changed {
		over = l.drop(events, fetched)
	}
	for e := range events.Overlapping(l.looked, now.Add(1)) {
		if over = over || e.End.After(l.looked) && !e.End.After(now); over {
			break
		}
	}
	l.events, l.confirmed, l.looked = events, fetched, now
	return changed, over
}

// drop notes which events the next copy does not list although they took place, and reports whether there are any.
func (l *Listing) drop(next *calendar.Set, fetched time.Time) bool {
	before := EventsOf(l.events.Overlapping(l.confirmed.Add(-witnessWait), fetched.Add(1)), 0)
	from, to := history.Near(slices.Concat(before, l.dropped))
	listed := EventsOf(next.Overlapping(from, to.Add(1)), 0)
	fresh := tookPlace(history.Apart(before, listed), l.confirmed, fetched)
	l.dropped = slices.Concat(history.Apart(l.dropped, listed), fresh)
	l.dropped = l.dropped[max(0, len(l.dropped)-mostDropped):]
	l.gone = gone{}
	return len(fresh) > 0
}

// tookPlace are those of the events that a calendar has dropped between two copies of which one believes that they took
// place: they were over when the second one was fetched; or they had begun, but not yet when the first one was. A
// calendar that lists what is still to come drops them then, and hardly anybody cancels a wedding in these minutes. One
// that was listed while it was under way and then is not has been cancelled.
func tookPlace(dropped []history.Event, first, second time.Time) []history.Event {
	return slices.DeleteFunc(slices.Clone(dropped), func(e history.Event) bool {
		over := !e.End.After(second)
		beginning := e.Start.After(first) && !e.Start.After(second)
		return !over && !beginning
	})
}

// Ended are events that a calendar lists or has dropped, that took place as far as it knows, and that are not
// remembered as they are.
func (p *Events) Ended(l *Listing, now time.Time) []history.Event {
	if l.confirmed.IsZero() {
		return nil // there is no copy yet
	}
	l.asked = now
	var from time.Time
	if !l.judged.IsZero() {
		from = l.judged.Add(-witnessWait)
	}
	ended := EventsOf(func(yield func(calendar.Event) bool) {
		for e := range l.events.Overlapping(from, now.Add(1)) {
			if !e.End.After(now) && !yield(e) {
				return
			}
		}
	}, 0)
	l.dropped = slices.DeleteFunc(l.dropped, func(e history.Event) bool { return e.Start.After(now) })
	return history.News(p.known, slices.Concat(ended, l.dropped))
}

// Remember adds events.
func (p *Events) Remember(events []history.Event) {
	if len(events) == 0 {
		return
	}
	p.known = history.Latest(slices.Concat(history.Apart(p.known, events), events))
	p.version++
}

// Settle is what comes after events that ended were asked for, and those of which demand is known are remembered: the
// others wait for a while.
func (p *Events) Settle(l *Listing) {
	if l.asked.IsZero() {
		return // it was not asked
	}
	l.dropped = slices.DeleteFunc(history.News(p.known, l.dropped), func(e history.Event) bool {
		return e.End.Before(l.asked.Add(-witnessWait))
	})
	l.judged, l.asked, l.gone = l.asked, time.Time{}, gone{}
}

// Unlisted are the events that took place and that a calendar does not list. One that has not begun yet was remembered
// by a clock that was wrong.
func (p *Events) Unlisted(source string, l *Listing, listed *calendar.Set, now time.Time) iter.Seq[calendar.Event] {
	if l.gone.listed != listed || l.gone.version != p.version {
		own := history.Apart(history.OfSource(p.known, source), l.dropped)
		l.gone = gone{listed, p.version, NotIn(slices.Concat(own, l.dropped), listed.All(), listed.Len())}
	}
	return Begun(l.gone.events, now)
}

// NotIn are remembered events that are not listed, of which there are so many. Most calendars have the same IDs each
// time, so that it is looked at these first: the rest is then seldom to be done.
func NotIn(remembered []history.Event, listed iter.Seq[calendar.Event], count int) []calendar.Event {
	if len(remembered) == 0 {
		return nil
	}
	ids := make(map[string]history.Event, count)
	for e := range listed {
		ids[e.ID] = eventOf(e)
	}
	apart := make([]history.Event, 0, len(remembered))
	for i := range remembered {
		if e, ok := ids[remembered[i].ID]; !ok || !e.Same(&remembered[i]) {
			apart = append(apart, remembered[i])
		}
	}
	if len(apart) > 0 {
		apart = history.Apart(apart, EventsOf(listed, count))
	}
	events := make([]calendar.Event, len(apart))
	for i := range apart {
		e := &apart[i]
		events[i] = calendar.Event{
			ID: e.ID, Source: e.Source, Name: e.Name, Kind: e.Kind, Start: e.Start, End: e.End, Guests: e.Guests,
		}
	}
	return events
}

// Begun are those that have begun, and are not too old to be of interest.
func Begun(events []calendar.Event, now time.Time) iter.Seq[calendar.Event] {
	return func(yield func(calendar.Event) bool) {
		for _, e := range events {
			if !e.Start.After(now) && !e.End.Before(now.Add(-Reach)) && !yield(e) {
				return
			}
		}
	}
}

// EventsOf are a calendar's events as the history has them. There is room for so many.
func EventsOf(listed iter.Seq[calendar.Event], room int) []history.Event {
	events := make([]history.Event, 0, room)
	for e := range listed {
		events = append(events, eventOf(e))
	}
	history.NumberTwins(events)
	return events
}

func eventOf(e calendar.Event) history.Event {
	return history.Event{
		Source: e.Source, ID: e.ID, Name: e.Name, Kind: e.Kind, Start: e.Start, End: e.End, Guests: e.Guests,
	}
}
