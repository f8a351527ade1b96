package config

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
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
	data = normalize(data)
	d := &decoder{
		config: Default(),
		places: map[string]*node{},
		errs:   newErrorList(name, data),
	}
	root := parseTree(data, d.errs)
	if len(d.errs.errs) == 0 {
		d.decode(root)
		d.validate()
	}
	if err := d.errs.errs.errOrNil(); err != nil {
		slices.SortStableFunc(d.errs.errs, func(a, b *Error) int {
			return cmp.Or(a.Line-b.Line, a.Column-b.Column)
		})
		return nil, err
	}
	return d.config, nil
}

// A decoder moves a tree into a Config by the rows of options.
type decoder struct {
	config *Config
	places map[string]*node // where each path that was given stands
	failed []string         // paths whose value was not taken
	errs   *errorList
}

func (d *decoder) decode(root *node) {
	if root == nil || root.kind == nullNode {
		return
	}
	if root.kind != mapNode {
		d.errs.at(root, "", "the file is "+root.kind.String(), "options, such as listen: and pools:")
		return
	}
	var pools *node
	for _, e := range d.unique(root, "") {
		switch e.key.text {
		case poolsPath:
			pools = e.value
		case budgetsPath:
			d.budgets(e.value)
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
func (d *decoder) unique(n *node, path string) []entry {
	last := map[string]int{}
	var kept []entry
	for _, e := range n.entries {
		i, seen := last[e.key.text]
		switch {
		case !seen:
			last[e.key.text] = len(kept)
			kept = append(kept, e)
		case kept[i].merged:
			kept[i] = e
		default:
			first := kept[i].key.line
			d.errs.at(e.key, keyPath(path, e.key.text), fmt.Sprintf("is given twice, first in line %d", first), "")
		}
	}
	return kept
}

// assign sets one key of a section, or the keys of a section of its own. note, if any, is told the path of
// every option that was set.
func assign[T any](d *decoder, e entry, section string, rows []row[T], to *T, note func(path string)) {
	path := join(section, e.key.text)
	full := path
	if p, ok := any(to).(*Pool); ok {
		full = join(poolPath(p.Name), path)
	}
	d.places[full] = e.value
	problems := len(d.errs.errs)
	defer func() {
		if len(d.errs.errs) > problems {
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
	case !slices.ContainsFunc(rows, isSection) || strings.Contains(e.key.text, "."):
		d.unknown(e.key, full, siblings(rows, section))
	case e.value.kind == nullNode:
	case e.value.kind != mapNode:
		keys := strings.Join(siblings(rows, path), ", ")
		d.errs.at(e.value, full, "is "+e.value.kind.String(), "a section with "+keys)
	default:
		for _, inner := range d.unique(e.value, full) {
			assign(d, inner, path, rows, to, note)
		}
	}
}

// scalarOrList gives the value of a key to its option and reports whether it was taken.
func (d *decoder) scalarOrList(e entry, path string, v value) bool {
	if list, ok := v.(listValue); ok {
		return d.list(e, path, list)
	}
	if message := unfit(e.value, v); message != "" {
		d.errs.at(placed(e), path, message, v.kind())
		return false
	}
	if err := v.set(e.value.text); err != nil {
		d.errs.at(e.value, path, err.Error(), v.kind())
		return false
	}
	return true
}

// unfit says why a node cannot be the value, or nothing. YAML guesses types; a guess that surprises is
// refused.
func unfit(n *node, v value) string {
	_, wantsNumber := v.(number)
	switch {
	case n.kind == nullNode:
		return "has no value"
	case n.kind != scalarNode:
		return "is " + n.kind.String()
	case wantsNumber && n.quoted:
		return "is a text in quotes"
	case n.boolean && isText(v):
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

func (d *decoder) list(e entry, path string, v listValue) bool {
	if e.value.kind != listNode {
		d.errs.at(placed(e), path, "is "+e.value.kind.String(), v.kind()+`, such as ["a", "b"]`)
		return false
	}
	var items []string // nil when empty, as in Default
	for _, item := range e.value.items {
		if item.kind != scalarNode || item.boolean {
			d.errs.at(item, path, "an item of the list is not a text", v.kind())
			return false
		}
		items = append(items, item.text)
	}
	bad := v.setList(items)
	for _, b := range bad {
		d.errs.at(e.value.items[b.index], path, b.err.Error(), v.kind())
	}
	return len(bad) == 0
}

// placed returns the value's node, or the key's when the value has no place.
func placed(e entry) *node {
	if e.value.line == 0 {
		return e.key
	}
	return e.value
}

func (d *decoder) budgets(n *node) {
	if n.kind == nullNode {
		return
	}
	if n.kind != mapNode {
		d.errs.at(n, budgetsPath, "is "+n.kind.String(), `a section such as "127.0.0.1:5432": 100`)
		return
	}
	for _, e := range d.unique(n, budgetsPath) {
		path := keyPath(budgetsPath, e.key.text)
		d.places[path] = e.key
		budget := 0
		if !d.scalarOrList(e, path, number{&budget, 1, maxConnections}) {
			continue
		}
		d.config.Budgets[e.key.text] = budget
	}
}

func (d *decoder) pools(n *node) {
	d.places[poolsPath] = n
	if n.kind != mapNode {
		d.errs.at(n, poolsPath, "is "+n.kind.String(), "a section with the pools' names and, below each, its url")
		return
	}
	for _, e := range d.unique(n, poolsPath) {
		d.places[poolPath(e.key.text)] = e.key
		if e.value.kind != mapNode {
			d.errs.at(placed(e), poolPath(e.key.text), "is "+e.value.kind.String(), "a section with url:")
			continue
		}
		d.pool(e.key.text, e.value)
	}
}

// pool decodes one pool. The URL goes first: keys of the pool win over it.
func (d *decoder) pool(name string, n *node) {
	p := &Pool{Name: name, PoolOptions: d.config.PoolDefaults, explicit: map[string]bool{}}
	note := func(path string) { p.explicit[path] = true }
	entries := d.unique(n, poolPath(name))
	slices.SortStableFunc(entries, func(a, b entry) int { return rank(a) - rank(b) })
	for _, e := range entries {
		assign(d, e, "", poolRows, p, note)
	}
	if len(entries) == 0 || entries[0].key.text != "url" {
		d.errs.at(d.places[poolPath(name)], poolPath(name), "has no url", target{p}.kind())
	}
	p.complete()
	d.config.Pools[name] = p
}

func rank(e entry) int {
	if e.key.text == "url" {
		return 0
	}
	return 1
}
