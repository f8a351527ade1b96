package calendar

import (
	"slices"
	"time"
)

// series is all that a calendar says under one UID.
type series struct {
	master   *entry
	replaced []*entry // single occurrences, and from where on the following ones are different
}

// gather puts entries together by their UIDs, in the order of the text. Of two for the same the later version goes;
// two events that share a UID by mistake are both events.
func (r *reader) gather(entries []*entry) []*series {
	var all []*series
	byUID := map[string]*series{}
	for _, e := range entries {
		s := byUID[e.uid]
		switch {
		case s == nil:
			s = &series{}
			byUID[e.uid] = s
			all = append(all, s)
			s.put(e)
		case s.put(e):
		default:
			r.problem(Problem{Line: e.line, Where: e.where,
				Message: "has the UID of another event that begins at another time; both are counted"})
			all = append(all, &series{master: e})
		}
	}
	return all
}

// put takes an entry into a series, unless it is another event.
func (s *series) put(e *entry) bool {
	if e.replaces == nil {
		switch {
		case s.master == nil || s.master.sequence < e.sequence,
			s.master.sequence == e.sequence && s.master.start.time().Equal(e.start.time()):
			s.master = e
		case s.master.sequence == e.sequence:
			return false
		}
		return true
	}
	s.replaced = append(s.replaced, e)
	return true
}

// place is an occurrence by what it is called in RECURRENCE-ID.
type place struct {
	second int64 // of a time
	day    wall  // of a date
}

func placeOf(m moment) place {
	if m.form == formDate {
		return place{day: m.wall}
	}
	return place{second: m.time().Unix()}
}

// latest are the entries that replace something, the best of each place.
func (s *series) latest() (single map[place]*entry, following []*entry) {
	single = map[place]*entry{}
	ranges := map[place]*entry{}
	for _, e := range s.replaced {
		into := single
		if e.following {
			into = ranges
		}
		if old := into[placeOf(*e.replaces)]; old == nil || e.better(old) {
			into[placeOf(*e.replaces)] = e
		}
	}
	for _, e := range s.replaced {
		e.inherit(s.master)
	}
	for _, e := range ranges {
		following = append(following, e)
	}
	return single, sortedBy(following)
}

// occurrence is one of a series: where its rule has it.
type occurrence struct {
	wall wall
	at   time.Time
	of   dated // by RDATE; without a rule
}

// add gives the events of a series to the reader.
func (s *series) add(r *reader) {
	if s.master != nil && s.master.cancelled {
		return
	}
	single, following := s.latest()
	if m := s.master; m != nil && m.rule == nil && len(m.dates)+len(m.excluded)+len(s.replaced) == 0 {
		r.occur(m, occurrence{wall: m.start.wall}, nil, false) // most events
		return
	}
	if s.master != nil {
		recurs := s.master.rule != nil || len(s.master.dates) > 0 || len(s.replaced) > 0
		for _, o := range s.occurrences(r, following) {
			if s.isReplaced(single, o) {
				continue
			}
			r.occur(s.master, o, changeAt(following, o.at), recurs)
		}
	}
	ordered := make([]*entry, 0, len(single))
	for _, e := range single {
		ordered = append(ordered, e)
	}
	for _, e := range sortedBy(ordered) {
		if !e.cancelled {
			r.add(e.event(e.uid+"/"+stamp(e.replacesAt), e.start.wall, e.start.zone, e.length), e.line, e.where)
		}
	}
}

// isReplaced reports whether another entry is there instead of an occurrence of the master. Outlook says which one by
// the midnight before it.
func (s *series) isReplaced(single map[place]*entry, o occurrence) bool {
	if len(single) == 0 {
		return false
	}
	day := dayOf(o.wall)
	midnight := s.master.start.zone.at(day)
	return single[place{second: o.at.Unix()}] != nil || single[place{day: day}] != nil ||
		single[place{second: midnight.Unix()}] != nil
}

// occurrences are those of the master that can be of interest, by their walls.
func (s *series) occurrences(r *reader, following []*entry) []occurrence {
	m := s.master
	excluded := m.excludes()
	z := m.start.zone
	// What begins before the window may reach into it, and what is moved may be moved into it.
	reach := time.Duration(m.length.days)*24*time.Hour + m.length.exact + farOff*time.Second
	for _, e := range following {
		reach += e.start.time().Sub(e.replacesAt).Abs() + time.Duration(e.length.days)*24*time.Hour + e.length.exact
	}
	reach = min(max(reach, 0), r.limits.Length+366*24*time.Hour)
	within := span{z.wall(r.From).Add(-reach), z.wall(r.To).Add(reach)}
	walls := []wall{m.start.wall}
	if m.rule != nil {
		var err error
		if walls, err = r.expand(*m.rule, m.start.wall, within, z); err != nil {
			r.problem(Problem{Line: m.line, Where: m.where,
				Message: "RRULE " + err.Error() + "; only the occurrences until then are counted"})
		}
	}
	var all []occurrence
	seen := map[int64]bool{}
	take := func(w wall, at time.Time, of dated) {
		if !seen[at.Unix()] && !excluded(w, at) {
			all = append(all, occurrence{w, at, of})
		}
		seen[at.Unix()] = true
	}
	for _, date := range m.dates {
		at := date.time()
		take(z.wall(at), at, date)
	}
	for _, w := range walls {
		take(w, z.at(w), dated{})
	}
	slices.SortStableFunc(all, func(a, b occurrence) int { return a.at.Compare(b.at) })
	return all
}

// changeAt is the last of the entries that are about all that follow, at or before a time.
func changeAt(following []*entry, at time.Time) *entry {
	after, _ := slices.BinarySearchFunc(following, at, func(e *entry, at time.Time) int {
		if e.replacesAt.After(at) {
			return 1
		}
		return -1
	})
	if after == 0 {
		return nil
	}
	return following[after-1]
}

// occur adds one occurrence, as the entry that is about it and those after it has it, if there is one.
func (r *reader) occur(m *entry, o occurrence, changed *entry, recurs bool) {
	id := m.uid
	if recurs {
		id += "/" + stamp(o.at)
	}
	lasts := m.length
	if o.of.length != nil {
		lasts = *o.of.length
	}
	w, z := o.wall, m.start.zone
	e := m
	if changed != nil {
		if changed.cancelled {
			return
		}
		// All that follow are moved by as much as the first: by the clock, as the series itself goes.
		moved := changed.start.wall.Sub(z.wall(changed.replacesAt))
		e, lasts, w, z = changed, changed.length, w.Add(moved), changed.start.zone
	}
	r.add(e.event(id, w, z, lasts), e.line, e.where)
}

// inherit takes from the master what an entry does not say: programs that move an occurrence forget such things.
func (e *entry) inherit(m *entry) {
	if m == nil {
		return
	}
	if e.name == "" {
		e.name = m.name
	}
	if e.kind == "" {
		e.kind = m.kind
	}
	if e.guests == 0 {
		e.guests = m.guests
	}
	if !e.sized && e.start.form == m.start.form {
		e.length, e.sized = m.length, true
	}
}

func (e *entry) event(id string, start wall, z zone, lasts length) Event {
	return Event{
		ID: id, Name: e.name, Kind: e.kind, Guests: e.guests, Start: z.at(start), End: lasts.end(start, z),
	}
}
