package session

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// StatementTimeout is the client's statement_timeout: how long it is ready to wait for a statement. 0: for ever, or the
// set does not say.
func (s *Settings) StatementTimeout() time.Duration {
	e, ok := s.get("statement_timeout")
	if !ok {
		return 0
	}
	text := e.text
	if e.form == formText {
		_, text, _ = strings.Cut(text, "=")
	}
	return timeoutOf(strings.Trim(text, " '"))
}

// maxTimeout is INT_MAX milliseconds: PostgreSQL takes no more.
const maxTimeout = math.MaxInt32 * time.Millisecond

// timeUnits are those of src/backend/utils/misc/guc.c, time_unit_conversion_table. Without one, statement_timeout
// counts milliseconds.
var timeUnits = map[string]time.Duration{
	"us": time.Microsecond, "": time.Millisecond, "ms": time.Millisecond, "s": time.Second, "min": time.Minute,
	"h": time.Hour, "d": 24 * time.Hour,
}

func timeoutOf(text string) time.Duration {
	digits := strings.TrimRight(text, "usmindh")
	unit, known := timeUnits[text[len(digits):]]
	n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	whole := math.RoundToEven(n * float64(unit) / float64(time.Millisecond)) // as guc.c does: less than half is none
	if !known || err != nil || !(whole > 0 && whole <= float64(maxTimeout/time.Millisecond)) {
		return 0
	}
	return time.Duration(whole) * time.Millisecond
}
