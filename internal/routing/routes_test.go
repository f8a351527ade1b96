package routing

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usher-pg/usher/internal/pgerr"
)

const poolsOfAllKinds = `
pools:
  forced:    {url: "postgres://owner@db:5432/one", size: {max: 3}}
  forwarded: {url: "postgres://db:5432/two", size: {max: 3}}
  "*":       {url: "postgres://other:5433"}
`

func TestClientsShareAPoolOnlyWithTheSameIdentity(t *testing.T) {
	t.Parallel()
	table := newTestTable(t, poolsOfAllKinds)
	for _, tt := range []struct {
		database, user string
		pool, server   string // whose pool, as whom at the server
		target         string
	}{
		{"forced", "ada", "forced/", "owner", "db:5432/one"},
		{"forced", "bob", "forced/", "owner", "db:5432/one"},
		{"forwarded", "ada", "forwarded/ada", "ada", "db:5432/two"},
		{"forwarded", "bob", "forwarded/bob", "bob", "db:5432/two"},
		{"elsewhere", "ada", "elsewhere/ada", "ada", "other:5433/elsewhere"},
		{"*", "ada", "*/ada", "ada", "other:5433/*"},
	} {
		r, err := table.Enter(tt.database, tt.user)
		if err != nil {
			t.Fatalf("%s of %s: %v", tt.database, tt.user, err)
		}
		target := r.config.Target.Server() + "/" + r.config.Target.Database
		if pool := r.key.database + "/" + r.key.user; pool != tt.pool || target != tt.target ||
			r.Pool.User() != tt.server || r.Pool.Name() != tt.database {
			t.Errorf("%s of %s: pool %s of %s at %s", tt.database, tt.user, pool, r.Pool.User(), target)
		}
		table.Leave(r)
	}
	if n := len(table.Of("")); n != 5 {
		t.Errorf("%d pools, want 5", n)
	}
	if n := len(table.Of("forwarded")); n != 2 {
		t.Errorf("%d pools of one database, want 2", n)
	}
}

func TestUnknownDatabasesAreRefused(t *testing.T) {
	t.Parallel()
	table := newTestTable(t, "pools:\n  app: {url: \"postgres://owner@db/app\"}\n")
	_, err := table.Enter("nonsense", "ada")
	if told, ok := errors.AsType[*pgerr.Error](err); !ok || told.Row != pgerr.NoSuchDatabase {
		t.Errorf("error %v", err)
	}
}

func TestPoolsOnDemandAreBounded(t *testing.T) {
	t.Parallel()
	table := newTestTable(t, poolsOfAllKinds)
	for i := range maxMade {
		r, err := table.Enter("db"+strconv.Itoa(i), "ada")
		if err != nil {
			t.Fatal(err)
		}
		table.Leave(r)
	}
	if _, err := table.Enter("one more", "ada"); err == nil {
		t.Error("there is no bound")
	}
	for _, known := range []string{"forced", "db0"} {
		if _, err := table.Enter(known, "ada"); err != nil {
			t.Errorf("%s: %v", known, err)
		}
	}
	if gone := table.Evict(0); len(gone) != 0 {
		t.Errorf("%d pools were evicted at once", len(gone))
	}
	if gone := table.Evict(unusedFor); len(gone) != maxMade-1 {
		t.Errorf("%d pools were evicted, want all but one in use", len(gone))
	}
	if _, err := table.Enter("one more", "ada"); err != nil {
		t.Errorf("after the others are gone: %v", err)
	}
}

func TestPoolsInUseAreNotEvicted(t *testing.T) {
	t.Parallel()
	table := newTestTable(t, poolsOfAllKinds)
	table.MakeNamed()
	r, err := table.Enter("elsewhere", "ada")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if gone := table.Evict(time.Duration(i) * 2 * unusedFor); len(gone) != 0 {
			t.Errorf("look %d: %d pools were evicted", i, len(gone))
		}
	}
	if table.Leave(r) {
		t.Error("the route is gone")
	}
	table.Evict(10 * unusedFor)
	gone := table.Evict(11 * unusedFor)
	if len(gone) != 1 || gone[0] != r || !r.gone {
		t.Errorf("%d pools were evicted, want the one on demand", len(gone))
	}
}

func TestPoolsOfNamedUsersAreMadeAtTheStart(t *testing.T) {
	t.Parallel()
	table := newTestTable(t, poolsOfAllKinds)
	table.MakeNamed()
	table.MakeNamed()
	var names []string
	for _, r := range table.Of("") {
		names = append(names, r.key.database)
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"forced"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPoolsMadeDuringAPauseArePaused(t *testing.T) {
	t.Parallel()
	table := newTestTable(t, poolsOfAllKinds)
	table.paused = func(database string) bool { return database == "forwarded" }
	for database, paused := range map[string]bool{"forwarded": true, "forced": false} {
		r, err := table.Enter(database, "ada")
		if err != nil {
			t.Fatal(err)
		}
		if r.Pool.Held() != paused {
			t.Errorf("%s: held %v", database, r.Pool.Held())
		}
	}
}

func TestPoolsOfOneDatabaseServerShareItsBudget(t *testing.T) {
	t.Parallel()
	table := newTestTable(t, poolsOfAllKinds+"budgets: {\"db:5432\": 7}\n")
	budgets := map[string]any{}
	for _, database := range []string{"forced", "forwarded", "elsewhere"} {
		r, err := table.Enter(database, "ada")
		if err != nil {
			t.Fatal(err)
		}
		budgets[database] = r.Budget
	}
	if budgets["forced"] != budgets["forwarded"] || budgets["forced"] == budgets["elsewhere"] {
		t.Error("budgets do not belong to database servers")
	}
	table.Reload(load(t, poolsOfAllKinds+"budgets: {\"other:5433\": 9}\n"))
	limits := map[string]int{}
	for _, b := range table.Budgets() {
		limits[b.Server] = b.Limit
	}
	if diff := cmp.Diff(map[string]int{"db:5432": 0, "other:5433": 9}, limits); diff != "" {
		t.Errorf("after a reload (-want +got):\n%s", diff)
	}
}

// TestPoolsOfNobodyAreAbandoned: a client whose database does not exist leaves no pool behind.
func TestPoolsOfNobodyAreAbandoned(t *testing.T) {
	t.Parallel()
	table := newTestTable(t, poolsOfAllKinds)
	first, err := table.Enter("elsewhere", "ada")
	if err != nil {
		t.Fatal(err)
	}
	second, err := table.Enter("elsewhere", "ada")
	if err != nil || second != first {
		t.Fatal(second, err)
	}
	table.Leave(first)
	if table.Abandon(first) {
		t.Error("a pool was abandoned under a client on its way")
	}
	table.Leave(second)
	if !table.Abandon(second) || table.Abandon(second) {
		t.Error("a pool is not abandoned once")
	}
	named, err := table.Enter("forced", "ada")
	if err != nil {
		t.Fatal(err)
	}
	table.Leave(named)
	if table.Abandon(named) || len(table.Of("")) != 1 {
		t.Error("a pool of the configuration was abandoned")
	}
}
