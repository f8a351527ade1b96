package report

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/calendar"
)

// WhatIfDuration is how long an imagined event lasts when nobody says.
const WhatIfDuration = 5 * time.Hour

// whatIfLongest is as long as an event counts.
const whatIfLongest = 7 * 24 * time.Hour

// whatIfForm is shown with errors.
const whatIfForm = "guests=300 at 2026-06-20T18:00 [for 5h] [kind=wedding]"

// WhatIf reads an event that somebody imagines, for forecast.Input.Extra: "guests=300 at 2026-06-20T18:00 for 5h
// kind=wedding". Guests or kind may be left out; the time is of the zone unless it has an offset.
func WhatIf(text string, zone *time.Location) (calendar.Event, error) {
	e := calendar.Event{Source: "what-if", Name: text}
	wrong := func(why string, args ...any) (calendar.Event, error) {
		return calendar.Event{}, fmt.Errorf("what-if: "+why+"; expected %s", append(args, whatIfForm)...)
	}
	length := WhatIfDuration
	words := strings.Fields(text)
	for i := 0; i < len(words); i++ {
		word, value := words[i], ""
		if word == "at" || word == "for" {
			if i++; i == len(words) {
				return wrong("nothing follows %q", word)
			}
			value = words[i]
		}
		var err error
		switch {
		case word == "at":
			e.Start, err = whatIfTime(value, zone)
		case word == "for":
			length, err = time.ParseDuration(value)
			if err == nil && (length < 0 || length > whatIfLongest) {
				err = fmt.Errorf("%v is not between 0 and %v", length, whatIfLongest)
			}
		case strings.HasPrefix(word, "guests="):
			e.Guests, err = strconv.ParseFloat(word[len("guests="):], 64)
			if err == nil && !(e.Guests >= 0 && !math.IsInf(e.Guests, 0)) {
				err = errors.New("guests must be 0 or more")
			}
		case strings.HasPrefix(word, "kind="):
			e.Kind = word[len("kind="):]
		default:
			return wrong("%q is not understood", word)
		}
		if err != nil {
			return wrong("%q: %w", words[i], err)
		}
	}
	if e.Start.IsZero() {
		return wrong("there is no time")
	}
	e.End = e.Start.Add(length)
	e.ID = "what-if:" + e.Start.UTC().Format(time.RFC3339)
	return e, nil
}

func whatIfTime(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.ParseInLocation("2006-01-02T15:04", text, zoneOf(zone))
}

func zoneOf(z *time.Location) *time.Location {
	if z == nil {
		return time.UTC
	}
	return z
}
