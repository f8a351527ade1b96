package feed

import (
	"slices"
	"sync/atomic"

	"github.com/usher-pg/usher/internal/calendar"
)

// Group is the calendars of a platform together.
type Group struct {
	readers []Reader
	merged  atomic.Pointer[merged]
}

// merged is the events of some sets.
type merged struct {
	sets   []*calendar.Set
	events *calendar.Set
}

// NewGroup puts calendars together.
func NewGroup(readers ...Reader) *Group {
	g := &Group{readers: readers}
	g.merged.Store(&merged{events: calendar.NewSet()})
	return g
}

// Events are those of all calendars. They are put together anew only when one of the sets is another one.
func (g *Group) Events() *calendar.Set {
	sets := make([]*calendar.Set, len(g.readers))
	for i, r := range g.readers {
		sets[i] = r.Events()
	}
	if m := g.merged.Load(); slices.Equal(m.sets, sets) {
		return m.events
	}
	lists := make([][]calendar.Event, len(sets))
	for i, s := range sets {
		lists[i] = slices.Collect(s.All())
	}
	m := &merged{sets, calendar.NewSet(lists...)}
	g.merged.Store(m)
	return m.events
}

// States are how each is.
func (g *Group) States() []State {
	states := make([]State, len(g.readers))
	for i, r := range g.readers {
		states[i] = r.State()
	}
	return states
}
