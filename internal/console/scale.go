package console

import (
	"context"
	"strconv"

	"github.com/usher-pg/usher/internal/pgerr"
	"github.com/usher-pg/usher/internal/status"
)

// SCALE gives a database's pools a target for a time:
//
//	scale = db "TO" number {"FOR" (word | string) | "REASON" string} | db "AUTO"
const scaleVerb = "SCALE"

const (
	toClause   = "TO"
	autoClause = "AUTO"
)

// parseScale reads what follows SCALE. ends is true for AUTO.
func parseScale(s statement) (order status.ScaleOrder, ends bool, err error) {
	rest := s.more
	switch {
	case len(rest) == 0 || rest[0].kind != word || rest[0].text == "":
		return order, false, pgerr.ConsoleSyntax.With("a database is required")
	case len(rest[0].text) > maxWordLen:
		return order, false, badArguments()
	case IsConsole(rest[0].text):
		return order, false, pgerr.ConsoleFailed.With("cannot scale admin db: " + rest[0].text)
	}
	order.Pool, rest = rest[0].text, rest[1:]
	if len(rest) == 1 && rest[0].is(autoClause) {
		return order, true, nil
	}
	target := ""
	clauses := map[string]clause{
		toClause:     {&target, []kind{word}},
		forClause:    {&order.For, []kind{word, text}},
		reasonClause: {&order.Reason, []kind{text}},
	}
	if err := parseClauses(rest, clauses, s.text); err != nil {
		return order, false, err
	}
	if target == "" {
		return order, false, pgerr.ConsoleSyntax.With("TO with a number, or AUTO, is required")
	}
	if order.Target, err = strconv.Atoi(target); err != nil {
		return order, false, invalidValue.With("a target is a number of server connections")
	}
	_, err = order.Check()
	return order, false, err
}

func orderScale(ctx context.Context, ctl status.Controller, s statement) error {
	order, ends, err := parseScale(s)
	if err != nil {
		return err
	}
	if ends {
		return ctl.EndScale(ctx, order.Pool, s.by)
	}
	order.By = s.by
	return ctl.Scale(ctx, order)
}
