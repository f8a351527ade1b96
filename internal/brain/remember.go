package brain

import (
	"context"
	"time"

	"github.com/usher-pg/usher/internal/history"
)

// mostWitnesses bounds in how many pools' history it is looked whether demand of a time is known.
const mostWitnesses = 10

// remember hands events that took place to the keeper. The first time, it reads those that are kept.
func (b *Brain) remember(ctx context.Context) {
	store, ok := b.keeper.Store()
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	now := b.options.Clock.Now()
	err := b.recallEvents(ctx, store)
	var known []history.Event
	if err == nil {
		known, err = witnessed(ctx, store, history.Latest(b.calendars.ended(now)))
	}
	if err != nil {
		if text := err.Error(); text != b.forgetful && ctx.Err() != context.Canceled {
			b.forgetful = text
			b.log.Warn("past events are not remembered", "error", err)
		}
		return // it is tried again with the next bucket
	}
	b.forgetful = ""
	b.calendars.remember(known)
	b.keeper.SaveEvents(known...)
}

// recallEvents reads the events that are kept, once.
func (b *Brain) recallEvents(ctx context.Context, store history.Store) error {
	if b.calendars.recalled() {
		return nil
	}
	// All there are: a clock that is wrong now may be right later.
	events, err := store.Events(ctx, time.Time{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		return err
	}
	b.calendars.recall(events)
	b.wake()
	return nil
}

// witnessed are those events of whose time the history knows demand, of any pool.
func witnessed(ctx context.Context, store history.Store, events []history.Event) ([]history.Event, error) {
	if len(events) == 0 {
		return nil, nil
	}
	pools, err := store.Pools(ctx)
	if err != nil {
		return nil, err
	}
	var known []history.Event
	for _, pool := range pools[:min(len(pools), mostWitnesses)] {
		from, to := events[0].Start, events[0].End
		for _, e := range events {
			if e.Start.Before(from) {
				from = e.Start
			}
			if e.End.After(to) {
				to = e.End
			}
		}
		// Imported buckets can be as wide as a day.
		buckets, err := store.Range(ctx, pool, from.Add(-history.Widest), to.Add(time.Microsecond))
		if err != nil {
			return nil, err
		}
		var left []history.Event
		for _, e := range events {
			if history.During(buckets, &e) {
				known = append(known, e)
			} else {
				left = append(left, e)
			}
		}
		if events = left; len(events) == 0 {
			break
		}
	}
	return known, nil
}

// recalled reports whether the events that are kept were read.
func (c *calendars) recalled() bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.complete
}

// recall begins with the events that are kept.
func (c *calendars) recall(events []history.Event) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.complete = true
	c.known.Remember(events)
}

// ended are the events of all calendars that have ended, as far as these know, and are not remembered.
func (c *calendars) ended(now time.Time) []history.Event {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var events []history.Event
	for _, r := range c.running {
		events = append(events, c.known.Ended(&r.lately, now)...)
	}
	return events
}

// remember adds those of the events that ended of which demand is known.
func (c *calendars) remember(events []history.Event) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.known.Remember(events)
	for _, r := range c.running {
		c.known.Settle(&r.lately)
	}
}
