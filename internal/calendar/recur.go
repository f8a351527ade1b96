package calendar

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// The rules of recurrence are expanded by rrule-go, in walls and not in times, so that what DST does to them is
// decided in one place, by zone. The library trusts its rules, which are hostile here, in three ways:
//
//   - It looks for the next occurrence until the year 9999, uninterrupted, and 30 February never comes. So rules are
//     expanded shift years later, where the calendar is the same and the year 9999 is near.
//   - It holds all occurrences of one year or month at a time. So there are no rules that recur within a day, and no
//     long lists of hours, minutes and seconds.
//   - It indexes with what the rule says. So that is checked before.
const (
	// shift is a multiple of 400 years, after which days, weeks and leap years come again.
	shift        = 19 * 400
	shiftSeconds = shift / 400 * 146_097 * 24 * 60 * 60

	maxRule   = 1000 // bytes
	maxList   = 64   // entries of a list such as BYMONTHDAY
	maxTimes  = 24   // times of one day
	maxPeriod = 1000 // INTERVAL

	// A step is an occurrence that is looked at. ruleSteps is what it takes to begin with a rule, and vainSteps what it
	// takes to look in vain until the year 9999.
	ruleSteps = 100
	vainSteps = 50_000
	// positionSteps is what an occurrence by BYSETPOS takes: for each the library lists all days of the year anew.
	positionSteps = 30
)

// rule is a rule of recurrence that can be expanded.
type rule struct {
	option   rrule.ROption
	until    wall // the last occurrence is not after it; zero: no such end
	untilUTC bool // until is a time, and becomes a wall in the zone of the event
}

// parseRule reads the value of RRULE. The error completes "RRULE …".
func parseRule(text string) (rule, error) {
	text = strings.ToUpper(strings.TrimSpace(text))
	if len(text) > maxRule {
		return rule{}, fmt.Errorf("has more than %d bytes", maxRule)
	}
	var parsed rule
	var parts []string
	for part := range strings.SplitSeq(strings.TrimSuffix(text, ";"), ";") {
		name, value, _ := strings.Cut(part, "=")
		switch {
		case name == "UNTIL":
			until, form, err := parseMoment(value)
			if err != nil {
				return rule{}, fmt.Errorf("UNTIL %w", err)
			}
			if parsed.until, parsed.untilUTC = until, form == formUTC; form == formDate {
				parsed.until = until.Add(24*time.Hour - time.Second)
			}
		case name == "BYEASTER":
			return rule{}, errors.New("has BYEASTER, which is not of RFC 5545")
		case name == "COUNT" && strings.Trim(value, "0") == "":
			return rule{}, errors.New("has a COUNT of nothing")
		default:
			parts = append(parts, part)
		}
	}
	option, err := rrule.StrToROption(strings.Join(parts, ";"))
	if err != nil {
		return rule{}, fmt.Errorf("%s cannot be read", quote(text))
	}
	parsed.option = *option
	return parsed, checkRule(parsed.option)
}

// checkRule refuses what rrule-go would not bear.
func checkRule(o rrule.ROption) error {
	if o.Freq > rrule.DAILY {
		return fmt.Errorf("recurs %v; only DAILY, WEEKLY, MONTHLY and YEARLY are read", o.Freq)
	}
	for _, list := range [][]int{
		o.Bysetpos, o.Bymonth, o.Bymonthday, o.Byyearday, o.Byweekno, o.Byhour, o.Byminute, o.Bysecond,
	} {
		if len(list) > maxList {
			return fmt.Errorf("has a list of more than %d entries", maxList)
		}
	}
	weeks := 53
	if o.Freq == rrule.MONTHLY || len(o.Bymonth) > 0 {
		weeks = 5
	}
	for _, day := range o.Byweekday {
		if day.N() > weeks || day.N() < -weeks {
			return fmt.Errorf("has a weekday that comes more than %d times", weeks)
		}
	}
	switch {
	case len(o.Byweekday) > maxList:
		return fmt.Errorf("has a list of more than %d entries", maxList)
	case max(len(o.Byhour), 1)*max(len(o.Byminute), 1)*max(len(o.Bysecond), 1) > maxTimes:
		return fmt.Errorf("recurs more than %d times a day", maxTimes)
	case o.Interval < 0 || o.Interval > maxPeriod:
		return fmt.Errorf("has an INTERVAL of %d, of at most %d", o.Interval, maxPeriod)
	case o.Count < 0:
		return errors.New("has a negative COUNT")
	}
	if _, err := rrule.NewRRule(o); err != nil {
		return fmt.Errorf("has a number that cannot be: %w", err)
	}
	return nil
}

// span is a stretch of walls, from included and to not.
type span struct{ from, to wall }

// errTooMany is that a rule was expanded as far as it may, errTooMuch that all of a calendar together were.
var (
	errTooMany = errors.New("recurs too often")
	errTooMuch = errors.New("is left out: the rules of this calendar are too much work")
)

// expand gives the occurrences within a span, the first at start whatever the rule says of it. The occurrences at
// which a limit was reached are given beside the error.
func (r *reader) expand(ru rule, start wall, within span, z zone) ([]wall, error) {
	last := within.to.Add(-time.Second)
	if until := ru.until; !until.IsZero() {
		if ru.untilUTC {
			until = z.wall(until)
		}
		last = earliest(last, until)
	}
	var found []wall
	if !start.Before(within.from) && start.Before(within.to) {
		found = append(found, start)
	}
	if r.steps += ruleSteps; r.steps > r.limits.Steps {
		return found, errTooMuch
	}
	seen, cost := 0, 1
	if len(ru.option.Bysetpos) > 0 {
		cost = positionSteps
	}
	var limit error
	ended, err := iterate(ru.option, start, func(w wall) bool {
		seen++
		switch r.steps += cost; {
		case w.After(last):
			return false
		case r.steps > r.limits.Steps:
			limit = errTooMuch
		case len(found) >= r.limits.Occurrences:
			limit = errTooMany
		case !w.Before(within.from) && !w.Equal(start):
			found = append(found, w)
		}
		return limit == nil
	})
	if ended && (ru.option.Count == 0 || seen < ru.option.Count) {
		r.steps += vainSteps
	}
	return found, cmp.Or(limit, err)
}

// iterate gives the walls of a rule one after the other, while visit wants more, and reports whether there were no
// more.
func iterate(option rrule.ROption, start wall, visit func(wall) bool) (ended bool, err error) {
	// checkRule knows of no rule left that makes the library panic. Should there be one, it costs its event and not
	// usher.
	defer func() {
		if recover() != nil {
			err = errors.New("is a rule that cannot be expanded")
		}
	}()
	option.Dtstart, option.Until = later(start), time.Date(rrule.MAXYEAR, 12, 31, 0, 0, 0, 0, time.UTC)
	library, err := rrule.NewRRule(option)
	if err != nil {
		return false, err
	}
	for next := library.Iterator(); ; {
		occurrence, ok := next()
		if !ok {
			return true, nil
		}
		if !visit(time.Unix(occurrence.Unix()-shiftSeconds, 0).UTC()) {
			return false, nil
		}
	}
}

// later is the wall shift years later.
func later(w wall) time.Time { return time.Unix(w.Unix()+shiftSeconds, 0).UTC() }

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
