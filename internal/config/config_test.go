package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var ignoreExplicit = cmpopts.IgnoreUnexported(Pool{})

// parse is for files that must be right.
func parse(t *testing.T, file string) *Config {
	t.Helper()
	c, err := Parse("usher.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const smallest = `
listen: ["127.0.0.1:6432"]
http: "127.0.0.1:8432"
auth: {type: trust}
pools:
  bench:
    url: postgres://postgres@127.0.0.1:5433/bench
    mode: transaction
    size: {min: 2, max: 20, reserve: 4}
`

func TestTheSmallestFileGivesDefaultsForTheRest(t *testing.T) {
	t.Parallel()
	got := parse(t, smallest)
	want := Default()
	want.HTTP = "127.0.0.1:8432"
	want.Auth.Type = AuthTrust
	options := want.PoolDefaults
	options.Size.Min, options.Size.Reserve = 2, 4
	want.Pools["bench"] = &Pool{
		Name:        "bench",
		Target:      Target{Host: "127.0.0.1", Port: 5433, Database: "bench"},
		User:        "postgres",
		PoolOptions: options,
	}
	if diff := cmp.Diff(want, got, ignoreExplicit); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAPoolTakesFromItsKeysThenItsURLThenTheDefaults(t *testing.T) {
	t.Parallel()
	c := parse(t, `
pools:
  keys:
    application_name: from key
    timeouts: {server_connect: 7s}
    url: postgres://url:secret@db/other?application_name=from+url&connect_timeout=9&sslmode=require
    user: key
  url: {url: "postgres://url@db/other?application_name=from+url&connect_timeout=9"}
  defaults: {url: "postgres://db"}
pool_defaults:
  application_name: from defaults
  timeouts: {server_connect: 8s, query: 3s}
auth: {type: trust}
`)
	type seen struct {
		Application, User string
		Connect, Query    time.Duration
		Mode              SSLMode
	}
	want := map[string]seen{
		"keys":     {"from key", "key", 7 * time.Second, 3 * time.Second, SSLRequire},
		"url":      {"from url", "url", 9 * time.Second, 3 * time.Second, SSLPrefer},
		"defaults": {"from defaults", "", 8 * time.Second, 3 * time.Second, SSLPrefer},
	}
	got := map[string]seen{}
	for name, p := range c.Pools {
		got[name] = seen{
			p.ApplicationName, p.User, p.Timeouts.ServerConnect, p.Timeouts.Query, p.TLS.SSLMode,
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheFallbackServesDatabasesWithoutAPool(t *testing.T) {
	t.Parallel()
	c := parse(t, `
auth: {type: trust}
pools:
  app: {url: postgres://one}
  "*": {url: postgres://two, mode: session}
`)
	tests := map[string]struct {
		target string
		mode   Mode
	}{
		"app":   {"postgres://one:5432/app", ModeTransaction},
		"other": {"postgres://two:5432/other", ModeSession},
		"*":     {"postgres://two:5432/%2A", ModeSession}, // a database of that name, not the pool
	}
	for database, want := range tests {
		p, ok := c.Pool(database)
		if !ok || p.Name != database || p.Mode != want.mode {
			t.Errorf("%s: got %v %s %s", database, ok, p.Name, p.Mode)
		}
		if got := strings.ReplaceAll((target{&p}).text(), "/*", "/%2A"); got != want.target {
			t.Errorf("%s: got target %s, want %s", database, got, want.target)
		}
	}
	delete(c.Pools, Fallback)
	if _, ok := c.Pool("other"); ok {
		t.Error("without a fallback, other has a pool")
	}
}

func TestAFileCanShareSettingsByAnchors(t *testing.T) {
	t.Parallel()
	c := parse(t, `
auth: {type: trust}
pools:
  a: &a
    url: postgres://db/a
    size: &big {max: 50, min: 5}
  b:
    <<: *a
    mode: session
    url: postgres://db/b
  c: {url: postgres://db/c, size: *big}
  d: {<<: [*a, {mode: statement}]}
`)
	tests := map[string]string{
		"a": "a transaction", "b": "b session", "c": "c transaction", "d": "a statement",
	}
	for name, want := range tests {
		p := c.Pools[name]
		if got := p.Target.Database + " " + string(p.Mode); got != want || p.Size.Max != 50 || p.Size.Min != 5 {
			t.Errorf("%s: got %s %+v, want %s with 5 to 50", name, got, p.Size, want)
		}
	}
}

func TestEditorsMarksAreNoErrors(t *testing.T) {
	t.Parallel()
	want := parse(t, smallest)
	got := parse(t, "\xef\xbb\xbf"+strings.ReplaceAll(smallest, "\n", "\r\n"))
	if diff := cmp.Diff(want, got, ignoreExplicit); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLoadReadsAFileAndNamesItInErrors(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "usher.yaml")
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a missing file: got %v", err)
	}
	if err := os.WriteFile(path, []byte(smallest), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err != nil {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("#\n", MaxFileSize)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.HasPrefix(err.Error(), path+": is larger than") {
		t.Errorf("a huge file: got %v", err)
	}
}

func TestAConfigWithoutAFileIsCheckedToo(t *testing.T) {
	t.Parallel()
	c := Default()
	c.Auth.Type = AuthTrust
	if err := c.Validate(); err == nil {
		t.Error("no pool: got no error")
	}
	if err := c.AddPool("app", "postgres://app@/?host=/run/postgresql&port=5433"); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	network, address := c.Pools["app"].Target.Network()
	if network != "unix" || address != "/run/postgresql/.s.PGSQL.5433" {
		t.Errorf("got %s %s", network, address)
	}
	err := c.AddPool("other", "postgres://u:geheim@/")
	if err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("a URL without host: got %v", err)
	}
}

func TestPasswordsAreNotPrinted(t *testing.T) {
	t.Parallel()
	c := parse(t, `
auth: {type: trust}
pools:
  url: {url: "postgres://u:geheim@db/a"}
  query: {url: "postgres://db/a?user=u&password=geheim"}
  key: {url: postgres://db, user: u, password: geheim}
`)
	if len(c.Pools) != 3 || c.Pools["query"].Password != "geheim" {
		t.Fatalf("got %d pools", len(c.Pools))
	}
	after := c.Clone()
	after.Pools["url"].Password = "geheim too"
	prints := map[string]any{"rows": c.Rows(), "diff": Diff(c, after)}
	for name, p := range c.Pools {
		prints[name] = p
	}
	for name, v := range prints {
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		texts := []string{fmt.Sprintf("%v", v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v), string(encoded)}
		for _, text := range texts {
			if strings.Contains(text, "geheim") {
				t.Errorf("%s: %s", name, text)
			}
		}
	}
}

func TestACloneSharesNothing(t *testing.T) {
	t.Parallel()
	file := smallest + "  other: {url: postgres://db}\nadmin_users: [a]\nstats_users: [b]\n" +
		"ignore_startup_parameters: [c]\nbudgets: {\"db:5432\": 100}\n"
	c, untouched := parse(t, file), parse(t, file)
	d := c.Clone()
	d.Listen[0].Address, d.AdminUsers[0], d.StatsUsers[0], d.IgnoreStartupParameters[0] = "x", "x", "x", "x"
	d.Budgets["db:5432"] = 1
	d.Pools["bench"].Size.Max = 1
	d.Pools["bench"].explicit["mode"] = false
	delete(d.Pools, "other")
	if diff := cmp.Diff(untouched, c, cmp.AllowUnexported(Pool{})); diff != "" {
		t.Errorf("changing the clone changed the original (-want +got):\n%s", diff)
	}
}
