package crowd

import (
	"cmp"
	"slices"
	"strings"

	"github.com/usher-pg/usher/internal/wire"
)

// maxKinds bounds how many kinds of failure are told apart; more are one kind.
const maxKinds = 20

// failures counts errors by SQLSTATE and by message, numbers in it left out.
type failures map[string]*Failure

func (f *failures) add(r refusal) {
	if *f == nil {
		*f = failures{}
	}
	key := r.sqlState + " " + withoutDigits(r.message)
	kind := (*f)[key]
	if kind == nil && len(*f) >= maxKinds {
		r = refusal{message: "(other failures)"}
		key = r.message
		kind = (*f)[key]
	}
	if kind == nil {
		kind = &Failure{SQLState: r.sqlState, Example: r.String()}
		(*f)[key] = kind
	}
	kind.Count++
}

// list gives them, the most frequent first.
func (f failures) list() []Failure {
	var out []Failure
	for _, kind := range f {
		out = append(out, *kind)
	}
	slices.SortFunc(out, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.SQLState+a.Example, b.SQLState+b.Example))
	})
	return out
}

func withoutDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, s)
}

// maxMessageText is how much of an error's message is kept.
const maxMessageText = 300

// refusal is the text of an ErrorResponse, or why there was none.
type refusal struct {
	sqlState, message, hint string
}

func refusalOf(body []byte) refusal {
	field := func(f wire.ErrorField) string {
		text := string(wire.ErrorFieldValue(body, f))
		if len(text) > maxMessageText {
			text = strings.ToValidUTF8(text[:maxMessageText], "") + "…"
		}
		return text
	}
	return refusal{field(wire.FieldCode), field(wire.FieldMessage), field(wire.FieldHint)}
}

func (r refusal) String() string {
	if r.hint == "" {
		return r.message
	}
	return r.message + " (hint: " + r.hint + ")"
}
