package config

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/usher-pg/usher/internal/config/source"
)

// A Change is one difference between two configurations, for the log of a reload.
type Change struct {
	Path       string
	Old, New   string // as the file writes them, secrets masked; empty where there was nothing
	Reloadable bool
}

// Diff lists what differs between two configurations, in the order of the documentation. An option that a
// pool takes from pool_defaults is listed there only.
func Diff(before, after *Config) []Change {
	changes := diffRows("", globalRows, before, after, nil)
	changes = append(changes, diffBudgets(before.Budgets, after.Budgets)...)
	all := slices.Concat(before.PoolNames(), after.PoolNames())
	slices.Sort(all)
	for _, name := range slices.Compact(all) {
		changes = append(changes, diffPool(name, before.Pools[name], after.Pools[name])...)
	}
	return changes
}

func diffRows[T any](prefix string, rows []row[T], before, after *T, skip func(path string) bool) []Change {
	var changes []Change
	for _, r := range rows {
		old, now := r.at(before), r.at(after)
		if skip != nil && skip(r.Path) || reflect.DeepEqual(old.place(), now.place()) {
			continue
		}
		changes = append(changes, Change{join(prefix, r.Path), old.text(), now.text(), r.Reloadable})
	}
	return changes
}

func diffPool(name string, before, after *Pool) []Change {
	switch {
	case before == nil:
		return []Change{{Path: poolPath(name), New: target{after}.text(), Reloadable: true}}
	case after == nil:
		return []Change{{Path: poolPath(name), Old: target{before}.text(), Reloadable: true}}
	}
	inherited := func(path string) bool {
		return isDefaultable(path) && !before.explicit[path] && !after.explicit[path]
	}
	return diffRows(poolPath(name), poolRows, before, after, inherited)
}

// isDefaultable reports whether a pool's option can come from pool_defaults.
func isDefaultable(path string) bool {
	return slices.ContainsFunc(globalRows, func(r row[Config]) bool {
		return r.Path == join(defaultsPath, path)
	})
}

func diffBudgets(before, after map[string]int) []Change {
	var changes []Change
	all := slices.Concat(slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
	slices.Sort(all)
	for _, server := range slices.Compact(all) {
		if old, now := before[server], after[server]; old != now {
			changes = append(changes, Change{keyPath(budgetsPath, server), countText(old), countText(now), true})
		}
	}
	return changes
}

func countText(n int) string {
	if n == 0 {
		return ""
	}
	return plain(int64(n))
}

// Why Set refused, for errors.Is. Every other error is about the value.
var (
	ErrNoSuchOption = errors.New("there is no such option")
	ErrNoSuchPool   = errors.New("there is no such pool")
	ErrNeedsRestart = errors.New("needs a restart")
	ErrOnlyInFile   = errors.New("can only be changed in the file")
)

// Set returns a copy of c with one reloadable option changed, for the console's SET. The key is a path of
// ours (pools.app.size.max, pool_defaults.mode, log.level), or PgBouncer's name, whose value then is in
// PgBouncer's units. Lists, secrets and URLs cannot be set this way.
func (c *Config) Set(key, text string) (*Config, error) {
	changed := c.Clone()
	if err := changed.set(key, text); err != nil {
		return nil, errorf("set %s: %w", source.Printable(source.Redact(key)), err)
	}
	if err := changed.Validate(); err != nil {
		return nil, err
	}
	return changed, nil
}

func (c *Config) set(key, text string) error {
	if name, option, ok := splitPoolPath(key); ok {
		p, ok := c.Pools[name]
		if !ok {
			return ErrNoSuchPool
		}
		if err := setRow(option, text, poolRows, p); err != nil {
			return err
		}
		p.explicit[option] = true
		return nil
	}
	for _, r := range globalRows {
		if key != r.Path && r.PgBouncer == key {
			key, text = r.Path, fromBouncer(r.at(c), text)
			break
		}
	}
	if err := setRow(key, text, globalRows, c); err != nil {
		return err
	}
	if option, ok := strings.CutPrefix(key, defaultsPath+"."); ok {
		return c.inherit(option, text)
	}
	return nil
}

// fromBouncer adds the unit that PgBouncer leaves out.
func fromBouncer(v value, text string) string {
	if _, ok := v.(span); ok {
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			return text + "s"
		}
	}
	return text
}

func setRow[T any](path, text string, rows []row[T], to *T) error {
	i := slices.IndexFunc(rows, func(r row[T]) bool { return r.Path == path })
	if i < 0 {
		return ErrNoSuchOption
	}
	v := rows[i].at(to)
	switch v.(type) {
	case listValue, sectionList, secret, target:
		return ErrOnlyInFile
	}
	if !rows[i].Reloadable {
		return ErrNeedsRestart
	}
	if err := v.set(text); err != nil {
		return errorf("%w, expected %s", err, v.kind())
	}
	return nil
}

// inherit gives a changed default to the pools that did not choose for themselves.
func (c *Config) inherit(option, text string) error {
	for _, p := range c.Pools {
		if p.explicit[option] {
			continue
		}
		if err := setRow(option, text, poolRows, p); err != nil {
			return err
		}
	}
	return nil
}

// Reloaded returns what is in force after a reload: the newly loaded configuration, with the options that
// need a restart as they were.
func Reloaded(inForce, loaded *Config) *Config {
	c := loaded.Clone()
	kept := inForce.Clone() // so that no slice is shared
	for _, r := range globalRows {
		if !r.Reloadable {
			reflect.ValueOf(r.at(c).place()).Elem().Set(reflect.ValueOf(r.at(kept).place()).Elem())
		}
	}
	return c
}
