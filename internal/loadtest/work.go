package loadtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/loadtest/crowd"
)

const (
	tableName = "usher_load_test"
	tableRows = 100_000
	// beganColumn says when PostgreSQL received the statement; crowd.Work explains it.
	beganColumn = "(extract(epoch from statement_timestamp()) * 1000000)::bigint"
	maxWait     = 10 * time.Second
)

// work is what one request does, for the clients and for people.
type work struct {
	crowd.Work
	text string
}

// workOf reads a description of work: "lookup", "wait:10ms" or a statement. sameClock is whether PostgreSQL runs on
// this machine, so that its clock is ours.
func workOf(description string, simple, sameClock bool) (work, error) {
	w := work{Work: crowd.Work{Simple: simple, Keys: tableRows}}
	columns := "payload"
	if sameClock {
		columns += ", " + beganColumn
		w.BeganColumn = 2
	}
	wait, isWait := strings.CutPrefix(description, "wait:")
	switch {
	case description == "lookup":
		w.text = "a lookup by key in a table of 100,000 rows"
	case isWait:
		d, err := time.ParseDuration(wait)
		if err != nil || d < time.Millisecond || d > maxWait {
			return work{}, fmt.Errorf("work %q: want a time between 1ms and %v, as in wait:10ms", description, maxWait)
		}
		columns += fmt.Sprintf(", pg_sleep(%g)", d.Seconds())
		w.text = fmt.Sprintf("a lookup by key in a table of 100,000 rows and %v in which the server waits, as for a "+
			"disk or a lock", d)
	case strings.Contains(strings.TrimSpace(description), " "):
		w.SQL, w.Keys, w.BeganColumn, w.text = description, 0, 0, description
		return w, nil
	default:
		return work{}, fmt.Errorf("work %q: want lookup, wait:10ms or a statement", description)
	}
	w.SQL = fmt.Sprintf("select %s from %s where id = $1", columns, tableName)
	return w, nil
}
