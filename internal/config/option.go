package config

import (
	"slices"
	"strings"
)

// An Option describes one thing the file can say. The documentation, the example file, SHOW CONFIG, the
// decoder and Diff all come from the same rows.
type Option struct {
	// Path is the keys that lead to the option, with dots. In a path below "pools." the second part stands for
	// the name of any pool.
	Path string

	// Type says what is accepted, as a reader of the documentation needs it.
	Type string

	// Default is the value of an option the file does not mention, as the file would write it.
	Default string

	// Unit is what a bare number counts.
	Unit string

	// Reloadable options take effect with a reload; the others need a restart.
	Reloadable bool

	// Doc is one paragraph.
	Doc string

	// PgBouncer is the name of the same thing there, if there is one.
	PgBouncer string
}

// A row binds an option to its place in a T.
type row[T any] struct {
	Option
	at func(*T) value
}

const (
	poolsPath    = "pools"
	defaultsPath = "pool_defaults"
	budgetsPath  = "budgets"
	anyPool      = poolsPath + ".<name>"
)

var (
	// globalRows are the options of the whole process, those of pool_defaults included.
	globalRows = slices.Concat(processRows(), lift(defaultsPath, poolOptionRows(), defaultsOf))

	// poolRows are the options of one pool, relative to it.
	poolRows = slices.Concat(identityRows(), lift("", poolOptionRows(), optionsOf))
)

func defaultsOf(c *Config) *PoolOptions { return &c.PoolDefaults }
func optionsOf(p *Pool) *PoolOptions    { return &p.PoolOptions }

// lift makes rows of a part into rows of the whole.
func lift[Whole, Part any](prefix string, rows []row[Part], part func(*Whole) *Part) []row[Whole] {
	lifted := make([]row[Whole], len(rows))
	for i, r := range rows {
		lifted[i] = row[Whole]{r.Option, func(w *Whole) value { return r.at(part(w)) }}
		lifted[i].Path = join(prefix, r.Path)
	}
	return lifted
}

// Options returns every option: those of the process, the budgets, those of pool_defaults, those of a pool.
func Options() []Option {
	var all []Option
	defaults := Default()
	for _, r := range globalRows {
		all = append(all, describe(r, defaults, ""))
	}
	all = append(all, budgetOption)
	pool := &Pool{PoolOptions: defaults.PoolDefaults}
	for _, r := range poolRows {
		o := describe(r, pool, anyPool)
		if isDefaultable(r.Path) {
			o.Default = "as " + join(defaultsPath, r.Path)
			o.PgBouncer = strings.TrimPrefix(o.PgBouncer, "default_")
		}
		all = append(all, o)
	}
	return all
}

func describe[T any](r row[T], defaults *T, prefix string) Option {
	o := r.Option
	v := r.at(defaults)
	o.Path, o.Type, o.Default = join(prefix, r.Path), v.kind(), v.text()
	return o
}

// budgetOption is the one option that is a map; its keys are database servers.
var budgetOption = Option{
	Path:       budgetsPath + ".<server>",
	Type:       number{new(int), 1, maxConnections}.kind(),
	Default:    "no budget",
	Unit:       "connections",
	Reloadable: true,
	Doc: "Most connections all pools together may have open on a database server, reserve and cancel requests " +
		"included. The server is written as host:port, as in the pools' URLs (directory:port for a Unix socket). " +
		"Leave room below the server's own max_connections for people and maintenance.",
	PgBouncer: "max_db_connections",
}

func join(prefix, path string) string {
	if prefix == "" {
		return path
	}
	return prefix + "." + path
}
