package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/usher-pg/usher/internal/config/source"
)

// sections is a list of sections, each with the same rows. Only the file can give it.
type sections[T any] struct {
	at    *[]T
	one   string // what an item is called
	rows  []row[T]
	needs []string // keys that no item may lack
	most  int      // items
	begin T        // what an item is before its keys are read
}

// A sectionList is a sections of any type.
type sectionList interface {
	value

	// take takes the items of the list. It reports whether all were taken.
	take(d *decoder, e source.Entry, path string) bool
}

func (v sections[T]) kind() string {
	var keys []string
	for _, row := range v.rows {
		example := "…"
		if _, list := row.at(new(T)).(listValue); list {
			example = "[…]"
		}
		keys = append(keys, row.Path+": "+example)
	}
	return "list of " + v.one + "s, each {" + strings.Join(keys, ", ") + "}"
}

func (v sections[T]) place() any       { return v.at }
func (v sections[T]) bouncer() string  { return v.text() }
func (v sections[T]) set(string) error { return ErrOnlyInFile }

// text leaves out what is as it begins.
func (v sections[T]) text() string {
	var items []string
	for _, item := range *v.at {
		var keys []string
		begin := v.begin
		for _, row := range v.rows {
			if text := row.at(&item).text(); text != row.at(&begin).text() {
				keys = append(keys, row.Path+": "+text)
			}
		}
		items = append(items, "{"+strings.Join(keys, ", ")+"}")
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func (v sections[T]) take(d *decoder, e source.Entry, path string) bool {
	if e.Value.Kind != source.List {
		d.report.At(placed(e), path, "is "+e.Value.Kind.String(), v.kind())
		return false
	}
	if len(e.Value.Items) > v.most {
		d.report.At(placed(e), path, "has too many "+v.one+"s", fmt.Sprintf("at most %d", v.most))
		return false
	}
	problems := d.report.Len()
	var taken []T
	for i, item := range e.Value.Items {
		if item.Kind != source.Map {
			d.report.At(item, path, "an item of the list is "+item.Kind.String(), v.kind())
			continue
		}
		taken = append(taken, v.item(d, item, itemPath(path, i)))
	}
	if d.report.Len() > problems {
		return false
	}
	*v.at = taken
	return true
}

func (v sections[T]) item(d *decoder, n *source.Node, path string) T {
	item := v.begin
	d.places[path] = n
	entries := d.unique(n, path)
	for _, inner := range entries {
		assignIn(d, inner, path, "", v.rows, &item, nil)
	}
	for _, key := range v.needs {
		if !slices.ContainsFunc(entries, func(e source.Entry) bool { return e.Key.Text == key }) {
			i := slices.IndexFunc(v.rows, func(r row[T]) bool { return r.Path == key })
			d.report.At(n, path, "has no "+key, v.rows[i].at(&item).kind())
		}
	}
	return item
}

func itemPath(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
