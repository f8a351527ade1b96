package forecast

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
)

// A happening is an event as the forecast sees it. Times are in slots.
type happening struct {
	id         string
	start, end float64
	ratio      float64 // guests over the usual number of its kind; 1: as usual, or nobody has said
	times      float64 // its size by what was learned of guests
	guests     float64
	kind, part int // index of what is learned of its kind, and of its kind at such hours
	past       bool
	extra      bool
}

// The reach of an event, in slots.
const (
	leadSlots = 2 * 4 // before its start
	tailSlots = 4 * 4 // after its end
)

// The knots of what is learned, in slots: piecewise linear from leadSlots before the start to startKnots after that,
// from endLead before the end to tailSlots after it, and one plateau between.
const (
	startKnots = leadSlots + 3*4
	endLead    = 2 * 4
	endKnots   = endLead + tailSlots
	plateau    = startKnots + endKnots
	knots      = plateau + 1
)

// shape is what one event of usual size brings, by knot.
type shape [knots]float64

// knotsAt calls with the knots that matter at a time, and by how much each does.
func (h *happening) knotsAt(at float64, f func(knot int, part float64)) {
	hats(at-h.start+leadSlots, startKnots, 0, f)
	hats(at-h.end+endLead, endKnots, startKnots, f)
	if at > h.start+startKnots-leadSlots && at < h.end-endLead {
		f(plateau, 1)
	}
}

// hats are the two triangles over a place among n knots.
func hats(place float64, n, first int, f func(knot int, part float64)) {
	if place <= -1 || place >= float64(n) {
		return
	}
	low := math.Floor(place)
	k, part := int(low), place-low
	if k >= 0 {
		f(first+k, 1-part)
	}
	if k+1 < n && part > 0 {
		f(first+k+1, part)
	}
}

// mass is how much of an event there is at a time before anything is learned: all of it from half an hour before to
// half an hour after, none an hour further out.
func (h *happening) mass(at float64) float64 {
	const whole, ramp = 2, 4
	out := max(h.start-at, at-h.end) - whole
	return max(0, min(1, 1-out/ramp))
}

func (h *happening) near(at float64) bool { return at > h.start-leadSlots-1 && at < h.end+tailSlots }

// happenings are the events that bring load, by start, with what they have in common.
type happenings struct {
	list  []happening
	kinds []kind
	parts []part
	// still are the holidays.
	still []happening
	// longest is the longest of the list, for looking back from a time.
	longest float64
	// now is before what is imagined: that changes nothing of the past.
	now float64
}

// kind is what resembles each other.
type kind struct {
	name  string
	usual float64 // guests
	days  int     // on how many days they happened and demand is known
	known bool    // demand is known near one of them
}

// part is a kind at hours that are alike: on workdays or not, before or after late afternoon.
type part struct {
	kind          int
	rest, evening bool
	seen          int
}

// The limits of what is told apart.
const (
	mostKinds   = 32
	eveningFrom = 16 // o'clock: people come after work
	// mostEvents bounds how many are looked at: the latest.
	mostEvents = 100_000
)

// newHappenings sorts events out; what comes in extra is foreseen, but nothing is learned from it.
func newHappenings(events, extra []calendar.Event, now time.Time, zone *time.Location) *happenings {
	hs := &happenings{now: slots(now)}
	sizes := [][]float64{}
	kinds, parts := map[string]int{}, map[part]int{}
	oldest, latest := now.Add(-memory), now.Add(mostFar+longestEvent)
	for i := range len(events) + len(extra) {
		e, added := &calendar.Event{}, i >= len(events)
		if added {
			e = &extra[i-len(events)]
		} else {
			e = &events[i]
		}
		if e.End.Before(oldest) || e.Start.After(latest) || e.End.Before(e.Start) ||
			added && e.Start.Before(now) {
			continue
		}
		h := happening{
			id: e.ID, start: slots(e.Start), end: slots(e.End), past: !e.End.After(now), extra: added, ratio: 1,
		}
		h.end = min(h.end, h.start+longestEvent.Seconds()/slotSeconds)
		if e.Guests > 0 && !math.IsInf(e.Guests, 0) {
			h.guests = e.Guests
		}
		if e.Kind == KindHoliday {
			hs.still = append(hs.still, h)
			continue
		}
		k, ok := kinds[e.Kind]
		if !ok {
			if k = min(len(hs.kinds), mostKinds-1); k == len(hs.kinds) {
				hs.kinds = append(hs.kinds, kind{name: e.Kind})
				sizes = append(sizes, nil)
			}
			kinds[e.Kind] = k
		}
		local := e.Start.In(zone)
		p := part{kind: k, rest: restful(local.Weekday()), evening: local.Hour() >= eveningFrom}
		h.kind = k
		if h.part, ok = parts[p]; !ok {
			h.part = len(hs.parts)
			parts[p] = h.part
			hs.parts = append(hs.parts, p)
		}
		if h.guests > 0 && !added {
			sizes[k] = append(sizes[k], h.guests)
		}
		hs.longest = max(hs.longest, h.end-h.start)
		hs.list = append(hs.list, h)
	}
	hs.size(sizes)
	slices.SortFunc(hs.list, func(a, b happening) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end), cmp.Compare(a.guests, b.guests),
			cmp.Compare(a.id, b.id))
	})
	hs.list = hs.list[max(0, len(hs.list)-mostEvents):]
	return hs
}

// size puts guests into proportion.
func (hs *happenings) size(sizes [][]float64) {
	for k, list := range sizes {
		if len(list) > 0 {
			slices.Sort(list)
			hs.kinds[k].usual = list[len(list)/2]
		}
	}
	for i := range hs.list {
		h := &hs.list[i]
		if usual := hs.kinds[h.kind].usual; h.guests > 0 && usual > 0 {
			h.ratio = max(1.0/mostGuests, min(mostGuests, h.guests/usual))
		}
	}
}

func slots(t time.Time) float64 { return float64(t.Unix()) / slotSeconds }

// mark tells the grid where events reach.
func (hs *happenings) mark(g *grid) {
	mark := func(flags []bool, from, to float64) {
		a, b := int(math.Floor(from))-int(g.first), int(math.Ceil(to))-int(g.first)
		for i := max(a, 0); i < min(b, len(flags)); i++ {
			flags[i] = true
		}
	}
	for i := range hs.list {
		if !hs.list[i].extra {
			mark(g.event, hs.list[i].start-leadSlots, hs.list[i].end+tailSlots)
		}
	}
	for i := range hs.still {
		mark(g.still, hs.still[i].start, hs.still[i].end)
	}
}

// around calls with the events that reach a time.
func (hs *happenings) around(at float64, f func(h *happening)) {
	from := at - hs.longest - tailSlots
	i, _ := slices.BinarySearchFunc(hs.list, from, func(h happening, v float64) int { return cmp.Compare(h.start, v) })
	for ; i < len(hs.list) && hs.list[i].start < at+leadSlots+1; i++ {
		if h := &hs.list[i]; h.near(at) && !(h.extra && at < hs.now) {
			f(h)
		}
	}
}

// holiday reports whether a time is in one.
func (hs *happenings) holiday(at float64) bool {
	return slices.ContainsFunc(hs.still, func(h happening) bool { return at >= h.start && at < h.end })
}
