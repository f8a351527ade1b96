package calendar

import (
	"errors"

	"github.com/usher-pg/usher/internal/config/source"
)

// ReadYAML reads a list of events, each a map with the keys that the columns of a CSV have; or a map whose key events
// has that list. An error says that the text is no such list. The size is that of a configuration file: longer lists
// are CSV.
func ReadYAML(data []byte, o Options) (Reading, error) {
	r := newReader(o)
	if err := r.checkSize(data); err != nil {
		return Reading{}, err
	}
	root, report := source.Parse("events", data)
	if err := report.Err(); err != nil {
		if list, ok := errors.AsType[source.Errors](err); ok && len(list) > 0 {
			return Reading{}, errors.New(Problem{
				Line: list[0].Line, Message: list[0].Message, Expected: list[0].Expected}.String())
		}
		return Reading{}, err
	}
	if root != nil && root.Kind == source.Map {
		if len(root.Entries) != 1 || root.Entries[0].Key.Text != "events" {
			return Reading{}, errors.New("is a map; expected a list of events, or a map with the key events")
		}
		root = root.Entries[0].Value
	}
	switch {
	case root == nil || root.Kind == source.Null:
		return r.done(), nil
	case root.Kind != source.List:
		return Reading{}, errors.New("is " + root.Kind.String() + "; expected a list of events")
	}
	for _, item := range root.Items {
		r.addNode(item)
	}
	return r.done(), nil
}

// addNode takes an event of the list.
func (r *reader) addNode(item *source.Node) {
	if item.Kind != source.Map {
		r.problem(Problem{Line: item.Line, Message: "is " + item.Kind.String() + " and no event", Expected: columnsExpected})
		return
	}
	w := row{line: item.Line, texts: map[string]string{}}
	for _, entry := range item.Entries {
		column := columnOf(entry.Key.Text)
		switch {
		case column == "":
			r.problem(Problem{Line: entry.Key.Line, Message: "key " + quote(entry.Key.Text) + " is unknown and left out",
				Expected: columnsExpected})
		case entry.Value.Kind == source.Null:
		case entry.Value.Kind != source.Scalar:
			r.problem(Problem{Line: entry.Key.Line, Message: column + " is " + entry.Value.Kind.String(),
				Expected: "a single value"})
		default:
			w.texts[column] = entry.Value.Text
		}
	}
	r.addRow(w)
}
