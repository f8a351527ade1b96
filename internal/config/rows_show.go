package config

import (
	"maps"
	"slices"
)

// A Row is a line of SHOW CONFIG.
type Row struct {
	Key, Value, Default string
	Changeable          bool // with SET or RELOAD
}

// Rows returns what SHOW CONFIG shows: every option of the process and of pool_defaults, what the pools chose
// for themselves, and last, for tools made for PgBouncer, the options that have a name there, with its units.
func (c *Config) Rows() []Row {
	defaults := Default()
	var rows []Row
	for _, r := range globalRows {
		rows = append(rows, Row{r.Path, r.at(c).text(), r.at(defaults).text(), r.Reloadable})
	}
	for _, server := range slices.Sorted(maps.Keys(c.Budgets)) {
		rows = append(rows, Row{keyPath(budgetsPath, server), countText(c.Budgets[server]), "", true})
	}
	for _, name := range c.PoolNames() {
		rows = append(rows, c.poolRows(c.Pools[name])...)
	}
	for _, r := range globalRows {
		if r.PgBouncer != "" && r.PgBouncer != r.Path {
			rows = append(rows, Row{r.PgBouncer, r.at(c).bouncer(), r.at(defaults).bouncer(), r.Reloadable})
		}
	}
	return rows
}

func (c *Config) poolRows(p *Pool) []Row {
	base := &Pool{PoolOptions: c.PoolDefaults}
	var rows []Row
	for _, r := range poolRows {
		if p.explicit[r.Path] || r.Path == "url" {
			rows = append(rows, Row{join(poolPath(p.Name), r.Path), r.at(p).text(), r.at(base).text(), r.Reloadable})
		}
	}
	return rows
}
