package calendar

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-ical"
)

// property is a line of a component that go-ical has read.
type property struct {
	ical.Prop
	line int
}

// decoder reads lines, and reuses its buffer.
type decoder struct{ buffer *bufio.Reader }

func newDecoder() decoder { return decoder{bufio.NewReader(nil)} }

// property reads a line. The error completes "DTSTART …".
func (d decoder) property(c content) (property, error) {
	if err := c.check(); err != nil {
		return property{}, err
	}
	props, ok := d.decode([]content{c})
	if !ok || props.Get(c.name) == nil {
		return property{}, errMalformed
	}
	return newProperty(*props.Get(c.name), c.line), nil
}

func newProperty(p ical.Prop, line int) property {
	p.Value = strings.TrimSpace(p.Value)
	return property{p, line}
}

// decode reads lines with go-ical, which reads all or none of them.
func (d decoder) decode(lines []content) (props ical.Props, ok bool) {
	// go-ical panics on some lines whose parameters are malformed.
	defer func() {
		if recover() != nil {
			props, ok = nil, false
		}
	}()
	var text strings.Builder
	text.WriteString("BEGIN:VCALENDAR\n")
	for _, c := range lines {
		text.WriteString(c.text)
		text.WriteByte('\n')
	}
	text.WriteString("END:VCALENDAR\n")
	d.buffer.Reset(strings.NewReader(text.String()))
	calendar, err := ical.NewDecoder(d.buffer).Decode()
	if err != nil {
		return nil, false
	}
	return calendar.Props, true
}

var errMalformed = errors.New("is malformed")

// check refuses lines that would be too much for go-ical, which takes the square of a parameter's length.
func (c content) check() error {
	switch value := valueAt(c.text); {
	case len(c.text) > maxContent:
		return fmt.Errorf("has more than %d bytes", maxContent)
	case value < 0:
		return errMalformed
	case value > maxParams:
		return fmt.Errorf("has parameters of more than %d bytes", maxParams)
	}
	return nil
}

// valueAt is where the value of a line begins, behind the first colon that is not in quotes, or -1.
func valueAt(text string) int {
	quoted := false
	for i := range len(text) {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case text[i] == ':' && !quoted:
			return i + 1
		}
	}
	return -1
}

// properties are those of a component by name. Lines that cannot be read are problems.
func (r *reader) properties(d decoder, part *component, where string) map[string][]property {
	all := make(map[string][]property, len(part.lines))
	if r.atOnce(d, part, all) {
		return all
	}
	for _, c := range part.lines {
		p, err := d.property(c)
		if err != nil {
			r.problem(Problem{Line: c.line, Where: where, Message: c.name + " " + err.Error() + " and is left out",
				Expected: c.name + ":VALUE"})
			continue
		}
		all[c.name] = append(all[c.name], p)
	}
	return all
}

// atOnce reads all lines together, which is six times as fast as one by one and works when none is malformed.
func (r *reader) atOnce(d decoder, part *component, all map[string][]property) bool {
	for _, c := range part.lines {
		if c.check() != nil {
			return false
		}
	}
	props, ok := d.decode(part.lines)
	if !ok {
		return false
	}
	for _, c := range part.lines {
		if len(all[c.name]) == len(props[c.name]) {
			panic("bug: go-ical has read fewer lines than there are")
		}
		all[c.name] = append(all[c.name], newProperty(props[c.name][len(all[c.name])], c.line))
	}
	return true
}

// text is a property's text with what is escaped in it, commas and all.
func (p property) text() string {
	list, err := p.TextList()
	if err != nil {
		return p.Value // with the backslashes that somebody has put there
	}
	return strings.Join(list, ",")
}

// moment reads one of a property's values, which may be a list with commas. What names no zone is in the one given. The
// error completes "DTSTART …".
func (r *reader) moment(p property, value string, home zone) (moment, error) {
	at, f, err := parseMoment(value)
	if err != nil {
		return moment{}, err
	}
	m := moment{wall: at, form: f, zone: home}
	name := p.Params.Get("TZID")
	switch {
	case f == formUTC:
		m.zone = utc
	case name != "":
		m.zone = r.zoneOf(name, p.line)
	}
	return m, nil
}

// zoneOf is the zone of a name. An event in an unknown one is better counted some hours off than not at all: its zone
// is the one of times that name none, and each such name is a problem once.
func (r *reader) zoneOf(name string, line int) zone {
	z, ok := r.zones.find(name)
	if ok {
		return z
	}
	if name = zoneName(name); !r.zones.told[name] && len(r.zones.told) < maxZones {
		r.zones.told[name] = true
		r.problem(Problem{Line: line, Where: "time zone " + quote(name),
			Message:  "is unknown; its events are counted as if they were in " + r.zones.home.String(),
			Expected: "a name such as Europe/Berlin"})
	}
	return r.zones.home
}
