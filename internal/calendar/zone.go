package calendar

import (
	"cmp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // so that zones are known where the system has none
)

// A wall is what a clock on the wall shows, as a time.Time in UTC that has the same year, month, day, hour, minute
// and second. Rules are expanded in it, because "each Saturday at 18:00" is about clocks and not about time.
type wall = time.Time

// zone is where a clock hangs: a location of IANA, or what a calendar says of a zone of its own.
type zone struct {
	location *time.Location
	changes  []change // of a zone of the calendar's own, by their time; the location is nil
}

// change is a time from which a clock is ahead of UTC by offset seconds.
type change struct {
	at     int64 // seconds since 1970
	offset int
	before int // the offset until then
}

// farOff is further from a wall's time read as UTC than any zone's offset, and nearer than two changes are to each
// other.
const farOff = 24 * 60 * 60

// at is when the clock shows w. In the hour that comes twice, in autumn, that is the first time, and in the one that
// never comes, in spring, w is reckoned by the offset before: RFC 5545, section 3.3.5.
func (z zone) at(w wall) time.Time {
	second := w.Unix()
	before, after := z.offset(second-farOff), z.offset(second+farOff)
	// The greater offset gives the earlier time, so it is tried first.
	for _, offset := range []int{max(before, after), min(before, after)} {
		if t := second - int64(offset); z.offset(t) == offset {
			return time.Unix(t, 0).UTC()
		}
	}
	return time.Unix(second-int64(before), 0).UTC()
}

// wall is what the clock shows at t.
func (z zone) wall(t time.Time) wall {
	return time.Unix(t.Unix()+int64(z.offset(t.Unix())), 0).UTC()
}

// offset is by how many seconds the clock is ahead of UTC.
func (z zone) offset(second int64) int {
	if z.location != nil {
		_, offset := time.Unix(second, 0).In(z.location).Zone()
		return offset
	}
	i, found := slices.BinarySearchFunc(z.changes, second, func(c change, t int64) int { return cmp.Compare(c.at, t) })
	switch {
	case found:
		return z.changes[i].offset
	case i > 0:
		return z.changes[i-1].offset
	}
	return z.changes[0].before
}

// String is the name of the zone.
func (z zone) String() string {
	if z.location == nil {
		return "a zone of the calendar"
	}
	return z.location.String()
}

// zones finds zones by their names.
type zones struct {
	home    zone // of times that name none
	known   map[string]zone
	unknown map[string]bool
	told    map[string]bool // the unknown ones that are a problem already
	// own are the zones that the calendar describes, by their names.
	own map[string]func() (zone, bool)
}

// The names of zones are bounded in their length and, because each is looked for in files, in their number.
const (
	maxZoneName = 200
	maxZones    = 1000
)

func newZones(home *time.Location) zones {
	if home == nil {
		home = time.UTC
	}
	return zones{
		home: zone{location: home}, known: map[string]zone{}, unknown: map[string]bool{},
		told: map[string]bool{}, own: map[string]func() (zone, bool){},
	}
}

// find is the zone of a name: one of IANA, one of Windows, or one that the calendar describes.
func (z *zones) find(name string) (zone, bool) {
	name = zoneName(name)
	if found, ok := z.known[name]; ok {
		return found, true
	}
	if len(name) > maxZoneName || z.unknown[name] || len(z.known)+len(z.unknown) >= maxZones {
		return zone{}, false
	}
	found, ok := z.look(name)
	if ok {
		z.known[name] = found
	} else {
		z.unknown[name] = true
	}
	return found, ok
}

func (z *zones) look(name string) (zone, bool) {
	for _, candidate := range namesOf(name) {
		if location, ok := locate(candidate); ok {
			return zone{location: location}, true
		}
	}
	if own, ok := z.own[name]; ok {
		return own()
	}
	return zone{}, false
}

// zoneName is a name without the quotes that some programs put around it, and the backslashes within it.
func zoneName(name string) string {
	return strings.ReplaceAll(strings.Trim(strings.TrimSpace(name), `"`), `\,`, ",")
}

// namesOf are the names of IANA that a name may stand for. Some programs put a path of their own before it:
// /freeassociation.sourceforge.net/Europe/Berlin.
func namesOf(name string) []string {
	candidates := []string{name}
	if iana, ok := windowsZones[name]; ok {
		candidates = append(candidates, iana)
	}
	if parts := strings.Split(name, "/"); strings.HasPrefix(name, "/") {
		for n := 3; n >= 2; n-- { // America/Argentina/Salta, Europe/Berlin
			if len(parts) > n {
				candidates = append(candidates, strings.Join(parts[len(parts)-n:], "/"))
			}
		}
	}
	return candidates
}

// locate is the location of a name of IANA. "Local" is not one: it is where usher happens to run.
func locate(name string) (*time.Location, bool) {
	if name == "" || name == "Local" {
		return nil, false
	}
	location, err := time.LoadLocation(name)
	return location, err == nil
}
