package console

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/status"
)

// EMERGENCY is the one command with clauses:
//
//	emergency = "ON" [db] {"FOR" (word | string) | "LANE" word | "REASON" string} | "OFF" [db]
//
// Each clause stands once, in any order. A database whose name is a clause's has to be quoted.
const emergencyVerb = "EMERGENCY"

const (
	forClause    = "FOR"
	laneClause   = "LANE"
	reasonClause = "REASON"
)

// parseEmergency reads the clauses. on is false for EMERGENCY OFF, which has only a pool.
func parseEmergency(s statement) (order status.EmergencyOrder, on bool, err error) {
	rest := s.more
	switch {
	case len(rest) == 0:
		return order, false, pgerr.ConsoleSyntax.With("ON or OFF is required")
	case rest[0].is("ON"):
		on = true
	case !rest[0].is("OFF"):
		return order, false, invalidCommand(s.text)
	}
	rest = rest[1:]
	if len(rest) > 0 && rest[0].kind == word && !rest[0].is(forClause, laneClause, reasonClause) {
		order.Pool, rest = rest[0].text, rest[1:]
		if order.Pool == "" || len(order.Pool) > maxWordLen {
			return order, false, badArguments()
		}
	}
	if !on && len(rest) > 0 {
		return order, false, invalidCommand(s.text)
	}
	clauses := map[string]clause{
		forClause:    {&order.For, []kind{word, text}},
		laneClause:   {&order.Lane, []kind{word}},
		reasonClause: {&order.Reason, []kind{text}},
	}
	if err := parseClauses(rest, clauses, s.text); err != nil {
		return order, false, err
	}
	if IsConsole(order.Pool) {
		return order, false, pgerr.ConsoleFailed.With("cannot order an emergency of admin db: " + order.Pool)
	}
	_, _, err = order.Check()
	return order, on, err
}

// clause is what may follow a keyword, and where it goes.
type clause struct {
	place *string
	kinds []kind // of the token
}

// parseClauses reads clauses in any order, each at most once.
func parseClauses(rest []token, clauses map[string]clause, whole string) error {
	for len(rest) > 0 {
		if len(rest) == 1 {
			return invalidCommand(whole)
		}
		keyword, value := rest[0], rest[1]
		c, known := clauses[strings.ToUpper(keyword.text)]
		if !known || keyword.kind != word || keyword.quoted || !slices.Contains(c.kinds, value.kind) ||
			value.text == "" || *c.place != "" {
			return invalidCommand(whole)
		}
		*c.place, rest = value.text, rest[2:]
	}
	return nil
}

// is reports whether a token is one of these words, and not a name in quotes.
func (t token) is(words ...string) bool {
	return t.kind == word && !t.quoted && slices.Contains(words, strings.ToUpper(t.text))
}

func orderEmergency(ctx context.Context, ctl status.Controller, s statement) error {
	order, on, err := parseEmergency(s)
	if err != nil {
		return err
	}
	if !on {
		return ctl.EndEmergency(ctx, order.Pool, s.by)
	}
	order.By = s.by
	return ctl.BeginEmergency(ctx, order)
}

var emergencyTable = table[status.Emergency]{
	items: func(s *status.Snapshot) []status.Emergency { return s.Emergencies },
	columns: []column[status.Emergency]{
		optionalColumn("database", func(e *status.Emergency) string { return e.Database }),
		optionalColumn("user", func(e *status.Emergency) string { return e.User }),
		textColumn("kind", func(e *status.Emergency) string { return string(e.Kind) }),
		textColumn("measure", func(e *status.Emergency) string { return string(e.Measure) }),
		optionalColumn("lane", func(e *status.Emergency) string { return e.Lane }),
		intColumn("target", func(e *status.Emergency) int { return e.Target }),
		boolColumn("in_force", (*status.Emergency).InForce),
		timeColumn("since", func(e *status.Emergency) time.Time { return e.Since }),
		timeColumn("until", func(e *status.Emergency) time.Time { return e.Until }),
		textColumn("by", func(e *status.Emergency) string { return e.By }),
		optionalColumn("reason", func(e *status.Emergency) string { return e.Reason }),
		timeColumn("ended", func(e *status.Emergency) time.Time { return e.Ended }),
		optionalColumn("ended_by", func(e *status.Emergency) string { return e.EndedBy }),
		optionalColumn("end_reason", func(e *status.Emergency) string { return e.EndReason }),
	},
}
