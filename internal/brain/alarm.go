package brain

import (
	"log/slog"
	"slices"
	"strings"
	"unicode"

	"github.com/usher-pg/usher/internal/calendar/feed"
)

// mostCauses bounds how many causes of one alarm are told: more are the same with another name in it.
const mostCauses = 20

// news reports whether a calendar's state is to be logged: an alarm has begun, has ended, or has another cause than any
// it had since it began.
func (r *running) news(s *feed.State) bool {
	if s.Alarm() == "" {
		ended := len(r.told) > 0
		r.told = nil
		return ended
	}
	now := causeOf(s)
	if slices.Contains(r.told, now) || len(r.told) == mostCauses {
		return false
	}
	r.told = append(r.told, now)
	return true
}

// causeOf is what an alarm comes from, without numbers: ages, counts and ports are others each time.
func causeOf(s *feed.State) string {
	var cause strings.Builder
	for _, is := range []bool{s.Copy.IsZero(), s.Doubt != "", s.Stale} {
		if is {
			cause.WriteByte('x')
		}
		cause.WriteByte(' ')
	}
	for _, r := range s.Error {
		if !unicode.IsDigit(r) {
			cause.WriteRune(r)
		}
	}
	return cause.String()
}

// notice is the state of a calendar that is to be logged.
type notice feed.State

func (n notice) write(log *slog.Logger) {
	alarm := feed.State(n).Alarm()
	if alarm == "" {
		log.Info("calendar is fine again", "calendar", n.Name, "events", n.Events)
		return
	}
	attrs := []any{"calendar", n.Name, "alarm", alarm}
	if n.Error != "" && !strings.Contains(alarm, n.Error) {
		attrs = append(attrs, "error", n.Error)
	}
	log.Warn("calendar needs attention", attrs...)
}
