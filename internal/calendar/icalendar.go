package calendar

import (
	"fmt"
	"strings"
	"time"
)

// ReadICalendar reads the events of an iCalendar (RFC 5545). An error says that the text is none, or only the
// beginning of one: then nothing of it should be believed. What is wrong with single events are problems.
func ReadICalendar(data []byte, o Options) (Reading, error) {
	r := newReader(o)
	if err := r.checkSize(data); err != nil {
		return Reading{}, err
	}
	s := scanner{r: r}
	if err := s.scan(data); err != nil {
		return Reading{}, err
	}
	d := newDecoder()
	cancelled := r.calendars(d, s.home)
	for _, part := range s.found {
		if part.name == "VTIMEZONE" {
			r.describe(d, part)
		}
	}
	var entries []*entry
	for _, part := range s.found {
		if part.name != "VEVENT" {
			continue
		}
		if e := r.entry(d, part); e != nil {
			e.cancelled = e.cancelled || cancelled
			entries = append(entries, e)
		}
	}
	for _, s := range r.gather(entries) {
		s.add(r)
	}
	return r.done(), nil
}

// calendars reads the properties of the calendar itself: where it is at home, and whether all of it is cancelled.
func (r *reader) calendars(d decoder, home []content) (cancelled bool) {
	for _, c := range home {
		p, err := d.property(c)
		if err != nil {
			continue
		}
		switch {
		case c.name == "METHOD" && strings.EqualFold(p.Value, "CANCEL"):
			cancelled = true
		case c.name == "X-WR-TIMEZONE" && r.Zone == nil:
			if z, ok := r.zones.find(p.Value); ok {
				r.zones.home = z
			}
		}
	}
	return cancelled
}

func (r *reader) checkSize(data []byte) error {
	if len(data) > r.limits.Bytes {
		return fmt.Errorf("is too large; expected at most %d bytes", r.limits.Bytes)
	}
	return nil
}

var utc = zone{location: time.UTC}
