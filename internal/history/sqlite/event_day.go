package sqlite

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/history"
)

// The events of a calendar that begin on a day of UTC are packed like its buckets:
//
//	version   byte
//	event…    start             uvarint, microseconds from the day's beginning
//	          how long it is    uvarint, microseconds
//	          twin              uvarint
//	          guests            float64, little-endian
//	          name, ID, kind    uvarint, how many bytes; and these
//	checksum  uint32, little-endian: CRC-32C of all before
const (
	eventDayVersion = 1
	// mostPackedEvent is how many bytes an event can have: a little less.
	mostPackedEvent = 1024
)

// packEvents writes events of a day that [history.Event.Check] has accepted, in order.
func packEvents(day int64, events []history.Event) []byte {
	slices.SortFunc(events, byIdentity)
	packed := []byte{eventDayVersion}
	for i := range events {
		e := &events[i]
		packed = binary.AppendUvarint(packed, uint64(e.Start.Sub(dayStart(day))/time.Microsecond))
		packed = binary.AppendUvarint(packed, uint64(e.End.UnixMicro()-e.Start.UnixMicro()))
		packed = binary.AppendUvarint(packed, uint64(e.Twin))
		packed = binary.LittleEndian.AppendUint64(packed, math.Float64bits(e.Guests))
		for _, text := range [...]string{e.Name, e.ID, e.Kind} {
			packed = binary.AppendUvarint(packed, uint64(len(text)))
			packed = append(packed, text...)
		}
	}
	return seal(packed)
}

func byIdentity(a, b history.Event) int {
	return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End), strings.Compare(a.Name, b.Name),
		cmp.Compare(a.Twin, b.Twin))
}

// unpackEvents appends the events of a day to others. They are in order, none is there twice, and they are as Check
// wants them, or there is an error.
func unpackEvents(events []history.Event, source string, day int64, packed []byte) ([]history.Event, error) {
	body, err := unseal(packed, eventDayVersion, history.MostEvents*mostPackedEvent)
	if err != nil {
		return nil, err
	}
	text := string(body) // of which names and the like are parts
	r := reader{rest: body}
	first := len(events)
	for len(r.rest) > 0 {
		e := history.Event{Source: source}
		e.Start = dayStart(day).Add(r.duration(time.Microsecond))
		e.End = e.Start.Add(r.duration(time.Microsecond))
		e.Twin = int(r.uvarint(math.MaxInt32))
		e.Guests = r.float()
		for _, part := range [...]*string{&e.Name, &e.ID, &e.Kind} {
			*part = r.text(text)
		}
		if r.short {
			return nil, fmt.Errorf("%w: they end too early", errPacked)
		}
		if err := e.Check(); err != nil {
			return nil, err
		}
		if dayOf(e.Start) != day || len(events) > first && byIdentity(events[len(events)-1], e) >= 0 {
			return nil, fmt.Errorf("%w: %s is out of order", errPacked, e.Start.Format(time.RFC3339))
		}
		events = append(events, e)
	}
	return events, nil
}

// text is a text with its length before it, as a part of all there is.
func (r *reader) text(all string) string {
	n := int(r.uvarint(mostPackedEvent))
	if n > len(r.rest) {
		r.short, r.rest = true, nil
		return ""
	}
	from := len(all) - len(r.rest)
	r.rest = r.rest[n:]
	return all[from : from+n]
}
