package routing

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFates: what a reload does to a pool, by what has changed.
func TestFates(t *testing.T) {
	t.Parallel()
	const before = "pools:\n  app: {url: \"postgres://owner:one@db/app\", size: {max: 3}}\n"
	const forwarded = "pools:\n  app: {url: \"postgres://db/app\"}\n"
	for name, tt := range map[string]struct {
		before, after string
		user          string
		want          fate
	}{
		"nothing":        {before, before, "", keep},
		"the size":       {before, strings.Replace(before, "3", "9", 1), "", keep},
		"a timeout":      {before, before + "pool_defaults: {timeouts: {query: 9s}}\n", "", keep},
		"the mode":       {before, before + "pool_defaults: {mode: session}\n", "", keep},
		"the host":       {before, strings.Replace(before, "@db", "@other", 1), "", reconnect},
		"the database":   {before, strings.Replace(before, "db/app", "db/other", 1), "", reconnect},
		"the user":       {before, strings.Replace(before, "owner", "other", 1), "", reconnect},
		"the password":   {before, strings.Replace(before, "one", "two", 1), "", reconnect},
		"TLS":            {before, strings.Replace(before, "app\"", "app?sslmode=require\"", 1), "", reconnect},
		"server options": {before, before + "pool_defaults: {server_options: \"-c a.b=1\"}\n", "", reconnect},
		"it is gone":     {before, strings.Replace(before, "app:", "other:", 1), "", end},
		"the fallback takes it": {
			before, strings.Replace(before, "app:", "\"*\":", 1), "", keep,
		},
		"a user is forced on forwarded ones": {forwarded, before, "ada", reconnect},
		"many users lose the forced one":     {before, forwarded, "", end},
		"a forwarded one":                    {forwarded, forwarded, "ada", keep},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, now := load(t, tt.before), load(t, tt.after)
			key := routeKey{"app", tt.user}
			p, _ := old.Config.Pool("app")
			got, _, _ := fateOf(key, identityOf(&p, tt.user, old.Users), now)
			if got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func TestAPasswordInTheUsersFileIsPartOfTheIdentity(t *testing.T) {
	t.Parallel()
	const pools = "pools:\n  app: {url: \"postgres://owner@db/app\"}\n"
	identity := func(pairs ...string) identity {
		c := parse(t, pools)
		c.Auth.UsersFile = usersFile(t, pairs...)
		s, err := Load(c, nil)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := c.Pool("app")
		return identityOf(&p, "", s.Users)
	}
	one := identity("owner", "one")
	if !one.equal(identity("other", "x", "owner", "one")) {
		t.Error("another user's line makes a difference")
	}
	if one.equal(identity("owner", "two")) || one.equal(identity("other", "one")) {
		t.Error("another password makes no difference")
	}
}

func TestReloadMovesPools(t *testing.T) {
	t.Parallel()
	table := newTestTable(t, poolsOfAllKinds)
	table.MakeNamed()
	kept := map[string]*Route{}
	for _, database := range []string{"forced", "forwarded", "elsewhere"} {
		r, err := table.Enter(database, "ada")
		if err != nil {
			t.Fatal(err)
		}
		kept[database] = r
	}
	gone := table.Reload(load(t, `
pools:
  forced: {url: "postgres://owner@db:5432/one", size: {max: 9}, mode: statement}
  forwarded: {url: "postgres://db:5432/moved"}
  third: {url: "postgres://owner@db:5432/three"}
`))
	if len(gone) != 1 || gone[0] != kept["elsewhere"] {
		t.Errorf("%d pools are gone, want the one of the fallback", len(gone))
	}
	if !table.Leave(kept["elsewhere"]) || table.Leave(kept["forced"]) {
		t.Error("who enters a pool is not told whether it is gone")
	}
	r := kept["forced"]
	if r.Pool.Stat().Max != 9 || r.Pool.Mode().String() != "statement" || r.Pool.Stat().Epoch != 0 {
		t.Errorf("max %d, mode %v, epoch %d", r.Pool.Stat().Max, r.Pool.Mode(), r.Pool.Stat().Epoch)
	}
	if epoch := kept["forwarded"].Pool.Stat().Epoch; epoch != 1 {
		t.Errorf("epoch %d of a pool that leads elsewhere", epoch)
	}
	var names []string
	for _, r := range table.Of("") {
		names = append(names, r.key.database)
	}
	if diff := cmp.Diff([]string{"forced", "forwarded", "third"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := table.Enter("elsewhere", "ada"); err == nil {
		t.Error("a database that is gone lets clients in")
	}
}
