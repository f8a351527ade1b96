package config

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/usher-pg/usher/internal/config/source"
)

// Load reads, decodes and validates a configuration file.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data)
}

// Parse decodes and validates a configuration. The name stands for the file in errors, which are of type
// Errors.
func Parse(name string, data []byte) (*Config, error) {
	root, report := source.Parse(name, data)
	d := &decoder{config: Default(), report: report, places: map[string]*source.Node{}}
	if report.Len() == 0 {
		d.decode(root)
		d.validate()
	}
	if err := report.Err(); err != nil {
		return nil, err
	}
	return d.config, nil
}

// A decoder moves a tree into a Config by the rows of options.
type decoder struct {
	config *Config
	report *source.Report
	places map[string]*source.Node // where each path that was given stands
	failed []string                // paths whose value was not taken
}

func (d *decoder) decode(root *source.Node) {
	if root == nil || root.Kind == source.Null {
		return
	}
	if root.Kind != source.Map {
		d.report.At(root, "", "the file is "+root.Kind.String(), "options, such as listen: and pools:")
		return
	}
	var pools *source.Node
	for _, e := range d.unique(root, "") {
		switch e.Key.Text {
		case poolsPath:
			pools = e.Value
		case budgetsPath:
			d.budgets(e.Value)
		default:
			assign(d, e, "", globalRows, d.config, nil)
		}
	}
	// The pools come last: they start from the defaults, wherever the file has them.
	if pools != nil {
		d.pools(pools)
	}
}

// unique returns the entries of a map without those that were merged and replaced, and reports doubles.
func (d *decoder) unique(n *source.Node, path string) []source.Entry {
	last := map[string]int{}
	var kept []source.Entry
	for _, e := range n.Entries {
		i, seen := last[e.Key.Text]
		switch {
		case !seen:
			last[e.Key.Text] = len(kept)
			kept = append(kept, e)
		case kept[i].Merged:
			kept[i] = e
		default:
			first := kept[i].Key.Line
			d.report.At(e.Key, keyPath(path, e.Key.Text), fmt.Sprintf("is given twice, first in line %d", first), "")
		}
	}
	return kept
}

// assign sets one key of a section, or the keys of a section of its own. note, if any, is told the path of
// every option that was set.
func assign[T any](d *decoder, e source.Entry, section string, rows []row[T], to *T, note func(path string)) {
	whole := ""
	if p, ok := any(to).(*Pool); ok {
		whole = poolPath(p.Name)
	}
	assignIn(d, e, whole, section, rows, to, note)
}

// assignIn is assign for what is itself a part of the file: whole is its path.
func assignIn[T any](
	d *decoder, e source.Entry, whole, section string, rows []row[T], to *T, note func(path string),
) {
	path := join(section, e.Key.Text)
	full := join(whole, path)
	d.places[full] = e.Value
	problems := d.report.Len()
	defer func() {
		if d.report.Len() > problems {
			d.failed = append(d.failed, full)
		}
	}()
	if i := slices.IndexFunc(rows, func(r row[T]) bool { return r.Path == path }); i >= 0 {
		if d.scalarOrList(e, full, rows[i].at(to)) && note != nil {
			note(path)
		}
		return
	}
	isSection := func(r row[T]) bool { return strings.HasPrefix(r.Path, path+".") }
	switch {
	case !slices.ContainsFunc(rows, isSection) || strings.Contains(e.Key.Text, "."):
		d.unknown(e.Key, full, siblings(rows, section))
	case e.Value.Kind == source.Null:
	case e.Value.Kind != source.Map:
		keys := strings.Join(siblings(rows, path), ", ")
		d.report.At(e.Value, full, "is "+e.Value.Kind.String(), "a section with "+keys)
	default:
		for _, inner := range d.unique(e.Value, full) {
			assignIn(d, inner, whole, path, rows, to, note)
		}
	}
}

// scalarOrList gives the value of a key to its option and reports whether it was taken.
func (d *decoder) scalarOrList(e source.Entry, path string, v value) bool {
	switch list := v.(type) {
	case listValue:
		return d.list(e, path, list)
	case sectionList:
		return list.take(d, e, path)
	}
	if message := unfit(e.Value, v); message != "" {
		d.report.At(placed(e), path, message, v.kind())
		return false
	}
	if err := v.set(e.Value.Text); err != nil {
		d.report.At(e.Value, path, err.Error(), v.kind())
		return false
	}
	return true
}

// unfit says why a node cannot be the value, or nothing. YAML guesses types; a guess that surprises is
// refused.
func unfit(n *source.Node, v value) string {
	_, wantsNumber := v.(number)
	switch {
	case n.Kind == source.Null:
		return "has no value"
	case n.Kind != source.Scalar:
		return "is " + n.Kind.String()
	case wantsNumber && n.Quoted:
		return "is a text in quotes"
	case n.Boolean && isText(v):
		return "is a YAML truth value; put it in quotes if it is meant as text"
	}
	return ""
}

func isText(v value) bool {
	switch v.(type) {
	case text, secret, target:
		return true
	}
	return false
}

func (d *decoder) list(e source.Entry, path string, v listValue) bool {
	if e.Value.Kind != source.List {
		d.report.At(placed(e), path, "is "+e.Value.Kind.String(), v.kind()+`, such as ["a", "b"]`)
		return false
	}
	var items []string // nil when empty, as in Default
	for _, item := range e.Value.Items {
		if item.Kind != source.Scalar || item.Boolean {
			d.report.At(item, path, "an item of the list is not a text", v.kind())
			return false
		}
		items = append(items, item.Text)
	}
	bad := v.setList(items)
	for _, b := range bad {
		d.report.At(e.Value.Items[b.index], path, b.err.Error(), v.kind())
	}
	return len(bad) == 0
}

// placed returns the value's node, or the key's when the value has no place.
func placed(e source.Entry) *source.Node {
	if e.Value.Line == 0 {
		return e.Key
	}
	return e.Value
}

func (d *decoder) budgets(n *source.Node) {
	if n.Kind == source.Null {
		return
	}
	if n.Kind != source.Map {
		d.report.At(n, budgetsPath, "is "+n.Kind.String(), `a section such as "127.0.0.1:5432": 100`)
		return
	}
	for _, e := range d.unique(n, budgetsPath) {
		path := keyPath(budgetsPath, e.Key.Text)
		d.places[path] = e.Key
		budget := 0
		if !d.scalarOrList(e, path, number{&budget, 1, maxConnections}) {
			continue
		}
		d.config.Budgets[e.Key.Text] = budget
	}
}

func (d *decoder) pools(n *source.Node) {
	d.places[poolsPath] = n
	if n.Kind != source.Map {
		d.report.At(n, poolsPath, "is "+n.Kind.String(), "a section with the pools' names and, below each, its url")
		return
	}
	for _, e := range d.unique(n, poolsPath) {
		d.places[poolPath(e.Key.Text)] = e.Key
		if e.Value.Kind != source.Map {
			d.report.At(placed(e), poolPath(e.Key.Text), "is "+e.Value.Kind.String(), "a section with url:")
			continue
		}
		d.pool(e.Key.Text, e.Value)
	}
}

// pool decodes one pool. The URL goes first: keys of the pool win over it.
func (d *decoder) pool(name string, n *source.Node) {
	p := &Pool{Name: name, PoolOptions: d.config.PoolDefaults, explicit: map[string]bool{}}
	note := func(path string) { p.explicit[path] = true }
	entries := d.unique(n, poolPath(name))
	slices.SortStableFunc(entries, func(a, b source.Entry) int { return rank(a) - rank(b) })
	for _, e := range entries {
		assign(d, e, "", poolRows, p, note)
	}
	if len(entries) == 0 || entries[0].Key.Text != "url" {
		d.report.At(d.places[poolPath(name)], poolPath(name), "has no url", target{p}.kind())
	}
	p.complete()
	d.config.Pools[name] = p
}

func rank(e source.Entry) int {
	if e.Key.Text == "url" {
		return 0
	}
	return 1
}
